"""Requests to the GraphQL API."""

from __future__ import annotations

import enum
import json
import time
from typing import Any, Dict, Mapping, Optional

# A menu does not wait longer; if there is an older one to show, not even so long.
TIMEOUT_S = 10.0
SOFT_TIMEOUT_S = 3.0
RESPONSE_BYTES_MAX = 16 << 20
READ_BYTES = 256 << 10


class Failure(enum.Enum):
    """Why a request failed."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    ERRORS = "errors"


class ApiError(Exception):
    """A request failed. The text holds nothing of the request."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(f"{failure.value}: {detail}")
        self.failure = failure


class Api:
    """The API at one address, with one user's token."""

    def __init__(self, url: str, token: str) -> None:
        """Use an address; `token` is empty for none."""
        self._url, self._token = url, token
        # Requests that were sent, and the `Cache-Status` of the last response: a gateway says there if it had it.
        self.requests = 0
        self.cache_status = ""

    def ask(
        self, document: str, variables: Optional[Mapping[str, Any]] = None, timeout_s: float = TIMEOUT_S
    ) -> Dict[str, Any]:
        """Return the data of an operation. Raises ApiError, also if only a part of it failed."""
        body = json.dumps({"query": document, "variables": variables or {}}).encode()
        answer = self._sent(body, timeout_s)
        try:
            decoded = json.loads(answer)
        except (ValueError, RecursionError):
            raise ApiError(Failure.UNREACHABLE, "the response is no JSON") from None
        if not isinstance(decoded, dict):
            raise ApiError(Failure.UNREACHABLE, "the response is no GraphQL")
        if decoded.get("errors"):
            raise ApiError(Failure.ERRORS, _messages(decoded["errors"]))
        data = decoded.get("data")
        if not isinstance(data, dict):
            raise ApiError(Failure.UNREACHABLE, "the response has no data")
        return data

    def _sent(self, body: bytes, timeout_s: float) -> bytes:
        # The import takes longer than a cached menu, which needs none of it.
        import http.client
        import urllib.error
        import urllib.request

        class _NoRedirects(urllib.request.HTTPRedirectHandler):
            """A redirect is a failure: its target is not who the token is for."""

            def redirect_request(self, *_arguments: Any) -> None:
                return None

        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        self.requests += 1
        try:
            request = urllib.request.Request(self._url, body, headers)
            if request.type not in ("http", "https"):
                raise ApiError(Failure.UNREACHABLE, "the address is not http or https")
            with urllib.request.build_opener(_NoRedirects).open(request, timeout=timeout_s) as response:
                self.cache_status = response.headers.get("Cache-Status", "")
                answer = _read(response, timeout_s)
        except urllib.error.HTTPError as error:
            error.close()
            failure = Failure.REFUSED if error.code in (401, 403) else Failure.UNREACHABLE
            raise ApiError(failure, f"status {error.code}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ApiError(Failure.UNREACHABLE, type(error).__name__) from None
        if len(answer) > RESPONSE_BYTES_MAX:
            raise ApiError(Failure.UNREACHABLE, "the response is too long")
        return answer


def _read(response: Any, timeout_s: float) -> bytes:
    """Return the body of a response. Raises OSError if it does not arrive in time.

    The socket's limit is for each part of it.
    """
    ends_at = time.monotonic() + timeout_s
    body = b""
    while len(body) <= RESPONSE_BYTES_MAX:
        part = response.read1(READ_BYTES)
        if not part:
            break
        body += part
        if time.monotonic() > ends_at:
            raise OSError("the response did not arrive in time")
    return body


def _messages(errors: Any) -> str:
    """Return what the errors of a response say, shortened."""
    told = errors if isinstance(errors, list) else []
    return "; ".join(str(error.get("message", "")) for error in told if isinstance(error, dict))[:200]
