"""Connections to the file: one per thread, made anew after a fork, a close, or when the file was replaced."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import re
import sqlite3
import threading
import time
import weakref
from typing import Callable, Iterator, List, Optional, Tuple

from ..backend import FailureReason, StorageError

try:
    import fcntl
except ImportError:  # Windows: processes that open a new store at the same moment may fail once.
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = "greenroom.lock"
FORMAT = 1
# The file with the highest number is the store; one before it may be there, set aside because it was damaged. Files are
# never renamed, because SQLite finds the log of a file by its name, also for a process that opened it before.
FILE = f"greenroom.v{FORMAT}.%d.db"
_FILE_PATTERN = re.compile(rf"greenroom\.v{FORMAT}\.([0-9]{{1,9}})\.db")
APPLICATION_ID = 0x47524E52
# After the file could not be opened, operations fail at once for this long.
REOPEN_AFTER_S = 1.0
# Readers look this often whether the file was replaced; writers always look.
REPLACED_CHECK_S = 1.0
WAL_BYTES_MAX = 16 * 1024 * 1024

SCHEMA = """
CREATE TABLE state(
    id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL, floor INTEGER NOT NULL,
    entries INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO state VALUES (1, {first}, {first}, 0, 0);
CREATE TABLE entries(
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, codec INTEGER NOT NULL, checksum INTEGER NOT NULL,
    expires REAL, version TEXT NOT NULL, dies REAL, tags BLOB, bytes INTEGER NOT NULL, stored REAL NOT NULL,
    sequence INTEGER NOT NULL, value BLOB NOT NULL);
CREATE INDEX entries_dies ON entries(dies) WHERE dies IS NOT NULL;
CREATE TABLE entry_tags(tag BLOB NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (tag, entry)) WITHOUT ROWID;
CREATE TABLE markers(
    kind TEXT NOT NULL, value BLOB NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (kind, value)) WITHOUT ROWID;
CREATE INDEX markers_sequence ON markers(sequence);
CREATE TABLE leases(
    key BLOB PRIMARY KEY, token INTEGER NOT NULL, deadline REAL NOT NULL, tags BLOB) WITHOUT ROWID;
CREATE TABLE counts(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

log = logging.getLogger("greenroom")


class Connection(sqlite3.Connection):
    """A connection that can be referred to weakly, and knows its file by number and by identity."""

    number = 0
    file: Tuple[int, int] = (0, 0)
    path = ""
    next_path = ""
    # The state of its Database when it was opened, and when its file was last looked at.
    epoch = -1
    looked = 0.0
    # For reads of one row, each of which is fetched to its end.
    reading: sqlite3.Cursor

    def __del__(self) -> None:
        # That of a thread which has ended; newer versions of Python warn of one that is not closed.
        try:
            self.close()
        except Exception:
            pass


_databases: "weakref.WeakSet[Database]" = weakref.WeakSet()
# Connections that are never closed: those of a parent process, which a child would break, and those of a file that was
# deleted, because closing them deletes a log by its name.
_left_open: List[Connection] = []


class Database:
    """The file of one folder."""

    def __init__(
        self,
        folder: pathlib.Path,
        busy_s: float,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self._wall_clock = wall_clock
        self._first_number = 1
        self._busy_s = busy_s
        self._clock = clock
        self._failed_at: Optional[float] = None
        self.epoch = 0
        self._reset()
        _databases.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._local = threading.local()
        self._open: "weakref.WeakSet[Connection]" = weakref.WeakSet()

    def connection(self, writes: bool = False) -> Connection:
        """Return this thread's connection, opened if need be. Raises StorageError."""
        connection: Optional[Connection] = getattr(self._local, "connection", None)
        if connection is not None and connection.epoch == self.epoch:
            due = abs(self._clock() - connection.looked) >= REPLACED_CHECK_S
            if not (due or writes) or connection.in_transaction or self._is_current(connection, due):
                if due:
                    connection.looked = self._clock()
                return connection
        connection = self._opened()
        connection.epoch, connection.looked = self.epoch, self._clock()
        self._local.connection = connection
        return connection

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            self.epoch += 1
            connections, self._open = list(self._open), weakref.WeakSet()
            self._local = threading.local()
        for connection in connections:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def set_aside(self, number: int, why: str) -> None:
        """Start a new file in place of a damaged one, unless another process has done so. Raises StorageError."""
        with _failures(), self._exclusive():
            if self._newest() == number:
                self._make_file(number + 1)
                log.warning("the store %s is damaged (%s); a new one is started", self._path(number), why)
            for other in self._numbers():
                if other < number:
                    for suffix in ("", "-wal", "-shm"):
                        with contextlib.suppress(FileNotFoundError):
                            os.remove(f"{self._path(other)}{suffix}")
        self.epoch += 1

    def _is_current(self, connection: Connection, lists: bool) -> bool:
        if _identity(connection.path) != connection.file:
            log.warning("the store %s was deleted; a new one is started", self._path(connection.number))
            self._first_number = max(self._first_number, connection.number + 1)
            _left_open.append(connection)
            return False
        if lists:
            return self._newest() == connection.number
        return not os.path.exists(connection.next_path)

    def _path(self, number: int) -> pathlib.Path:
        return self.folder / (FILE % number)

    def _numbers(self) -> List[int]:
        try:
            names = os.listdir(str(self.folder))
        except FileNotFoundError:
            return []
        return [int(match.group(1)) for match in map(_FILE_PATTERN.fullmatch, names) if match]

    def _newest(self) -> int:
        return max(self._numbers(), default=self._first_number)

    def _opened(self) -> Connection:
        failed_at = self._failed_at
        if failed_at is not None and abs(self._clock() - failed_at) < REOPEN_AFTER_S:
            raise StorageError(FailureReason.UNAVAILABLE, "the store could not be opened a moment ago")
        try:
            try:
                connection = self._connected()
            except StorageError as error:
                if error.reason is not FailureReason.DAMAGED:
                    raise
                self.set_aside(self._newest(), str(error))
                connection = self._connected()
        except StorageError:
            self._failed_at = self._clock()
            raise
        self._failed_at = None
        with self._lock:
            self._open.add(connection)
        return connection

    def _connected(self) -> Connection:
        with _failures():
            number = self._newest()
            self._make_file(number)
            connection: Connection = sqlite3.connect(
                str(self._path(number)),
                timeout=self._busy_s,
                isolation_level=None,
                check_same_thread=False,
                factory=Connection,
            )
        try:
            with _failures():
                connection.reading = connection.cursor()
                connection.path, connection.next_path = str(self._path(number)), str(self._path(number + 1))
                connection.number, connection.file = number, _identity(connection.path)
                if self._version(connection) != (APPLICATION_ID, FORMAT):
                    self._make_schema(connection)
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("PRAGMA mmap_size = 0")
                connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
        except StorageError:
            connection.close()
            raise
        return connection

    def _make_file(self, number: int) -> None:
        path = self._path(number)
        if not path.exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite gives the files beside it the same mode.
            os.close(os.open(str(path), os.O_CREAT | os.O_RDWR, 0o600))

    def _make_schema(self, connection: Connection) -> None:
        with self._exclusive():
            found = self._version(connection)
            if found == (APPLICATION_ID, FORMAT):
                return
            if found != (0, 0) or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise StorageError(FailureReason.DAMAGED, f"format {found[1]} of application {found[0]:#x}, not ours")
            connection.execute("PRAGMA journal_mode = WAL")
            # Numbers of a file that takes another one's place are above those of that one, which loads may still hold.
            first = 0 if connection.number == 1 else int(self._wall_clock() * 1000)
            connection.executescript(
                f"BEGIN IMMEDIATE; {SCHEMA.format(first=first)} PRAGMA application_id = {APPLICATION_ID};"
                f" PRAGMA user_version = {FORMAT}; COMMIT;"
            )

    @staticmethod
    def _version(connection: Connection) -> Tuple[int, int]:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        return int(application), int(connection.execute("PRAGMA user_version").fetchone()[0])

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Keep other processes from creating or renaming the file."""
        if fcntl is None:
            yield
            return
        handle = os.open(str(self.folder / LOCK_FILE), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def forget_parent(self) -> None:
        """In a child process: leave the parent's connections alone and open new ones."""
        _left_open.extend(self._open)
        self.epoch += 1
        self._reset()


def _identity(path: str) -> Tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Turn errors of SQLite and of the system into StorageError."""
    try:
        yield
    except sqlite3.Error as error:
        raise storage_error(error) from error
    except OSError as error:
        reason = FailureReason.READ_ONLY if isinstance(error, PermissionError) else FailureReason.UNAVAILABLE
        raise StorageError(reason, str(error)) from error


def storage_error(error: sqlite3.Error) -> StorageError:
    """Return the StorageError for an error of SQLite."""
    text = str(error)
    for words, reason in _REASONS:
        if words in text:
            return StorageError(reason, text)
    return StorageError(FailureReason.IO, text)


# SQLite's codes are in its exceptions only since Python 3.11, so its words are compared.
_REASONS = (
    ("locked", FailureReason.LOCKED),
    ("is full", FailureReason.FULL),
    ("readonly", FailureReason.READ_ONLY),
    ("malformed", FailureReason.DAMAGED),
    ("not a database", FailureReason.DAMAGED),
    ("no such table", FailureReason.DAMAGED),
    ("no such column", FailureReason.DAMAGED),
    ("unable to open", FailureReason.UNAVAILABLE),
    ("closed database", FailureReason.UNAVAILABLE),
)


def _after_fork() -> None:
    for database in list(_databases):
        database.forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
