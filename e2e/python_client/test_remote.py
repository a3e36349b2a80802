"""The client over a running gateway: the same answers as embedded, over TCP and over the Unix socket."""

import datetime
import json
import multiprocessing
import os
import pickle
import socket
import stat
import subprocess
import threading
import urllib.parse

import pytest
import requests

from greenroom import AsyncCache, Cache, Status
from greenroom.deferred import Drained
from python_client.daemon import Daemon
from python_client.processes import start
from stage.waiting import until

VALUES = [
    None,
    0,
    -(1 << 80),
    1.5,
    float("inf"),
    "",
    "ü\x00\ud800",
    b"",
    bytes(range(256)),
    [1, [2, None]],
    {"a": {"$b": (1, 2)}},
    {1: 2, (3, 4): b"5"},
    datetime.datetime(2026, 1, 2, 3, 4, 5),
    "x" * 100_000,
]
KEYS = ["plain", "", ".", "..", "a/b?c#d%2F e", "ü", "\ud800", "\x01", "\x00", b"bytes", 1, 2.5, None, ("a", 1, (b"b",)), "k" * 4000]


@pytest.fixture(scope="module")
def daemon():
    daemon = Daemon("python-client")
    yield daemon
    daemon.stop()


@pytest.fixture(params=["socket", "url"])
def cache(daemon, request):
    cache = daemon.cache(url=getattr(daemon, request.param))
    yield cache
    cache.clear()
    cache.close()


def test_every_value_and_every_key_comes_back_as_it_was(cache):
    for value in VALUES:
        assert cache.set("value", value)
        assert cache.get("value", "nothing") == value
        assert cache.lookup("value").status is Status.HIT
    for number, key in enumerate(KEYS):
        assert cache.set(key, number), key
    for number, key in enumerate(KEYS):
        assert cache.get(key) == number, key
    assert cache.get_many(KEYS) == {key: number for number, key in enumerate(KEYS)}
    assert set(cache) == {*KEYS, "value"}
    assert [key for key in cache.iterkeys(prefix="a/")] == ["a/b?c#d%2F e"]
    assert set(reversed(list(cache))) == set(reversed(cache))
    assert cache.delete_prefix("\x01") == 1 and cache.get("\x01") is None and cache.get(b"bytes") == KEYS.index(b"bytes")
    assert len(cache) == len(KEYS) and cache.clear() == len(KEYS) and len(cache) == 0


def test_each_operation_answers_as_the_embedded_cache_does(cache, tmp_path):
    embedded = Cache(tmp_path / "embedded")
    for one in (embedded, cache):
        assert one.add("a", 1) and not one.add("a", 2)
        assert one.incr("n") == 1 and one.incr("n", 41) == 42 and one.decr("n", 2) == 40
        with pytest.raises(KeyError):
            one.incr("none", default=None)
        one.set("text", "x")
        with pytest.raises(TypeError):
            one.incr("text")
        with pytest.raises(OverflowError):
            one.incr("n", (1 << 63) - 1)
        assert one.touch("a", ttl=60) and not one.touch("none", ttl=60)
        assert 50 < one.lookup("a").left_s <= 60
        assert one.tag("a", ["red", ("t", 1)]) and not one.tag("none", "red")
        assert set(one.lookup("a").tags) == {"red", ("t", 1)}
        assert one.evict("blue") == 0 and one.evict(("t", 1)) == 1 and one.get("a") is None
        assert one.pop("n") == 40 and one.pop("n", "gone") == "gone"
        assert one.delete("text") and not one.delete("text")
        assert one.set("old", 1, ttl=-1, stale=60) and one.lookup("old").status is Status.STALE
        assert one.get("old") is None and one.get_many(["old"]) == {}
        assert one.set("dead", 1, ttl=-2) and one.lookup("dead").status is Status.MISS
        assert one.set("new", 1, version="2") and one.get("new") is None
        assert one.lookup("new", version="2").value == 1 and one.lookup("new", version="3").status is Status.MISS
        stored = one.set_many({"x": 1, "y": object(), ("z", 1): None}, ttl=60, tag="many")
        assert stored == {"x": True, "y": False, ("z", 1): True}
        assert one.evict("many") == 2
    embedded.close()


