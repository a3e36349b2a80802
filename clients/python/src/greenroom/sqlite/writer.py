"""Group commit: the writes of all threads that wait at the same moment share one transaction.

There is no thread for it. The thread that gets the lock runs what is queued, its own write and those of the others,
and each returns after the commit that holds its write.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections import deque
from typing import Any, Callable, Deque, Generic, Iterator, List, Optional, Tuple, TypeVar

from ..backend import FailureReason, StorageError
from .database import Connection, Database, storage_error

BATCH_MAX = 256
# Invalidations that are remembered for loads under way; a load that began before the oldest of them is not stored.
MARKERS_MAX = 10_000
MARKERS_PRUNED_EVERY = 256

Result = TypeVar("Result")


class Transaction:
    """A write transaction: its sequence number, and how it changes the size of the store."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.execute = connection, connection.execute
        # Of a write in it: nothing of it is committed.
        self.failure: Optional[StorageError] = None
        row: Optional[Tuple[int, int, int, int]] = connection.execute(
            "SELECT sequence, floor, entries, bytes FROM state WHERE id = 1"
        ).fetchone()
        if row is None:
            raise sqlite3.DatabaseError("malformed: no state")
        self.begun, self.floor, self.entries, self.bytes = row
        self.sequence = self.begun + 1
        self.changed = False

    def finish(self) -> None:
        """Write down what changed. Belongs before the commit."""
        if not self.changed:
            return
        if self.sequence % MARKERS_PRUNED_EVERY == 0:
            self._prune_markers()
        self.execute(
            "UPDATE state SET sequence = ?, floor = ?, entries = ?, bytes = ? WHERE id = 1",
            (self.sequence, self.floor, self.entries, self.bytes),
        )

    def _prune_markers(self) -> None:
        oldest = self.execute(
            "SELECT sequence FROM markers ORDER BY sequence DESC LIMIT 1 OFFSET ?", (MARKERS_MAX,)
        ).fetchone()
        if oldest is not None:
            self.floor = oldest[0]
            self.execute("DELETE FROM markers WHERE sequence <= ?", oldest)


class _Job(Generic[Result]):
    """One queued write, then its outcome."""

    def __init__(self, write: Callable[[Transaction], Result]) -> None:
        self.write = write
        self.done = False
        self.result: Optional[Result] = None
        self.error: Optional[BaseException] = None


_writers: "weakref.WeakSet[Writer]" = weakref.WeakSet()


class Writer:
    """Runs writes of many threads in few transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.generation = 0
        self.reset()
        _writers.add(self)

    def reset(self) -> None:
        """Forget queued writes and locks: those of a parent process."""
        self._lock = threading.Lock()
        self._queue: Deque[_Job[Any]] = deque()
        self._owner: Optional[int] = None
        self._held: Optional[Transaction] = None

    def run(self, write: Callable[[Transaction], Result]) -> Result:
        """Run a write and return its result after its commit.

        A write must check before it changes anything: an exception of its own (TypeError) reaches its caller, and the
        others of the batch are committed. Raises StorageError for all writes of a transaction that failed.
        """
        if self._owner == threading.get_ident() and self._held is not None:
            return self._run_held(self._held, write)
        job: _Job[Result] = _Job(write)
        self._queue.append(job)
        with self._lock:
            while not job.done:
                self._commit([self._queue.popleft() for _ in range(min(BATCH_MAX, len(self._queue)))])
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]

    def _run_held(self, transaction: Transaction, write: Callable[[Transaction], Result]) -> Result:
        """Run a write within a held transaction, unless one before it failed: half of a block is not committed."""
        if transaction.failure is not None:
            raise StorageError(transaction.failure.reason, "an earlier write of the transaction failed")
        try:
            return write(transaction)
        except sqlite3.Error as error:
            transaction.failure = self.failed(transaction.connection, error)
            raise transaction.failure from error
        except StorageError as error:
            transaction.failure = error
            raise

    def _commit(self, jobs: List[_Job[Any]]) -> None:
        try:
            with self._transaction() as transaction:
                for job in jobs:
                    try:
                        job.result = job.write(transaction)
                    except sqlite3.Error as error:
                        raise self.failed(transaction.connection, error) from error
                    except StorageError:
                        raise
                    except Exception as error:
                        job.error = error
        except StorageError as error:
            for job in jobs:
                job.error = error
        except BaseException as error:
            for job in jobs:
                job.error = StorageError(FailureReason.IO, f"interrupted by {type(error).__name__}")
            raise
        finally:
            for job in jobs:
                job.done = True

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Make all writes of this thread one transaction. Raises StorageError if it cannot be committed, or a write
        failed; an exception of the block undoes it and passes."""
        if self._owner == threading.get_ident():
            yield
            return
        with self._lock, self._transaction() as transaction:
            self._owner, self._held = threading.get_ident(), transaction
            try:
                yield
            finally:
                self._owner, self._held = None, None
            if transaction.failure is not None:
                raise transaction.failure

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        connection = self._database.connection(writes=True)
        try:
            with self._errors(connection):
                connection.execute("BEGIN IMMEDIATE")
                transaction = Transaction(connection)
            # An error of SQLite that comes out of this may be of another file: an app's own.
            yield transaction
            with self._errors(connection):
                transaction.finish()
                connection.execute("COMMIT")
            self.generation += 1
        except BaseException:
            self._roll_back(connection)
            raise

    @contextlib.contextmanager
    def _errors(self, connection: Connection) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self._roll_back(connection)
            raise self.failed(connection, error) from error

    @staticmethod
    def _roll_back(connection: Connection) -> None:
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def failed(self, connection: Connection, error: sqlite3.Error) -> StorageError:
        """Return the StorageError for an error of SQLite; a damaged file is set aside."""
        failure = storage_error(error)
        if failure.reason is FailureReason.DAMAGED:
            with contextlib.suppress(StorageError):
                self._database.set_aside(connection.number, str(error))
        return failure


def _after_fork() -> None:
    for writer in list(_writers):
        writer.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
