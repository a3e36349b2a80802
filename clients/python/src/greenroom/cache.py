"""The cache an app uses. Nothing raises because storage failed: that is a miss, a refused write, and a count."""

from __future__ import annotations

import contextlib
import os
import pathlib
import time
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterator,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

from .backend import Backend, StorageError
from .deferred import Deferred
from .entry_operations import EntryOperations, one_of
from .keys import Key, prefix_range
from .lease import Lease
from .loading import Ask, Loads
from .lookup import MISS, Status
from .memoize import memoized
from .remote import RemoteBackend
from .sqlite import SqliteBackend
from .stats import Counters, Stats
from .storage import Seconds, Storage, Tags

if TYPE_CHECKING:
    import ssl

SIZE_LIMIT_BYTES = 1 << 30
VALUE_LIMIT_BYTES = 64 << 20
BUSY_TIMEOUT_S = 5.0
LEASE_S = 60.0

Result = TypeVar("Result")
Path = Union[str, "os.PathLike[str]"]


class Cache(EntryOperations):
    """A cache in a folder, shared by all threads and processes that open the folder; or one of a running Greenroom,
    shared by all programs that have a token for it."""

    def __init__(
        self,
        path: Optional[Path] = None,
        timeout: float = BUSY_TIMEOUT_S,
        *,
        url: Optional[str] = None,
        name: Optional[str] = None,
        token: Optional[str] = None,
        tls: Optional[ssl.SSLContext] = None,
        directory: Optional[Path] = None,
        size_limit: int = SIZE_LIMIT_BYTES,
        value_limit: int = VALUE_LIMIT_BYTES,
        eviction_policy: str = "least-recently-stored",
        clear_at_start: bool = False,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
        spawn: Optional[Callable[[Callable[[], None]], None]] = None,
        backend: Optional[Backend] = None,
    ) -> None:
        """Use the folder `path`, made if it is missing; `directory` is diskcache's name for it. Or use the cache `name`
        of the Greenroom at `url` (`http://127.0.0.1:8710`, or `unix:///run/greenroom/apps.sock`), with the token that
        `greenroom token add APP --caches NAME` prints. While that is away everything is a miss, and nothing is stored:
        there is no falling back to a folder. Its limits are those of its configuration; `tls` replaces the system's way
        of checking certificates.

        `timeout` is how long a write waits for other processes, or a call for the daemon, in seconds.
        `size_limit` and `value_limit` are bytes of
        all entries and of one value; `eviction_policy` is `least-recently-stored`, or `none` to refuse writes instead.
        `clear_at_start` empties the cache. `clock` gives seconds since 1970, `pause` waits for another process's load,
        `spawn` runs a refresh in the background. `backend` stands in for the folder.

        Raises TypeError or ValueError for arguments that make no sense; never because storage failed.
        """
        folder = path if path is not None else directory
        if [path, directory, url, backend].count(None) != 3:
            raise TypeError("Cache needs one place: Cache(path=...) or Cache(url=..., name=...)")
        if (url is None) != (name is None) or url is None and (token is not None or tls is not None):
            raise TypeError("a url has a name, and a token or tls belongs to a url")
        if eviction_policy not in ("least-recently-stored", "none"):
            raise ValueError("eviction_policy is 'least-recently-stored' or 'none'")
        self._folder = "" if folder is None else str(pathlib.Path(os.fspath(folder)).expanduser().absolute())
        self._size_limit = size_limit
        self._settings: Dict[str, Any] = {"timeout": timeout, "size_limit": size_limit, "value_limit": value_limit}
        self._settings["eviction_policy"] = eviction_policy
        counters = Counters()
        if url is not None and name is not None:
            backend = RemoteBackend(url, name, token, timeout, clock, tls)
            # Not what cannot be handed to another process.
            self._settings.update({"url": url, "name": name, "token": token} if tls is None else {})
        self._backend: Backend = backend or SqliteBackend(
            pathlib.Path(self._folder),
            timeout,
            size_limit,
            eviction_policy != "none",
            lambda: counters.add("damaged"),
        )
        super().__init__(Storage(self._backend, counters, clock, value_limit))
        self.loads = Loads(self._storage, pause, spawn)
        if clear_at_start:
            self.clear()

    def get_or_load(
        self,
        key: Key,
        loader: Callable[[], Result],
        ttl: Optional[Seconds] = None,
        stale: Seconds = 0,
        tag: Tags = None,
        *,
        version: str = "",
        lease_s: float = LEASE_S,
        wait_s: Optional[float] = None,
    ) -> Result:
        """Return a key's value, loaded by one caller of all threads and processes if it is missing.

        A stale value is returned at once and loaded anew in the background; if that fails it is served on until its
        window ends. What was invalidated while it was loaded is returned but not stored. The load of a caller that dies
        is taken over by one other after `lease_s` seconds; one that goes on has up to five times as long. With a
        `wait_s` shorter than `lease_s` a caller that waited so long loads for itself, and that is not stored.

        Raises what the loader raises, to all who waited for it in this process.
        """
        ask = self.ask(key, ttl, stale, tag, version, lease_s, wait_s)
        if ask is None:
            return loader()
        found = self.lookup(key, version=version)
        if found.status is Status.MISS:
            value: Result = self.loads.load(ask, loader)
            return value
        if found.status is Status.STALE:
            self.loads.refresh_behind(ask, loader)
        value = found.value
        return value

    def ask(
        self,
        key: Key,
        ttl: Optional[Seconds],
        stale: Seconds,
        tag: Tags,
        version: str,
        lease_s: float,
        wait_s: Optional[float],
    ) -> Optional[Ask]:
        """Return what is to be loaded, None if the key is too long to be stored."""
        terms = self._storage.terms(ttl, stale, tag, version)
        encoded = self._storage.key(key)
        return None if encoded is None else Ask(encoded, terms, lease_s, lease_s if wait_s is None else wait_s)

    def lease(self, key: Key, seconds: float = LEASE_S, *, tag: Tags = None, wait_s: Optional[float] = None) -> Lease:
        """Return the lease of a key, to be used in a `with` block; see `Lease`.

        At most one caller of all threads and processes holds it, for `seconds` at the longest. The others wait for its
        value or its end for `wait_s` (the same by default; 0 does not wait).
        """
        return Lease(self.ask(key, None, 0, tag, "", seconds, wait_s), lambda: self.lookup(key), self.loads)

    def memoize(
        self,
        name: Optional[str] = None,
        typed: bool = False,
        expire: Optional[Seconds] = None,
        tag: Tags = None,
        ignore: Sequence[Union[int, str]] = (),
        *,
        ttl: Optional[Seconds] = None,
        stale: Seconds = 0,
    ) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
        """Return a decorator that keeps a function's results by its arguments, each loaded once.

        `ttl` (or `expire`), `stale` and `tag` as `set`. `name` replaces the function's name in keys, `typed` keeps 1
        and 1.0 apart, `ignore` names arguments, or their positions, that make no difference. Arguments are of the types
        that values have. The function gets `__cache_key__`, which gives the key of a call.
        """
        if callable(name):
            raise TypeError("memoize is called: @cache.memoize()")
        return memoized(self, name, typed, tuple(ignore), one_of(ttl, expire), stale, tag)

    def deferred(self, max_entries: int = 1024) -> Deferred:
        """Return a collection of writes to be made later; see `Deferred`."""
        later = Deferred(self._storage, max_entries)
        self._later.add(later)
        return later

    def transact(self, retry: bool = False) -> ContextManager[None]:
        """Make the writes of this thread within a `with` block one transaction, which an exception undoes.

        Other writers wait for it. Without storage the block runs all the same. Within it True counts from the end of
        the block: if a write fails, later ones say False, and all of the block is undone and counted, not raised.
        """
        return self._transaction()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        if not isinstance(self._backend, SqliteBackend):
            yield
            return
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._backend.transact())
            except StorageError as error:
                self._storage.failed(error)
            yield
            try:
                stack.close()
            except StorageError as error:
                self._storage.failed(error)

    def expire(self, now: Optional[float] = None, retry: bool = False) -> int:
        """Remove entries that are neither fresh nor stale any more and return how many.

        Writes do the same, a few at a time.
        """
        at = self._storage.clock() if now is None else now
        return self._storage.tried(lambda: self._backend.sweep(at), 0)

    def cull(self, retry: bool = False) -> int:
        """Remove expired entries, then those stored longest ago, down to the size limit. Return how many."""
        return self._storage.tried(lambda: self._backend.shrink(self._size_limit, self._storage.clock()), 0)

    def stats(self, enable: bool = True, reset: bool = False) -> Stats:
        """Return the counters of all processes since the last reset, and the size. `enable` is ignored."""
        self._storage.keep_counts()
        nothing: Dict[str, int] = {}
        counts = dict(self._storage.tried(self._backend.counts, nothing))
        for name, count in self._counters.current().items():
            counts[name] = counts.get(name, 0) + count
        entries, size = self._storage.tried(self._backend.size, (0, 0))
        if reset:
            self._counters.take()
            self._storage.tried(lambda: self._backend.add_counts({}, True), None)
        return Stats.of(counts, entries, size)

    def volume(self) -> int:
        """Return the bytes of all entries."""
        return self._storage.tried(lambda: self._backend.size().bytes, 0)

    def close(self) -> None:
        """Persist the counters and close the files. Using the cache again opens them again."""
        self._storage.keep_counts()
        self._storage.tried(self._backend.close, None)

    def iterkeys(self, reverse: bool = False, *, prefix: str = "") -> Iterator[Key]:
        """Yield the keys of fresh entries in the order they were stored, optionally texts with a prefix only."""
        return self._storage.keys(prefix_range(prefix)[0] if prefix else b"", reverse)

    @property
    def directory(self) -> str:
        """The folder."""
        return self._folder

    @property
    def timeout(self) -> float:
        """How long a write waits for other processes, in seconds."""
        return float(self._settings["timeout"])

    def __len__(self) -> int:
        """Return the number of entries, expired ones included until they are removed."""
        return self._storage.tried(lambda: self._backend.size().entries, 0)

    def __iter__(self) -> Iterator[Key]:
        return self.iterkeys()

    def __reversed__(self) -> Iterator[Key]:
        return self.iterkeys(reverse=True)

    def __getitem__(self, key: Key) -> Any:
        """Return a fresh value. Raises KeyError if there is none."""
        value = self.get(key, MISS)
        if value is MISS:
            raise KeyError(key)
        return value

    def __setitem__(self, key: Key, value: Any) -> None:
        self.set(key, value)

    def __delitem__(self, key: Key) -> None:
        """Remove an entry. Raises KeyError if there is no fresh one, or storage failed."""
        if not self.delete(key):
            raise KeyError(key)

    def __contains__(self, key: Key) -> bool:
        found = self._storage.find(key)
        return found is not None and (found.expires is None or found.expires > self._storage.clock())

    def __enter__(self) -> "Cache":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __reduce__(self) -> Tuple[Any, ...]:
        """Let another process open the same folder or daemon. Raises TypeError for one with its own `tls`, or a backend
        that stands in: these cannot be handed over."""
        if not self._folder and "url" not in self._settings:
            raise TypeError("a cache with tls or a backend of its own cannot be handed to another process")
        return _reopened, (self._folder or None, self._settings)

    def __repr__(self) -> str:
        return f"Cache({self._folder or self._settings.get('name', '')!r})"


def _reopened(folder: Optional[str], settings: Dict[str, Any]) -> Cache:
    return Cache(folder, **settings)