def test_what_is_deferred_is_written_in_one_batch_and_not_if_it_was_invalidated(cache):
    later = cache.deferred()
    for number in range(20):
        later.set(f"d/{number}", number, ttl=60)
    cache.delete("d/3")
    cache.delete_prefix("d/1")
    assert later.drain() == Drained(8, 0, 0) and cache.get("d/0") == 0 and cache.get("d/13") is None


def test_a_cache_is_pickled_as_its_address(cache):
    cache.set("k", "v")
    copy = pickle.loads(pickle.dumps(cache))
    assert copy.get("k") == "v"
    copy.close()


def test_asyncio_has_the_same_cache(daemon):
    import asyncio

    async def run():
        async with AsyncCache(daemon.cache()) as cache:
            loads = []

            async def load():
                loads.append(1)
                await asyncio.sleep(0)
                return "v"

            values = await asyncio.gather(*(cache.get_or_load("async", load, ttl=60) for _ in range(50)))
            assert values == ["v"] * 50 and len(loads) == 1
            assert await cache.pop("async") == "v"

    asyncio.run(run())


def test_a_lease_is_one_callers_over_all_clients(daemon):
    one, other = daemon.cache(), daemon.cache(url=daemon.url)
    with one.lease("leased", 60) as held:
        assert held.held
        with other.lease("leased", 60, wait_s=0) as waiting:
            assert not waiting.held and waiting.value is None
        one.evict("unrelated")
        assert held.set("v", ttl=60)
    with other.lease("leased", 60) as found:
        assert not found.held and found.value == "v"
    with one.lease("other", 60, tag="t") as held:
        other.evict("t")
        assert not held.set("old"), "it was invalidated meanwhile"
    assert one.get("other") is None


