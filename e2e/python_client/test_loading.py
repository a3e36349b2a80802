"""One load per key, nothing undone, and stale values while loading."""

import threading

import pytest

from greenroom import Status

CALLERS = 50


def crowd(call, callers=CALLERS):
    """Calls from many threads at once; returns what each got, errors included."""
    barrier = threading.Barrier(callers)
    results = []

    def one():
        barrier.wait()
        try:
            results.append(call())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=one) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == callers
    return results


def test_many_threads_at_a_cold_key_load_once(cache):
    loads = []
    begun, go_on = threading.Event(), threading.Event()

    def load():
        loads.append(1)
        begun.set()
        assert go_on.wait(30)
        return {"value": [1, (2,)]}

    first = threading.Thread(target=lambda: cache.get_or_load("key", load, ttl=60))
    first.start()
    assert begun.wait(30)
    joined, leases = [], []
    cache._backend.acquire = counting(cache._backend.acquire, leases, lambda: None)
    cache.loads.join = counting(cache.loads.join, joined, lambda: len(joined) == CALLERS and go_on.set())
    results = crowd(lambda: cache.get_or_load("key", load, ttl=60))
    first.join(30)
    assert len(loads) == 1 and leases == [], "those of one process wait without asking the store"
    assert results == [{"value": [1, (2,)]}] * CALLERS
    assert len({id(result) for result in results}) == CALLERS, "each has a copy of its own"


def counting(function, calls, then):
    """The function, with its calls counted."""

    def counted(*arguments):
        result = function(*arguments)
        calls.append(1)
        then()
        return result

    return counted


def test_a_loaders_error_reaches_all_who_waited_and_is_not_kept(cache):
    def fail():
        raise LookupError("away")

    with pytest.raises(LookupError):
        cache.get_or_load("key", fail)
    assert cache.get_or_load("key", lambda: 1) == 1
    assert cache.stats().counts["load_failures"] == 1


def test_a_loaders_timeout_is_its_own_and_not_taken_for_a_wait_that_ended(cache):
    def fail():
        raise TimeoutError("the server is slow")

    results = crowd(lambda: cache.get_or_load("key", fail), 8)
    assert {type(result) for result in results} == {TimeoutError}
    assert "waits_ended" not in cache.stats().counts


@pytest.mark.parametrize(
    "undo",
    [
        lambda cache: cache.delete("key"),
        lambda cache: cache.pop("key"),
        lambda cache: cache.evict("tag"),
        lambda cache: cache.delete_prefix("k"),
        lambda cache: cache.clear(),
    ],
    ids=["delete", "pop", "evict", "delete_prefix", "clear"],
)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in another cache"])
def test_a_load_that_began_before_an_invalidation_is_not_stored(cache, make, undo, elsewhere):
    other = make() if elsewhere else cache

    def load():
        undo(other)
        return "old"

    assert cache.get_or_load("key", load, tag="tag") == "old"
    assert "key" not in cache
    assert cache.stats().counts["fenced"] == 1
    assert cache.get_or_load("key", lambda: "new", tag="tag") == "new"
    assert cache.get("key") == "new"


def test_an_invalidation_of_something_else_lets_a_load_be_stored(cache):
    def load():
        cache.delete("other"), cache.evict("another"), cache.delete_prefix("x")
        return 1

    cache.get_or_load("key", load, tag="tag")
    assert cache.get("key") == 1


def test_a_load_does_not_replace_what_was_written_meanwhile(cache):
    def load():
        cache.set("key", "newer")
        return "older"

    assert cache.get_or_load("key", load) == "older"
    assert cache.get("key") == "newer"


def test_a_caller_after_an_invalidation_does_not_join_the_load_before_it(cache):
    begun, go_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert go_on.wait(30)
        return "old"

    first = threading.Thread(target=lambda: cache.get_or_load("key", slow))
    first.start()
    assert begun.wait(30)
    cache.delete("key")
    assert cache.get_or_load("key", lambda: "new") == "new"
    go_on.set()
    first.join(30)
    assert cache.get("key") == "new"


def test_a_stale_value_is_served_and_loaded_anew_behind(make, clock):
    later = []
    cache = make(spawn=later.append)
    assert cache.get_or_load("key", lambda: 1, ttl=10, stale=60) == 1
    clock.advance(11)
    assert [cache.get_or_load("key", lambda: 2, ttl=10, stale=60) for _ in range(3)] == [1, 1, 1]
    for work in later:
        work()
    assert cache.get("key") == 2
    assert cache.stats().counts["refreshes"] == 1, "one of the three"


