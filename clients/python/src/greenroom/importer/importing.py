"""Entries of a foreign store into a cache, with a report."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple, Union

from .. import codec
from ..cache import Cache
from ..keys import encode_key
from .source import SkippedEntry, SourceEntry

# Skipped entries that a report names; it counts all.
NAMED_MAX = 1000


class ImportReport(NamedTuple):
    """Entries imported (or importable, in a dry run), skipped by reason, and the names of those that were skipped."""

    imported: int
    skipped: Dict[str, int]
    named: List[Tuple[str, str]]
    dry_run: bool


def import_entries(
    entries: Iterable[Union[SourceEntry, SkippedEntry]],
    cache: Optional[Cache],
    only_prefix: str = "",
    clock: Callable[[], float] = time.time,
) -> ImportReport:
    """Add entries to a cache, or to none in a dry run. Entries that the cache has already stay as they are.

    `only_prefix` leaves out what has another key. Raises Unreadable if the source cannot be read on.
    """
    imported = 0
    skipped: Dict[str, int] = {}
    named: List[Tuple[str, str]] = []
    for found in entries:
        name = found.name if isinstance(found, SkippedEntry) else repr(found.key)[:80]
        reason = _import_one(found, cache, only_prefix, clock())
        if reason is None:
            imported += 1
            continue
        kind = reason.split(" (")[0]
        skipped[kind] = skipped.get(kind, 0) + 1
        if len(named) < NAMED_MAX:
            named.append((name, reason))
    return ImportReport(imported, skipped, named, cache is None)


def _import_one(
    found: Union[SourceEntry, SkippedEntry], cache: Optional[Cache], only_prefix: str, now: float
) -> Optional[str]:
    """Import an entry; return the reason if it is skipped."""
    if isinstance(found, SkippedEntry):
        return found.reason
    if only_prefix and not (isinstance(found.key, str) and found.key.startswith(only_prefix)):
        return "another prefix"
    if found.expires is not None and found.expires <= now:
        return "expired"
    try:
        encode_key(found.key)
        codec.encode(found.value)
    except (TypeError, ValueError, RecursionError) as error:
        return f"cannot be stored ({error})"
    if cache is None:
        return None
    tag: Any = found.tag if isinstance(found.tag, (str, bytes, int)) else None
    left_s = None if found.expires is None else found.expires - now
    if cache.add(found.key, found.value, ttl=left_s, tag=tag):
        return None
    return "there already" if found.key in cache else "the cache refused it"
