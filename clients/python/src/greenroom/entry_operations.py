"""Reading, writing and removing entries. The names, and their arguments by place, are those of diskcache's Cache."""

from __future__ import annotations

import io
import weakref
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from .backend import Condition, Put, PutResult, Scope, StorageError, StoredEntry
from .keys import Key, prefix_range
from .lookup import MISS, Lookup, Status
from .storage import ABSENT, Seconds, Storage, Tags, decoded_tags, log, seconds

if TYPE_CHECKING:
    from .deferred import Deferred


class EntryOperations:
    """The entries of a storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._counters = storage.counters
        self._later: "weakref.WeakSet[Deferred]" = weakref.WeakSet()

    def get(
        self,
        key: Key,
        default: Any = None,
        read: bool = False,
        expire_time: bool = False,
        tag: bool = False,
        retry: bool = False,
    ) -> Any:
        """Return the value of a key, `default` if there is no fresh one.

        With `expire_time` or `tag` returns a tuple, as diskcache does; with `read` a file of bytes. `retry` is ignored.
        """
        value = self._storage.fresh(key)
        if value is ABSENT:
            self._counters.count("misses")
            return _shaped(default, None, expire_time, tag)
        self._counters.count("hits")
        if not (read or expire_time or tag):
            return value
        if read and isinstance(value, (bytes, str)):
            value = io.BytesIO(value if isinstance(value, bytes) else value.encode())
        return _shaped(value, self._storage.find(key) if expire_time or tag else None, expire_time, tag)

    def lookup(self, key: Key, *, version: str = "") -> Lookup:
        """Return a value and how it is: fresh, stale or missing, its age and its time left.

        An entry that was stored with another `version` is a miss.
        """
        found = self._storage.find(key)
        now = self._storage.clock()
        if found is None or found.version != version or found.dies is not None and found.dies <= now:
            self._counters.add("misses")
            return MISS
        value = self._storage.value(found)
        if value is ABSENT:
            self._counters.add("misses")
            return MISS
        left_s = None if found.expires is None else found.expires - now
        status = Status.HIT if left_s is None or left_s > 0 else Status.STALE
        self._counters.add("hits" if status is Status.HIT else "stale")
        return Lookup(status, value, max(0.0, now - found.stored), left_s, decoded_tags(found.tags))

    def get_many(self, keys: Iterable[Key]) -> Dict[Key, Any]:
        """Return the fresh values of several keys, read at once. A key that is missing is not in the answer."""
        encoded: Dict[Key, bytes] = {}
        for key in keys:
            code = self._storage.key(key)
            if code is not None:
                encoded[key] = code
        nothing: List[Optional[StoredEntry]] = []
        found = self._storage.tried(lambda: self._storage.backend.get(list(encoded.values())), nothing)
        now = self._storage.clock()
        values = {}
        for key, entry in zip(encoded, found):
            if entry is not None and not entry.version and (entry.expires is None or entry.expires > now):
                value = self._storage.value(entry)
                if value is not ABSENT:
                    values[key] = value
        self._counters.add("hits", len(values))
        self._counters.add("misses", len(encoded) - len(values))
        return values

    def set(
        self,
        key: Key,
        value: Any,
        expire: Optional[Seconds] = None,
        read: bool = False,
        tag: Tags = None,
        retry: bool = False,
        *,
        ttl: Optional[Seconds] = None,
        stale: Seconds = 0,
        version: str = "",
    ) -> bool:
        """Store a value and return whether it is stored: True means that it outlives this process.

        `ttl` (diskcache's `expire`) is the time for which it is fresh, None for ever; `stale` the time after that in
        which it may still be served while it is loaded anew. `tag` is one tag, or a list of tags. With `read` the value
        is a file of bytes. Raises TypeError for a value that is none of bytes, str, and what JSON, tuples and dates
        are made of.
        """
        terms = self._storage.terms(one_of(ttl, expire), stale, tag, version)
        return self._storage.put(key, value.read() if read else value, terms)

    def add(
        self,
        key: Key,
        value: Any,
        expire: Optional[Seconds] = None,
        read: bool = False,
        tag: Tags = None,
        retry: bool = False,
        *,
        ttl: Optional[Seconds] = None,
        stale: Seconds = 0,
        version: str = "",
    ) -> bool:
        """Store a value if there is no fresh one, and return whether it was stored. Arguments as `set`."""
        terms = self._storage.terms(one_of(ttl, expire), stale, tag, version)
        return self._storage.put(key, value.read() if read else value, terms, Condition.ABSENT)

    def set_many(
        self,
        items: Union[Mapping[Key, Any], Iterable[Tuple[Key, Any]]],
        ttl: Optional[Seconds] = None,
        stale: Seconds = 0,
        tag: Tags = None,
    ) -> Dict[Key, bool]:
        """Store several values in one transaction (of 256 each) and return for each key whether it is stored.

        A value that cannot be stored is logged, counted and does not stop the others.
        """
        terms = self._storage.terms(ttl, stale, tag)
        results: Dict[Key, bool] = {}
        puts: Dict[Key, Put] = {}
        for key, value in items.items() if isinstance(items, Mapping) else items:
            results[key] = False
            try:
                put = self._storage.made(key, value, terms)
            except Exception as error:
                # Also a RuntimeError because another thread changes the value.
                self._counters.add("refused_unstorable")
                log.warning("a value cannot be stored: %s", error)
                continue
            if put is not None:
                puts[key] = put
        outcomes = self._storage.put_all(list(puts.values()))
        results.update((key, outcome is PutResult.STORED) for key, outcome in zip(puts, outcomes))
        return results

    def touch(
        self, key: Key, expire: Optional[Seconds] = None, retry: bool = False, *, ttl: Optional[Seconds] = None
    ) -> bool:
        """Give a fresh entry a new `ttl` from now on and return whether there is one."""
        left = seconds(one_of(ttl, expire))
        now = self._storage.clock()
        expires = None if left is None else now + left
        return self._storage.on_key(key, lambda code: self._storage.backend.touch(code, expires, now), False)

    def incr(self, key: Key, delta: int = 1, default: Optional[int] = 0, retry: bool = False) -> Optional[int]:
        """Add to an integer, atomically over all processes, and return the sum; None if storage failed.

        Begins at `default`; with None as default raises KeyError if there is no entry. Raises TypeError if the entry or
        an argument is no integer, OverflowError beyond 64 bits.
        """
        if not (isinstance(delta, int) and (default is None or isinstance(default, int))):
            raise TypeError("only integers are added")
        encoded = self._storage.key(key)
        if encoded is None:
            return None
        try:
            total = self._storage.backend.increment(encoded, delta, default, self._storage.clock())
        except StorageError as error:
            self._storage.failed(error)
            return None
        if total is None:
            raise KeyError(key)
        return total

    def decr(self, key: Key, delta: int = 1, default: Optional[int] = 0, retry: bool = False) -> Optional[int]:
        """Subtract from an integer; otherwise as `incr`."""
        return self.incr(key, -delta, default)

    def tag(self, key: Key, tag: Tags) -> bool:
        """Replace the tags of a fresh entry and return whether there is one."""
        tags, now = self._storage.tags(tag), self._storage.clock()
        return self._storage.on_key(key, lambda code: self._storage.backend.retag(code, tags, now), False)

    def pop(
        self, key: Key, default: Any = None, expire_time: bool = False, tag: bool = False, retry: bool = False
    ) -> Any:
        """Remove an entry and return its value, `default` if there is no fresh one."""
        found = self._removed(key)
        value = ABSENT if found is None else self._storage.value(found)
        return _shaped(default, None, expire_time, tag) if value is ABSENT else _shaped(value, found, expire_time, tag)

    def delete(self, key: Key, retry: bool = False) -> bool:
        """Remove an entry and return whether there was a fresh one. A load of it that is under way is not stored."""
        return self._removed(key) is not None

    def _removed(self, key: Key) -> Optional[StoredEntry]:
        now = self._storage.clock()
        found = self._storage.on_key(key, lambda code: self._storage.backend.pop(code, now), None)
        for later in list(self._later):
            later.forget(key)
        return found

    def delete_prefix(self, prefix: str) -> int:
        """Remove all entries whose keys are texts that begin with `prefix`, and return how many."""
        return self._invalidated(Scope("prefix", prefix_range(prefix)[0]))

    def evict(self, tag: Key, retry: bool = False) -> int:
        """Remove all entries with a tag and return how many. Loads of such that are under way are not stored."""
        return sum(self._invalidated(Scope("tag", encoded)) for encoded in self._storage.tags([tag]))

    def clear(self, retry: bool = False) -> int:
        """Remove everything and return how many entries that were."""
        return self._invalidated(Scope("all"))

    def _invalidated(self, scope: Scope) -> int:
        removed = self._storage.tried(lambda: self._storage.backend.invalidate(scope), 0)
        for later in list(self._later):
            later.forget_scope(scope)
        return removed


def one_of(ttl: Optional[Seconds], expire: Optional[Seconds]) -> Optional[Seconds]:
    """Return the one that is given of two names for one thing. Raises TypeError if both are."""
    if ttl is not None and expire is not None:
        raise TypeError("ttl and expire are two names for one thing: give one of them")
    return expire if ttl is None else ttl


def _shaped(value: Any, found: Optional[StoredEntry], expire_time: bool, tag: bool) -> Any:
    if not (expire_time or tag):
        return value
    tags = decoded_tags(found.tags) if found else ()
    parts = [value]
    if expire_time:
        parts.append(found.expires if found else None)
    if tag:
        parts.append(tags[0] if len(tags) == 1 else tags or None)
    return tuple(parts)
