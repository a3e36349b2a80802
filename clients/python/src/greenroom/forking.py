"""State that a child process must not keep from its parent: locks that another thread held, and that thread's work."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Renewable(Protocol):
    """Has a state of this process."""

    def renew(self) -> None:
        """Begin anew, in a child process."""


_owners: "weakref.WeakSet[Renewable]" = weakref.WeakSet()


def renewed_in_child(owner: Renewable) -> None:
    """Renew an object in each child process that is forked while it exists."""
    _owners.add(owner)


def _after_fork() -> None:
    for owner in list(_owners):
        owner.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
