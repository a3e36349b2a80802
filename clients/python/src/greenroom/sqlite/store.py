"""The embedded backend: every operation of `Backend` over one SQLite file."""

from __future__ import annotations

import pathlib
import sqlite3
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union
from zlib import crc32

from ..backend import FailureReason, LeaseResult, Put, PutResult, Scope, Size, StorageError, StoredEntry
from . import entries, leases
from .database import Database
from .writer import Transaction, Writer

GET = f"SELECT {entries.COLUMNS} FROM entries WHERE key = ?"
# Few columns, because each costs time.
FRESH = (
    "SELECT codec, value, checksum FROM entries WHERE key = ? AND (expires IS NULL OR expires > ?) AND version = ''"
)
KEYS_PER_PAGE = 500
# Within SQLite's limit for parameters of old builds.
KEYS_PER_GET = 500


class SqliteBackend:
    """One folder with one SQLite file."""

    def __init__(
        self, folder: pathlib.Path, busy_s: float, bytes_max: int, evicts: bool, damaged: Callable[[], None]
    ) -> None:
        """`bytes_max` bounds the entries; `evicts` says whether the oldest make room. `damaged` is called for each
        value whose checksum does not hold. Nothing is opened yet."""
        self._database = Database(folder, busy_s)
        self._writer = Writer(self._database)
        self._bytes_max = bytes_max
        self._evicts = evicts
        self._damaged = damaged

    def fresh(self, key: bytes, now: float) -> Optional[Tuple[int, bytes]]:
        connection = self._database.connection()
        try:
            rows = connection.reading.execute(FRESH, (key, now)).fetchall()
        except sqlite3.Error as error:
            raise self._writer.failed(connection, error) from error
        if not rows:
            return None
        codec, payload, checksum = rows[0]
        try:
            if crc32(payload, crc32(key)) == checksum:
                return codec, payload
        except TypeError:
            pass
        self._damaged()
        return None

    def find(self, key: bytes) -> Optional[StoredEntry]:
        connection = self._database.connection()
        try:
            return self._checked(key, connection.execute(GET, (key,)).fetchone())
        except sqlite3.Error as error:
            raise self._writer.failed(connection, error) from error

    def get(self, keys: Sequence[bytes]) -> List[Optional[StoredEntry]]:
        found: Dict[bytes, Tuple[Any, ...]] = {}
        for start in range(0, len(keys), KEYS_PER_GET):
            part = keys[start : start + KEYS_PER_GET]
            marks = ",".join("?" * len(part))
            for row in self._read(f"SELECT {entries.COLUMNS}, key FROM entries WHERE key IN ({marks})", part):
                found[row[8]] = row
        return [self._checked(key, found.get(key)) for key in keys]

    def _checked(self, key: bytes, row: Optional[Tuple[Any, ...]]) -> Optional[StoredEntry]:
        if row is None:
            return None
        entry = entries.entry_of(key, row)
        if entry is None:
            self._damaged()
        return entry

    def put(self, puts: Sequence[Put], now: float) -> List[PutResult]:
        def write(transaction: Transaction) -> List[PutResult]:
            # Before the puts, so that dead entries are in no one's way.
            entries.sweep(transaction, now, max(entries.SWEPT_WITH_PUT, len(puts)))
            results = [entries.put(transaction, put, self._bytes_max, self._evicts, now) for put in puts]
            if self._evicts:
                entries.shrink(transaction, self._bytes_max)
            return results

        return self._writer.run(write)

    def touch(self, key: bytes, expires: Optional[float], now: float) -> bool:
        return self._writer.run(lambda transaction: entries.touch(transaction, key, expires, now))

    def increment(self, key: bytes, delta: int, default: Optional[int], now: float) -> Optional[int]:
        def write(transaction: Transaction) -> Union[int, PutResult, None]:
            fits = None if self._evicts else self._bytes_max
            total = entries.increment(transaction, key, delta, default, fits, now)
            if self._evicts:
                entries.shrink(transaction, self._bytes_max)
            return total

        total = self._writer.run(write)
        if isinstance(total, PutResult):
            raise StorageError(FailureReason.FULL, "the sum does not fit beside the other entries")
        return total

    def pop(self, key: bytes, now: float) -> Optional[StoredEntry]:
        return self._writer.run(lambda transaction: entries.pop(transaction, key, now))

    def invalidate(self, scope: Scope) -> int:
        end = scope.value
        if scope.kind == "prefix":
            stripped = end.rstrip(b"\xff")
            end = stripped[:-1] + bytes([stripped[-1] + 1])
        return self._writer.run(lambda transaction: entries.invalidate(transaction, scope, end))

    def sweep(self, now: float) -> int:
        self._writer.run(lambda transaction: leases.sweep(transaction, now))
        return self._in_chunks(lambda transaction: entries.sweep(transaction, now))

    def shrink(self, bytes_max: int, now: float) -> int:
        swept = self.sweep(now)
        return swept + self._in_chunks(lambda transaction: entries.shrink(transaction, bytes_max))

    def _in_chunks(self, write: Callable[[Transaction], int]) -> int:
        total = 0
        while True:
            removed = self._writer.run(write)
            total += removed
            if removed == 0:
                return total

    @property
    def lease_wait_s(self) -> float:
        return 0.0

    def acquire(
        self, key: bytes, tags: Sequence[bytes], seconds: float, now: float, version: str, wait_s: float = 0.0
    ) -> LeaseResult:
        return self._writer.run(lambda transaction: leases.acquire(transaction, key, tags, seconds, now, version))

    def release(self, key: bytes, token: int, until: Optional[float] = None) -> None:
        self._writer.run(lambda transaction: leases.release(transaction, key, token, until))

    def invalidated(self, key: bytes, tags: Sequence[bytes], begun: int) -> bool:
        markers = [(str(kind), bytes(value)) for kind, value in self._read(entries.MARKERS_SINCE, (begun,))]
        # After the markers: one that is pruned in between raises the floor.
        if self._read("SELECT 1 FROM state WHERE floor > ? OR sequence < ?", (begun, begun)):
            return True
        return entries.covered(markers, key, tags)

    def retag(self, key: bytes, tags: Sequence[bytes], now: float) -> bool:
        return self._writer.run(lambda transaction: entries.retag(transaction, key, tags, now))

    def sequence(self) -> int:
        return int(self._state()[0])

    def generation(self) -> int:
        return self._writer.generation

    def keys(self, prefix: bytes, reverse: bool) -> Iterator[Tuple[bytes, Optional[float]]]:
        order, beyond, place = ("DESC", "<", 1 << 62) if reverse else ("ASC", ">", 0)
        while True:
            page = self._read(
                f"SELECT id, key, expires FROM entries WHERE id {beyond} ? AND substr(key, 1, ?) = ?"
                f" ORDER BY id {order} LIMIT {KEYS_PER_PAGE}",
                (place, len(prefix), prefix),
            )
            for place, key, expires in page:
                yield key, expires
            if len(page) < KEYS_PER_PAGE:
                return

    def size(self) -> Size:
        return Size(*self._state()[1:])

    def _state(self) -> Tuple[int, int, int]:
        rows = self._read("SELECT sequence, entries, bytes FROM state WHERE id = 1", ())
        if not rows:
            raise self._writer.failed(self._database.connection(), sqlite3.DatabaseError("malformed: no state"))
        return rows[0][0], rows[0][1], rows[0][2]

    def counts(self) -> Dict[str, int]:
        return dict(self._read("SELECT name, value FROM counts", ()))

    def add_counts(self, counts: Dict[str, int], reset: bool) -> None:
        def write(transaction: Transaction) -> None:
            if reset:
                transaction.execute("DELETE FROM counts")
            for name, value in counts.items():
                transaction.execute("INSERT OR IGNORE INTO counts VALUES (?, 0)", (name,))
                transaction.execute("UPDATE counts SET value = value + ? WHERE name = ?", (value, name))

        self._writer.run(write)

    def transact(self) -> Any:
        """Return a context manager that makes this thread's writes one transaction."""
        return self._writer.hold()

    def close(self) -> None:
        self._database.close()

    def _read(self, statement: str, values: Sequence[Any]) -> List[Tuple[Any, ...]]:
        connection = self._database.connection()
        try:
            return connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._writer.failed(connection, error) from error
