"""Entries within a write transaction: put, touch, add up, remove, invalidate, sweep."""

from __future__ import annotations

import zlib
from typing import Any, Iterable, List, Optional, Sequence, Tuple, Union

from .. import codec
from ..backend import Condition, Entry, Put, PutResult, Scope, StoredEntry
from ..keys import decode_tags, encode_tags
from .writer import Transaction

# Of each entry, beside its key and value: its row, its places in the indexes.
ENTRY_OVERHEAD_BYTES = 100
# Dead entries that each put removes.
SWEPT_WITH_PUT = 10
ROWS_PER_CHUNK = 500

COLUMNS = "codec, value, checksum, expires, dies, tags, version, stored"
MARKERS_SINCE = "SELECT kind, value FROM markers WHERE sequence > ?"
INT64 = 1 << 63


def checksum(key: bytes, payload: bytes) -> int:
    """Return what is stored to recognise a value that changed on disk."""
    return zlib.crc32(payload, zlib.crc32(key))


def entry_of(key: bytes, row: Tuple[Any, ...]) -> Optional[StoredEntry]:
    """Return the entry of a row with COLUMNS; None if the row is damaged."""
    kind, payload, found, expires, dies, tags, version, stored = row[:8]
    try:
        if zlib.crc32(payload, zlib.crc32(key)) != found:
            return None
        return StoredEntry(kind, payload, expires, dies, tuple(decode_tags(tags)) if tags else (), version, stored)
    except (TypeError, ValueError):
        return None


def is_fresh(entry: StoredEntry, now: float) -> bool:
    """Return whether an entry has not expired."""
    return entry.expires is None or entry.expires > now


def find(transaction: Transaction, key: bytes) -> Optional[StoredEntry]:
    """Return the entry of a key, expired or not; None if there is none or it is damaged."""
    row = transaction.execute(f"SELECT {COLUMNS} FROM entries WHERE key = ?", (key,)).fetchone()
    return entry_of(key, row) if row else None


def put(transaction: Transaction, wanted: Put, bytes_max: int, evicts: bool, now: float) -> PutResult:
    """Store one entry if its conditions hold. If nothing is evicted for it, it must fit beside the others."""
    row = transaction.execute(
        "SELECT id, bytes, tags, expires, sequence FROM entries WHERE key = ?", (wanted.key,)
    ).fetchone()
    if wanted.condition is Condition.ABSENT and row and (row[3] is None or row[3] > now):
        return PutResult.PRESENT
    if wanted.lease is not None and not _end_lease(transaction, wanted.key, wanted.lease):
        return PutResult.FENCED
    if wanted.begun is not None:
        if row and row[4] > wanted.begun or is_fenced(transaction, wanted.key, wanted.entry.tags, wanted.begun):
            return PutResult.FENCED
    weight = _weight(wanted.key, wanted.entry)
    others = 0 if evicts else transaction.bytes - (row[1] if row else 0)
    if weight + others > bytes_max:
        return PutResult.TOO_LARGE
    if row:
        _remove(transaction, [row[:3]])
    _insert(transaction, wanted.key, wanted.entry, now)
    return PutResult.STORED


def touch(transaction: Transaction, key: bytes, expires: Optional[float], now: float) -> bool:
    """Set the end of a fresh entry; its stale window goes."""
    changed = transaction.execute(
        "UPDATE entries SET expires = ?, dies = ? WHERE key = ? AND (expires IS NULL OR expires > ?)",
        (expires, expires, key, now),
    )
    return changed.rowcount > 0


def increment(
    transaction: Transaction, key: bytes, delta: int, default: Optional[int], bytes_max: Optional[int], now: float
) -> Union[int, PutResult, None]:
    """Add to an integer. Raises TypeError if the entry is none, OverflowError beyond 64 bits.

    With `bytes_max`, the sum must fit beside the other entries, else TOO_LARGE is returned.
    """
    found = find(transaction, key)
    if found is not None and is_fresh(found, now):
        try:
            value = codec.decode(found.codec, found.payload)
        except (ValueError, RecursionError):
            raise TypeError("the entry cannot be read") from None
        if type(value) is not int:
            raise TypeError(f"the entry is {type(value).__name__}, not int")
        base, expires, dies, tags, version = value, found.expires, found.dies, found.tags, found.version
    elif default is None:
        return None
    else:
        base, expires, dies, tags, version = default, None, None, (), ""
    total = base + delta
    if not -INT64 <= total < INT64:
        raise OverflowError("the sum has more than 64 bits")
    kind, payload = codec.encode(total)
    entry = Entry(kind, payload, expires, dies, tags, version)
    row = transaction.execute("SELECT bytes FROM entries WHERE key = ?", (key,)).fetchone()
    if bytes_max is not None and transaction.bytes - (row[0] if row else 0) + _weight(key, entry) > bytes_max:
        return PutResult.TOO_LARGE
    remove(transaction, key)
    _insert(transaction, key, entry, now)
    return total


def pop(transaction: Transaction, key: bytes, now: float) -> Optional[StoredEntry]:
    """Remove an entry and return it if it was fresh. Loads of the key are fenced, also if there was none."""
    found = find(transaction, key)
    remove(transaction, key)
    _mark(transaction, Scope("key", key))
    return found if found is not None and is_fresh(found, now) else None


def remove(transaction: Transaction, key: bytes) -> None:
    """Remove the row of a key, damaged or not."""
    _remove(transaction, transaction.execute("SELECT id, bytes, tags FROM entries WHERE key = ?", (key,)).fetchall())


