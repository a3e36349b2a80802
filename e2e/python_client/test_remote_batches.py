"""Puts of any size over a running gateway: what does not fit into a batch goes by itself, and what is refused is told."""

import time

import pytest

from greenroom import Drained
from greenroom.backend import FailureReason, StorageError
from python_client.daemon import Daemon
from stage.waiting import until

MIB = 1 << 20


@pytest.fixture(scope="module")
def daemon():
    daemon = Daemon("python-client-batches", "max_value_bytes = 14680064\n")
    yield daemon
    daemon.stop()


@pytest.fixture(params=["socket", "url"])
def cache(daemon, request):
    cache = daemon.cache(url=getattr(daemon, request.param))
    yield cache
    cache.clear()
    cache.close()


def test_values_that_do_not_fit_into_a_batch_are_drained_with_the_others(cache):
    later = cache.deferred()
    values = {"a": "first", "large": b"x" * (13 * MIB), "b": "then", "other": b"y" * (9 * MIB), "c": "last"}
    for key, value in values.items():
        later.set(key, value)
    assert later.drain() == Drained(5, 0, 0)
    assert {key: cache.get(key) for key in values} == values
    assert cache.set_many(values) == dict.fromkeys(values, True)


def test_a_value_that_the_cache_refuses_is_refused_and_not_tried_again_and_again(cache):
    later = cache.deferred()
    later.set("a", 1)
    later.set("too large for the cache", b"x" * (15 * MIB))
    later.set("too large for any cache", b"x" * (40 * MIB))
    later.set("more tags than a cache takes", 1, tag=[f"tag {number}" for number in range(65)])
    later.set(b"\xff" * 4095, "a key that is too long for the daemon")
    later.set("b", 2)
    assert later.drain() == Drained(2, 4, 0)
    assert cache.get("a") == 1 and cache.get("b") == 2
    counts = cache.stats().counts
    assert (counts["refused_too_large"], counts["refused_invalid"]) == (2, 2)
    assert cache.stats().failures == 0
    assert not cache.set("key", 1, tag=[f"tag {number}" for number in range(65)])
    assert not cache.set("key", b"x" * (40 * MIB)) and cache.stats().failures == 0


def test_keys_and_tags_count_for_the_length_of_a_batch(cache):
    # Six bytes of JSON for each of these letters: more than the daemon takes at once, within the limits of an entry.
    puts = {f"{number:04}" + "\x02" * 3000: b"x" * 8 for number in range(256)}
    tags = [f"{number:02}" + "\x02" * 1000 for number in range(8)]
    assert all(cache.set_many(puts, tag=tags).values())


def test_what_was_stored_before_a_failure_is_told_as_stored(cache):
    later = cache.deferred()
    values = {number: b"x" * (4 * MIB) for number in range(3)}
    for key, value in values.items():
        later.set(key, value)
    connections = cache._backend._connections
    exchange, calls = connections.exchange, []

    def cut_after_one(*call):
        calls.append(call)
        if len(calls) > 1:
            raise StorageError(FailureReason.UNAVAILABLE, "cut")
        return exchange(*call)

    connections.exchange = cut_after_one
    assert later.drain() == Drained(2, 0, 1)
    connections.exchange = exchange
    assert later.drain() == Drained(1, 0, 0) and cache.get_many(values) == values


def test_a_value_that_was_asked_for_after_another_process_stored_its_own_replaces_it(daemon, cache):
    other, later = daemon.cache(), cache.deferred()
    later.set("beside", 1)
    other.set("item", "older", ttl=60)
    stored = other._backend.find(other._storage.key("item")).stored
    until(lambda: time.time() > stored + 0.05, "a moment has passed")
    later.set("item", "newer", ttl=60)
    assert later.drain() == Drained(2, 0, 0) and cache.get("item") == "newer"
    later.set("beside", 2)
    other.set("item", "newest"), other.set("beside", "newest")
    assert later.drain() == Drained(0, 1, 0) and cache.get("beside") == "newest"
    other.close()
