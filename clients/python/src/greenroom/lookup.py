"""Result of a lookup."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple, Optional, Tuple


class Status(enum.Enum):
    """States of a key."""

    HIT = "hit"
    STALE = "stale"
    MISS = "miss"


class Lookup(NamedTuple):
    """A value, or that there is none. None is a value like any other: compare `status`.

    `left_s` is the time until the entry expires: None if it never does, negative if it is stale.
    """

    status: Status
    value: Any = None
    age_s: float = 0.0
    left_s: Optional[float] = None
    tags: Tuple[Any, ...] = ()

    @property
    def found(self) -> bool:
        """True for a hit and for a stale value."""
        return self.status is not Status.MISS


# Compared by identity.
MISS: Lookup = Lookup(Status.MISS)
