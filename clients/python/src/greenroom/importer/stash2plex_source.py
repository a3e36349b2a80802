"""The caches of Stash2Plex: two folders of diskcache, `cache` (libraries and searches) and `match_cache`."""

from __future__ import annotations

import itertools
import pathlib
from typing import Iterator, Union

from .diskcache_source import read_diskcache
from .source import SkippedEntry, SourceEntry
from .unreadable import Unreadable

FOLDERS = ("cache", "match_cache")


def read_stash2plex(folder: pathlib.Path) -> Iterator[Union[SourceEntry, SkippedEntry]]:
    """Yield the entries of the caches in a folder, which is Stash2Plex's `data` or its `data/cache`.

    Raises Unreadable if neither cache is there.
    """
    for root in (folder, folder / "cache"):
        present = [root / name for name in FOLDERS if (root / name / "cache.db").is_file()]
        if present:
            return itertools.chain.from_iterable(map(read_diskcache, present))
    raise Unreadable(f"{folder} has no {' and no '.join(FOLDERS)} of Stash2Plex")
