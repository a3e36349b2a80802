"""Connections to a daemon: HTTP/1.1 that stays open, over TCP, TLS or a Unix socket.

Written by hand because a lookup is to cost less than what `http.client` needs for the headers alone.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING, Callable, Dict, List, NamedTuple, Optional, Tuple

from ..backend import FailureReason, StorageError

if TYPE_CHECKING:
    import ssl

# The daemon closes a connection that is idle for 15 s; one that might be closed is not used.
IDLE_S_MAX = 10.0
CONNECTIONS_MAX = 4
# After no connection could be made, calls fail at once for this long.
RETRY_AFTER_S = 1.0
HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 256 << 20
READ_BYTES = 64 * 1024


class Answer(NamedTuple):
    """An answer; names of headers are in lower case."""

    status: int
    headers: Dict[bytes, bytes]
    body: bytes


class Address:
    """Where a daemon listens: `http://HOST:PORT`, `https://HOST:PORT` or `unix:///PATH`."""

    def __init__(self, url: str, timeout_s: float, tls: Optional[ssl.SSLContext] = None) -> None:
        """Raises ValueError for an address that is none."""
        parts = urllib.parse.urlsplit(url)
        self.timeout_s, self._tls = timeout_s, tls
        self.base = parts.path.rstrip("/")
        self._path = ""
        if parts.scheme == "unix" and parts.path and not parts.netloc:
            self._path, self.base, self.host = urllib.parse.unquote(parts.path), "", "localhost"
        elif parts.scheme in ("http", "https") and parts.hostname and parts.username is None:
            self._secure = parts.scheme == "https"
            self._name, self._port = parts.hostname, parts.port or (443 if self._secure else 80)
            self.host = parts.netloc
        else:
            raise ValueError("url is http://HOST:PORT, https://HOST:PORT or unix:///PATH")
        if not (self.base.isascii() and self.host.isascii() and self.base.isprintable()):
            raise ValueError("an address has ASCII characters only")

    def connect(self) -> socket.socket:
        """Return a new connection. Raises OSError."""
        if self._path:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(self.timeout_s)
            try:
                connection.connect(self._path)
            except BaseException:
                connection.close()
                raise
            return connection
        connection = socket.create_connection((self._name, self._port), self.timeout_s)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._secure:
                import ssl

                context = self._tls or ssl.create_default_context()
                return context.wrap_socket(connection, server_hostname=self._name)
        except BaseException:
            connection.close()
            raise
        return connection


class Connections:
    """A few connections, used by all threads of this process. A child process makes its own."""

    def __init__(self, address: Address, clock: Callable[[], float] = time.monotonic) -> None:
        self._address, self._clock = address, clock
        self._failed_at: Optional[float] = None
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._idle: List[Tuple[socket.socket, float]] = []

    def exchange(self, request: bytes, repeatable: bool) -> Answer:
        """Send a request and return its answer. Raises StorageError.

        One that is `repeatable` is sent once more if a kept connection turns out to be closed.
        """
        if self._process != os.getpid():
            self._begin()
        places = self._places
        if not places.acquire(timeout=self._address.timeout_s):
            raise StorageError(FailureReason.LOCKED, "all connections are in use")
        try:
            connection = self._kept()
            if connection is not None:
                try:
                    return self._exchanged(connection, request)
                except (OSError, ValueError) as error:
                    if not repeatable or isinstance(error, socket.timeout):
                        raise StorageError(FailureReason.UNAVAILABLE, _words(error)) from error
            connection = self._connected()
            try:
                return self._exchanged(connection, request)
            except (OSError, ValueError) as error:
                raise StorageError(FailureReason.UNAVAILABLE, _words(error)) from error
        finally:
            places.release()

    def _kept(self) -> Optional[socket.socket]:
        with self._lock:
            while self._idle:
                connection, since = self._idle.pop()
                if 0 <= self._clock() - since < IDLE_S_MAX:
                    return connection
                connection.close()
        return None

    def _connected(self) -> socket.socket:
        failed_at = self._failed_at
        if failed_at is not None and 0 <= self._clock() - failed_at < RETRY_AFTER_S:
            raise StorageError(FailureReason.UNAVAILABLE, "the daemon could not be reached a moment ago")
        try:
            connection = self._address.connect()
        except OSError as error:
            self._failed_at = self._clock()
            raise StorageError(FailureReason.UNAVAILABLE, _words(error)) from error
        self._failed_at = None
        return connection

    def _exchanged(self, connection: socket.socket, request: bytes) -> Answer:
        try:
            sent = _sent(connection, request)
            answer = _read_answer(connection)
        except BaseException:
            connection.close()
            raise
        if not sent or answer.headers.get(b"connection", b"").lower() == b"close":
            connection.close()
        else:
            with self._lock:
                self._idle.append((connection, self._clock()))
        return answer

    def close(self) -> None:
        """Close idle connections. The next call makes a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()


