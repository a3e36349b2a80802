"""Writes that wait until the menu is shown."""

from __future__ import annotations

import json
from typing import Any, List, NamedTuple, Optional

from greenroom import Cache, Drained

from .host import Host
from .perf import Slices

# How long an entry may be shown after its lifetime if the service cannot be reached.
STALE_S = 30 * 24 * 3600
# Another run may be writing: the writes are tried again so often. An attempt waits a second for the other one; if
# storage is broken it fails at once, and so do all.
DRAIN_ATTEMPTS = 30
# Collected writes are never dropped for their number: a menu has fewer.
MAX_WRITES = 4096


class _Write(NamedTuple):
    key: str
    value: Any
    ttl_s: float
    tag: Optional[str]


class DeferredWrites:
    """Collects entries while a menu is made and writes them once it is shown, in one transaction.

    Nothing is encoded before `write`: that takes time, too.
    """

    def __init__(self, host: Host, cache: Cache) -> None:
        self._host, self._cache = host, cache
        self._writes: List[_Write] = []
        self._gone: List[str] = []
        self._later = cache.deferred(MAX_WRITES)

    def begin(self) -> None:
        """Note that values are fetched from now on. What is invalidated after this moment is not written."""
        self._later.begin()

    def add(self, key: str, value: Any, ttl_s: float, tag: Optional[str] = None) -> None:
        """Collect an entry."""
        self._writes.append(_Write(key, value, ttl_s, tag))

    def remove(self, key: str) -> None:
        """Collect the removal of an entry that the service does not have any more."""
        self._gone.append(key)

    def write(self) -> Drained:
        """Write what was collected since the last call. Never raises."""
        slices = Slices(self._host)
        writes, self._writes = self._writes, []
        for write in writes:
            text = json.dumps(write.value, separators=(",", ":"))
            self._later.set(write.key, text, ttl=write.ttl_s, stale=STALE_S, tag=write.tag)
            slices.step()
        for key in self._gone:
            self._cache.delete(key)
        self._gone.clear()
        return self._drained()

    def _drained(self) -> Drained:
        """Write at once, and again while another run holds the file; but Kodi does not wait for long when it quits."""
        stored = refused = left = 0
        for _ in range(DRAIN_ATTEMPTS):
            done = self._later.drain()
            stored, refused, left = stored + done.stored, refused + done.refused, done.left
            if not left or self._host.quits():
                break
            self._host.breathe()
        return Drained(stored, refused, left)
