"""The cache for asyncio: no call blocks the event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Set
from typing import Tuple, TypeVar, Union

from .backend import LeaseHeld, LeaseTaken, StoredEntry
from .cache import LEASE_S, Cache
from .deferred import Deferred, Drained
from .entry_operations import one_of
from .keys import Key
from .lease import Lease
from .loading import POLL_FIRST_S, POLL_LAST_S, Ask, Flight, LeaderGone, decoded
from .lookup import Lookup, Status
from .memoize import key_maker
from .stats import Stats
from .storage import Seconds, Tags, log

# Threads that wait for storage; other operations queue.
THREADS = 4

Result = TypeVar("Result")


class AsyncCache:
    """A `Cache` whose operations are coroutines of the same names, arguments and answers."""

    def __init__(
        self, cache: Cache, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, threads: int = THREADS
    ) -> None:
        """Use a cache; it may be used without asyncio at the same time. `sleep` waits for another process's load."""
        self.cache = cache
        self._sleep = sleep
        self._threads = concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="greenroom")
        self._tasks: Set["asyncio.Task[Any]"] = set()

    async def _run(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        call = functools.partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def get(self, key: Key, default: Any = None) -> Any:
        """See `Cache.get`."""
        return await self._run(self.cache.get, key, default)

    async def lookup(self, key: Key, *, version: str = "") -> Lookup:
        """See `Cache.lookup`."""
        return await self._run(self.cache.lookup, key, version=version)

    async def get_many(self, keys: Iterable[Key]) -> Dict[Key, Any]:
        """See `Cache.get_many`."""
        return await self._run(self.cache.get_many, list(keys))

    async def set(
        self,
        key: Key,
        value: Any,
        ttl: Optional[Seconds] = None,
        stale: Seconds = 0,
        tag: Tags = None,
        *,
        version: str = "",
    ) -> bool:
        """See `Cache.set`."""
        return await self._run(self.cache.set, key, value, ttl=ttl, stale=stale, tag=tag, version=version)

    async def add(
        self,
        key: Key,
        value: Any,
        ttl: Optional[Seconds] = None,
        stale: Seconds = 0,
        tag: Tags = None,
        *,
        version: str = "",
    ) -> bool:
        """See `Cache.add`."""
        return await self._run(self.cache.add, key, value, ttl=ttl, stale=stale, tag=tag, version=version)

    async def set_many(
        self,
        items: Union[Mapping[Key, Any], List[Tuple[Key, Any]]],
        ttl: Optional[Seconds] = None,
        stale: Seconds = 0,
        tag: Tags = None,
    ) -> Dict[Key, bool]:
        """See `Cache.set_many`."""
        return await self._run(self.cache.set_many, items, ttl, stale, tag)

    async def touch(self, key: Key, ttl: Optional[Seconds] = None) -> bool:
        """See `Cache.touch`."""
        return await self._run(self.cache.touch, key, ttl)

    async def incr(self, key: Key, delta: int = 1, default: Optional[int] = 0) -> Optional[int]:
        """See `Cache.incr`."""
        return await self._run(self.cache.incr, key, delta, default)

    async def decr(self, key: Key, delta: int = 1, default: Optional[int] = 0) -> Optional[int]:
        """See `Cache.decr`."""
        return await self._run(self.cache.decr, key, delta, default)

    async def tag(self, key: Key, tag: Tags) -> bool:
        """See `Cache.tag`."""
        return await self._run(self.cache.tag, key, tag)

    async def pop(self, key: Key, default: Any = None) -> Any:
        """See `Cache.pop`."""
        return await self._run(self.cache.pop, key, default)

    async def delete(self, key: Key) -> bool:
        """See `Cache.delete`."""
        return await self._run(self.cache.delete, key)

    async def delete_prefix(self, prefix: str) -> int:
        """See `Cache.delete_prefix`."""
        return await self._run(self.cache.delete_prefix, prefix)

    async def evict(self, tag: Key) -> int:
        """See `Cache.evict`."""
        return await self._run(self.cache.evict, tag)

    async def clear(self) -> int:
        """See `Cache.clear`."""
        return await self._run(self.cache.clear)

    async def expire(self, now: Optional[float] = None) -> int:
        """See `Cache.expire`."""
        return await self._run(self.cache.expire, now)

    async def cull(self) -> int:
        """See `Cache.cull`."""
        return await self._run(self.cache.cull)

    async def volume(self) -> int:
        """See `Cache.volume`."""
        return await self._run(self.cache.volume)

    async def stats(self, reset: bool = False) -> Stats:
        """See `Cache.stats`."""
        return await self._run(self.cache.stats, True, reset)

    def deferred(self, max_entries: int = 1024) -> Deferred:
        """See `Cache.deferred`. Write with `drain`."""
        return self.cache.deferred(max_entries)

    async def drain(self, later: Deferred, deadline_s: Optional[float] = None) -> Drained:
        """Write what was collected; see `Deferred.drain`."""
        return await self._run(later.drain, deadline_s)

    async def get_or_load(
        self,
        key: Key,
        loader: Callable[[], Awaitable[Result]],
        ttl: Optional[Seconds] = None,
        stale: Seconds = 0,
        tag: Tags = None,
        *,
        version: str = "",
        lease_s: float = LEASE_S,
        wait_s: Optional[float] = None,
    ) -> Result:
        """See `Cache.get_or_load`. The load goes on if the caller that began it is cancelled."""
        ask = self.cache.ask(key, ttl, stale, tag, version, lease_s, wait_s)
        if ask is None:
            return await loader()
        found = await self.lookup(key, version=version)
        if found.status is Status.MISS:
            value: Result = await self._load(ask, loader)
            return value
        if found.status is Status.STALE and self.cache.loads.may_refresh(ask):
            self._spawn(self._refresh(ask, loader))
        value = found.value
        return value

    @contextlib.asynccontextmanager
    async def lease(
        self, key: Key, seconds: float = LEASE_S, *, tag: Tags = None, wait_s: Optional[float] = None
    ) -> AsyncIterator["AsyncLease"]:
        """See `Cache.lease`; for `async with`. What it gives has `held`, `found`, `value` and the coroutine `set`."""
        ask = self.cache.ask(key, None, 0, tag, "", seconds, wait_s)
        found = await self.lookup(key)
        lease = Lease(ask, lambda: self.cache.lookup(key), self.cache.loads)
        lease.found = found
        if ask is None:
            lease.held = True
        elif found.status is not Status.HIT:
            waiting = self._spawn(self._wait_for_lease(ask, ask.wait_s))
            try:
                await self._run(lease.settle, await asyncio.shield(waiting))
            except asyncio.CancelledError:
                self._spawn(self._give_back_when_held(waiting, ask))
                raise
        try:
            yield AsyncLease(self, lease)
        finally:
            await asyncio.shield(self._run(lease.__exit__))

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
    ) -> Callable[[Callable[..., Awaitable[Result]]], Callable[..., Awaitable[Result]]]:
        """See `Cache.memoize`; for coroutine functions."""
        lifetime = one_of(ttl, expire)

        def decorate(function: Callable[..., Awaitable[Result]]) -> Callable[..., Awaitable[Result]]:
            key = key_maker(function, name, typed, tuple(ignore))

            @functools.wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Result:
                return await self.get_or_load(
                    key(*args, **kwargs), lambda: function(*args, **kwargs), lifetime, stale, tag
                )

            wrapper.__cache_key__ = key  # type: ignore[attr-defined]
            return wrapper

        return decorate

    async def close(self) -> None:
        """Wait for loads and refreshes under way, then close the files and end the threads."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))
        await self._run(self.cache.close)
        self._threads.shutdown(wait=False)

    async def __aenter__(self) -> "AsyncCache":
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def _load(self, ask: Ask, loader: Callable[[], Awaitable[Any]]) -> Any:
        while True:
            flight, leads = await self._run(self.cache.loads.join, ask)
            try:
                if leads:
                    return await asyncio.shield(self._spawn(self._lead(ask, flight, loader)))
                return await self._followed(ask, flight, loader)
            except LeaderGone:
                continue

    async def _followed(self, ask: Ask, flight: Flight, loader: Callable[[], Awaitable[Any]]) -> Any:
        loads = self.cache.loads
        waiting = asyncio.wrap_future(flight.future)
        while True:
            leaders = flight.leaders
            try:
                # Shielded, because a follower that gives up must not cancel the flight of the others.
                return decoded(await asyncio.wait_for(asyncio.shield(waiting), ask.wait_s))
            except asyncio.TimeoutError:
                if flight.future.done():
                    return decoded(flight.future.result())
            loads.counters.add("waits_ended")
            if not ask.waits_for_lease:
                return await loader()
            if loads.take_over(flight, leaders):
                return await asyncio.shield(self._spawn(self._lead(ask, flight, loader)))

    async def _lead(self, ask: Ask, flight: Flight, loader: Callable[[], Awaitable[Any]]) -> Any:
        loads = self.cache.loads
        try:
            held = await self._wait_for_lease(ask, ask.patience_s, flight.future.done)
            if isinstance(held, LeaseTaken):
                if flight.future.done():
                    return decoded(flight.future.result())
                loads.counters.add("waits_ended")
                held = None
            if isinstance(held, StoredEntry):
                present = (held.codec, held.payload)
                result = decoded(present)
                loads.land(ask, flight, present)
                return result
            loads.begin(flight, held)
            try:
                with loads.kept(ask, held):
                    value = await loader()
            except BaseException:
                loads.counters.add("load_failures")
                await self._run(loads.give_back, ask, held)
                raise
            encoded = await self._run(loads.store, ask, held, value)
        except BaseException as error:
            loads.crash(ask, flight, error)
            raise
        loads.land(ask, flight, encoded)
        return value

    async def _wait_for_lease(
        self, ask: Ask, left_s: float, landed: Callable[[], bool] = bool
    ) -> Union[LeaseHeld, LeaseTaken, StoredEntry, None]:
        """See `Loads.wait_for_lease`."""
        waited_s, pause = 0.0, POLL_FIRST_S
        while True:
            outcome = await self._run(self.cache.loads.try_lease, ask)
            if not isinstance(outcome, LeaseTaken) or landed() or waited_s >= left_s:
                return outcome
            await self._sleep(pause)
            waited_s += pause
            pause = min(pause * 1.5, POLL_LAST_S)

    async def _give_back_when_held(self, waiting: "asyncio.Task[Any]", ask: Ask) -> None:
        """End the lease of a caller that was cancelled while it waited."""
        outcome = await waiting
        if isinstance(outcome, LeaseHeld):
            await self._run(self.cache.loads.give_back, ask, outcome)

    async def _refresh(self, ask: Ask, loader: Callable[[], Awaitable[Any]]) -> None:
        loads = self.cache.loads
        try:
            held = await self._run(loads.try_lease, ask)
            if not isinstance(held, LeaseHeld):
                return
            try:
                with loads.kept(ask, held):
                    value = await loader()
            except Exception as error:
                await self._run(loads.refresh_failed, ask, held, error)
                return
            loads.counters.add("refreshes")
            await self._run(loads.store, ask, held, value)
        finally:
            loads.refreshed()

    def _spawn(self, work: Any) -> "asyncio.Task[Any]":
        task: "asyncio.Task[Any]" = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.debug("a load failed: %r", task.exception())


class AsyncLease:
    """A `Lease` whose `set` is a coroutine."""

    def __init__(self, cache: AsyncCache, lease: Lease) -> None:
        self._cache, self._lease = cache, lease

    @property
    def held(self) -> bool:
        """Whether the caller loads."""
        return self._lease.held

    @property
    def found(self) -> Lookup:
        """What is there, if the caller does not load."""
        return self._lease.found

    @property
    def value(self) -> Any:
        """The value that was found; None if there is none."""
        return self._lease.value

    async def set(self, value: Any, ttl: Optional[Seconds] = None, stale: Seconds = 0) -> bool:
        """See `Lease.set`."""
        return await self._cache._run(self._lease.set, value, ttl, stale)
