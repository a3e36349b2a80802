"""Storage that fails is a miss and a count: damaged, full, read-only, locked, deleted, or no folder at all."""

import contextlib
import os
import shutil
import sqlite3

import pytest

from greenroom import Cache
from greenroom.backend import FailureReason, StorageError
from python_client.processes import output


def everything(cache):
    """Every operation once. None may raise; returns what they gave."""
    later = cache.deferred()
    later.set("later", 1)
    memoized = cache.memoize(ttl=60)(lambda value: value + 1)
    with cache.lease("lease", wait_s=0) as lease:
        lease.set(1)
    with cache.transact():
        cache.set("transaction", 1)
    return {
        "set": cache.set("key", "value", ttl=60, tag="tag"),
        "add": cache.add("key", 1),
        "get": cache.get("key"),
        "lookup": cache.lookup("key").found,
        "get_many": cache.get_many(["key"]),
        "set_many": cache.set_many({"a": 1}),
        "touch": cache.touch("key"),
        "incr": cache.incr("n"),
        "tag": cache.tag("key", "tag"),
        "in": "key" in cache,
        "keys": [key for key in cache],
        "pop": cache.pop("key"),
        "delete": cache.delete("key"),
        "prefix": cache.delete_prefix("k"),
        "evict": cache.evict("tag"),
        "expire": cache.expire(),
        "cull": cache.cull(),
        "load": cache.get_or_load("load", lambda: 5, ttl=60, stale=60),
        "memoized": memoized(1),
        "drained": later.drain(),
        "volume": cache.volume(),
        "length": len(cache),
        "clear": cache.clear(),
    }


NOTHING = {
    **{"set": False, "add": False, "get": None, "lookup": False, "get_many": {}, "set_many": {"a": False}},
    **{"touch": False, "incr": None, "tag": False, "in": False, "keys": [], "pop": None, "delete": False, "prefix": 0},
    **{"evict": 0, "expire": 0, "cull": 0, "load": 5, "memoized": 2, "drained": (0, 0, 1), "volume": 0, "length": 0},
    "clear": 0,
}


class FailingBackend:
    """A backend of which everything fails."""

    lease_wait_s = 0.0

    def __init__(self, reason=FailureReason.IO):
        self.reason = reason

    def generation(self):
        return 0

    def __getattr__(self, name):
        def fail(*arguments):
            raise StorageError(self.reason, name)

        return fail


@pytest.mark.parametrize("reason", FailureReason)
def test_whatever_fails_nothing_reaches_the_app(reason, clock):
    cache = Cache(backend=FailingBackend(reason), clock=clock, pause=clock.advance, spawn=lambda work: work())
    assert everything(cache) == NOTHING
    stats = cache.stats()
    assert stats.counts[f"failed_{reason.value}"] > 20 and stats.misses >= 4
    cache.close()


def test_a_folder_that_cannot_be_made_is_a_cache_that_keeps_nothing(tmp_path, clock):
    (tmp_path / "file").write_text("no folder")
    cache = Cache(tmp_path / "file" / "cache", clock=clock, pause=clock.advance)
    assert everything(cache) == NOTHING
    assert cache.stats().counts["failed_unavailable"] > 20


@contextlib.contextmanager
def without_privileges():
    """As a user who may not write everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_read_only_folder_is_a_cache_that_keeps_nothing(tmp_path, clock):
    for folder in [tmp_path, *tmp_path.parents][:3]:
        os.chmod(folder, 0o755)
    os.chmod(tmp_path, 0o555)
    with without_privileges():
        cache = Cache(tmp_path / "cache", clock=clock, pause=clock.advance)
        assert everything(cache) == NOTHING
        assert cache.stats().counts["failed_read_only"] >= 1
    os.chmod(tmp_path, 0o755)


def test_a_store_that_may_only_be_read_loses_writes_and_no_value_is_made_up(make, tmp_path, clock):
    make().set("key", "value")
    make().close()
    folder = tmp_path / "cache"
    for name in [*folder.iterdir(), folder]:
        os.chmod(name, 0o444 if name.is_file() else 0o555)
    for parent in [tmp_path, *tmp_path.parents][:3]:
        os.chmod(parent, 0o755)
    with without_privileges():
        cache = make()
        assert cache.get("key") in ("value", None)
        assert not cache.set("key", "other")
        assert cache.stats().failures >= 1
        cache.close()
    os.chmod(folder, 0o755)
    for name in folder.iterdir():
        os.chmod(name, 0o644)


FULL = """
import resource, sys
from greenroom import Cache
cache = Cache(sys.argv[1])
assert cache.set("before", b"x" * 10000)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
stored = [cache.set(number, b"y" * 10000) for number in range(100)]
assert stored[0] and not stored[-1], stored
assert cache.get("before") == b"x" * 10000 and cache.get(0) == b"y" * 10000, "reads go on"
kept = [number for number in range(100) if cache.get(number) is not None]
assert kept == [number for number in range(100) if stored[number]], "what was said to be stored is"
assert cache.stats().failures >= 50
assert cache.get_or_load("load", lambda: 5) == 5
later = cache.deferred(); later.set("key", b"z" * 100_000)
assert later.drain().left == 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert later.drain() == (1, 0, 0) and cache.set("after", 1), "there is room again"
print("done")
"""


def test_a_full_disk_turns_off_writes_and_not_reads(tmp_path):
    assert output(FULL, tmp_path / "cache") == "done\n"


def file_of(cache):
    """The store's newest file."""
    return max((path for path in os.scandir(cache.directory) if path.name.endswith(".db")), key=lambda path: path.name)