def load_in_threads(url, token, loads, results, barrier):
    cache = Cache(url=url, name="worker", token=token)
    gate = threading.Barrier(100)

    def load():
        with loads.get_lock():
            loads.value += 1
        return "loaded"

    def call():
        gate.wait()
        results.put(cache.get_or_load("cold", load, ttl=600))

    barrier.wait()
    threads = [threading.Thread(target=call) for _ in range(100)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    cache.close()


def test_eight_processes_with_a_hundred_cold_callers_each_load_once(daemon):
    context = multiprocessing.get_context("fork")
    loads, results, barrier = context.Value("i", 0), context.SimpleQueue(), context.Barrier(8)
    arguments = (daemon.socket, daemon.token, loads, results, barrier)
    children = [context.Process(target=load_in_threads, args=arguments) for _ in range(8)]
    [child.start() for child in children]
    values = [results.get() for _ in range(800)]
    [child.join() for child in children]
    assert [child.exitcode for child in children] == [0] * 8
    assert set(values) == {"loaded"} and loads.value == 1


# Each kills the daemon and one of two clients.
ROUNDS = 50

WRITER = """
import sys
from greenroom import Cache
cache = Cache(url=sys.argv[1], name="worker", token=sys.argv[2])
round = sys.argv[3]
for number in range(100000):
    value = f"{round} {number} " * (1 + number % 400)
    if cache.set(f"{round}/{number}", value):
        print(number, flush=True)
    else:
        break
"""


def test_killed_daemons_and_killed_clients_lose_nothing_that_was_acknowledged():
    daemon = Daemon("python-client-killed")
    try:
        for round in range(ROUNDS):
            writers = [start(WRITER, daemon.socket, daemon.token, f"{round}-{writer}") for writer in range(2)]
            for writer in writers:
                for _ in range(5 + 13 * round % 40):
                    assert writer.stdout.readline()
            writers[0].kill()
            daemon.program.kill()
            acknowledged = [max(map(int, writer.stdout.read().split()), default=4) for writer in writers]
            [writer.wait(timeout=30) for writer in writers]
            [pipe.close() for writer in writers for pipe in (writer.stdout, writer.stdin)]
            daemon.start()
            cache = daemon.cache()
            for writer, last in enumerate(acknowledged):
                for number in range(last + 1):
                    expected = f"{round}-{writer} {number} " * (1 + number % 400)
                    assert cache.get(f"{round}-{writer}/{number}") == expected, (round, writer, number, last)
            cache.close()
    finally:
        daemon.stop()


def test_a_daemon_that_is_away_is_a_miss_and_a_count_and_is_used_again_when_it_is_back():
    daemon = Daemon("python-client-away")
    try:
        cache = daemon.cache()
        assert cache.set("k", "v")
        assert daemon.program.stop() == 0
        assert cache.get("k", "default") == "default" and cache.set("k", 1) is False and cache.add("k", 1) is False
        assert cache.get_many(["k"]) == {} and cache.set_many({"k": 1}) == {"k": False} and cache.incr("k") is None
        assert cache.pop("k") is None and cache.delete("k") is False and cache.clear() == 0 and len(cache) == 0
        assert cache.touch("k", ttl=1) is False and list(cache) == [] and "k" not in cache
        assert cache.get_or_load("k", lambda: "loaded", ttl=1) == "loaded"
        with cache.lease("k") as lease:
            assert lease.held and lease.set("v") is False
        assert cache.stats().counts["failed_unavailable"] > 10
        daemon.start()
        until(lambda: cache.get("k") == "v", "the cache is used again")
    finally:
        daemon.stop()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{{{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nGreenroom-Left-Ms: x\r\n\r\n1",
        b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n",
        b"X" * 100_000,
    ],
)
def test_another_program_at_the_address_is_a_miss_and_a_count(answer):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        cache = Cache(url=f"http://127.0.0.1:{server.getsockname()[1]}", name="worker", timeout=5)
        assert cache.lookup("k").status is Status.MISS and cache.get_many(["k"]) == {}
        assert not cache.set_many({"k": 1, "l": 2})["k"] and cache.pop("k") is None and len(cache) == 0
        assert cache.incr("k") is None and list(cache) == [] and cache.stats().failures >= 4
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)


def test_arguments_that_make_no_sense_are_refused_at_once(tmp_path):
    for arguments in (
        {"url": "ftp://x", "name": "a"},
        {"url": "http://user:secret@x", "name": "a"},
        {"url": "unix://apps.sock", "name": "a"},
        {"url": "http://x", "name": "a/b"},
        {"url": "http://x", "name": "A"},
        {"url": "http://x", "name": "a", "token": "two\nlines"},
    ):
        with pytest.raises(ValueError):
            Cache(**arguments)
    for arguments in ({"url": "http://x"}, {"name": "a", "path": tmp_path}, {"url": "http://x", "name": "a", "path": tmp_path}):
        with pytest.raises(TypeError):
            Cache(**arguments)


# The API itself, as another program uses it.


def ask(daemon, method, path, token=None, **options):
    headers = {"Authorization": f"Bearer {token or daemon.token}", **options.pop("headers", {})}
    return requests.request(method, f"{daemon.url}/api/v1/caches/{path}", headers=headers, timeout=10, **options)


def test_other_programs_share_texts_and_json_with_the_client(daemon, cache):
    stored = ask(daemon, "PUT", "worker/entries/shared%2Fkey?ttl_ms=60000&tag=a&tag=b", json={"n": 1})
    assert stored.status_code == 204
    assert cache.get("shared/key") == {"n": 1} and set(cache.lookup("shared/key").tags) == {"a", "b"}
    cache.set("from python", {"n": [2]}, tag="c")
    found = ask(daemon, "GET", "worker/entries/from%20python")
    assert found.json() == {"n": [2]} and found.headers["Content-Type"] == "application/json"
    assert found.headers["Cache-Status"] == "greenroom; hit; detail=disk"
    assert found.headers["Content-Disposition"] == "attachment" and "sandbox" not in found.headers
    assert ask(daemon, "GET", "worker/entries/from%20python", headers={"If-None-Match": found.headers["ETag"]}).status_code == 304
    changed = ask(daemon, "PUT", "worker/entries/from%20python", data=b"1", headers={"If-Match": found.headers["ETag"]})
    again = ask(daemon, "PUT", "worker/entries/from%20python", data=b"2", headers={"If-Match": found.headers["ETag"]})
    assert (changed.status_code, again.status_code, again.json()["code"]) == (204, 412, "condition-failed")
    missing = ask(daemon, "GET", "worker/entries/none")
    assert (missing.status_code, missing.json()["code"], missing.headers["Cache-Status"]) == (404, "no-entry", "greenroom; fwd=miss")


def test_a_deferred_put_is_answered_before_it_is_on_disk_and_its_barrier_says_when(daemon):
    later = ask(daemon, "PUT", "worker/entries/later?defer=1", data=b"v")
    assert later.status_code == 202
    found = ask(daemon, "GET", "worker/entries/later")
    assert found.content == b"v"
    flushed = ask(daemon, "POST", "worker/flush", json={"barrier": later.headers["Greenroom-Barrier"]})
    assert flushed.json() == {"flushed": True, "lost": 0}
    assert ask(daemon, "GET", "worker/entries/later").headers["Cache-Status"].endswith("detail=disk")
    assert ask(daemon, "POST", "worker/flush", json={"barrier": "1-1"}).json()["code"] == "unknown-barrier"


def test_a_token_opens_its_own_caches_and_nothing_else(daemon):
    assert ask(daemon, "PUT", "worker/entries/secret", data=b"mine").status_code == 204
    theirs = daemon.said("token", "add", "stranger", "--caches", "strangers").split()[0]
    reader = daemon.said("token", "add", "reader", "--caches", "worker", "--read-only").split()[0]
    for path in ("worker/entries/secret", "worker/entries", "worker", "worker/../worker/entries/secret", "%77orker/entries/secret"):
        refused = ask(daemon, "GET", path, token=theirs)
        assert (refused.status_code, refused.json()["code"]) == (403, "token-elsewhere"), path
    for path in ("/api/v1/servers", "/api/v1/cache/stats", "/metrics", "/api/v1/caches", "/api/v1/folders"):
        shown = {"Authorization": f"Bearer {theirs}"}
        assert requests.get(daemon.url + path, headers=shown, timeout=10).status_code == 403, path
    assert ask(daemon, "GET", "worker/entries/secret", token=reader).content == b"mine"
    assert ask(daemon, "PUT", "worker/entries/secret", token=reader, data=b"x").json()["code"] == "token-only-reads"
    reading = Cache(url=daemon.socket, name="worker", token=reader)
    assert reading.get_many(["secret", "none"]) == Cache(url=daemon.socket, name="worker", token=daemon.token).get_many(["secret", "none"])
    assert len(reading.get_many(["secret", "none"])) == 1 and reading.set_many({"secret": "x"}) != 1
    assert ask(daemon, "POST", "worker/batch/get", token=theirs, json={"keys": ["secret"]}).json()["code"] == "token-elsewhere"
    assert ask(daemon, "POST", "worker/batch/get", token=reader, json={"keys": ["k"] * 1001}).status_code == 400
    for headers in ({}, {"Authorization": "Bearer grapp_" + "A" * 43}):
        assert requests.get(f"{daemon.url}/api/v1/caches/worker/entries/secret", headers=headers, timeout=10).status_code == 401
    assert ask(daemon, "GET", "strangers/entries/secret", token=theirs).status_code == 404
    stranger = Cache(url=daemon.socket, name="worker", token=theirs)
    assert stranger.get("secret") is None and stranger.set("secret", "theirs") is False
    assert stranger.stats().counts["failed_refused"] >= 2
    assert ask(daemon, "GET", "worker/entries/secret", token=daemon.control_token).content == b"mine"


@pytest.fixture
def own_daemon():
    """A daemon that is shown wrong tokens, so that the control token is not checked for a while."""
    daemon = Daemon("python-client-revoked")
    yield daemon
    daemon.stop()


def test_a_revoked_token_opens_nothing_any_more_and_locks_no_other_app_out(own_daemon):
    daemon = own_daemon
    token = daemon.said("token", "add", "short", "--caches", "worker").split()[0]
    assert ask(daemon, "GET", "worker/entries", token=token).status_code == 200
    daemon.said("token", "revoke", "short")
    until(lambda: ask(daemon, "GET", "worker/entries", token=token).status_code == 401, "it is revoked")
    for _ in range(20):
        assert ask(daemon, "GET", "worker/entries", token=token).status_code in (401, 429)
    assert ask(daemon, "GET", "worker/entries").status_code == 200, "other apps of this machine go on"


def test_the_socket_is_its_owners_and_has_the_caches_only(daemon):
    path = urllib.parse.urlsplit(daemon.socket).path
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    for asked, status in (("/api/v1/caches", 200), ("/api/v1/servers", 404), ("/metrics", 404), ("/", 404)):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(path)
            head = f"GET {asked} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {daemon.control_token}\r\n"
            connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
            told = connection.recv(64)
        assert told.startswith(f"HTTP/1.1 {status}".encode()), (asked, told)


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("PUT", "worker/entries/" + "k" * 8193, {"data": b""}, 400),
        ("PUT", "worker/entries/%FF", {"data": b""}, 400),
        ("PUT", "worker/entries/k?tag=", {"data": b""}, 400),
        ("PUT", "worker/entries/k?" + "&".join(f"tag={n}" for n in range(65)), {"data": b""}, 400),
        ("PUT", "worker/entries/k?ttl_ms=1e9", {"data": b""}, 400),
        ("PUT", "worker/entries/k?version=" + "v" * 5000, {"data": b""}, 400),
        ("PUT", "worker/entries/k?defer=1&lease=1", {"data": b""}, 400),
        ("PUT", "worker/entries/k", {"data": b"x" * (17 << 20)}, 413),
        ("PUT", "worker/entries/k", {"data": b"", "headers": {"Content-Type": "x" * 256}}, 400),
        ("PUT", "worker/entries/k", {"data": b"", "headers": {"If-Match": "x"}}, 400),
        ("PUT", "worker/entries/k?lease=18446744073709551615", {"data": b""}, 409),
        ("PUT", "worker/entries/k?begun=18446744073709551615", {"data": b""}, 409),
        ("GET", "worker/entries?limit=0", {}, 400),
        ("GET", "worker/entries?cursor=%FF&limit=1", {}, 200),
        ("POST", "worker/invalidate", {"json": {"key": "a", "tag": "b"}}, 400),
        ("POST", "worker/invalidate", {"json": {"all": False}}, 400),
        ("POST", "worker/invalidate", {"json": {"prefix": "p" * 8193}}, 400),
        ("POST", "worker/invalidate", {"json": {"key": "k" * 500_000}}, 400),
        ("PUT", "worker/entries/k?tag=" + "a" * 5000 + "&tag=" + "b" * 5000, {"data": b""}, 400),
        ("POST", "worker/batch", {"json": {"operations": [{"op": "get", "key": "k"}] * 1001}}, 400),
        ("POST", "worker/batch", {"data": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}, 400),
        ("POST", "worker/entries/k/increment", {"json": {"delta": 1 << 63}}, 400),
        ("DELETE", "worker/entries/k/lease?token=18446744073709551615", {}, 200),
        ("POST", "worker/entries/k/touch", {}, 415),
        ("POST", "worker/entries/k/lease", {"json": {"duration_ms": -1}}, 400),
        ("POST", "worker/entries/k/lease", {"json": {"duration_ms": (1 << 64) - 1}}, 200),
        ("DELETE", "worker/entries/k/lease?token=18446744073709551615&pause_ms=18446744073709551615", {}, 400),
    ],
)
def test_hostile_calls_are_answered_with_what_is_wrong(daemon, method, path, options, status):
    answer = ask(daemon, method, path, **options)
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json" and len(answer.json()["detail"]) > 15


