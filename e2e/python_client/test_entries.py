"""Entries: stored, found, expired, tagged, removed."""

import datetime
import enum

import pytest

from greenroom import Status
from greenroom.storage import PUTS_PER_TRANSACTION

VALUES = [
    *(None, True, False, 0, -1, 2**63, -(2**200), 1.5, float("inf"), "", "text", "\ud800", "\0", b"", b"\x00\xff"),
    *([], {}, [None], {"a": [1, {"b": None}]}, (1, 2), {"a": (1, [b"x"])}, {1: "one", (1, 2): "two", None: 3}),
    *({"$tuple": [1]}, {"$": 1, "a": 2}, [{"$bytes": "AA=="}], datetime.date(2026, 11, 23)),
    datetime.datetime(2026, 11, 23, 1, 2, 3, 4, datetime.timezone(datetime.timedelta(hours=-3))),
    datetime.datetime(1, 1, 1),
    datetime.timedelta(-1, 5, 7),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was_with_its_type(cache, value):
    assert cache.set("key", value)
    found = cache.get("key", default="none")
    assert found == value and type(found) is type(value)
    assert cache.lookup("key").status is Status.HIT
    assert cache.get_many(["key", "other"]) == {"key": value}


def test_none_is_a_value_and_no_miss(cache):
    assert cache.get("key", "default") == "default" and "key" not in cache
    cache.set("key", None)
    assert cache.get("key", "default") is None and "key" in cache and cache["key"] is None


class Colour(enum.IntEnum):
    """A subclass of int."""

    RED = 1


UNSTORABLE = [object(), {1, 2}, print, [object()], {"a": {"b": object()}}, 1j]


@pytest.mark.parametrize("value", UNSTORABLE, ids=lambda value: type(value).__name__)
def test_what_has_no_place_in_json_is_a_type_error_and_never_pickled(cache, value):
    with pytest.raises(TypeError):
        cache.set("key", value)
    assert "key" not in cache


def test_a_subclass_is_stored_as_its_base(cache):
    cache.set("key", {"colour": Colour.RED})
    assert type(cache["key"]["colour"]) is int


def test_an_entry_expires_when_its_time_is_over(cache, clock):
    cache.set("key", 1, ttl=10)
    cache.set("delta", 1, expire=datetime.timedelta(seconds=10))
    clock.advance(9.9)
    assert (cache.get("key"), cache.get("delta")) == (1, 1)
    clock.advance(0.1)
    assert (cache.get("key"), cache.get("delta"), "key" in cache, list(cache)) == (None, None, False, [])


def test_a_stale_value_is_told_as_such_and_no_hit(cache, clock):
    cache.set("key", 1, ttl=10, stale=5, tag=["a", 2])
    clock.advance(4)
    assert cache.lookup("key") == (Status.HIT, 1, 4, 6, ("a", 2))
    clock.advance(8)
    assert cache.get("key") is None
    assert cache.lookup("key") == (Status.STALE, 1, 12, -2, ("a", 2))
    clock.advance(3)
    assert not cache.lookup("key").found


def test_an_entry_of_another_version_is_a_miss(cache):
    cache.set("key", 1, version="2")
    assert cache.lookup("key", version="2").value == 1
    assert not cache.lookup("key").found and cache.get("key") is None and cache.get_many(["key"]) == {}


def test_touch_gives_a_fresh_entry_another_time_and_a_dead_one_none(cache, clock):
    cache.set("key", 1, ttl=10)
    assert cache.touch("key", ttl=100)
    clock.advance(99)
    assert cache.get("key") == 1
    clock.advance(1)
    assert not cache.touch("key") and not cache.touch("other")


def test_add_stores_only_where_nothing_fresh_is(cache, clock):
    assert cache.add("key", 1, ttl=10) and not cache.add("key", 2)
    assert cache.get("key") == 1
    clock.advance(10)
    assert cache.add("key", 3) and cache.get("key") == 3


def test_incr_counts_from_its_default_and_refuses_what_is_no_integer(cache, clock):
    assert (cache.incr("n"), cache.incr("n", 5), cache.decr("n", 2), cache.get("n")) == (1, 6, 4, 4)
    with pytest.raises(KeyError):
        cache.incr("other", default=None)
    cache.set("text", "1")
    with pytest.raises(TypeError):
        cache.incr("text")
    cache.set("n", 2**63 - 1)
    with pytest.raises(OverflowError):
        cache.incr("n")
    assert cache.get("n") == 2**63 - 1


def test_incr_keeps_the_time_and_the_tag_of_its_entry(cache, clock):
    cache.set("n", 1, ttl=10, tag="t")
    cache.incr("n")
    assert cache.get("n", expire_time=True, tag=True) == (2, clock() + 10, "t")
    clock.advance(10)
    assert cache.incr("n") == 1


def test_pop_and_delete_say_whether_something_was_there(cache, clock):
    cache.set("key", 1, ttl=10, tag="t")
    assert cache.pop("key", expire_time=True, tag=True) == (1, clock() + 10, "t")
    assert cache.pop("key", "none") == "none" and not cache.delete("key")
    cache.set("key", 1, ttl=10)
    clock.advance(10)
    assert not cache.delete("key")


def test_a_tag_covers_its_entries_and_no_others(cache):
    cache.set("a", 1, tag="red")
    cache.set("b", 2, tag=["red", "blue"])
    cache.set("c", 3, tag="blue")
    cache.set("d", 4)
    assert cache.tag("d", "red") and not cache.tag("missing", "red")
    assert cache.evict("red") == 3
    assert cache.get_many("abcd") == {"c": 3} and len(cache) == 1
    cache.set("c", 5)
    assert cache.evict("blue") == 0, "the new entry has no tag"
    assert cache.get("c") == 5


def test_a_prefix_covers_texts_only_and_no_wildcards(cache):
    for key in ("match:A:1", "match:A_:2", "match:AX:3", ("match:A", 1), b"match:A", "other"):
        cache.set(key, 1)
    assert cache.delete_prefix("match:A_") == 1
    assert list(cache.iterkeys(prefix="match:A")) == ["match:A:1", "match:AX:3"]
    assert cache.delete_prefix("match:") == 2
    assert list(cache) == [("match:A", 1), b"match:A", "other"]
    assert list(reversed(cache)) == ["other", b"match:A", ("match:A", 1)]


def test_many_are_stored_and_one_that_cannot_be_stops_no_other(cache):
    items = {number: number for number in range(3 * PUTS_PER_TRANSACTION)}
    stored = cache.set_many({**items, "bad": object(), "k" * 5000: 1}, ttl=10)
    assert [key for key, kept in stored.items() if not kept] == ["bad", "k" * 5000]
    assert cache.get_many([*items, "bad", "k" * 5000]) == items
    counts = cache.stats().counts
    assert counts["refused_unstorable"] == 1 and counts["refused_key_too_long"] == 2


def test_clear_removes_all_and_so_does_a_start_that_says_so(cache, make):
    cache.set_many({"a": 1, "b": 2})
    assert make().get("a") == 1, "another cache of the same folder"
    assert (cache.clear(), len(cache), cache.volume()) == (2, 0, 0)
    cache.set("a", 1)
    assert make(clear_at_start=True).get("a") is None
    assert cache.get("a") is None


def test_expire_removes_what_is_neither_fresh_nor_stale(cache, clock):
    cache.set_many({number: 0 for number in range(1200)}, ttl=10)
    cache.set("stale", 1, ttl=10, stale=100)
    clock.advance(11)
    assert cache.expire() == 1200
    assert len(cache) == 1 and cache.lookup("stale").status is Status.STALE


def test_writes_remove_what_has_expired_so_that_nobody_must(cache, clock):
    cache.set_many({number: "x" * 100 for number in range(100)}, ttl=10)
    clock.advance(11)
    for number in range(20):
        cache.set("key", number)
    assert len(cache) == 1


def test_the_entries_stored_longest_ago_make_room(make):
    cache = make(size_limit=100_000)
    for number in range(200):
        assert cache.set(number, b"x" * 1000)
    assert cache.volume() <= 100_000
    assert list(cache) == list(range(200 - len(cache), 200)) and len(cache) > 80
    assert not cache.set("large", b"x" * 100_001)
    assert cache.stats().counts["refused_too_large"] == 1 and "large" not in cache


def test_without_eviction_a_full_cache_refuses(make):
    cache = make(size_limit=10_000, eviction_policy="none")
    stored = [cache.set(number, b"x" * 1000) for number in range(20)]
    assert stored[:5] == [True] * 5 and not stored[-1]
    assert cache.get(0) == b"x" * 1000


def test_counters_outlive_the_process_that_counted(cache, make):
    cache.set("key", 1)
    cache.get("key"), cache.get("other"), cache.get("other")
    cache.close()
    hits, misses = make().stats()
    assert (hits, misses) == (1, 2)
    stats = cache.stats(reset=True)
    assert (stats.hits, stats.misses, stats.entries, stats.failures) == (1, 2, 1, 0) and stats.bytes > 100
    assert cache.stats() == (0, 0)


def test_a_transaction_is_undone_by_an_exception(cache, make):
    other = make()
    with cache.transact():
        cache.set("a", 1)
        cache.incr("n")
        assert cache.get("a") == 1 and other.get("a") is None
    assert other.get("a") == 1
    with pytest.raises(ZeroDivisionError), cache.transact():
        cache.set("a", 2)
        1 / 0
    assert (cache.get("a"), len(cache)) == (1, 2)


def test_a_closed_cache_opens_again_when_it_is_used(cache):
    with cache:
        cache.set("key", 1)
    assert cache.get("key") == 1


def test_a_disk_that_fills_within_a_transaction_undoes_it_and_raises_nothing(make):
    cache = make()
    cache.set("before", 1)
    with cache.transact():
        assert cache.set("a", 1)
        connection = cache._backend._database.connection(writes=True)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(100):
            cache.set(number, "x" * 10_000)
        assert not cache.set("b", 1), "after a failure every write of the block fails"
    connection.execute("PRAGMA max_page_count = 1000000")
    assert (cache.get("before"), cache.get("a"), cache.get("b")) == (1, None, None)
    assert cache.stats().counts["failed_full"] > 0
    assert cache.set("after", 1) and cache.get("after") == 1
