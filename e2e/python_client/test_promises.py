"""Promises of the client at their edges: limits, numbers of a file in another one's place, forks, leases of coroutines."""

import asyncio
import os
import pickle
import ssl

import pytest

from greenroom import AsyncCache, Cache, Problem, match
from greenroom.backend import Entry, FailureReason, Put, PutResult, Scope, StorageError
from greenroom.deferred import Drained
from greenroom.keys import encode_key
from greenroom.library_list import libraries
from python_client.processes import output


def test_a_value_beyond_the_limit_is_returned_by_its_load_and_never_stored(make):
    cache = make(value_limit=1000)
    large = "x" * 2000
    assert cache.get_or_load("k", lambda: large, ttl=60) == large
    with cache.lease("leased") as lease:
        assert lease.held and lease.set(large) is False
    cache.set("stale", "old", ttl=-1, stale=600)
    assert cache.get_or_load("stale", lambda: large, ttl=60, stale=600) == "old"
    assert cache.get_many(["k", "leased", "stale"]) == {} and cache.stats().counts["refused_too_large"] == 3
    with cache.lease("leased", wait_s=0) as lease:
        assert lease.held, "the lease has ended with the refusal"


def test_a_cache_that_evicts_nothing_keeps_its_limit_also_within_one_transaction(make, clock):
    cache = make(size_limit=10_000, eviction_policy="none")
    stored = cache.set_many({number: "x" * 1000 for number in range(20)})
    assert sum(stored.values()) == 9 and cache.volume() <= 10_000
    assert cache.set(0, "y" * 1000), "in the place of another"
    assert not cache.set("one more", "x" * 1000)


def test_what_is_dead_makes_room_in_a_cache_that_evicts_nothing(make, clock):
    cache = make(size_limit=10_000, eviction_policy="none")
    assert all(cache.set_many({number: "x" * 1000 for number in range(9)}, ttl=60).values())
    assert not cache.set("later", "x" * 1000)
    clock.advance(61)
    assert cache.set("later", "x" * 1000)


def test_what_was_collected_while_the_store_could_not_be_asked_undoes_no_invalidation(cache, make):
    cache.set("evicted", "older", tag="menu")
    later = cache.deferred()
    backend, sequence = cache._backend, cache._backend.sequence

    def away():
        raise StorageError(FailureReason.LOCKED, "locked")

    backend.sequence = away
    later.set("evicted", "fetched before the invalidation", tag="menu")
    later.set("beside", 1)
    backend.sequence = sequence
    make().evict("menu")
    assert later.drain() == Drained(1, 1, 0)
    assert cache.get("evicted") is None and cache.get("beside") == 1


def entry(value):
    return Entry(0, value, None, None, (), "")


def test_a_load_that_began_in_a_damaged_file_is_not_stored_in_the_one_that_takes_its_place(cache, tmp_path):
    key = encode_key("k")
    for number in range(5):
        cache.set("other", number)
    begun = cache._backend.sequence()
    cache.close()
    (file,) = [path for path in (tmp_path / "cache").glob("*.db")]
    file.write_bytes(b"no database" * 1000)
    assert cache.get("k") is None
    cache._backend.invalidate(Scope("key", key))
    assert cache._backend.sequence() > begun, "numbers go on"
    assert cache._backend.put([Put(key, entry(b"older"), begun=begun)], 0.0) == [PutResult.FENCED]
    assert cache._backend.invalidated(key, (), begun)


def test_a_number_that_was_not_given_yet_is_of_another_file(cache):
    key = encode_key("k")
    cache.set("other", 1)
    future = cache._backend.sequence() + 1000
    assert cache._backend.put([Put(key, entry(b"v"), begun=future)], 0.0) == [PutResult.FENCED]
    assert cache._backend.invalidated(key, (), future)


FORKED = """
import os, sys, threading
from greenroom import Cache
cache = Cache(sys.argv[1], timeout=30)
loads, may_end = threading.Event(), threading.Event()

def load():
    loads.set()
    may_end.wait(60)
    return "of the parent"

thread = threading.Thread(target=lambda: cache.get_or_load("key", load))
thread.start()
loads.wait(60)
child = os.fork()
if child == 0:
    # Without a wait: the thread that loads is not in this process, and the lease is the parent's.
    found = cache.get_or_load("key", lambda: "of the child", wait_s=0)
    os._exit(0 if found == "of the child" and not cache.loads._flights else 1)
print(os.waitpid(child, 0)[1], flush=True)
may_end.set()
thread.join()
print(cache.get("key"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_process_waits_for_no_load_of_its_parents_threads(tmp_path):
    assert output(FORKED, tmp_path / "cache") == "0\nof the parent\n"


LOCKED = """
import os, sys
from greenroom import Cache
cache = Cache(sys.argv[1])
later = cache.deferred()
# As if another thread had them at the moment of the fork.
for lock in (cache._counters._lock, cache.loads._lock, later._lock):
    lock.acquire()
