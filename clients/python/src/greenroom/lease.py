"""A lease: one caller of all threads and processes does the work, the others get its result."""

from __future__ import annotations

from typing import Any, Callable, Optional, Union

from . import codec
from .backend import LeaseHeld, LeaseTaken, StoredEntry
from .loading import Ask, Loads
from .lookup import MISS, Lookup, Status
from .storage import Seconds


class Lease:
    """The right to load a key, within a `with` block.

    With `held` the caller loads the value and passes it to `set`; leaving the block without that lets another caller
    load. Otherwise `found` is the value: fresh if another caller stored it, stale or missing if none came within the
    wait. If storage failed, or the key is too long, `held` is true for every caller, and nothing is stored.
    """

    def __init__(self, ask: Optional[Ask], look: Callable[[], Lookup], loads: Loads) -> None:
        self._ask, self._look, self._loads = ask, look, loads
        self._token: Optional[LeaseHeld] = None
        self.held = False
        self.found: Lookup = MISS

    @property
    def value(self) -> Any:
        """The value that was found; None if there is none."""
        return self.found.value

    def __enter__(self) -> "Lease":
        self.found = self._look()
        if self.found.status is Status.HIT:
            return self
        if self._ask is None:
            self.held = True
            return self
        self.settle(self._loads.wait_for_lease(self._ask, self._ask.wait_s))
        return self

    def settle(self, outcome: Union[LeaseHeld, LeaseTaken, StoredEntry, None]) -> None:
        """Take what came of the wait."""
        if isinstance(outcome, LeaseHeld):
            self._token = outcome
        self.held = outcome is None or isinstance(outcome, LeaseHeld)
        if not self.held:
            self.found = self._look()

    def set(self, value: Any, ttl: Optional[Seconds] = None, stale: Seconds = 0) -> bool:
        """Store the loaded value and end the lease.

        Return whether it is stored: not if the key was written or invalidated since the lease began, or another caller
        took over after the lease's time. Raises TypeError for a value that cannot be stored.
        """
        if self._ask is None or self._token is None:
            return False
        terms = self._loads.storage.terms(ttl, stale)._replace(tags=self._ask.terms.tags)
        try:
            encoded = codec.encode(value)
        except codec.ValueRefused as error:
            self._loads.counters.add(f"refused_{error.reason}")
            return False
        token, self._token = self._token, None
        return self._loads.put(self._ask._replace(terms=terms), token, encoded)

    def __exit__(self, *_error: object) -> None:
        if self._ask is not None:
            self._loads.give_back(self._ask, self._token)
        self._token = None
