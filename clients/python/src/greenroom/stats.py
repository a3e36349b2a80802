"""Counters of a cache."""

from __future__ import annotations

import collections
import threading
from typing import Deque, Dict, Tuple

from .forking import renewed_in_child

SINGLE_MAX = 4096


class Stats(Tuple[int, int]):
    """Hits and misses as a pair, which is what diskcache returns, and everything else by name.

    `counts` has every counter: `hits`, `stale`, `misses`, `stored`, `loads`, `load_failures`, `refreshes`,
    `refresh_failures`, `fenced`, `damaged`, `refused_*` by reason and `failed_*` by FailureReason. `entries` and
    `bytes` are those of the store, 0 if it cannot be read.
    """

    counts: Dict[str, int]
    entries: int
    bytes: int

    @classmethod
    def of(cls, counts: Dict[str, int], entries: int, size: int) -> "Stats":
        """Return the stats of these counters."""
        stats = cls((counts.get("hits", 0), counts.get("misses", 0)))
        stats.counts, stats.entries, stats.bytes = counts, entries, size
        return stats

    @property
    def hits(self) -> int:
        """Lookups that found a fresh entry."""
        return self[0]

    @property
    def misses(self) -> int:
        """Lookups that found none, also because storage failed."""
        return self[1]

    @property
    def failures(self) -> int:
        """Operations that storage failed."""
        return sum(count for name, count in self.counts.items() if name.startswith("failed_"))


class Counters:
    """Counts that were not persisted yet."""

    def __init__(self) -> None:
        self.renew()
        self._counts: Dict[str, int] = {}
        # Names that were counted once each. Appending needs no lock.
        self._single: Deque[str] = collections.deque()

        renewed_in_child(self)

    def renew(self) -> None:
        """In a child process: the parent may have held the lock."""
        self._lock = threading.Lock()

    def add(self, name: str, count: int = 1) -> None:
        """Count something."""
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + count

    def count(self, name: str) -> None:
        """Count something once, quickly."""
        self._single.append(name)
        if len(self._single) >= SINGLE_MAX:
            with self._lock:
                self._fold()

    def _fold(self) -> None:
        for _ in range(len(self._single)):
            name = self._single.popleft()
            self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> Dict[str, int]:
        """Return all counts and begin again at 0."""
        with self._lock:
            self._fold()
            counts, self._counts = self._counts, {}
        return counts

    def give_back(self, counts: Dict[str, int]) -> None:
        """Add counts that could not be persisted."""
        for name, count in counts.items():
            self.add(name, count)

    def current(self) -> Dict[str, int]:
        """Return the counts."""
        with self._lock:
            self._fold()
            return dict(self._counts)