def test_a_refresh_that_fails_leaves_the_stale_value_and_pauses(cache, clock):
    asked = []

    def fail():
        asked.append(clock())
        raise OSError("away")

    cache.set("key", 1, ttl=10, stale=60)
    clock.advance(20)
    assert [cache.get_or_load("key", fail, ttl=10, stale=60) for _ in range(5)] == [1] * 5
    assert len(asked) == 1
    clock.advance(1.1)
    assert cache.get_or_load("key", fail, ttl=10, stale=60) == 1 and len(asked) == 2
    clock.advance(60)
    with pytest.raises(OSError):
        cache.get_or_load("key", fail, ttl=10, stale=60)


def test_what_cannot_be_stored_is_returned_all_the_same(cache):
    thing = object()
    assert cache.get_or_load("key", lambda: thing) is thing
    assert cache.get_or_load("k" * 5000, lambda: 5) == 5
    assert cache.stats().counts["refused_unstorable"] == 1


def test_one_caller_holds_a_lease_and_the_other_gets_its_value(cache, make):
    with cache.lease("key", wait_s=0) as first:
        assert first.held
        with make().lease("key", wait_s=0) as second:
            assert not second.held and second.found.status is Status.MISS
        assert first.set("value", ttl=60)
    with make().lease("key", wait_s=0) as third:
        assert not third.held and third.value == "value"


def test_a_lease_that_was_left_is_free_and_one_that_was_not_dies_in_its_time(cache, make, clock):
    with cache.lease("key", 30, wait_s=0):
        pass
    dead = cache.lease("key", 30, wait_s=0).__enter__()
    with make().lease("key", 30, wait_s=0) as other:
        assert not other.held
    clock.advance(30)
    with make().lease("key", 30, wait_s=0) as other:
        assert other.held
        assert not dead.set("late"), "another caller took over"
        assert other.set("value")
    assert cache.get("key") == "value"


def test_a_late_result_is_stored_if_nobody_took_over(cache, clock):
    with cache.lease("key", 30) as lease:
        clock.advance(31)
        assert lease.set("late")
    assert cache.get("key") == "late"


def test_a_waiting_caller_takes_over_from_one_that_died(cache, make, clock):
    cache.lease("key", 30, wait_s=0).__enter__()
    began = clock()
    assert make().get_or_load("key", lambda: "value", lease_s=60) == "value"
    assert 30 <= clock() - began < 31
    assert cache.get("key") == "value"


def test_a_caller_waits_no_longer_than_it_says(cache, make, clock):
    cache.lease("key", 300, wait_s=0).__enter__()
    began = clock()
    assert make().get_or_load("key", lambda: "value", wait_s=5) == "value"
    assert 5 <= clock() - began < 6
    assert cache.stats().counts.get("waits_ended") is None and "key" not in cache


def test_a_clock_that_was_set_back_does_not_keep_a_lease(cache, make, clock):
    cache.lease("key", 30, wait_s=0).__enter__()
    clock.advance(-100_000)
    with make().lease("key", 30, wait_s=0) as other:
        assert other.held


def test_memoize_keeps_results_by_arguments(cache, clock):
    calls = []

    @cache.memoize(ttl=60, tag="plex", ignore=("log", 2))
    def search(library, title="", log=None):
        calls.append((library, title))
        return {"library": library, "title": title}

    assert search("Movies", "Heat") == search("Movies", "Heat", print) == {"library": "Movies", "title": "Heat"}
    search("Movies", title="Heat"), search("TV", "Heat"), search(1), search(1.0), search([1, {"a": None}])
    assert len(calls) == 5
    assert cache.get(search.__cache_key__("Movies", "Heat"))["title"] == "Heat"
    cache.evict("plex")
    search("Movies", "Heat")
    clock.advance(60)
    search("Movies", "Heat")
    assert len(calls) == 7
    with pytest.raises(TypeError, match="ignore="):
        search(object())


def test_memoize_tells_types_apart_only_if_it_is_said(cache):
    @cache.memoize(name="loose")
    def loose(value):
        return type(value).__name__

    @cache.memoize(name="strict", typed=True)
    def strict(value):
        return type(value).__name__

    assert (loose(1), loose(1.0), strict(1), strict(1.0)) == ("int", "int", "int", "float")
    with pytest.raises(TypeError):
        cache.memoize(print)


def test_long_arguments_make_keys_of_bounded_length(cache):
    @cache.memoize()
    def length(text):
        return len(text)

    assert length("x" * 100_000) == 100_000 and length("x" * 100_001) == 100_001
    assert all(len(key) < 300 for key in cache) and len(cache) == 2
