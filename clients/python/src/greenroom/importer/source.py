"""Entries of foreign stores, read from a copy."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import sqlite3
import tempfile
from typing import Any, Iterator, NamedTuple, Optional, Tuple

from .unreadable import Unreadable


class SourceEntry(NamedTuple):
    """An entry of a foreign store: key, value, tag, and when it expires, in seconds since 1970 (None: never)."""

    key: Any
    value: Any
    tag: Any
    expires: Optional[float]


class SkippedEntry(NamedTuple):
    """An entry that is not read: how its store names it, and why."""

    name: str
    reason: str


@contextlib.contextmanager
def copied(path: pathlib.Path) -> Iterator[sqlite3.Connection]:
    """Open a copy of a SQLite file and of its log, so that nothing is written beside the original.

    Raises Unreadable if there is none, or it is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="greenroom-import-") as folder:
        copy = pathlib.Path(folder) / "copy.db"
        try:
            shutil.copyfile(str(path), str(copy))
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{path}-wal", f"{copy}-wal")
        except OSError as error:
            raise Unreadable(f"{path} cannot be read: {error.strerror}") from None
        connection = sqlite3.connect(str(copy))
        try:
            yield connection
        except sqlite3.Error as error:
            raise Unreadable(f"{path} is no such store: {error}") from None
        finally:
            connection.close()


def rows(connection: sqlite3.Connection, statement: str) -> Iterator[Tuple[Any, ...]]:
    """Yield the rows of a statement; text that is no UTF-8 as bytes."""
    connection.text_factory = _text
    yield from connection.execute(statement)


def _text(raw: bytes) -> Any:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw
