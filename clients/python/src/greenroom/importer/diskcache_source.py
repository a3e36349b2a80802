"""The store of diskcache: a folder with `cache.db`, and files of large values."""

from __future__ import annotations

import os
import pathlib
from typing import Any, Iterator, Optional, Tuple, Union

from .pickle_reader import PICKLE_BYTES_MAX, read_pickle
from .source import SkippedEntry, SourceEntry, copied, rows
from .unreadable import Unreadable

RAW, BINARY, TEXT, PICKLE = 1, 2, 3, 4


def read_diskcache(folder: pathlib.Path) -> Iterator[Union[SourceEntry, SkippedEntry]]:
    """Yield the entries of a folder in the order they were stored. Raises Unreadable if it holds no such store."""
    with copied(folder / "cache.db") as connection:
        statement = "SELECT key, raw, expire_time, tag, mode, filename, value FROM Cache ORDER BY rowid"
        for key, raw, expires, tag, mode, filename, value in rows(connection, statement):
            name = repr(key)[:80]
            try:
                found = key if raw else read_pickle(_bytes(key))
                name = repr(found)[:80]
                yield SourceEntry(found, _value(folder, mode, filename, value), tag, _time(expires))
            except Unreadable as error:
                yield SkippedEntry(name, str(error))


def _value(folder: pathlib.Path, mode: Any, filename: Any, value: Any) -> Any:
    if filename is not None:
        data = _file(folder, filename)
        if mode == BINARY:
            return data
        if mode == TEXT:
            try:
                return data.decode("utf-8")
            except UnicodeDecodeError:
                raise Unreadable("text that is no UTF-8") from None
        if mode == PICKLE:
            return read_pickle(data)
    elif mode == RAW:
        return value
    elif mode == PICKLE:
        return read_pickle(_bytes(value))
    raise Unreadable(f"mode {str(mode)[:20]}")


def _file(folder: pathlib.Path, filename: Any) -> bytes:
    path = _within(folder, str(filename))
    if path is None:
        raise Unreadable("a file outside of the folder")
    try:
        if path.stat().st_size > PICKLE_BYTES_MAX:
            raise Unreadable("too large")
        return path.read_bytes()
    except (OSError, ValueError):
        raise Unreadable("its file is missing") from None


def _within(folder: pathlib.Path, filename: str) -> Optional[pathlib.Path]:
    try:
        root, path = os.path.realpath(str(folder)), os.path.realpath(str(folder / filename))
    except (OSError, ValueError):
        return None
    return pathlib.Path(path) if path.startswith(root + os.sep) and os.path.isfile(path) else None


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise Unreadable("no pickle")
    return value


def _time(expires: Any) -> Optional[float]:
    return float(expires) if isinstance(expires, (int, float)) else None


__all__: Tuple[str, ...] = ("read_diskcache",)
