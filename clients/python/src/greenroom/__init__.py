"""An embedded cache that survives its process, and thin calls of Greenroom's API.

`Cache(path=...)` is the cache, `Cache(url=..., name=...)` one of a running Greenroom, `AsyncCache` the same for
asyncio, `SimpleCache` the same with the names of Kodi's SimpleCache. `Client` is a connection to a running Greenroom,
for `match`, `playlists`, `libraries` and `events`; `plex` edits items of a Plex server.
"""

from . import match, playlists, plex
from .aio import AsyncCache
from .cache import Cache
from .client import Client
from .deferred import Deferred, Drained
from .events import Event, events
from .lease import Lease
from .libraries import libraries
from .lookup import Lookup, Status
from .problem import Problem
from .simple_cache import SimpleCache, use_cache
from .stats import Stats
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
