"""The backend as a cache sees it: keys and values encoded, failures counted instead of raised."""

from __future__ import annotations

import datetime
import logging
import math
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, TypeVar, Union

from . import codec
from .backend import Backend, Condition, Entry, Put, PutResult, StorageError, StoredEntry
from .keys import Key, KeyTooLong, decode_key, encode_key
from .stats import Counters

# Counters are persisted with the first write after so long, and when the cache is closed.
COUNTS_KEPT_EVERY_S = 1.0
PUTS_PER_TRANSACTION = 256
VERSION_CHARACTERS_MAX = 1024

log = logging.getLogger("greenroom")

# Stands for no value, because it is missing or damaged. Compared by identity.
ABSENT: Any = object()

Result = TypeVar("Result")
Seconds = Union[int, float, datetime.timedelta]
# One tag, or a list of tags. A tuple is one tag.
Tags = Union[Key, List[Key]]


class Terms(NamedTuple):
    """How a value is to be stored."""

    ttl: Optional[float]
    stale: float
    tags: Tuple[bytes, ...]
    version: str


class Storage:
    """A backend whose failures are misses and counts."""

    def __init__(
        self, backend: Backend, counters: Counters, clock: Callable[[], float], value_limit: int
    ) -> None:
        self.backend, self.counters, self.clock = backend, counters, clock
        self._value_limit = value_limit
        self._counts_kept = clock()
        self._failing = False

    def tried(self, operation: Callable[[], Result], otherwise: Result) -> Result:
        """Run an operation of the backend; count a failure and return `otherwise`."""
        try:
            return operation()
        except StorageError as error:
            self.failed(error)
            return otherwise

    def failed(self, error: StorageError) -> None:
        """Count a failure. The first one in a row is logged."""
        self.counters.add(f"failed_{error.reason.value}")
        log.log(logging.DEBUG if self._failing else logging.WARNING, "the cache's storage failed: %s", error)
        self._failing = True

    def key(self, key: Key) -> Optional[bytes]:
        """Return an encoded key, None if it is too long. Raises TypeError for a type that is no key."""
        try:
            return encode_key(key)
        except KeyTooLong:
            self.counters.add("refused_key_too_long")
            return None

    def on_key(self, key: Key, operation: Callable[[bytes], Result], otherwise: Result) -> Result:
        """Run an operation of the backend on a key."""
        encoded = self.key(key)
        return otherwise if encoded is None else self.tried(lambda: operation(encoded), otherwise)

    def terms(
        self, ttl: Optional[Seconds] = None, stale: Seconds = 0, tag: Tags = None, version: str = ""
    ) -> Terms:
        """Return how a value is to be stored. Raises TypeError or ValueError for what cannot be meant."""
        if not isinstance(version, str) or len(version) > VERSION_CHARACTERS_MAX:
            raise ValueError(f"version is a str of at most {VERSION_CHARACTERS_MAX} characters")
        return Terms(seconds(ttl), max(0.0, seconds(stale) or 0.0), self.tags(tag), version)

    def tags(self, tag: Tags) -> Tuple[bytes, ...]:
        """Return encoded tags. Raises TypeError for what is no tag, ValueError for one that is too long."""
        if tag is None:
            return ()
        return tuple(encode_key(one) for one in (tag if isinstance(tag, list) else [tag]))

    def find(self, key: Key) -> Optional[StoredEntry]:
        """Return the entry of a key, expired or not."""
        try:
            return self.backend.find(encode_key(key))
        except KeyTooLong:
            self.counters.add("refused_key_too_long")
        except StorageError as error:
            self.failed(error)
        return None

    def fresh(self, key: Key) -> Any:
        """Return the fresh value of a key without a version, ABSENT if there is none."""
        try:
            found = self.backend.fresh(encode_key(key), self.clock())
            if found is not None:
                return codec.decode(*found)
        except KeyTooLong:
            self.counters.add("refused_key_too_long")
        except StorageError as error:
            self.failed(error)
        except (ValueError, RecursionError):
            self.counters.add("damaged")
        return ABSENT

    def value(self, entry: StoredEntry) -> Any:
        """Return an entry's value, ABSENT if it cannot be decoded."""
        try:
            return codec.decode(entry.codec, entry.payload)
        except (ValueError, RecursionError):
            self.counters.add("damaged")
            return ABSENT

    def put(self, key: Key, value: Any, terms: Terms, condition: Condition = Condition.ALWAYS) -> bool:
        """Store a value and return whether it is stored. Raises TypeError for a value that cannot be."""
        made = self.made(key, value, terms, condition)
        return made is not None and self.put_all([made])[0] is PutResult.STORED

    def made(
        self,
        key: Key,
        value: Any,
        terms: Terms,
        condition: Condition = Condition.ALWAYS,
        begun: Optional[int] = None,
    ) -> Optional[Put]:
        """Return a put, None if the key or the value is refused. Raises TypeError for a value that cannot be stored."""
        encoded = self.key(key)
        if encoded is None:
            return None
        try:
            kind, payload = codec.encode(value)
        except codec.ValueRefused as error:
            self.counters.add(f"refused_{error.reason}")
            return None
        if not self.has_room_for(payload):
            return None
        return Put(encoded, entry(kind, payload, terms, self.clock()), condition, begun)

    def has_room_for(self, payload: bytes) -> bool:
        """Return whether an encoded value is within the limit; one that is not is counted as refused."""
        if len(payload) <= self._value_limit:
            return True
        self.counters.add("refused_too_large")
        return False

    def put_all(self, puts: Sequence[Put]) -> List[Optional[PutResult]]:
        """Store entries, PUTS_PER_TRANSACTION at a time. A result is None where storage failed."""
        results: List[Optional[PutResult]] = []
        for start in range(0, len(puts), PUTS_PER_TRANSACTION):
            part = puts[start : start + PUTS_PER_TRANSACTION]
            try:
                results += self.backend.put(part, self.clock())
                self._failing = False
            except StorageError as error:
                self.failed(error)
                results += error.results
                results += [None] * (len(part) - len(error.results))
        for result in results:
            self.counters.add("failed_puts" if result is None else _COUNTED[result])
        if abs(self.clock() - self._counts_kept) >= COUNTS_KEPT_EVERY_S:
            self.keep_counts()
        return results

    def keep_counts(self) -> None:
        """Persist the counters."""
        self._counts_kept = self.clock()
        counts = self.counters.take()
        if not counts:
            return
        try:
            self.backend.add_counts(counts, False)
        except StorageError as error:
            self.counters.give_back(counts)
            self.failed(error)

    def keys(self, prefix: bytes, reverse: bool) -> Iterator[Key]:
        """Yield the keys of fresh entries; ends early if storage fails."""
        try:
            for encoded, expires in self.backend.keys(prefix, reverse):
                if expires is None or expires > self.clock():
                    yield decode_key(encoded)
        except StorageError as error:
            self.failed(error)
        except ValueError:
            self.counters.add("damaged")


_COUNTED = {
    PutResult.STORED: "stored",
    PutResult.PRESENT: "present",
    PutResult.FENCED: "fenced",
    PutResult.TOO_LARGE: "refused_too_large",
    PutResult.INVALID: "refused_invalid",
}


def entry(kind: int, payload: bytes, terms: Terms, now: float) -> Entry:
    """Return the entry of an encoded value that was made now."""
    expires = None if terms.ttl is None else now + terms.ttl
    dies = None if expires is None else expires + terms.stale
    return Entry(kind, payload, expires, dies, terms.tags, terms.version)


def seconds(duration: Optional[Seconds]) -> Optional[float]:
    """Return a duration in seconds, None for one without an end. Raises TypeError or ValueError for no duration."""
    if duration is None:
        return None
    number = duration.total_seconds() if isinstance(duration, datetime.timedelta) else float(duration)
    if math.isnan(number):
        raise ValueError("a duration is a number")
    return None if number == math.inf else max(number, -1e12)


def decoded_tags(tags: Sequence[bytes]) -> Tuple[Key, ...]:
    """Return the tags of an entry."""
    try:
        return tuple(decode_key(tag) for tag in tags)
    except ValueError:
        return ()