@pytest.mark.parametrize("garbage", [b"no database at all" * 500, b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 8192])
def test_a_damaged_file_is_set_aside_and_a_new_store_is_started(make, garbage):
    cache = make()
    cache.set("key", 1)
    cache.close()
    with open(file_of(cache), "wb") as file:
        file.write(garbage)
    again = make()
    assert again.get("key") is None
    assert again.set("key", 2) and again.get("key") == 2
    names = sorted(path.name for path in os.scandir(cache.directory) if path.name.endswith(".db"))
    assert names == ["greenroom.v1.1.db", "greenroom.v1.2.db"], "the damaged one can be looked at"


def test_a_file_damaged_under_an_open_cache_costs_its_entries_and_nothing_else(make, clock):
    cache = make()
    cache.set_many({number: b"x" * 500 for number in range(2000)})
    cache.close()
    with open(file_of(cache), "r+b") as file:
        file.seek(8192)
        file.write(b"\xa5" * (os.path.getsize(file_of(cache)) - 8192))
    found = [cache.get(number) for number in range(2000)]
    assert set(found) <= {None, b"x" * 500}
    for turn in range(3):
        cache.set("key", turn)
    assert cache.set("key", "new") and cache.get("key") == "new"


def test_a_writer_follows_when_another_process_starts_a_new_file(make):
    cache, other = make(), make()
    cache.set("key", 1), other.set("other", 1)
    other._backend._database.set_aside(1, "a test")
    assert other.get("key") is None and other.set("other", 2)
    assert cache.set("key", 2), "written to the new file, not to the one that is set aside"
    assert cache.get("other") == 2 and other.get("key") == 2
    assert len(list(path for path in os.scandir(cache.directory) if path.name.endswith(".db"))) == 2


def test_a_changed_byte_is_noticed(cache):
    cache.set("key", b"value" * 100)
    with sqlite3.connect(file_of(cache)) as database:
        database.execute("UPDATE entries SET value = replace(value, 'v', 'w')")
    database.close()
    assert cache.get("key") is None and not cache.lookup("key").found
    assert cache.stats().counts["damaged"] >= 1
    assert cache.set("key", 1) and cache.get("key") == 1


def test_a_store_of_a_foreign_program_is_left_alone(make, tmp_path):
    (tmp_path / "cache").mkdir()
    with sqlite3.connect(tmp_path / "cache" / "greenroom.v1.1.db") as foreign:
        foreign.execute("CREATE TABLE theirs(value)")
    foreign.close()
    cache = make()
    assert cache.set("key", 1) and cache.get("key") == 1
    with sqlite3.connect(tmp_path / "cache" / "greenroom.v1.1.db") as foreign:
        assert foreign.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    foreign.close()


def test_a_deleted_folder_is_made_again(make, tmp_path):
    cache, other = make(), make()
    cache.set("key", 1), other.set("other", 1)
    shutil.rmtree(cache.directory)
    assert cache.set("key", 2) and cache.get("key") == 2
    assert other.set("other", 2) and cache.get("other") == 2 and other.get("key") == 2


def test_a_store_locked_by_another_process_is_waited_for_no_longer_than_said(make):
    cache = make(timeout=0.05)
    cache.set("key", 1)
    with contextlib.closing(sqlite3.connect(file_of(cache), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not cache.set("key", 2)
        assert cache.get("key") == 1, "reads do not wait"
        other.execute("ROLLBACK")
    assert cache.set("key", 2)
    assert cache.stats().counts["failed_locked"] == 1


def test_files_are_for_their_owner_only(cache):
    cache.set("key", 1)
    assert os.stat(cache.directory).st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in os.scandir(cache.directory))


@pytest.mark.parametrize(
    "arguments",
    [{}, {"path": "a", "directory": "b"}, {"path": "a", "backend": FailingBackend()}],
    ids=["none", "two names", "a backend too"],
)
def test_a_cache_needs_exactly_one_place(arguments):
    with pytest.raises(TypeError):
        Cache(**arguments)


def test_what_is_no_setting_is_an_error_of_the_caller(tmp_path, cache):
    with pytest.raises(ValueError):
        Cache(tmp_path, eviction_policy="random")
    with pytest.raises(TypeError):
        cache.set("key", 1, ttl=5, expire=5)
    with pytest.raises(ValueError):
        cache.set("key", 1, ttl=float("nan"))
