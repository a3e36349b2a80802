"""Leases that are extended while their holders load."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional

# A lease is extended until it has lasted so many times its own time: a load that hangs does not keep it for ever.
LEASE_SPANS_MAX = 5
# Of a lease's time, what passes between two extensions.
EXTENDED_AFTER = 0.5
PERIOD_S_MIN = 0.02
# The thread ends when no lease was kept for so long.
IDLE_S_MAX = 5.0

log = logging.getLogger("greenroom")


class _Kept(NamedTuple):
    """A lease, when it is extended next and last, and how."""

    due: float
    ends: float
    period_s: float
    extend: Callable[[], None]


class LeaseKeeper:
    """Extends leases from one thread, which is there only while leases are kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition(threading.Lock())
        self._kept: Dict[object, _Kept] = {}
        self._runs = False

    @contextlib.contextmanager
    def kept(self, lease_s: float, extend: Optional[Callable[[], None]]) -> Iterator[None]:
        """Call `extend` twice in each `lease_s` seconds until the block ends; None is no lease."""
        if extend is None:
            yield
            return
        place = object()
        self._add(place, lease_s, extend)
        try:
            yield
        finally:
            with self._changed:
                self._kept.pop(place, None)

    def _add(self, place: object, lease_s: float, extend: Callable[[], None]) -> None:
        if self._process != os.getpid():
            # A child process has none of its parent's threads.
            self._begin()
        now, period_s = self._clock(), max(PERIOD_S_MIN, lease_s * EXTENDED_AFTER)
        # The last extension is for the time of one lease.
        ends = now + lease_s * (LEASE_SPANS_MAX - 1)
        with self._changed:
            self._kept[place] = _Kept(now + period_s, ends, period_s, extend)
            if self._runs:
                self._changed.notify()
                return
            try:
                threading.Thread(target=self._run, name="greenroom-leases", daemon=True).start()
                self._runs = True
            except RuntimeError:
                # No thread can be started any more: the lease ends in its time.
                pass

    def _run(self) -> None:
        idle_since: Optional[float] = None
        while True:
            with self._changed:
                now = self._clock()
                due = self._taken(now)
                if not due:
                    idle_since = None if self._kept else now if idle_since is None else idle_since
                    if idle_since is not None and now - idle_since >= IDLE_S_MAX:
                        self._runs = False
                        return
                    next_due = min((kept.due for kept in self._kept.values()), default=now + IDLE_S_MAX)
                    self._changed.wait(max(0.0, next_due - now))
                    continue
            for extend in due:
                try:
                    extend()
                except Exception as error:
                    # The lease ends in its time; those of the others go on.
                    log.debug("a lease was not extended: %r", error)

    def _taken(self, now: float) -> List[Callable[[], None]]:
        """Return the extensions that are due, and set when they are due again."""
        due = []
        for place, kept in list(self._kept.items()):
            if kept.due > now:
                continue
            due.append(kept.extend)
            if now + kept.period_s > kept.ends:
                del self._kept[place]
            else:
                self._kept[place] = kept._replace(due=now + kept.period_s)
        return due
