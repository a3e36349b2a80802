"""A connection to a running Greenroom's control plane."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import urllib.parse
from typing import Any, Dict, Iterator, Mapping, Optional

from .problem import Problem

TIMEOUT_S = 60.0
ANSWER_BYTES_MAX = 256 << 20
REFUSAL_BYTES_MAX = 1 << 20


class Client:
    """The address of a control plane, and the token to show it. Each call has a connection of its own.

    Nothing goes through a proxy, and redirects are not followed, because they would carry the token elsewhere.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8710",
        token: Optional[str] = None,
        timeout_s: float = TIMEOUT_S,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        """Use a control plane. `greenroom token show` prints the token; reads on the same machine need none.

        `timeout_s` is for each wait for the network. `tls` replaces the system's way of checking certificates. Raises
        ValueError for an address that is none.
        """
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url is an http or https address, such as http://127.0.0.1:8710")
        if token is not None and not (token.isascii() and token.isprintable() and token.strip()):
            raise ValueError("a token is one line of printable characters")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._base = parts.path.rstrip("/")
        self._token, self._timeout_s, self._tls = token, timeout_s, tls

    def __repr__(self) -> str:
        return f"Client({self._host!r})"

    def call(self, method: str, path: str, body: Any = None) -> Dict[str, Any]:
        """Ask with a JSON body and return the JSON answer. Raises Problem."""
        with self.open(method, path, body) as answer:
            try:
                told = answer.read(ANSWER_BYTES_MAX + 1)
                answered = json.loads(told) if len(told) <= ANSWER_BYTES_MAX else None
            except (OSError, http.client.HTTPException) as error:
                raise Problem("unreachable", str(error)) from error
            except (ValueError, RecursionError):
                answered = None
        if not isinstance(answered, dict):
            raise Problem("not-an-answer", "the answer is no JSON object", answer.status)
        return answered

    @contextlib.contextmanager
    def open(
        self, method: str, path: str, body: Any = None, headers: Optional[Mapping[str, str]] = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask and return the answer while it arrives, within a `with` block. Raises Problem for a refusal."""
        connection = self._connection()
        try:
            try:
                connection.request(method, self._base + path, self._encoded(body), self._headers(body, headers))
                answer = connection.getresponse()
                refusal = None if answer.status in (200, 202) else answer.read(REFUSAL_BYTES_MAX)
            except (OSError, http.client.HTTPException) as error:
                raise Problem("unreachable", str(error) or type(error).__name__) from error
            if refusal is not None:
                raise Problem.of(answer.status, refusal, answer.getheader("Retry-After"))
            yield answer
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._secure:
            tls = self._tls or ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)

    def _headers(self, body: Any, more: Optional[Mapping[str, str]]) -> Dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "greenroom-client", **(more or {})}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    @staticmethod
    def _encoded(body: Any) -> Optional[bytes]:
        return None if body is None else json.dumps(body, separators=(",", ":")).encode("ascii")


def given(**options: Any) -> Dict[str, Any]:
    """Return the options that are not None."""
    return {name: value for name, value in options.items() if value is not None}
