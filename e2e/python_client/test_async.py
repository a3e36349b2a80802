"""The cache for asyncio."""

import asyncio

import pytest

from greenroom import AsyncCache, Status, lease_keeper

CALLERS = 100


def run(work):
    """Runs a coroutine function, with a limit so that a test that hangs fails."""
    return asyncio.run(asyncio.wait_for(work(), 30))


def test_every_operation_is_there(cache, clock):
    async def work():
        async with AsyncCache(cache) as caches:
            assert await caches.set("key", 1, ttl=10, tag="t") and not await caches.add("key", 2)
            assert await caches.get("key") == 1 and await caches.get("other", 5) == 5
            assert (await caches.lookup("key")).status is Status.HIT
            assert await caches.set_many({"a": 1, "b": 2}) == {"a": True, "b": True}
            assert await caches.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}
            assert await caches.incr("n") == 1 and await caches.touch("n", 60) and await caches.tag("n", "t")
            assert await caches.pop("a") == 1 and await caches.delete("b") and await caches.delete_prefix("n") == 1
            assert await caches.evict("t") == 1 and await caches.clear() == 0
            later = caches.deferred()
            later.set("late", 1, ttl=5)
            assert (await caches.drain(later)).stored == 1
            clock.advance(5)
            assert await caches.expire() == 1
            assert (await caches.stats()).hits >= 3

    run(work)


def test_many_tasks_at_a_cold_key_load_once(cache):
    loads, leases = [], []

    async def work():
        caches = AsyncCache(cache)
        all_asked = asyncio.Event()
        acquire = cache._backend.acquire
        cache._backend.acquire = lambda *arguments: leases.append(1) or acquire(*arguments)

        async def load():
            loads.append(1)
            await all_asked.wait()
            return ["value"]

        tasks = [asyncio.create_task(caches.get_or_load("key", load, ttl=60)) for _ in range(CALLERS)]
        joined = cache.loads.join
        count = []

        def counted(ask):
            result = joined(ask)
            count.append(1)
            if len(count) == CALLERS:
                loop.call_soon_threadsafe(all_asked.set)
            return result

        loop = asyncio.get_running_loop()
        cache.loads.join = counted
        assert await asyncio.gather(*tasks) == [["value"]] * CALLERS
        await caches.close()

    run(work)
    assert loads == [1] and leases == [1], "those of one process wait without asking the store"


def test_the_caller_that_began_a_load_may_leave(cache):
    async def work():
        caches = AsyncCache(cache)
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def load():
            begun.set()
            await go_on.wait()
            return "value"

        first = asyncio.create_task(caches.get_or_load("key", load))
        await begun.wait()
        second = asyncio.create_task(caches.get_or_load("key", load))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go_on.set()
        assert await second == "value"
        await caches.close()

    run(work)
    assert cache.get("key") == "value"


def test_a_follower_that_gives_up_hurts_no_other(cache):
    async def work():
        caches = AsyncCache(cache)
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def load():
            begun.set()
            await go_on.wait()
            return "value"

        async def own():
            return "own"

        first = asyncio.create_task(caches.get_or_load("key", load))
        await begun.wait()
        assert await caches.get_or_load("key", own, wait_s=0.001) == "own"
        third = asyncio.create_task(caches.get_or_load("key", load))
        go_on.set()
        assert await asyncio.gather(first, third) == ["value", "value"]
        await caches.close()

    run(work)


def test_a_stale_value_is_served_and_loaded_anew_behind(cache, clock):
    async def work():
        caches = AsyncCache(cache)

        async def load():
            return "new"

        async def fail():
            raise OSError

        cache.set("key", "old", ttl=10, stale=60)
        cache.set("other", "old", ttl=10, stale=60)
        clock.advance(20)
        assert await caches.get_or_load("key", load, ttl=10, stale=60) == "old"
        assert await caches.get_or_load("other", fail, ttl=10, stale=60) == "old"
        await caches.close()

    run(work)
    assert cache.get("key") == "new" and cache.lookup("other").value == "old"
    assert cache.stats().counts["refresh_failures"] == 1


def test_memoize_waits_for_another_process_and_fences(cache, make, clock):
    calls = []

    async def work():
        async def sleep(seconds):
            clock.advance(seconds)

        caches = AsyncCache(cache, sleep=sleep)

        @caches.memoize(ttl=60, tag="t")
        async def double(value):
            calls.append(value)
            make().evict("t")
            return 2 * value

        make().lease(double.__cache_key__(2), 30, wait_s=0).__enter__()
        assert await double(2) == 4
        with pytest.raises(TypeError):
            await caches.set("key", object())
        await caches.close()

    run(work)
    assert calls == [2] and len(cache) == 0, "the tag was invalidated during the load"


def test_a_loaders_error_reaches_all(cache):
    async def work():
        caches = AsyncCache(cache)

        async def fail():
            raise TimeoutError("slow")

        tasks = [caches.get_or_load("key", fail) for _ in range(10)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} == {TimeoutError}
        await caches.close()

    run(work)


def test_a_load_that_takes_longer_than_its_lease_is_not_loaded_by_those_who_wait(cache):
    loads = []

    async def work():
        caches = AsyncCache(cache)

        async def load():
            loads.append(1)
            while cache._counters.current().get("waits_ended", 0) < CALLERS - 1:
                await asyncio.sleep(0.01)
            return "value"

        tasks = [caches.get_or_load("key", load, lease_s=0.2) for _ in range(CALLERS)]
        assert await asyncio.gather(*tasks) == ["value"] * CALLERS
        await caches.close()

    run(work)
    assert loads == [1] and cache.get("key") == "value"


def test_of_those_who_wait_for_a_load_that_hangs_one_takes_over_for_all(cache, clock, monkeypatch):
    monkeypatch.setattr(lease_keeper, "LEASE_SPANS_MAX", 1)
    loads = []

    async def work():
        async def sleep(seconds):
            clock.advance(seconds)

        caches = AsyncCache(cache, sleep=sleep)
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def hang():
            begun.set()
            await go_on.wait()
            return "first"

        async def load():
            loads.append(1)
            return "second"

        first = asyncio.create_task(caches.get_or_load("key", hang, lease_s=0.2))
        await begun.wait()
        assert set(await asyncio.gather(*(caches.get_or_load("key", load, lease_s=0.2) for _ in range(20)))) == {"second"}
        go_on.set()
        assert await first == "first"
        await caches.close()

    run(work)
    assert loads == [1] and cache.get("key") == "second"