def test_an_operation_of_a_batch_that_is_not_valid_does_not_stop_the_others(daemon):
    value = {"op": "put", "key": "b", "value": "dg=="}
    operations = [value, {**value, "key": ""}, {**value, "value": "!"}, {**value, "media_type": "a\nb"}, {"op": "get", "key": "b"}]
    operations += [{**value, "op": "add"}, {"op": "delete", "key": "b"}, {**value, "key": "c", "ttl_ms": -2}]
    told = ask(daemon, "POST", "worker/batch", json={"operations": operations}).json()["results"]
    states = [result["state"] for result in told]
    assert states == ["stored", "invalid", "invalid", "invalid", "miss", "present", "deleted", "invalid"]


def test_ten_thousand_caches_are_made_and_the_next_one_is_refused(daemon):
    present = len(requests.get(f"{daemon.url}/api/v1/caches", timeout=10).json()["caches"])
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {daemon.control_token}"
    names = [f"many-{number}" for number in range(10_000 - present)]
    for name in names:
        answer = session.put(f"{daemon.url}/api/v1/caches/{name}/entries/k?defer=1", data=name, timeout=10)
        assert answer.status_code in (202, 204), answer.text
    refused = session.put(f"{daemon.url}/api/v1/caches/one-more/entries/k", data=b"", timeout=10)
    assert (refused.status_code, refused.json()["code"]) == (507, "too-many-caches")
    for name in names[::500]:
        assert session.get(f"{daemon.url}/api/v1/caches/{name}/entries/k", timeout=10).text == name
    metrics = requests.get(f"{daemon.url}/metrics", timeout=10).text
    labels = {line for line in metrics.splitlines() if line.startswith("greenroom_app_cache_entries{")}
    assert len(labels) == 101
    assert session.delete(f"{daemon.url}/api/v1/caches/{names[7]}", timeout=10).json() == {"removed": 1}
    assert session.put(f"{daemon.url}/api/v1/caches/one-more/entries/k", data=b"", timeout=10).status_code == 204


