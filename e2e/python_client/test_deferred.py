"""Writes collected while rendering, and made after it."""

import threading

import pytest

from greenroom import Drained


def test_nothing_is_written_before_the_drain_and_then_all_at_once(cache, make):
    writes = counted_transactions(cache)
    later = cache.deferred()
    for number in range(20):
        later.set(f"item_{number}", {"id": number}, ttl=60, tag="menu")
    assert writes == [] and len(cache) == 0 and len(later) == 20
    assert later.get("item_3") == {"id": 3} and "item_3" in later and later.get("other", 5) == 5
    assert later.drain() == Drained(stored=20, refused=0, left=0)
    assert writes == [20], "20 writes, one transaction"
    assert make().get("item_3") == {"id": 3} and make().evict("menu") == 20


def counted_transactions(cache):
    """The sizes of the batches that are written from now on."""
    put, sizes = cache._backend.put, []

    def counted(puts, now):
        sizes.append(len(puts))
        return put(puts, now)

    cache._backend.put = counted
    return sizes


def test_the_newest_of_a_key_wins_and_the_oldest_makes_room(cache):
    later = cache.deferred(max_entries=3)
    for key, value in [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("d", 1)]:
        later.set(key, value)
    assert later.dropped == 1 and "b" not in later
    later.drain()
    assert cache.get_many("abcd") == {"a": 2, "c": 1, "d": 1}
    with pytest.raises(ValueError):
        cache.deferred(max_entries=0)


def test_one_that_cannot_be_stored_stops_no_other(cache):
    later = cache.deferred()
    later.set("a", 1)
    later.set("bad", object())
    later.set("k" * 5000, 1)
    later.set("b", 2)
    assert later.drain() == Drained(stored=2, refused=2, left=0)


def test_what_is_no_key_or_no_tag_is_refused_when_it_is_collected(cache):
    later = cache.deferred()
    for tag in (object(), ["tag", object()], 1.5j):
        with pytest.raises(TypeError):
            later.set("key", 1, tag=tag)
    with pytest.raises(ValueError):
        later.set("key", 1, tag="t" * 5000)
    for key in (object(), frozenset(), float("nan")):
        with pytest.raises(TypeError):
            later.set(key, 1)
    later.set("k" * 5000, 1, tag=["tag", ("t", 1)])
    assert (cache.evict("other"), cache.delete_prefix("x"), cache.clear()) == (0, 0, 0), "no error of another's write"


def test_a_value_that_another_thread_changes_is_refused_and_stops_no_other(cache):
    class Changing(dict):
        """A dict that grows while it is encoded."""

        def __iter__(self):
            raise RuntimeError("dictionary changed size during iteration")

        keys = items = values = __iter__

    later = cache.deferred()
    for key, value in [("a", 1), ("changing", Changing(a=1)), ("b", 2)]:
        later.set(key, value)
    assert later.drain() == Drained(stored=2, refused=1, left=0)
    assert cache.get_many(["a", "b"]) == {"a": 1, "b": 2}
    assert cache.set_many({"c": 3, "changing": Changing(a=1)}) == {"c": True, "changing": False}
    changing = Changing(a=1)
    assert cache.get_or_load("changing", lambda: changing) is changing


def test_an_interrupt_of_a_drain_loses_nothing(cache):
    later = cache.deferred()
    later.set("a", 1)
    put = cache._backend.put

    def interrupted(*arguments):
        raise KeyboardInterrupt

    cache._backend.put = interrupted
    with pytest.raises(KeyboardInterrupt):
        later.drain()
    cache._backend.put = put
    assert later.drain() == Drained(1, 0, 0)


