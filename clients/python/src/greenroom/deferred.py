"""Writes that are collected while something is rendered, and made after it."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from .backend import Put, PutResult, Scope
from .forking import renewed_in_child
from .keys import Key, encode_key_or_none
from .storage import Seconds, Storage, Tags, log

BATCH_MAX = 256


class Drained(NamedTuple):
    """What came of a drain: entries stored; refused by a limit, their type, or because the key was invalidated since;
    and left, because of the deadline, an abort or a failure of storage."""

    stored: int
    refused: int
    left: int


# A tuple and no class of its own, because a `set` is to cost next to nothing: value, ttl, stale, tag, the sequence
# number at which the collection began, and when the value was asked for, in seconds since 1970.
_Pending = Tuple[Any, Optional[Seconds], Seconds, Tags, Optional[int], float]
# Texts of so many characters are tags and need no look.
TAG_CHARACTERS_SURE = 1000


class Deferred:
    """A bounded collection of writes. May be used by several threads.

    Nothing is encoded or written before `drain`, so a value is stored as it is then. The newest value of a key wins.
    What is deleted or invalidated after it was collected is not written. In a `with` block everything is drained at the
    end, and dropped if the block raises.
    """

    def __init__(self, storage: Storage, max_entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        if max_entries < 1:
            raise ValueError("max_entries is at least 1")
        self._storage, self._max, self._clock = storage, max_entries, clock
        self._written_so_far = storage.backend.generation
        self.renew()
        self._pending: Dict[Key, _Pending] = {}
        self._generation, self._begun = -1, None  # type: Tuple[int, Optional[int]]
        # Since when values are asked for; None: each is as old as its `set`.
        self._pinned: Optional[float] = None
        self._aborts = 0
        self.dropped = 0
        renewed_in_child(self)

    def renew(self) -> None:
        """In a child process: the parent may have held the lock."""
        self._lock = threading.Lock()

    def set(
        self, key: Key, value: Any, ttl: Optional[Seconds] = None, stale: Seconds = 0, tag: Tags = None
    ) -> None:
        """Collect a write. If there are `max_entries` already, the oldest is dropped and counted in `dropped`.

        Raises TypeError or ValueError for what is no key or no tag; whether the value can be stored is seen by `drain`.
        """
        if type(key) is not str:
            encode_key_or_none(key)
        if tag is not None and (type(tag) is not str or len(tag) > TAG_CHARACTERS_SURE):
            self._storage.tags(tag)
            tag = list(tag) if isinstance(tag, list) else tag
        generation = self._written_so_far()
        pending, asked = self._pending, self._pinned
        if asked is None:
            asked = self._storage.clock()
        if self._pinned is None and (generation != self._generation or not pending):
            self._note_begin(generation)
        with self._lock:
            if key in pending:
                del pending[key]
            pending[key] = (value, ttl, stale, tag, self._begun, asked)
            if len(pending) > self._max:
                del pending[next(iter(pending))]
                self.dropped += 1

    def begin(self) -> None:
        """Note that what will be collected is asked for from now on: what is invalidated after this is not written.

        Without it that moment is the first `set`, which is after the values were fetched.
        """
        self._pinned = self._storage.clock()
        self._note_begin(self._written_so_far())

    def _note_begin(self, generation: int) -> None:
        """Read the sequence number once for each collection, so that what is invalidated since is not written.

        If it cannot be read, any invalidation that the store remembers may be since.
        """
        self._generation = generation
        self._begun = self._storage.tried(self._storage.backend.sequence, 0)

    def get(self, key: Key, default: Any = None) -> Any:
        """Return a collected value, `default` if there is none."""
        pending = self._pending.get(key)
        return default if pending is None else pending[0]

    def drain(self, deadline_s: Optional[float] = None, aborted: Callable[[], bool] = bool) -> Drained:
        """Write what is collected, in transactions of 256, and return what came of it. Never raises.

        Ends before a transaction if `deadline_s` seconds are over, `aborted()` is true, or storage failed for the one
        before; what is left stays collected.
        """
        ends = None if deadline_s is None else self._clock() + deadline_s
        stored = refused = 0
        aborts = self._aborts
        while self._pending:
            if ends is not None and self._clock() >= ends or aborted():
                break
            batch = self._taken()
            try:
                results = self._written(batch)
            except BaseException:
                # Such as an interrupt: what was taken is not lost.
                self._give_back(batch, aborts)
                raise
            failed = {key: batch[key] for key, result in results.items() if result is None}
            stored += sum(result is PutResult.STORED for result in results.values())
            refused += len(batch) - len(failed) - sum(result is PutResult.STORED for result in results.values())
            if failed:
                self._give_back(failed, aborts)
                break
        return Drained(stored, refused, len(self._pending))

    def abort(self) -> int:
        """Drop what is collected, also from under a drain that runs, and return how many writes that were."""
        with self._lock:
            self._aborts += 1
            count = len(self._pending)
            self._pending.clear()
        return count

    def forget(self, key: Key) -> None:
        """Drop a write because its key was deleted."""
        with self._lock:
            self._pending.pop(key, None)

    def forget_scope(self, scope: Scope) -> None:
        """Drop the writes that an invalidation covers."""
        with self._lock:
            covered = [key for key, pending in self._pending.items() if self._covers(scope, key, pending)]
            for key in covered:
                del self._pending[key]

    def _covers(self, scope: Scope, key: Key, pending: _Pending) -> bool:
        if scope.kind == "tag":
            return scope.value in self._storage.tags(pending[3])
        encoded = encode_key_or_none(key)
        return scope.kind == "all" or encoded is not None and encoded.startswith(scope.value)

    def _taken(self) -> Dict[Key, _Pending]:
        with self._lock:
            keys = [key for key, _ in zip(self._pending, range(BATCH_MAX))]
            return {key: self._pending.pop(key) for key in keys}

    def _written(self, batch: Dict[Key, _Pending]) -> Dict[Key, Optional[PutResult]]:
        """Write a batch; a key is missing in the answer if its value is refused."""
        puts: List[Tuple[Key, Put]] = []
        for key, (value, ttl, stale, tag, begun, _) in batch.items():
            try:
                put = self._storage.made(key, value, self._storage.terms(ttl, stale, tag), begun=begun)
            except Exception as error:
                # Such as a RuntimeError because another thread changes the value.
                self._storage.counters.add("refused_unstorable")
                log.warning("a deferred value cannot be stored: %s", error)
                continue
            if put is not None:
                puts.append((key, put))
        told = self._storage.put_all([put for _, put in puts])
        results = {key: result for (key, _), result in zip(puts, told)}
        fenced = [(key, put) for key, put in puts if results[key] is PutResult.FENCED]
        none: List[Tuple[Key, Put]] = []
        again = self._storage.tried(lambda: self._newer(fenced, batch), none)
        if again:
            results.update(zip((key for key, _ in again), self._storage.put_all([put for _, put in again])))
        return results

    def _newer(self, fenced: List[Tuple[Key, Put]], batch: Dict[Key, _Pending]) -> List[Tuple[Key, Put]]:
        """Return those of the fenced puts that are newer than what is stored, to be put once more.

        A collection has one number of its begin, so a value that was asked for after another process had stored its own
        is fenced as well as one from before. Age decides, unless the key was invalidated.
        """
        if not fenced:
            return []
        backend = self._storage.backend
        begun = backend.sequence()
        newer = []
        for (key, put), stored in zip(fenced, backend.get([put.key for _, put in fenced])):
            if stored is None or put.begun is None or stored.stored >= batch[key][5]:
                continue
            if not backend.invalidated(put.key, put.entry.tags, put.begun):
                newer.append((key, put._replace(begun=begun)))
        return newer

    def _give_back(self, failed: Dict[Key, _Pending], aborts: int) -> None:
        with self._lock:
            if self._aborts == aborts:
                failed.update(self._pending)
                self._pending.clear()
                self._pending.update(failed)

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, key: Key) -> bool:
        return key in self._pending

    def __enter__(self) -> "Deferred":
        return self

    def __exit__(self, kind: Optional[type], *_error: object) -> None:
        if kind is None:
            self.drain()
        else:
            self.abort()
