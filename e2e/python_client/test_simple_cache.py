"""The names of Kodi's SimpleCache."""

import datetime

import pytest

from greenroom import SimpleCache, use_cache


@pytest.fixture
def simple(cache):
    return SimpleCache(cache)


def test_an_empty_value_is_a_value(simple):
    for value in ([], {}, 0, "", False):
        assert simple.set("key", value)
        assert simple.get("key") == value and simple.has("key")
    assert simple.get("other") is None and not simple.has("other")


def test_values_expire_by_a_timedelta_and_after_thirty_days_by_default(simple, clock):
    simple.set("short", 1, expiration=datetime.timedelta(minutes=5))
    simple.set("long", 1)
    clock.advance(300)
    assert (simple.get("short"), simple.get("long")) == (None, 1)
    clock.advance(30 * 86400)
    assert simple.get("long") is None
    simple.check_cleanup()
    assert len(simple.cache) == 0


def test_another_checksum_is_a_miss_and_sums_that_are_equal_are_not_taken_for_it(simple):
    simple.set("key", 1, checksum="ab")
    assert simple.get("key", checksum="ab") == 1
    assert simple.get("key") is None and simple.get("key", checksum="ba") is None
    simple.global_checksum = "2"
    assert simple.get("key", checksum="ab") is None
    simple.set("key", 2, checksum="ab")
    assert simple.get("key", checksum="ab") == 2


def test_what_looks_like_code_is_a_text(simple):
    simple.set("key", "__import__('os').abort()")
    assert simple.get("key") == "__import__('os').abort()"


def test_use_cache_keeps_what_a_method_returns_except_none(simple, clock):
    class Menu:
        calls = 0
        cache = simple

        @use_cache(cache_days=1)
        def projects(self, kind, ignore_cache=False):
            Menu.calls += 1
            return None if kind == "none" else [kind]

    menu = Menu()
    assert menu.projects("show") == menu.projects("show") == ["show"] and Menu.calls == 1
    menu.projects("film"), menu.projects("show", ignore_cache=True)
    assert Menu.calls == 3
    menu.projects("none"), menu.projects("none")
    assert Menu.calls == 5
    clock.advance(86400)
    menu.projects("film")
    assert Menu.calls == 6


def test_a_folder_of_its_own(tmp_path):
    simple = SimpleCache(tmp_path / "own")
    simple.set("key", 1)
    simple.close()
    assert SimpleCache(tmp_path / "own").get("key") == 1


def test_a_long_checksum_is_a_checksum_like_any_other(tmp_path):
    cache = SimpleCache(tmp_path / "long")
    cache.global_checksum = "g" * 600
    first, second = "x" * 2000, "x" * 1999 + "\ud800"
    assert cache.set("key", 1, checksum=first) and cache.get("key", checksum=first) == 1
    assert cache.get("key", checksum=second) is None and not cache.has("key")
    cache.close()