def test_a_value_that_was_asked_for_after_another_process_stored_its_own_replaces_it(cache, make, clock):
    other = make()
    later = cache.deferred()
    later.set("beside", 1)
    clock.advance(1)
    other.set("item", "older", ttl=60)
    other.set("invalidated", "older", tag="menu")
    clock.advance(1)
    later.set("item", "newer", ttl=60)
    later.set("invalidated", "asked for before the invalidation", tag="menu")
    later.set("written again", "older")
    clock.advance(1)
    other.evict("menu")
    other.set("invalidated", "newest")
    other.set("written again", "newest")
    assert later.drain() == Drained(stored=2, refused=2, left=0)
    found = cache.get_many(["beside", "item", "invalidated", "written again"])
    assert found == {"beside": 1, "item": "newer", "invalidated": "newest", "written again": "newest"}


def test_a_value_of_a_collection_with_a_begin_is_as_old_as_that(cache, make, clock):
    later = cache.deferred()
    later.begin()
    clock.advance(1)
    make().set("item", "stored while it was fetched")
    clock.advance(1)
    later.set("item", "fetched, perhaps before")
    assert later.drain() == Drained(0, 1, 0)


@pytest.mark.parametrize(
    "undo",
    [
        lambda cache: cache.delete("item"),
        lambda cache: cache.pop("item"),
        lambda cache: cache.evict("menu"),
        lambda cache: cache.delete_prefix("it"),
        lambda cache: cache.clear(),
        lambda cache: cache.set("item", "newer"),
    ],
    ids=["delete", "pop", "evict", "delete_prefix", "clear", "set"],
)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in another cache"])
def test_what_was_invalidated_or_written_after_it_was_collected_is_not_undone(cache, make, undo, elsewhere):
    later = cache.deferred()
    later.set("item", "older", tag="menu")
    later.set("beside", 1)
    undo(make() if elsewhere else cache)
    later.drain()
    assert cache.get("item") in (None, "newer")


def test_what_is_collected_after_an_invalidation_is_written(cache):
    later = cache.deferred()
    later.set("item", "older")
    cache.delete("item")
    later.set("item", "newer")
    cache.set("other", 1)
    later.set("other", 2)
    assert later.drain() == Drained(2, 0, 0)
    assert cache.get_many(["item", "other"]) == {"item": "newer", "other": 2}


def test_a_drain_ends_at_its_deadline_and_when_it_is_told_to(cache):
    later = cache.deferred(max_entries=1000)
    for number in range(600):
        later.set(number, number)
    assert later.drain(deadline_s=0) == Drained(0, 0, 600)
    answers = iter([False, True])
    assert later.drain(aborted=lambda: next(answers)) == Drained(256, 0, 344)
    assert later.drain(deadline_s=60) == Drained(344, 0, 0)


def test_an_abort_drops_what_is_left_also_from_under_a_drain(cache):
    later = cache.deferred(max_entries=1000)
    for number in range(600):
        later.set(number, number)
    assert later.drain(aborted=lambda: later.abort() and False) == Drained(0, 0, 0)
    assert len(cache) == 0 and later.abort() == 0
    later.set("after", 1)
    assert later.drain().stored == 1


def test_a_block_drains_at_its_end_and_drops_if_it_raises(cache):
    with cache.deferred() as later:
        later.set("menu", 1)
    assert cache.get("menu") == 1
    with pytest.raises(RuntimeError), cache.deferred() as later:
        later.set("menu", 2)
        raise RuntimeError
    assert cache.get("menu") == 1 and len(later) == 0


def test_threads_collect_and_drain_at_once_and_nothing_is_lost(cache):
    later = cache.deferred(max_entries=10_000)
    drained = []

    def collect(thread):
        for number in range(200):
            later.set((thread, number), number)
            if number % 50 == 0:
                drained.append(later.drain().stored)

    threads = [threading.Thread(target=collect, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    later.drain()
    assert len(cache) == 1600 and later.dropped == 0


def test_what_is_invalidated_while_values_are_fetched_is_not_written(cache):
    later = cache.deferred()
    later.begin()
    cache.delete("episode")
    later.set("episode", "fetched before the deletion", ttl=60)
    later.set("other", 1, ttl=60)
    assert later.drain() == (1, 1, 0)
    assert cache.get("episode") is None and cache.get("other") == 1
