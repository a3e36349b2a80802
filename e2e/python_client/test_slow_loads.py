"""Loads that take longer than their leases, and those who wait for them."""

import threading

from greenroom import Cache, lease_keeper
from python_client.test_loading import CALLERS, crowd
from python_client.test_storage_failures import FailingBackend
from stage.waiting import until


def waits_ended(cache):
    """How many waits ended so far."""
    return cache._counters.current().get("waits_ended", 0)


def test_a_load_that_takes_longer_than_its_lease_is_not_loaded_by_those_who_wait(make):
    cache = make(pause=threading.Event().wait)
    loads = []

    def load():
        loads.append(1)
        until(lambda: waits_ended(cache) >= CALLERS - 1, "every wait has ended once")
        return "value"

    results = crowd(lambda: cache.get_or_load("key", load, lease_s=0.1))
    assert len(loads) == 1 and set(results) == {"value"} and cache.get("key") == "value"


def test_of_those_who_wait_for_a_load_that_hangs_one_takes_over_for_all(cache, monkeypatch):
    monkeypatch.setattr(lease_keeper, "LEASE_SPANS_MAX", 1)
    begun, go_on = threading.Event(), threading.Event()
    loads, first = [], []

    def hang():
        begun.set()
        assert go_on.wait(30)
        return "first"

    def load():
        loads.append(1)
        return "second"

    hanging = threading.Thread(target=lambda: first.append(cache.get_or_load("key", hang, lease_s=0.1)))
    hanging.start()
    assert begun.wait(30)
    assert set(crowd(lambda: cache.get_or_load("key", load, lease_s=0.1), 20)) == {"second"} and len(loads) == 1
    go_on.set()
    hanging.join(30)
    assert first == ["first"] and cache.get("key") == "second", "what is late is not stored over it"


def test_without_storage_those_who_wait_load_one_at_a_time(clock):
    cache = Cache(backend=FailingBackend(), clock=clock, pause=clock.advance)
    lock, at_once, most = threading.Lock(), [], []

    def load():
        with lock:
            at_once.append(1)
            most.append(len(at_once))
        until(lambda: waits_ended(cache) >= 19, "every wait has ended once")
        with lock:
            at_once.pop()
        return "value"

    assert set(crowd(lambda: cache.get_or_load("key", load, lease_s=0.5), 20)) == {"value"}
    assert max(most) < 10, "one more for each wait that ended"


def test_a_process_that_waits_for_the_load_of_another_one_goes_on_waiting_while_the_lease_is_kept(cache, make):
    begun, go_on = threading.Event(), threading.Event()
    waited = []

    def slow():
        begun.set()
        assert go_on.wait(30)
        return "value"

    def pause(seconds):
        waited.append(seconds)
        if sum(waited) > 150:
            go_on.set()
            first.join(30)

    first = threading.Thread(target=lambda: cache.get_or_load("key", slow))
    first.start()
    assert begun.wait(30)
    assert make(pause=pause).get_or_load("key", lambda: "loaded twice") == "value"


def test_a_lease_is_extended_while_its_load_runs(cache, make, clock):
    extended = threading.Semaphore(0)
    release = cache._backend.release

    def counted(*arguments):
        release(*arguments)
        extended.release()

    cache._backend.release = counted

    def load():
        for _ in range(3):
            clock.advance(0.15)
            assert extended.acquire(timeout=30)
            with make().lease("key", wait_s=0) as other:
                assert not other.held
        return "value"

    assert cache.get_or_load("key", load, lease_s=0.2) == "value"
    assert cache.get("key") == "value"


def test_a_caller_that_waits_for_less_than_the_lease_loads_for_itself(cache):
    begun, go_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert go_on.wait(30)
        return "stored"

    first = threading.Thread(target=lambda: cache.get_or_load("key", slow))
    first.start()
    assert begun.wait(30)
    assert cache.get_or_load("key", lambda: "own", wait_s=0.01) == "own"
    go_on.set()
    first.join(30)
    assert cache.get("key") == "stored"
