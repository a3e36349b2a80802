"""The seam between a cache and where it stores: records, failures, and the operations that a store has."""

from __future__ import annotations

import enum
from typing import Dict, Iterator, List, NamedTuple, Optional, Protocol, Sequence, Tuple, Union


class FailureReason(enum.Enum):
    """Reasons for which storage fails."""

    LOCKED = "locked"
    FULL = "full"
    READ_ONLY = "read_only"
    DAMAGED = "damaged"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    IO = "io"


class StorageError(Exception):
    """Storage failed. A cache counts it and never lets it out. `results` are of the puts before the one that failed."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.results: List[PutResult] = []


class Entry(NamedTuple):
    """What is to be stored under a key. Times are seconds since 1970, None means never."""

    codec: int
    payload: bytes
    expires: Optional[float]
    dies: Optional[float]
    tags: Tuple[bytes, ...]
    version: str


class StoredEntry(NamedTuple):
    """An entry as it was found."""

    codec: int
    payload: bytes
    expires: Optional[float]
    dies: Optional[float]
    tags: Tuple[bytes, ...]
    version: str
    stored: float


class Condition(enum.Enum):
    """Conditions on what the store holds for a put to take place."""

    ALWAYS = "always"
    ABSENT = "absent"


class Put(NamedTuple):
    """One entry to store.

    `begun` is the sequence number at which the work on this value began: the put is fenced if the key was written or
    invalidated since. `lease` is the token of the lease under which it was loaded; None if there is none.
    """

    key: bytes
    entry: Entry
    condition: Condition = Condition.ALWAYS
    begun: Optional[int] = None
    lease: Optional[int] = None


class PutResult(enum.Enum):
    """Outcomes of a put."""

    STORED = "stored"
    PRESENT = "present"
    FENCED = "fenced"
    TOO_LARGE = "too_large"
    INVALID = "invalid"


class LeaseHeld(NamedTuple):
    """The lease is the caller's: it loads. `begun` is the sequence number to put with."""

    token: int
    begun: int


class LeaseTaken(NamedTuple):
    """Another caller loads, until the given time at the latest."""

    until: float


class LeaseUnneeded(NamedTuple):
    """A fresh entry was stored meanwhile."""

    entry: StoredEntry


LeaseResult = Union[LeaseHeld, LeaseTaken, LeaseUnneeded]


class Scope(NamedTuple):
    """What an invalidation covers: kind `key`, `tag`, `prefix` (an encoded key's first bytes) or `all`."""

    kind: str
    value: bytes = b""


class Size(NamedTuple):
    """Entries and their bytes, including expired ones that are not swept yet."""

    entries: int
    bytes: int


class Backend(Protocol):
    """A store of encoded entries. Every method may raise StorageError; none raises anything else."""

    def fresh(self, key: bytes, now: float) -> Optional[Tuple[int, bytes]]:
        """Return codec and payload of a key's fresh entry without a version; None if there is none."""

    def find(self, key: bytes) -> Optional[StoredEntry]:
        """Return the entry of a key, expired or not, None if there is none."""

    def get(self, keys: Sequence[bytes]) -> List[Optional[StoredEntry]]:
        """Return the entries of the keys, expired ones too, None where there is none."""

    def put(self, puts: Sequence[Put], now: float) -> List[PutResult]:
        """Store several entries in one transaction and say what came of each."""

    def touch(self, key: bytes, expires: Optional[float], now: float) -> bool:
        """Set the end of a fresh entry. Return whether there was one."""

    def increment(self, key: bytes, delta: int, default: Optional[int], now: float) -> Optional[int]:
        """Add to a stored integer and return the sum; None if there is no entry and no default.

        Raises TypeError if the entry is no integer.
        """

    def retag(self, key: bytes, tags: Sequence[bytes], now: float) -> bool:
        """Replace the tags of a fresh entry. Return whether there was one."""

    def pop(self, key: bytes, now: float) -> Optional[StoredEntry]:
        """Remove an entry and return it if it was fresh. Fences loads of the key."""

    def invalidate(self, scope: Scope) -> int:
        """Remove all entries that a scope covers, fence their loads, and return how many were removed."""

    def sweep(self, now: float) -> int:
        """Remove entries that are neither fresh nor stale any more, and return how many."""

    def shrink(self, bytes_max: int, now: float) -> int:
        """Remove dead entries, then those stored longest ago, down to a size. Return how many."""

    @property
    def lease_wait_s(self) -> float:
        """How long `acquire` can wait for another caller's load; 0 if it cannot."""

    def acquire(
        self, key: bytes, tags: Sequence[bytes], seconds: float, now: float, version: str, wait_s: float = 0.0
    ) -> LeaseResult:
        """Take the lease of a key, unless another caller holds it or a fresh entry of this version is there.

        If another caller holds it, wait up to `wait_s`, at most `lease_wait_s`, for the entry or the lease.
        """

    def release(self, key: bytes, token: int, until: Optional[float] = None) -> None:
        """Give a lease back, or at a later time. No effect if it is not held any more."""

    def invalidated(self, key: bytes, tags: Sequence[bytes], begun: int) -> bool:
        """Return whether the key or a tag was invalidated after a sequence number."""

    def sequence(self) -> int:
        """Return the sequence number of the last write."""

    def generation(self) -> int:
        """Return a number that changes with every write of this process. Never asks the store."""

    def keys(self, prefix: bytes, reverse: bool) -> Iterator[Tuple[bytes, Optional[float]]]:
        """Yield the keys that begin with a prefix in the order they were stored, with the ends of their entries."""

    def size(self) -> Size:
        """Return the number of entries and their bytes."""

    def counts(self) -> Dict[str, int]:
        """Return the counters that were persisted."""

    def add_counts(self, counts: Dict[str, int], reset: bool) -> None:
        """Add to the persisted counters, or replace them."""

    def close(self) -> None:
        """Close files. The next operation opens them again."""
