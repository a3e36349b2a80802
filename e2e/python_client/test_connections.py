"""Connections of the client to a daemon that is slow, hangs, sends in chunks, or was started again."""

import contextlib
import socket
import threading

import pytest

from greenroom import Cache
from greenroom.backend import StorageError
from greenroom.remote.connection import Address, Connections
from python_client.daemon import Daemon


@contextlib.contextmanager
def served(serve):
    """A program at an address, which handles one connection after another. Gives address and accepted connections."""
    accepted = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                accepted.append(connection)
                with contextlib.suppress(OSError):
                    connection.recv(65536)
                    serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", accepted
        server.shutdown(socket.SHUT_RDWR)
        for connection in accepted:
            connection.close()
    thread.join(timeout=30)


class Ticking:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_an_answer_that_trickles_ends_with_the_timeout_all_the_same():
    ended = threading.Event()

    def trickle(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            # Each byte alone: the next one is sent once this one was taken, or the caller has gone.
            connection.sendall(b"x")
            if ended.wait(0.001):
                return

    with served(trickle) as (url, _accepted):
        clock = Ticking()
        connections = Connections(Address(url, 20.0), clock)
        with pytest.raises(StorageError, match="timed out"):
            connections.exchange(b"GET / HTTP/1.1\r\n\r\n", True)
        ended.set()
        assert clock.now < 40


def test_a_daemon_that_hangs_is_waited_for_once_and_not_by_each_call():
    with served(lambda connection: None) as (url, accepted):
        cache = Cache(url=url, name="worker", timeout=0.05)
        cache._backend._connections._clock = lambda: 0.0
        assert [cache.get(key) for key in range(20)] == [None] * 20
        assert len(accepted) == 1 and cache.stats().counts["failed_unavailable"] == 20


@pytest.mark.parametrize("size", [1, 7, 1000, 300_000])
def test_an_answer_in_chunks_is_put_together(size):
    value = bytes(range(256)) * 4000
    chunks = [value[start : start + size] for start in range(0, len(value) if size > 100 else 5000, size)]
    sent = b"".join(b"%x;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    with served(lambda connection: connection.sendall(HEAD + sent)) as (url, _accepted):
        answer = Connections(Address(url, 30.0)).exchange(b"GET / HTTP/1.1\r\n\r\n", True)
    assert answer.body == b"".join(chunks)


@pytest.mark.parametrize("sent", [b"5\r\nhelloXX0\r\n\r\n", b"g\r\n", b"0" * 100_000, b"10000001\r\n", b"0\r\nX: y\r\n\r\n"])
def test_what_are_no_chunks_is_a_failure(sent):
    with served(lambda connection: connection.sendall(HEAD + sent)) as (url, _accepted):
        with pytest.raises(StorageError):
            Connections(Address(url, 30.0)).exchange(b"GET / HTTP/1.1\r\n\r\n", True)


@pytest.mark.parametrize("url", ["unix:///no\0path", "unix:///" + "p" * 200, "http://a..b:1", "http://" + "x" * 64 + ":1"])
def test_an_address_that_nobody_can_have_is_a_miss_and_a_count(url):
    try:
        cache = Cache(url=url, name="worker", timeout=5)
    except ValueError:
        return
    assert cache.get("k") is None and cache.incr("k") is None and cache.set("k", 1) is False
    assert cache.stats().counts["failed_unavailable"] == 3


def test_after_a_restart_of_the_daemon_the_first_write_of_each_kind_succeeds():
    daemon = Daemon("python-client-restarted")
    try:
        cache = daemon.cache()
        writes = {
            "set_many": lambda: cache.set_many({"a": 1, "b": 2}) == {"a": True, "b": True},
            "incr": lambda: cache.incr("n") is not None,
            "add": lambda: cache.add("new", 1) or cache.get("new") == 1,
            "lease": lambda: cache.get_or_load("loaded", lambda: 5) == 5 and cache.get("loaded") == 5,
        }
        for name, write in writes.items():
            assert cache.set("k", 1)
            assert daemon.program.stop() == 0
            daemon.start()
            assert write(), name
        assert cache.stats().failures == 0
    finally:
        daemon.stop()


def test_a_key_that_is_too_long_for_the_daemon_hides_no_other(tmp_path):
    daemon = Daemon("python-client-long-keys")
    try:
        cache = daemon.cache()
        long = b"k" * 4095
        assert cache.set("a", 1) and cache.set(long, 2) is False
        assert cache.get_many(["a", long, "none"]) == {"a": 1}
    finally:
        daemon.stop()
