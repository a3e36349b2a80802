"""Every operation of `Backend` over the API of a running Greenroom."""

from __future__ import annotations

import base64
import itertools
import json
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ..backend import Condition, FailureReason, LeaseHeld, LeaseResult, LeaseTaken, LeaseUnneeded, Put
from ..backend import PutResult, Scope, Size, StorageError, StoredEntry
from ..forking import renewed_in_child
from .connection import Address, Answer, Connections
from .names import encoded_of, is_key, prefix_of, quoted, text_of
from .wire import JSON, MEDIA_TYPES, OPERATIONS_PER_CALL, EncodedPut, codec_of, later, millis, parts, problem, stored_of
from .wire import times, understood

if TYPE_CHECKING:
    import ssl

INT64 = 1 << 63
PAUSE_MS_MAX = 3_600_000

# How long one request waits for another caller's load, and how many do at a time: connections remain for other calls.
LEASE_WAIT_S_MAX = 2.0
LEASE_WAITS_MAX = 2
_PUT_STATES = {
    "stored": PutResult.STORED,
    "present": PutResult.PRESENT,
    "fenced": PutResult.FENCED,
    "full": PutResult.TOO_LARGE,
    "too-long": PutResult.TOO_LARGE,
    "invalid": PutResult.INVALID,
}
_PUT_CODES = {"condition-failed": "present", "fenced": "fenced", "cache-full": "full", "value-too-long": "too-long"}