child = os.fork()
if child == 0:
    later.set("a", 1)
    ok = later.drain().stored == 1 and cache.get_or_load("b", lambda: 2) == 2 and cache.get("a") == 1
    os._exit(0 if ok else 1)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_locks_that_a_thread_of_the_parent_held_are_free_in_a_child_process(tmp_path):
    assert output(LOCKED, tmp_path / "cache") == "0\n"


def test_a_cache_that_cannot_be_handed_to_another_process_says_so_at_once():
    cache = Cache(url="https://127.0.0.1:1", name="worker", tls=ssl.create_default_context())
    with pytest.raises(TypeError):
        pickle.dumps(cache)


def test_only_integers_are_added(cache):
    for arguments in ((0.5,), (1, 0.5), ("1",)):
        with pytest.raises(TypeError):
            cache.incr("n", *arguments)
    assert cache.get("n") is None and cache.incr("n") == 1


class Answering:
    """A client that is answered with this."""

    def __init__(self, told):
        self.told = told

    def call(self, *_asked):
        return self.told


@pytest.mark.parametrize("told", [{}, {"paths": None}, {"paths": [{}]}, {"paths": [{}, {}, {}]}])
def test_answers_that_cannot_be_told_apart_are_a_problem(told):
    with pytest.raises(Problem) as problem:
        match.paths(Answering(told), ["/a", "/b"])
    assert problem.value.code == "not-an-answer"
    with pytest.raises(Problem):
        libraries(Answering(told))


def test_a_lease_of_coroutines_is_held_by_one_and_the_others_get_its_value(make):
    async def run():
        cache = AsyncCache(make(), sleep=lambda _s: asyncio.sleep(0))
        held = []

        async def load():
            async with cache.lease("k", 60) as lease:
                if not lease.held:
                    return lease.value
                held.append(lease)
                await asyncio.sleep(0)
                assert await lease.set("loaded", ttl=60)
                return "loaded"

        assert await asyncio.gather(*(load() for _ in range(20))) == ["loaded"] * 20 and len(held) == 1
        async with cache.lease("k" * 5000) as lease:
            assert lease.held and await lease.set(1) is False, "no key is so long"
        async with cache.lease("given back") as lease:
            assert lease.held
            async with cache.lease("given back", wait_s=0) as other:
                assert not other.held and other.value is None
        async with cache.lease("given back", wait_s=0) as lease:
            assert lease.held
        assert await cache.decr("n") == -1 and await cache.volume() > 0 and await cache.cull() == 0
        await cache.close()

    asyncio.run(run())


def test_sums_are_refused_where_nothing_is_evicted_and_they_do_not_fit(tmp_path):
    cache = Cache(path=tmp_path, size_limit=2000, eviction_policy="none")
    stored = [number for number in range(100) if cache.incr(f"counter {number}") is not None]
    assert 0 < len(stored) < 100 and stored == list(range(len(stored))) and len(cache) == len(stored)
    assert cache.incr("counter 0") == 2, "it takes no more room than before"
    assert cache.stats().counts["failed_full"] == 100 - len(stored)


def test_a_coroutine_that_is_cancelled_as_its_wait_ends_keeps_no_lease(make):
    async def run():
        cache = AsyncCache(make(), sleep=lambda _s: asyncio.sleep(0))
        settles = asyncio.Event()

        async def cancelled_there(function, *args, **kwargs):
            if function.__name__ == "settle":
                settles.set()
                await asyncio.Event().wait()
            return await AsyncCache._run(cache, function, *args, **kwargs)

        cache._run = cancelled_there

        async def wait():
            async with cache.lease("k", 3600, wait_s=0):
                raise AssertionError("it was cancelled")

        waiting = asyncio.create_task(wait())
        await settles.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        while cache._tasks:
            await asyncio.wait(list(cache._tasks))
        del cache._run
        async with cache.lease("k", wait_s=0) as lease:
            assert lease.held
        await cache.close()

    asyncio.run(run())


def test_a_coroutine_that_is_cancelled_while_it_waits_keeps_no_lease(make):
    async def run():
        cache = AsyncCache(make(), sleep=lambda _s: asyncio.sleep(0))
        waits = asyncio.Event()

        async def wait():
            waits.set()
            async with cache.lease("k", 3600, wait_s=3600):
                raise AssertionError("it was cancelled")

        async with cache.lease("k", 3600):
            waiting = asyncio.create_task(wait())
            await waits.wait()
            while not cache._tasks:
                await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        # Ends what the cancelled one had begun.
        while cache._tasks:
            await asyncio.wait(list(cache._tasks))
        async with cache.lease("k", wait_s=0) as lease:
            assert lease.held
        await cache.close()

    asyncio.run(run())
