"""The cache of Cmdarr: `cmdarr_cache.db`, with answers of APIs and whole libraries as JSON."""

from __future__ import annotations

import datetime
import json
import pathlib
from typing import Any, Iterator, Optional, Union

from .source import SkippedEntry, SourceEntry, copied, rows
from .unreadable import Unreadable

FILE = "cmdarr_cache.db"
JSON_BYTES_MAX = 256 << 20


def read_cmdarr(path: pathlib.Path) -> Iterator[Union[SourceEntry, SkippedEntry]]:
    """Yield the entries of a file, or of the one in a folder. Raises Unreadable if it is no such store.

    Answers of APIs are tagged with their source, libraries with their server's kind. Lookups that failed are skipped:
    that something was not found once is not worth keeping.
    """
    with copied(path / FILE if path.is_dir() else path) as connection:
        for statement in (
            "SELECT cache_key, data, source, expires_at FROM api_cache ORDER BY rowid",
            "SELECT cache_key, cache_data, client_type, expires_at FROM library_cache ORDER BY rowid",
        ):
            for key, data, tag, expires in rows(connection, statement):
                try:
                    yield _entry(key, data, tag, expires)
                except Unreadable as error:
                    yield SkippedEntry(repr(key)[:80], str(error))
        for (key,) in rows(connection, "SELECT cache_key FROM failed_lookups ORDER BY rowid"):
            yield SkippedEntry(repr(key)[:80], "a failed lookup")


def _entry(key: Any, data: Any, tag: Any, expires: Any) -> SourceEntry:
    # A column of type JSON makes a number of a text that is one.
    if type(data) in (int, float):
        data = repr(data)
    if not isinstance(key, str) or not isinstance(data, str):
        raise Unreadable("no text")
    if len(data) > JSON_BYTES_MAX:
        raise Unreadable("too large")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None
    return SourceEntry(key, value, tag if isinstance(tag, str) else None, _time(expires))


def _time(text: Any) -> Optional[float]:
    """Return a time in UTC, as SQLAlchemy writes it, in seconds since 1970."""
    if text is None:
        return None
    try:
        at = datetime.datetime.fromisoformat(str(text))
        if at.tzinfo is None:
            at = at.replace(tzinfo=datetime.timezone.utc)
        return at.timestamp()
    except (ValueError, OverflowError):
        raise Unreadable("a time that is none") from None
