"""Several processes on one folder: one load, no lost count, and nothing acknowledged is lost to kill -9."""

import os
import random
import time

from greenroom import Cache
from python_client.processes import output, start

CALLERS, PROCESSES = 100, 8

LOADER = """
import sys, threading
from greenroom import Cache
folder, ledger, callers = sys.argv[1], sys.argv[2], int(sys.argv[3])
cache = Cache(folder, timeout=30)
cache.get("warm")

def load():
    # One byte for each load, appended at once.
    with open(ledger, "ab", 0) as file:
        file.write(b"L")
    # Ends only when all processes are there to ask, so that they meet.
    sys.stdin.readline()
    return {"loaded": True}

def call():
    got.append(cache.get_or_load("key", load, ttl=3600))

got = []
threads = [threading.Thread(target=call) for _ in range(callers)]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads:
    thread.start()
print("asking", flush=True)
for thread in threads:
    thread.join()
print(len(got), all(value == {"loaded": True} for value in got), flush=True)
"""


def test_eight_processes_with_many_callers_at_one_cold_key_load_once(tmp_path):
    ledger = tmp_path / "ledger"
    children = [start(LOADER, tmp_path / "cache", ledger, CALLERS) for _ in range(PROCESSES)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        assert child.stdout.readline() == "asking\n"
    for child in children:
        # Only the one that loads reads it.
        child.stdin.write("end the load\n")
        child.stdin.flush()
    assert [child.communicate(timeout=60)[0] for child in children] == [f"{CALLERS} True\n"] * PROCESSES
    assert ledger.read_bytes() == b"L"


COUNTER = """
import sys
from greenroom import Cache
cache = Cache(sys.argv[1], timeout=60)
for number in range(100):
    assert cache.incr("count") is not None
    assert cache.set((sys.argv[2], number), number)
assert cache.add("winner", sys.argv[2]) in (True, False)
"""


def test_no_count_is_lost_between_processes(tmp_path):
    children = [start(COUNTER, tmp_path / "cache", number) for number in range(PROCESSES)]
    assert [child.wait(60) for child in children] == [0] * PROCESSES
    cache = Cache(tmp_path / "cache")
    assert cache.get("count") == 100 * PROCESSES
    assert len(cache) == 100 * PROCESSES + 2
    assert cache.get("winner") in map(str, range(PROCESSES))


WRITER = """
import sys
from greenroom import Cache
cache = Cache(sys.argv[1], timeout=30)
number = int(sys.argv[2])
later = cache.deferred()
while True:
    number += 1
    # Three of one number belong together; a torn value is one of another length or letter.
    body = bytes([number % 251]) * (1 + number * 37 % 9000)
    kept = cache.set(f"one-{number % 50}", [number, {"body": body}], tag=f"tag-{number % 3}")
    later.set(f"late-{number % 50}", [number, {"body": body}])
    kept = later.drain().stored == 1 and kept
    kept = all(cache.set_many({f"many-{number % 50}-{part}": number for part in "ab"}).values()) and kept
    if kept:
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
"""
KILLS = 100


def test_a_hundred_times_kill_9_loses_nothing_acknowledged_and_tears_nothing(tmp_path):
    folder = tmp_path / "cache"
    dice = random.Random(23)
    number = 0
    for _ in range(KILLS):
        child = start(WRITER, folder, number)
        # Killed after so many acknowledgements, in the middle of whatever comes then.
        for _ in range(dice.randrange(1, 12)):
            number = int(child.stdout.readline())
        child.kill()
        rest = child.stdout.read().split("\n")[:-1]
        child.communicate(timeout=30)
        number = int(rest[-1]) if rest else number
        look_at(folder, number)


def look_at(folder, acknowledged):
    """Fails if an acknowledged number is missing, or a value is none that was written."""
    cache = Cache(folder)
    for number in range(max(1, acknowledged - 20), acknowledged + 1):
        for kind in ("one", "late"):
            found, parts = cache[f"{kind}-{number % 50}"]
            assert found >= number and found <= acknowledged + 1
            assert parts["body"] == bytes([found % 251]) * (1 + found * 37 % 9000)
        halves = {cache[f"many-{number % 50}-{part}"] for part in "ab"}
        assert len(halves) == 1 and halves.pop() >= number, "a batch is stored whole"
    stats = cache.stats()
    assert stats.failures == 0 and "damaged" not in stats.counts
    cache.close()


HOLDER = """
import sys
from greenroom import Cache
lease = Cache(sys.argv[1]).lease("key", 30).__enter__()
print(lease.held, flush=True)
sys.stdin.readline()
"""


def test_a_killed_holders_lease_ends_at_its_deadline(make, clock, tmp_path):
    child = start(HOLDER, tmp_path / "cache")
    assert child.stdout.readline() == "True\n"
    child.kill()
    child.communicate()
    clock.now = time.time()
    cache = make()
    with cache.lease("key", wait_s=0) as lease:
        assert not lease.held
    clock.advance(31)
    with cache.lease("key", wait_s=0) as lease:
        assert lease.held


FORKER = """
import os, sys, threading
from greenroom import Cache
cache = Cache(sys.argv[1], timeout=30)
cache.set("parent", 1)
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        ok = all(cache.set((number, turn), turn) and cache.get("parent") == 1 for turn in range(50))
        os._exit(0 if ok else 1)
    children.append(child)
    cache.set("parent", 1)
print([os.waitpid(child, 0)[1] for child in children], len(cache))
"""


def test_a_cache_may_be_used_on_both_sides_of_a_fork(tmp_path):
    if hasattr(os, "fork"):
        assert output(FORKER, tmp_path / "cache") == "[0, 0, 0, 0] 201\n"


PICKLED = """
import multiprocessing, sys
from greenroom import Cache
def look(cache):
    return cache.get("key")
if __name__ == "__main__":
    cache = Cache(sys.argv[1])
    cache.set("key", "value")
    import pickle
    print(pickle.loads(pickle.dumps(cache)).get("key"))
"""


def test_a_cache_can_be_handed_to_another_process(tmp_path):
    assert output(PICKLED, tmp_path / "cache") == "value\n"
