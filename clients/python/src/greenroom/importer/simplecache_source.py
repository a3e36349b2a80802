"""The store of Kodi's SimpleCache: `simplecache.db`, with values as `repr` or JSON wrote them."""

from __future__ import annotations

import pathlib
from typing import Iterator, Union

from .literal_reader import read_literal
from .source import SkippedEntry, SourceEntry, copied, rows
from .unreadable import Unreadable

FILE = "simplecache.db"


def read_simplecache(path: pathlib.Path) -> Iterator[Union[SourceEntry, SkippedEntry]]:
    """Yield the entries of a file, or of the one in a folder. Raises Unreadable if it is no such store.

    An entry with a checksum is skipped: the text that the checksum was made of is not stored, so nothing could find it.
    """
    with copied(path / FILE if path.is_dir() else path) as connection:
        statement = "SELECT id, expires, data, checksum FROM simplecache ORDER BY rowid"
        for key, expires, data, checksum in rows(connection, statement):
            name = repr(key)[:80]
            try:
                if not isinstance(key, str) or not isinstance(data, str):
                    raise Unreadable("no text")
                if checksum:
                    raise Unreadable("it has a checksum")
                yield SourceEntry(key, read_literal(data), None, float(expires) if expires is not None else None)
            except (Unreadable, TypeError, ValueError) as error:
                yield SkippedEntry(name, str(error) or "no plain value")