def invalidate(transaction: Transaction, scope: Scope, end: bytes) -> int:
    """Remove what a scope covers and fence its loads. `end` is the first key after a prefix."""
    _mark(transaction, scope)
    if scope.kind == "all":
        removed = transaction.entries
        for table in ("entries", "entry_tags", "markers"):
            transaction.execute(f"DELETE FROM {table}")
        _mark(transaction, scope)
        transaction.entries, transaction.bytes = 0, 0
        return removed
    where, values = {
        "key": ("key = ?", (scope.value,)),
        "prefix": ("key >= ? AND key < ?", (scope.value, end)),
        "tag": ("id IN (SELECT entry FROM entry_tags WHERE tag = ?)", (scope.value,)),
    }[scope.kind]
    return _remove(
        transaction, transaction.execute(f"SELECT id, bytes, tags FROM entries WHERE {where}", values).fetchall()
    )


def is_fenced(transaction: Transaction, key: bytes, tags: Sequence[bytes], begun: int) -> bool:
    """Return whether the key or a tag was invalidated after a sequence number. One that was not given yet is of another
    file, so that nothing is known of it."""
    if transaction.floor > begun or begun > transaction.sequence:
        return True
    return covered(transaction.execute(MARKERS_SINCE, (begun,)), key, tags)


def covered(markers: Iterable[Tuple[str, bytes]], key: bytes, tags: Sequence[bytes]) -> bool:
    """Return whether one of the markers covers the key or a tag."""
    return any(_covers(kind, value, key, tags) for kind, value in markers)


def retag(transaction: Transaction, key: bytes, tags: Sequence[bytes], now: float) -> bool:
    """Replace the tags of a fresh entry."""
    row = transaction.execute(
        "SELECT id, tags FROM entries WHERE key = ? AND (expires IS NULL OR expires > ?)", (key, now)
    ).fetchone()
    if row is None:
        return False
    for tag in _tags_of(row[1]):
        transaction.execute("DELETE FROM entry_tags WHERE tag = ? AND entry = ?", (tag, row[0]))
    for tag in tags:
        transaction.execute("INSERT OR IGNORE INTO entry_tags VALUES (?, ?)", (tag, row[0]))
    transaction.execute("UPDATE entries SET tags = ? WHERE id = ?", (encode_tags(tags), row[0]))
    return True


def sweep(transaction: Transaction, now: float, rows_max: int = ROWS_PER_CHUNK) -> int:
    """Remove at most `rows_max` dead entries."""
    return _remove(
        transaction,
        transaction.execute("SELECT id, bytes, tags FROM entries WHERE dies <= ? LIMIT ?", (now, rows_max)).fetchall(),
    )


def shrink(transaction: Transaction, bytes_max: int) -> int:
    """Remove the entries stored longest ago, at most ROWS_PER_CHUNK, until the size is within its limit."""
    excess = transaction.bytes - bytes_max
    if excess <= 0:
        return 0
    oldest = []
    for row in transaction.execute("SELECT id, bytes, tags FROM entries ORDER BY id LIMIT ?", (ROWS_PER_CHUNK,)):
        oldest.append(row)
        excess -= row[1]
        if excess <= 0:
            break
    return _remove(transaction, oldest)


def _insert(transaction: Transaction, key: bytes, entry: Entry, now: float) -> None:
    weight = _weight(key, entry)
    place = transaction.execute(
        "INSERT INTO entries(key, codec, value, checksum, bytes, stored, expires, dies, tags, version, sequence)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(key, entry.codec, entry.payload, checksum(key, entry.payload), weight, now, entry.expires, entry.dies),
            *(encode_tags(entry.tags), entry.version, transaction.sequence),
        ),
    ).lastrowid
    for tag in entry.tags:
        transaction.execute("INSERT OR IGNORE INTO entry_tags VALUES (?, ?)", (tag, place))
    transaction.entries += 1
    transaction.bytes += weight
    transaction.changed = True


def _remove(transaction: Transaction, rows: Iterable[Tuple[int, int, Optional[bytes]]]) -> int:
    removed = 0
    for place, weight, tags in rows:
        transaction.execute("DELETE FROM entries WHERE id = ?", (place,))
        for tag in _tags_of(tags):
            transaction.execute("DELETE FROM entry_tags WHERE tag = ? AND entry = ?", (tag, place))
        transaction.entries -= 1
        transaction.bytes -= weight
        removed += 1
    transaction.changed = transaction.changed or removed > 0
    return removed


def _tags_of(column: Optional[bytes]) -> List[bytes]:
    try:
        return decode_tags(column)
    except ValueError:
        return []


def _mark(transaction: Transaction, scope: Scope) -> None:
    transaction.execute("INSERT OR REPLACE INTO markers VALUES (?, ?, ?)", (*scope, transaction.sequence))
    transaction.changed = True


def _covers(kind: str, value: bytes, key: bytes, tags: Sequence[bytes]) -> bool:
    if kind == "key":
        return value == key
    if kind == "prefix":
        return key.startswith(value)
    return kind == "all" or value in tags


def _end_lease(transaction: Transaction, key: bytes, token: int) -> bool:
    return transaction.execute("DELETE FROM leases WHERE key = ? AND token = ?", (key, token)).rowcount > 0


def _weight(key: bytes, entry: Entry) -> int:
    return len(key) + len(entry.payload) + ENTRY_OVERHEAD_BYTES
