"""Connections to a daemon: HTTP/1.1 that stays open, over TCP, TLS or a Unix socket.

Written by hand because a lookup is to cost less than what `http.client` needs for the headers alone.
"""

from __future__ import annotations

import os
import select
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
# After no connection could be made, or a call was not answered in time, calls fail at once for this long.
RETRY_AFTER_S = 1.0
HEAD_BYTES_MAX = 64 * 1024
CHUNK_LINE_BYTES_MAX = 1024
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
        if parts.scheme == "unix" and not hasattr(socket, "AF_UNIX"):
            raise ValueError("this system has no Unix sockets; use http://HOST:PORT")
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
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._idle: List[Tuple[socket.socket, float]] = []
        # Last: in a child process no other thread may use the parent's connections meanwhile.
        self._process = os.getpid()

    def exchange(self, request: bytes, repeatable: bool) -> Answer:
        """Send a request and return its answer. Raises StorageError.

        One that is `repeatable` is sent once more if a kept connection turns out to be closed. From the moment at which
        it has a connection it takes the address's timeout at the longest, however slowly the answer comes.
        """
        if self._process != os.getpid():
            self._begin()
        self._check_pause()
        places = self._places
        if not places.acquire(timeout=self._address.timeout_s):
            raise StorageError(FailureReason.LOCKED, "all connections are in use")
        try:
            connection = self._kept(repeatable)
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

    def _kept(self, repeatable: bool) -> Optional[socket.socket]:
        with self._lock:
            while self._idle:
                connection, since = self._idle.pop()
                # What cannot be sent again is not sent on a connection that the server has closed.
                if 0 <= self._clock() - since < IDLE_S_MAX and (repeatable or not _has_ended(connection)):
                    return connection
                connection.close()
        return None

    def _check_pause(self) -> None:
        failed_at = self._failed_at
        if failed_at is not None and 0 <= self._clock() - failed_at < RETRY_AFTER_S:
            raise StorageError(FailureReason.UNAVAILABLE, "the daemon could not be reached a moment ago")

    def _connected(self) -> socket.socket:
        self._check_pause()
        try:
            connection = self._address.connect()
        except (OSError, ValueError) as error:
            # A ValueError is for a name that can be none.
            self._failed_at = self._clock()
            raise StorageError(FailureReason.UNAVAILABLE, _words(error)) from error
        self._failed_at = None
        return connection

    def _exchanged(self, connection: socket.socket, request: bytes) -> Answer:
        receiver = _Receiver(connection, self._clock, self._address.timeout_s)
        try:
            sent = _sent(connection, request)
            answer = _read_answer(receiver)
        except BaseException as error:
            connection.close()
            if isinstance(error, socket.timeout):
                # The next calls need not wait for a daemon that hangs as well.
                self._failed_at = self._clock()
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


class _Receiver:
    """What arrives on a connection, for so long."""

    def __init__(self, connection: socket.socket, clock: Callable[[], float], left_s: float) -> None:
        self._connection, self._clock, self._ends = connection, clock, clock() + left_s
        connection.settimeout(left_s)
        self._waits = 0

    def some(self, bytes_max: int = READ_BYTES) -> bytes:
        """Return what has arrived, at least a byte. Raises OSError, ValueError if the connection was closed."""
        if self._waits:
            # Each wait would begin anew, and an answer that trickles never end.
            left_s = self._ends - self._clock()
            if left_s <= 0:
                raise socket.timeout("timed out")
            self._connection.settimeout(left_s)
        self._waits += 1
        part = self._connection.recv(bytes_max)
        if not part:
            raise ValueError("the connection was closed")
        return part


def _has_ended(connection: socket.socket) -> bool:
    """Return whether an idle connection can be read: nothing is due on it, so that would be its end."""
    if not hasattr(select, "poll") or type(connection) is not socket.socket:
        # Encryption may have something of its own to tell.
        return False
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _read_answer(receiver: _Receiver) -> Answer:
    """Raises OSError, or ValueError for what is no answer."""
    received = receiver.some()
    while True:
        end = received.find(b"\r\n\r\n")
        if end >= 0:
            break
        if len(received) > HEAD_BYTES_MAX:
            raise ValueError("the answer's head is too long")
        received += receiver.some()
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
        return Answer(code, headers, _read_chunks(receiver, body))
    length = headers.get(b"content-length", b"")
    if not length.isdigit() or int(length) > BODY_BYTES_MAX:
        raise ValueError("an answer of unknown length, or too long")
    whole, more = _read_exactly(receiver, body, int(length))
    if more:
        raise ValueError("more than the answer")
    return Answer(code, headers, whole)


def _read_exactly(receiver: _Receiver, received: bytes, length: int) -> Tuple[bytes, bytes]:
    """Return so many bytes, and what was received after them."""
    if len(received) >= length:
        return received[:length], received[length:]
    parts, missing = [received], length - len(received)
    while missing > 0:
        parts.append(receiver.some(min(missing, 1 << 20)))
        missing -= len(parts[-1])
    return b"".join(parts), b""


def _read_chunks(receiver: _Receiver, received: bytes) -> bytes:
    body: List[bytes] = []
    total = 0
    while True:
        while b"\r\n" not in received:
            if len(received) > CHUNK_LINE_BYTES_MAX:
                raise ValueError("not a chunk")
            received += receiver.some()
        size, _, received = received.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        total += length
        if length < 0 or total > BODY_BYTES_MAX:
            raise ValueError("the answer is too long")
        chunk, received = _read_exactly(receiver, received, length + 2)
        if not chunk.endswith(b"\r\n"):
            raise ValueError("not a chunk, or trailers")
        if length == 0:
            return b"".join(body)
        body.append(chunk[:-2])
