"""diskcache's names: every test runs with diskcache itself and with this client in its place."""

import io
import time

import diskcache
import pytest

import greenroom


@pytest.fixture(params=[diskcache.Cache, greenroom.Cache], ids=["diskcache", "greenroom"])
def cache(request, tmp_path):
    with request.param(str(tmp_path / "cache")) as cache:
        yield cache


def test_values_are_set_and_got(cache):
    for value in (None, True, 1, 1.5, "text", b"bytes", [1], {"a": (1, 2)}, ("a", b"b")):
        assert cache.set("key", value) is True
        assert cache.get("key", default=5) == value and cache["key"] == value
    assert cache.get("other") is None and cache.get("other", 5) == 5


def test_keys_are_one_if_they_are_equal(cache):
    for key in ("a", b"a", 1, 1.5, None, ("a", 1)):
        cache[key] = repr(key)
    assert len(cache) == 6
    assert [cache[key] for key in ("a", b"a", 1, 1.5, None, ("a", 1))] == [repr(key) for key in cache]
    assert cache[1.0] == "1" and set(cache) == {"a", b"a", 1, 1.5, None, ("a", 1)}
    assert set(reversed(cache)) == set(cache.iterkeys()) == set(cache.iterkeys(reverse=True)) == set(cache)


def test_missing_keys_are_key_errors_where_a_dict_has_them(cache):
    with pytest.raises(KeyError):
        cache["missing"]
    with pytest.raises(KeyError):
        del cache["missing"]
    with pytest.raises(KeyError):
        cache.incr("missing", default=None)
    assert cache.delete("missing") is False and cache.pop("missing", default=5) == 5 and "missing" not in cache
    assert cache.touch("missing") is False


def test_time_and_tag_come_back_when_they_are_asked_for(cache):
    before = time.time()
    cache.set("key", "value", expire=60, tag="tag")
    value, ends, tag = cache.get("key", expire_time=True, tag=True)
    assert (value, tag) == ("value", "tag") and before + 60 <= ends <= time.time() + 60
    assert cache.get("key", tag=True) == ("value", "tag")
    assert cache.get("missing", expire_time=True, tag=True) == (None, None, None)
    assert cache.get("missing", 5, tag=True) == (5, None)
    cache.set("plain", 1)
    assert cache.pop("plain", expire_time=True, tag=True) == (1, None, None)


def test_what_has_expired_is_gone(cache):
    cache.set("key", 1, expire=0)
    assert cache.get("key") is None and "key" not in cache and cache.add("key", 2)
    cache.set("a", 1, expire=-5), cache.set("b", 1)
    assert cache.expire() <= 1 and len(cache) == 2
    cache.set("c", 1, expire=5)
    assert cache.expire(now=time.time() + 10) == 1 and list(cache) == ["key", "b"]
    assert cache.touch("b", expire=60) and cache.get("b", expire_time=True)[1] > time.time()


def test_add_incr_and_decr(cache):
    assert cache.add("key", 1) is True and cache.add("key", 2) is False and cache["key"] == 1
    assert (cache.incr("key"), cache.incr("key", 10), cache.decr("key", 2)) == (2, 12, 10)
    assert (cache.incr("new"), cache.incr("other", default=100), cache.decr("down")) == (1, 101, -1)


def test_evict_clear_and_cull_say_how_many(cache):
    for number in range(20):
        cache.set(number, number, tag=number % 2)
    assert cache.evict(1) == 10 and len(cache) == 10
    assert cache.cull() == 0 and cache.volume() > 0
    assert cache.clear() == 10 and len(cache) == 0


def test_memoize_and_its_key(cache):
    calls = []

    @cache.memoize(expire=60, tag="fib")
    def fib(number):
        calls.append(number)
        return number if number < 2 else fib(number - 1) + fib(number - 2)

    assert fib(30) == 832040 and len(calls) == 31
    assert cache[fib.__cache_key__(30)] == 832040
    assert cache.evict("fib") == 31
    with pytest.raises(TypeError):
        cache.memoize(fib)


def test_statistics_are_hits_and_misses(cache):
    cache.stats(enable=True)
    cache.set("key", 1)
    cache.get("key"), cache.get("missing")
    hits, misses = cache.stats(reset=True)
    assert (hits, misses) == (1, 1) and cache.stats() == (0, 0)


def test_files_are_read_and_given(cache):
    cache.set("key", io.BytesIO(b"content"), read=True)
    assert cache.get("key") == b"content"
    with cache.get("key", read=True) as file:
        assert file.read() == b"content"


def test_a_transaction_is_undone_by_an_exception(cache):
    cache["key"] = 1
    with pytest.raises(ZeroDivisionError), cache.transact():
        cache["key"] = 2
        1 / 0
    assert cache["key"] == 1
    with cache.transact():
        cache["key"] = 3
    assert cache["key"] == 3


def test_a_closed_cache_and_its_folder(cache, tmp_path):
    cache["key"] = 1
    cache.close()
    assert cache["key"] == 1 and cache.directory == str(tmp_path / "cache") and cache.timeout > 0
    assert type(cache)(directory=str(tmp_path / "cache"))["key"] == 1
