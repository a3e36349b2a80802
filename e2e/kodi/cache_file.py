"""The example add-on's cache file, seen from outside."""

import contextlib
import pathlib
import shutil
import sqlite3
import struct

WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24


class CacheFile:
    """The SQLite file in the add-on's folder."""

    def __init__(self, kodi):
        self.path = kodi.addon_data / "cache" / "greenroom.v1.1.db"

    @contextlib.contextmanager
    def locked(self):
        """Holds the file so that no other process can write. Reading goes on."""
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def with_log(self):
        """Keeps the log of transactions, which the last process to close the file would remove."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.execute("SELECT count(*) FROM entries").fetchone()
            yield

    def _asked(self, query):
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    def keys(self):
        """The stored keys without their user, sorted."""
        if not self.path.exists():
            return []
        return sorted(key.decode("latin-1").split("/", 1)[1] for (key,) in self._asked("SELECT key FROM entries"))

    def partitions(self):
        """The users that have entries, as the keys name them."""
        return {key.decode("latin-1").split("/", 1)[0] for (key,) in self._asked("SELECT key FROM entries")}

    def is_intact(self):
        """Whether SQLite finds nothing wrong."""
        return self._asked("PRAGMA integrity_check") == [("ok",)]

    def counts_after_each_commit(self, folder):
        """How many entries there are after each transaction that is still in the log, oldest first.

        Each is counted in a copy whose log ends with that transaction.
        """
        wal = self.path.with_name(f"{self.path.name}-wal").read_bytes()
        (page_bytes,) = struct.unpack(">I", wal[8:12])
        salts = wal[16:24]
        counts = []
        for start in range(WAL_HEADER_BYTES, len(wal), FRAME_HEADER_BYTES + page_bytes):
            end = start + FRAME_HEADER_BYTES + page_bytes
            (pages_after_commit,) = struct.unpack(">I", wal[start + 4 : start + 8])
            if wal[start + 8 : start + 16] != salts or end > len(wal):
                break
            if pages_after_commit:
                copy = pathlib.Path(folder) / f"commit-{start}.db"
                shutil.copy(self.path, copy)
                copy.with_name(f"{copy.name}-wal").write_bytes(wal[:end])
                with contextlib.closing(sqlite3.connect(copy)) as connection:
                    counts.append(connection.execute("SELECT count(*) FROM entries").fetchone()[0])
        return counts