class RemoteBackend:
    """One cache of a running Greenroom. A daemon that is away is a StorageError; nothing is stored elsewhere."""

    def __init__(
        self,
        url: str,
        name: str,
        token: Optional[str],
        timeout_s: float,
        clock: Callable[[], float] = time.time,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        """Nothing is connected yet. Raises ValueError for an address, a name or a token that can be none."""
        if not (0 < len(name) <= 40 and all("a" <= letter <= "z" or letter in "0123456789-" for letter in name)):
            raise ValueError("the name of a cache is 1 to 40 lower-case letters, digits and dashes")
        if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
            raise ValueError("a token is one line of printable characters")
        address = Address(url, timeout_s, tls)
        self._clock = clock
        self._base = f"{address.base}/api/v1/caches/{name}"
        shown = "" if token is None else f"Authorization: Bearer {token}\r\n"
        self._common = f" HTTP/1.1\r\nHost: {address.host}\r\nUser-Agent: greenroom-client\r\n{shown}".encode("ascii")
        self._connections = Connections(address)
        # The daemon must answer before the connection gives up.
        self._lease_wait_s = min(LEASE_WAIT_S_MAX, timeout_s / 2)
        self._generation = 0
        self._counts: Dict[str, int] = {}
        self.renew()
        renewed_in_child(self)

    def renew(self) -> None:
        """In a child process: the parent may have held the locks."""
        self._lease_waits = threading.BoundedSemaphore(LEASE_WAITS_MAX)
        self._counts_lock = threading.Lock()

    @understood
    def fresh(self, key: bytes, now: float) -> Optional[Tuple[int, bytes]]:
        answer = self._ask("GET", self._entry(key), b"", "")
        headers = answer.headers
        is_stale = headers.get(b"greenroom-left-ms", b"1")[:1] in (b"-", b"0")
        if answer.status != 200 or is_stale or b"greenroom-version" in headers:
            self._check(answer, (200, 404))
            return None
        return codec_of(headers), answer.body

    @understood
    def find(self, key: bytes) -> Optional[StoredEntry]:
        answer = self._ask("GET", self._entry(key), b"", "")
        self._check(answer, (200, 404))
        return self._stored(answer) if answer.status == 200 else None

    def _stored(self, answer: Answer) -> StoredEntry:
        now, headers = self._clock(), answer.headers
        expires, dies = later(now, headers, b"greenroom-left-ms"), later(now, headers, b"greenroom-stale-left-ms")
        told = headers.get(b"greenroom-tags", b"").decode("ascii")
        tags = [urllib.parse.unquote(tag) for tag in told.split(",") if tag]
        version = urllib.parse.unquote(headers.get(b"greenroom-version", b"").decode("ascii"))
        stored = now - int(headers.get(b"greenroom-age-ms", b"0")) / 1000
        encoded = tuple(encoded_of(tag) for tag in tags)
        return StoredEntry(codec_of(headers), answer.body, expires, dies, encoded, version, stored)

    @understood
    def get(self, keys: Sequence[bytes]) -> List[Optional[StoredEntry]]:
        # A key that is too long for the daemon is none of its.
        asked = [key for key in keys if is_key(key)]
        found: List[Optional[StoredEntry]] = []
        while len(found) < len(asked):
            part = [text_of(key) for key in asked[len(found) :][:OPERATIONS_PER_CALL]]
            results = self._call("POST", "/batch/get", {"keys": part}, repeatable=True)["results"]
            now = self._clock()
            # The last ones are not read if the values of the first ones fill the answer.
            read = list(itertools.takewhile(lambda result: result["state"] != "later", results))
            if not read or len(results) != len(part):
                raise ValueError("keys are not answered")
            found += [stored_of(result, now) for result in read]
        entries = dict(zip(asked, found))
        return [entries.get(key) for key in keys]

    def put(self, puts: Sequence[Put], now: float) -> List[PutResult]:
        results: List[PutResult] = []
        try:
            for part in parts(puts, lambda put: self._encoded(put, now)):
                results += self._put_part(part, now)
        except StorageError as error:
            error.results = results
            raise
        finally:
            self._generation += bool(results)
        return results

    @understood
    def _put_part(self, part: List[EncodedPut], now: float) -> List[PutResult]:
        if len(part) == 1:
            return [self._put_one(part[0].put, now)]
        body = b'{"operations":[' + b",".join(encoded.operation for encoded in part) + b"]}"
        answer = self._ask("POST", f"{self._base}/batch", body, JSON)
        if answer.status == 413:
            return [self._put_one(encoded.put, now) for encoded in part]
        told = self._object(answer)["results"]
        if len(told) != len(part):
            raise ValueError("puts are not answered")
        return [_PUT_STATES[result["state"]] for result in told]

    def _encoded(self, put: Put, now: float) -> bytes:
        return json.dumps(self._operation(put, now), separators=(",", ":")).encode("ascii")

    def _put_one(self, put: Put, now: float) -> PutResult:
        if not is_key(put.key):
            return PutResult.INVALID
        ttl_ms, stale_ms = times(put.entry, now)
        query: List[Tuple[str, Any]] = [("ttl_ms", "never" if ttl_ms < 0 else ttl_ms), ("stale_ms", stale_ms)]
        query += [("tag", text_of(tag)) for tag in put.entry.tags]
        if put.entry.version:
            query.append(("version", put.entry.version))
        if put.begun is not None:
            query.append(("begun", put.begun))
        if put.lease is not None:
            query.append(("lease", put.lease))
        headers = f"Content-Type: {MEDIA_TYPES[put.entry.codec]}\r\n"
        if put.condition is Condition.ABSENT:
            headers += "If-None-Match: *\r\n"
        path = f"{self._entry(put.key)}?{urllib.parse.urlencode(query, errors='surrogatepass')}"
        # A second one after a first whose answer was lost would be fenced by it.
        plain = put.condition is Condition.ALWAYS and put.lease is None and put.begun is None
        answer = self._ask("PUT", path, put.entry.payload, headers, repeatable=plain)
        if answer.status in (204, 202):
            return PutResult.STORED
        code = problem(answer)[0]
        if code in _PUT_CODES:
            return _PUT_STATES[_PUT_CODES[code]]
        if answer.status == 413:
            return PutResult.TOO_LARGE
        if answer.status == 400 and code:
            return PutResult.INVALID
        raise self._failure(answer)

    def _operation(self, put: Put, now: float) -> Dict[str, Any]:
        ttl_ms, stale_ms = times(put.entry, now)
        operation: Dict[str, Any] = {
            "op": "add" if put.condition is Condition.ABSENT else "put",
            "key": self._text(put.key),
            "value": base64.b64encode(put.entry.payload).decode("ascii"),
            "media_type": MEDIA_TYPES[put.entry.codec],
            "ttl_ms": ttl_ms,
            "stale_ms": stale_ms,
            "tags": [text_of(tag) for tag in put.entry.tags],
            "version": put.entry.version,
        }
        if put.begun is not None:
            operation["begun"] = put.begun
        if put.lease is not None:
            operation["lease"] = put.lease
        return operation

    @understood
    def touch(self, key: bytes, expires: Optional[float], now: float) -> bool:
        ttl_ms = None if expires is None else millis(expires - now)
        return bool(self._write("POST", f"{self._entry(key)}/touch", {"ttl_ms": ttl_ms})["changed"])

    def increment(self, key: bytes, delta: int, default: Optional[int], now: float) -> Optional[int]:
        if not (-INT64 <= delta < INT64 and -INT64 <= (default or 0) < INT64):
            raise OverflowError("the sum has more than 64 bits")
        body: Dict[str, Any] = {"delta": delta}
        if default is not None:
            body["default"] = default
        body_bytes = json.dumps(body).encode("ascii")
        answer = self._ask("POST", f"{self._entry(key)}/increment", body_bytes, JSON)
        code = problem(answer)[0] if answer.status != 200 else ""
        if code == "no-entry":
            return None
        if code == "not-an-integer":
            raise TypeError("the entry is no int")
        if code == "overflow":
            raise OverflowError("the sum has more than 64 bits")
        self._generation += 1
        return self._sum(answer)

    @understood
    def _sum(self, answer: Answer) -> int:
        return int(self._object(answer)["value"])

    @understood
    def retag(self, key: bytes, tags: Sequence[bytes], now: float) -> bool:
        body = {"tags": [text_of(tag) for tag in tags]}
        return bool(self._write("PUT", f"{self._entry(key)}/tags", body)["changed"])

    @understood
    def pop(self, key: bytes, now: float) -> Optional[StoredEntry]:
        answer = self._ask("POST", f"{self._entry(key)}/pop", b"", "")
        self._check(answer, (200, 404))
        self._generation += 1
        return self._stored(answer) if answer.status == 200 else None

    @understood
    def invalidate(self, scope: Scope) -> int:
        body: Dict[str, Any] = {"all": True}
        if scope.kind == "prefix":
            body = {"prefix": prefix_of(scope.value)}
        elif scope.kind != "all":
            body = {scope.kind: text_of(scope.value)}
        return int(self._write("POST", f"{self._base}/invalidate", body)["removed"])

    def sweep(self, now: float) -> int:
        """The daemon removes dead entries by itself."""
        return 0

    def shrink(self, bytes_max: int, now: float) -> int:
        """The daemon keeps its own limits."""
        return 0

    @property
    def lease_wait_s(self) -> float:
        return self._lease_wait_s

    @understood
    def acquire(
        self, key: bytes, tags: Sequence[bytes], seconds: float, now: float, version: str, wait_s: float = 0.0
    ) -> LeaseResult:
        body = {"duration_ms": millis(seconds), "tags": [text_of(tag) for tag in tags], "version": version}
        if wait_s > 0 and self._lease_waits.acquire(blocking=False):
            try:
                return self._leased(key, dict(body, wait_ms=millis(min(wait_s, self.lease_wait_s))), now)
            finally:
                self._lease_waits.release()
        return self._leased(key, body, now)

    def _leased(self, key: bytes, body: Dict[str, Any], now: float) -> LeaseResult:
        told = self._object(self._ask("POST", f"{self._entry(key)}/lease", json.dumps(body).encode("ascii"), JSON))
        if told["state"] == "held":
            return LeaseHeld(int(told["token"]), int(told["token"]))
        if told["state"] == "unneeded":
            found = self.find(key)
            return LeaseTaken(now) if found is None else LeaseUnneeded(found)
        return LeaseTaken(now + int(told["left_ms"]) / 1000)

    @understood
    def release(self, key: bytes, token: int, until: Optional[float] = None) -> None:
        pause = "" if until is None else f"&pause_ms={min(millis(until - self._clock()), PAUSE_MS_MAX)}"
        self._object(self._ask("DELETE", f"{self._entry(key)}/lease?token={token}{pause}", b"", ""))

    @understood
    def invalidated(self, key: bytes, tags: Sequence[bytes], begun: int) -> bool:
        query = urllib.parse.urlencode([("begun", begun), *(("tag", text_of(tag)) for tag in tags)])
        answer = self._ask("GET", f"{self._entry(key)}/fence?{query}", b"", "")
        return bool(self._object(answer)["fenced"])

    @understood
    def sequence(self) -> int:
        return int(self._object(self._ask("GET", f"{self._base}/sequence", b"", ""))["sequence"])

    def generation(self) -> int:
        return self._generation

    def keys(self, prefix: bytes, reverse: bool) -> Iterator[Tuple[bytes, Optional[float]]]:
        """Yield keys in the order of their texts, not in that in which they were stored."""
        listed = self._listed(prefix)
        return iter(list(listed)[::-1]) if reverse else listed

    def _listed(self, prefix: bytes) -> Iterator[Tuple[bytes, Optional[float]]]:
        query = {"prefix": prefix_of(prefix), "limit": "1000"}
        while True:
            page, cursor = self._page(query)
            for key, expires in page:
                if key.startswith(prefix):
                    yield key, expires
            if cursor is None:
                return
            query["cursor"] = cursor

    @understood
    def _page(self, query: Dict[str, str]) -> Tuple[List[Tuple[bytes, Optional[float]]], Optional[str]]:
        told = self._object(self._ask("GET", f"{self._base}/entries?{urllib.parse.urlencode(query)}", b"", ""))
        page = []
        for entry in told["entries"]:
            expires_ms = entry["expires_ms"]
            page.append((encoded_of(entry["key"]), None if expires_ms is None else expires_ms / 1000))
        return page, told.get("next_cursor")

    @understood
    def size(self) -> Size:
        answer = self._ask("GET", self._base, b"", "")
        if answer.status == 404 and problem(answer)[0] == "unknown-cache":
            return Size(0, 0)
        told = self._object(answer)
        return Size(int(told["entries"]), int(told["bytes"]))

    def counts(self) -> Dict[str, int]:
        """The counters of this process: the daemon has its own."""
        with self._counts_lock:
            return dict(self._counts)

    def add_counts(self, counts: Dict[str, int], reset: bool) -> None:
        with self._counts_lock:
            if reset:
                self._counts = {}
            for name, count in counts.items():
                self._counts[name] = self._counts.get(name, 0) + count

    def close(self) -> None:
        self._connections.close()

    @staticmethod
    def _text(key: bytes) -> str:
        text = text_of(key)
        if not is_key(key):
            raise StorageError(FailureReason.IO, "the key is too long for the daemon")
        return text

    def _entry(self, key: bytes) -> str:
        return f"{self._base}/entries/{quoted(self._text(key))}"

    def _ask(self, method: str, path: str, body: bytes, headers: str, repeatable: bool = False) -> Answer:
        length = f"Content-Length: {len(body)}\r\n" if body or method != "GET" else ""
        head = f"{method} {path}".encode("ascii") + self._common + f"{headers}{length}\r\n".encode("ascii")
        return self._connections.exchange(head + body, repeatable or method == "GET")

    def _call(self, method: str, path: str, body: Any, repeatable: bool = False) -> Dict[str, Any]:
        encoded = json.dumps(body, separators=(",", ":")).encode("ascii")
        return self._object(self._ask(method, self._base + path, encoded, JSON, repeatable))

    def _write(self, method: str, path: str, body: Any) -> Dict[str, Any]:
        told = self._object(self._ask(method, path, json.dumps(body).encode("ascii"), JSON))
        self._generation += 1
        return told

    def _object(self, answer: Answer) -> Dict[str, Any]:
        self._check(answer, (200,))
        try:
            told = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise StorageError(FailureReason.IO, "the answer is no JSON") from error
        if not isinstance(told, dict):
            raise StorageError(FailureReason.IO, "the answer is no JSON object")
        return told

    def _check(self, answer: Answer, expected: Tuple[int, ...]) -> None:
        # A 404 that is none of this API's is another program's.
        known = answer.status != 404 or problem(answer)[0] == "no-entry"
        if answer.status not in expected or not known:
            raise self._failure(answer)

    @staticmethod
    def _failure(answer: Answer) -> StorageError:
        code, detail = problem(answer)
        reason = FailureReason.IO
        if answer.status in (401, 403, 421):
            reason = FailureReason.REFUSED
        elif answer.status == 507:
            reason = FailureReason.FULL
        elif answer.status in (429, 503):
            reason = FailureReason.UNAVAILABLE
        return StorageError(reason, f"{code or answer.status}: {detail}")