def _sent(connection: socket.socket, request: bytes) -> bool:
    """Send a request. Return whether all of it was taken: a daemon that refuses a body answers before its end."""
    try:
        connection.sendall(request)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _read_answer(connection: socket.socket) -> Answer:
    """Raises OSError, or ValueError for what is no answer."""
    received = connection.recv(READ_BYTES)
    while True:
        end = received.find(b"\r\n\r\n")
        if end >= 0:
            break
        if len(received) > HEAD_BYTES_MAX:
            raise ValueError("the answer's head is too long")
        more = connection.recv(READ_BYTES)
        if not more:
            raise ValueError("the connection was closed")
        received += more
    lines = received[:end].split(b"\r\n")
    status = lines[0].split(b" ", 2)
    if len(status) < 2 or not status[0].startswith(b"HTTP/1.") or not status[1].isdigit():
        raise ValueError("not an answer of HTTP")
    headers = {}
    for line in lines[1:]:
        name, separator, value = line.partition(b":")
        if not separator:
            raise ValueError("not a header")
        headers[name.lower()] = value.strip()
    code = int(status[1])
    body = received[end + 4 :]
    if code in (204, 304):
        return Answer(code, headers, b"")
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        return Answer(code, headers, _read_chunks(connection, body))
    length = headers.get(b"content-length", b"")
    if not length.isdigit() or int(length) > BODY_BYTES_MAX:
        raise ValueError("an answer of unknown length, or too long")
    return Answer(code, headers, _read_until(connection, body, int(length)))


def _read_until(connection: socket.socket, received: bytes, length: int) -> bytes:
    if len(received) == length:
        return received
    parts, missing = [received], length - len(received)
    while missing > 0:
        part = connection.recv(min(missing, 1 << 20))
        if not part:
            raise ValueError("the answer was cut off")
        parts.append(part)
        missing -= len(part)
    if missing < 0:
        raise ValueError("more than the answer")
    return b"".join(parts)


def _read_chunks(connection: socket.socket, received: bytes) -> bytes:
    body: List[bytes] = []
    buffer = received
    total = 0
    while True:
        while b"\r\n" not in buffer:
            buffer = _more(connection, buffer)
        size, _, buffer = buffer.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        total += length
        if length < 0 or total > BODY_BYTES_MAX:
            raise ValueError("the answer is too long")
        while len(buffer) < length + 2:
            buffer = _more(connection, buffer)
        if buffer[length : length + 2] != b"\r\n":
            raise ValueError("not a chunk, or trailers")
        if length == 0:
            return b"".join(body)
        body.append(buffer[:length])
        buffer = buffer[length + 2 :]


def _more(connection: socket.socket, buffer: bytes) -> bytes:
    part = connection.recv(READ_BYTES)
    if not part or len(buffer) > BODY_BYTES_MAX:
        raise ValueError("the answer was cut off")
    return buffer + part
