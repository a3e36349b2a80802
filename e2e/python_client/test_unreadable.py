"""Entries that no codec reads, and entries of other programs: a miss for a lookup, replaced by a load."""

import asyncio
import threading

import pytest
import requests

from greenroom import AsyncCache, Status
from greenroom.backend import Entry, Put
from python_client.daemon import Daemon

UNREADABLE = {
    "JSON cut off": (2, b'{"a": '),
    "JSON nested without end": (2, b"[" * 100_000),
    "text that is no UTF-8": (1, b"\xff\xfe"),
    "a date that is none": (3, b'{"$date":"yesterday"}'),
    "the codec of a newer client": (17, b"?"),
}


def planted(cache, key, codec, payload, version=""):
    """Stores bytes under a codec, whatever they are."""
    cache._backend.put([Put(cache._storage.key(key), Entry(codec, payload, None, None, (), version))], cache._storage.clock())


def in_threads(call, count=20):
    """What each of several threads got, errors included."""
    results = []

    def one():
        try:
            results.append(call())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def loads_in_its_place(cache):
    """Checks every way to load a key whose entry cannot be read."""
    loads = []

    def load():
        loads.append(1)
        return ["loaded"]

    assert in_threads(lambda: cache.get_or_load("loaded", load, ttl=60)) == [["loaded"]] * 20
    assert len(loads) == 1 and cache.get("loaded") == ["loaded"] and cache.stats().counts["damaged"] >= 1
    memoized = cache.memoize(name="memoized")(lambda value: value + 1)
    assert memoized(1) == 2 and cache.get(memoized.__cache_key__(1)) == 2
    with cache.lease("leased", wait_s=0) as lease:
        assert lease.held and lease.found.status is Status.MISS
        with cache.lease("leased", wait_s=0) as second:
            assert not second.held, "one holds it"
        assert lease.set("value")
    assert cache.get("leased") == "value"

    async def asynchronous():
        caches = AsyncCache(cache)

        async def load():
            return "loaded"

        assert await asyncio.gather(*(caches.get_or_load("async", load) for _ in range(5))) == ["loaded"] * 5

    asyncio.run(asynchronous())
    assert cache.get("async") == "loaded"


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_entry_that_no_codec_reads_is_replaced_by_a_load(cache, name):
    for key in ("loaded", "memoized:[[1],[]]", "leased", "async", "number", "versioned"):
        planted(cache, key, *UNREADABLE[name], version="2" if key == "versioned" else "")
    assert cache.get("loaded") is None and cache.lookup("loaded").status is Status.MISS
    loads_in_its_place(cache)
    assert cache.get_or_load("versioned", lambda: "loaded", version="2") == "loaded"
    assert cache.lookup("versioned", version="2").value == "loaded"
    with pytest.raises(TypeError):
        cache.incr("number")


@pytest.fixture(scope="module")
def daemon():
    daemon = Daemon("python-client-unreadable")
    yield daemon
    daemon.stop()


def put(daemon, key, body, media_type):
    """Stores an entry as another program does."""
    headers = {"Authorization": f"Bearer {daemon.token}", "Content-Type": media_type}
    url = f"{daemon.url}/api/v1/caches/worker/entries/{key}"
    assert requests.put(url, data=body, headers=headers, timeout=10).status_code == 204


def test_an_entry_of_another_program_that_cannot_be_read_is_replaced_by_a_load(daemon):
    cache = daemon.cache()
    for key in ("loaded", "memoized:[[1],[]]", "leased", "async"):
        put(daemon, key, b'{"title": ', "application/json")
    loads_in_its_place(cache)
    cache.close()


@pytest.mark.parametrize(
    ("body", "media_type", "value"),
    [
        ('{"title": "Amélie"}'.encode(), "application/json", {"title": "Amélie"}),
        (b' {"title": "A"}\n', "application/json", {"title": "A"}),
        (b"\xef\xbb\xbf[1]", "application/json", [1]),
        (b"[1]", "application/json; charset=utf-8", [1]),
        (b"[1]", "Application/JSON;charset=UTF-8", [1]),
        ("ü".encode(), "text/plain", "ü"),
        ("ü".encode(), "text/plain;charset=UTF-8", "ü"),
        ("ü".encode("latin-1"), "text/plain; charset=iso-8859-1", b"\xfc"),
        (b"\xff", "image/jpeg", b"\xff"),
    ],
    ids=str,
)
def test_values_of_other_programs_are_read_as_their_media_types_say(daemon, body, media_type, value):
    cache = daemon.cache()
    put(daemon, "film", body, media_type)
    assert cache.get("film") == value and cache.lookup("film").value == value
    assert cache.get_many(["film"]) == {"film": value}
    assert cache.get_or_load("film", lambda: "loaded") == value
    assert "damaged" not in cache.stats().counts
    cache.close()