@pytest.mark.parametrize(
    ("media_type", "body", "value"),
    [
        ("application/json", '{"title": "Amélie"}\n', {"title": "Amélie"}),
        ("Application/JSON; charset=utf-8", "[1]", [1]),
        ("text/plain", "ü", "ü"),
        ("text/plain; charset=latin-1", "ü", "ü".encode()),
        ("application/json", "{", None),
    ],
)
def test_a_value_of_another_program_is_found_as_it_wrote_it_or_loaded_anew(daemon, cache, media_type, body, value):
    headers = {"Authorization": f"Bearer {daemon.token}", "Content-Type": media_type}
    url = f"{daemon.url}/api/v1/caches/worker/entries/film"
    assert requests.put(url, body.encode(), headers=headers, timeout=10).status_code == 204
    assert cache.get("film") == value
    assert cache.get_or_load("film", lambda: "loaded") == ("loaded" if value is None else value)


def test_values_of_any_size_that_fits_are_written_together_and_read_together(cache):
    large = {f"large {number}": bytes(13 << 20) for number in range(2)}
    values = {"first": b"1", **large, "last": b"2"}
    deferred = cache.deferred()
    for key, value in values.items():
        deferred.set(key, value)
    assert deferred.drain() == Drained(4, 0, 0)
    assert cache.get_many(list(values)) == values


def test_a_caller_that_waits_for_a_load_is_woken_and_does_not_ask_again_and_again(daemon, cache):
    other = daemon.cache()
    with other.lease("k") as lease:
        waiting = threading.Thread(target=lambda: cache.get_or_load("k", lambda: "not loaded"))
        waited = lambda: requests.get(
            f"{daemon.url}/api/v1/caches/worker", headers={"Authorization": f"Bearer {daemon.token}"}, timeout=10
        ).json()["counts"]["waited"]
        before = waited()
        waiting.start()
        until(lambda: waited() > before, "it waits")
        assert lease.set("loaded")
    waiting.join(30)
    assert cache.get("k") == "loaded" and waited() == before + 1
    other.close()
