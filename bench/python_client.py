"""The Python client beside diskcache, in turns of one run: `PYTHONPATH=clients/python/src python bench/python_client.py`.

CPU time of the calling thread, the median of ROUNDS rounds with the spread. Needs diskcache (e2e/requirements.txt has it).

`… bench/python_client.py URL NAME`, with the token of an app in GREENROOM_TOKEN: how long calls take in a cache of a running
Greenroom at this address.
"""

import os
import pathlib
import statistics
import sys
import tempfile
import time

import diskcache

import greenroom

ROUNDS, CALLS, KEYS = 15, 2000, 500
BODY = bytes(range(256)) * 4
LIST = [{"key": f"/library/metadata/{number}", "title": "Title", "paths": ["/m/a.mkv"]} for number in range(12)]


def cost_us(call):
    """CPU time of one call in microseconds."""
    began = time.thread_time()
    for number in range(CALLS):
        call(f"item_{number % KEYS}")
    return (time.thread_time() - began) / CALLS * 1e6


def main():
    """Prints each operation of both, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = greenroom.Cache(pathlib.Path(folder) / "ours"), diskcache.Cache(f"{folder}/theirs")
        later = ours.deferred(max_entries=CALLS)
        pairs = {
            "Deferred.set of 1 KiB beside set": (
                lambda key: later.set(key, BODY, 3600),
                lambda key: theirs.set(key, BODY, 3600),
            ),
            "set of 1 KiB": (lambda key: ours.set(key, BODY, 3600), lambda key: theirs.set(key, BODY, 3600)),
            "get of 1 KiB of bytes": (ours.get, theirs.get),
            "get of a list of 12 dicts (1 KiB)": (lambda key: ours.get("list" + key), lambda key: theirs.get("list" + key)),
            "get of a key that is missing": (lambda key: ours.get("no" + key), lambda key: theirs.get("no" + key)),
        }
        for number in range(KEYS):
            ours.set(f"listitem_{number}", LIST), theirs.set(f"listitem_{number}", LIST)
        print(f"Python {sys.version.split()[0]}, diskcache {diskcache.__version__}, µs of CPU: median (lowest to highest)")
        for name, (our_call, their_call) in pairs.items():
            rounds = [(cost_us(our_call), cost_us(their_call)) for _ in range(ROUNDS)]
            (mine, other), ratio = zip(*rounds), statistics.median(one / two for one, two in rounds)
            print(f"{name}: {shown(mine)}, diskcache {shown(other)}, ratio {ratio:.3f} (1/{1 / ratio:.1f})")
        for number in range(KEYS):
            later.set(number, BODY, 3600)
        began = time.thread_time()
        stored = later.drain().stored
        print(f"drain of {stored} entries: {(time.thread_time() - began) / max(1, stored) * 1e6:.2f} µs each")


def time_daemon(url, name):
    """Prints how long calls take in a cache of a running Greenroom, beside a get from a file of this process."""
    with tempfile.TemporaryDirectory() as folder:
        far = greenroom.Cache(url=url, name=name, token=os.environ["GREENROOM_TOKEN"])
        near = greenroom.Cache(pathlib.Path(folder) / "near")
        calls = {
            "set of 1 KiB": lambda key: far.set(key, BODY, 3600),
            "get of 1 KiB": far.get,
            "get of 1 KiB, embedded": near.get,
        }
        for number in range(KEYS):
            near.set(f"item_{number}", BODY)
        for what, call in calls.items():
            took = sorted(took_us(call, f"item_{number % KEYS}") for number in range(CALLS))
            print(f"{what}: p50 {took[CALLS // 2] / 1000:.3f} ms, p90 {took[CALLS * 9 // 10] / 1000:.3f} ms")
        print(f"failed: {far.stats().failures}")


def took_us(call, key):
    """Time until a call is answered, in microseconds."""
    began = time.perf_counter()
    call(key)
    return (time.perf_counter() - began) * 1e6


def shown(values):
    """Median and spread."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else time_daemon(*sys.argv[1:])
