"""Storage and apps that fail within a transaction."""

import contextlib
import os
import sqlite3

import pytest

from python_client.test_storage_failures import file_of


def limit_pages(cache, more):
    """Lets the file grow by so many pages; the disk is full then."""
    connection = cache._backend._database.connection()
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0] + more}")


def test_a_disk_that_fills_up_within_a_transaction_undoes_all_of_it_and_raises_nothing(cache):
    cache.set("before", 1)
    limit_pages(cache, 20)
    with cache.transact():
        told = [cache.set(number, b"x" * 10_000) for number in range(20)]
        with cache.transact():
            assert not cache.add("inner", 1)
        assert not cache.set("small", 1) and cache.incr("n") is None and cache.pop("before") is None
        assert cache.set_many({"a": 1}) == {"a": False} and not cache.delete("before")
    assert told[0] and not told[-1] and told == sorted(told, reverse=True), "after the first that fails, all fail"
    assert list(cache) == ["before"] and len(cache) == 1 and cache.volume() < 1000
    assert cache.stats().counts["failed_full"] >= 2
    limit_pages(cache, 1000)
    with cache.transact():
        assert cache.set("after", 1)
    assert cache.get("after") == 1


def test_a_page_that_is_damaged_within_a_transaction_raises_nothing(cache):
    cache.set_many({number: b"x" * 500 for number in range(2000)})
    cache.close()
    with open(file_of(cache), "r+b") as file:
        file.seek(8192)
        file.write(b"\xa5" * (os.path.getsize(file_of(cache)) - 8192))
    with cache.transact():
        assert [cache.set(number, 1) for number in range(0, 2000, 50)][-1] is False
    assert cache.set("key", "new") and cache.get("key") == "new"


def test_an_apps_own_error_of_sqlite_passes_a_transaction_and_undoes_it(cache):
    with pytest.raises(sqlite3.OperationalError, match="theirs"), cache.transact():
        cache.set("key", 1)
        with contextlib.closing(sqlite3.connect(":memory:")) as other:
            other.execute("SELECT * FROM theirs")
    assert "key" not in cache and cache.stats().failures == 0
