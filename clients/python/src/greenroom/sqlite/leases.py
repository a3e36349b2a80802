"""Leases within a write transaction: one caller of all processes loads a key, until its deadline at the latest."""

from __future__ import annotations

from typing import Optional, Sequence

from ..backend import LeaseHeld, LeaseResult, LeaseTaken, LeaseUnneeded
from ..keys import encode_tags
from .entries import find, is_fenced, is_fresh
from .writer import Transaction

# A deadline further away than this is of a clock that was set back: the lease is dead.
LEASE_S_MAX = 3600.0


def acquire(
    transaction: Transaction, key: bytes, tags: Sequence[bytes], seconds: float, now: float, version: str
) -> LeaseResult:
    """Take the lease of a key, unless it is taken or a fresh entry of the version is there.

    A lease whose load began before an invalidation is taken over, because its result cannot be stored.
    """
    found = find(transaction, key)
    if found is not None and is_fresh(found, now) and found.version == version:
        return LeaseUnneeded(found)
    row = transaction.execute("SELECT token, deadline FROM leases WHERE key = ?", (key,)).fetchone()
    if row is not None:
        token, deadline = row
        # A token is the sequence number of the transaction that gave it.
        if now < deadline <= now + LEASE_S_MAX and not is_fenced(transaction, key, tags, token):
            return LeaseTaken(deadline)
    deadline = now + min(seconds, LEASE_S_MAX)
    transaction.execute(
        "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", (key, transaction.sequence, deadline, encode_tags(tags))
    )
    transaction.changed = True
    return LeaseHeld(transaction.sequence, transaction.sequence)


def release(transaction: Transaction, key: bytes, token: int, until: Optional[float]) -> None:
    """Give a lease back, at a later time if one is given."""
    if until is None:
        transaction.execute("DELETE FROM leases WHERE key = ? AND token = ?", (key, token))
    else:
        transaction.execute("UPDATE leases SET deadline = ? WHERE key = ? AND token = ?", (until, key, token))


def sweep(transaction: Transaction, now: float) -> None:
    """Remove leases of holders that never came back."""
    transaction.execute(
        "DELETE FROM leases WHERE deadline < ? OR deadline > ?", (now - LEASE_S_MAX, now + 2 * LEASE_S_MAX)
    )
