"""An embedded cache that survives its process, and thin calls of Greenroom's API.

`Cache(path=...)` is the cache, `Cache(url=..., name=...)` one of a running Greenroom, `AsyncCache` the same for
asyncio, `SimpleCache` the same with the names of Kodi's SimpleCache. `Client` is a connection to a running Greenroom,
for `match`, `playlists`, `libraries` and `events`; `plex` edits items of a Plex server.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .cache import Cache
from .deferred import Deferred, Drained
from .lease import Lease
from .lookup import Lookup, Status
from .problem import Problem
from .stats import Stats

if TYPE_CHECKING:
    from . import match, playlists, plex
    from .aio import AsyncCache
    from .client import Client
    from .event_stream import Event, events
    from .library_list import libraries
    from .simple_cache import SimpleCache, use_cache
    from .timing import timed

__version__ = "0.1.0"

__all__ = [
    "AsyncCache",
    "Cache",
    "Client",
    "Deferred",
    "Drained",
    "Event",
    "Lease",
    "Lookup",
    "Problem",
    "SimpleCache",
    "Stats",
    "Status",
    "events",
    "libraries",
    "match",
    "playlists",
    "plex",
    "timed",
    "use_cache",
]

# Imported when they are used first: asyncio and the HTTP client take most of the time of an import, and an add-on that
# Kodi starts for every menu needs neither.
_MODULES = {
    "AsyncCache": "aio",
    "Client": "client",
    "Event": "event_stream",
    "SimpleCache": "simple_cache",
    "events": "event_stream",
    "libraries": "library_list",
    "match": "",
    "playlists": "",
    "plex": "",
    "timed": "timing",
    "use_cache": "simple_cache",
}


def __getattr__(name: str) -> Any:
    """Return what is imported on first use. Raises AttributeError for a name that the package does not have."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_MODULES[name] or name}", __name__)
    found = getattr(module, name) if _MODULES[name] else module
    globals()[name] = found
    return found
