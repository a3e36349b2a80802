"""The embedded store: one SQLite file in WAL mode, written by any number of threads and processes."""

from .store import SqliteBackend

__all__ = ["SqliteBackend"]
