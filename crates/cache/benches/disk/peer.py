"""Python's diskcache as a peer: does what the bench says, one command a line, and says how long it took.

    load FILE        keys and values: of each pair two lengths and the bytes
    fill DIR         sets all of them in a new cache there; says the nanoseconds, and those of CPU
    get SEED         gets all of them, shuffled; says the median and the 99th of 100 in nanoseconds
    await SEED       the same from a coroutine, on the thread that keeps the loop free
"""

import asyncio
import random
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import diskcache


def load(path):
    pairs = []
    with open(path, "rb") as file:
        while head := file.read(8):
            key, value = struct.unpack("<II", head)
            pairs.append((file.read(key).decode(), file.read(value)))
    return pairs


def tell(times):
    times.sort()
    print(times[len(times) // 2], times[len(times) * 99 // 100], flush=True)


def shuffled(pairs, seed):
    pairs = list(pairs)
    random.Random(int(seed)).shuffle(pairs)
    return pairs


def get(cache, pairs):
    times, now = [], time.perf_counter_ns
    for key, value in pairs:
        began = now()
        got = cache.get(key)
        times.append(now() - began)
        assert got == value
    tell(times)


async def wait(cache, pairs):
    times, now, loop = [], time.perf_counter_ns, asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as thread:
        for key, value in pairs:
            began = now()
            got = await loop.run_in_executor(thread, cache.get, key)
            times.append(now() - began)
            assert got == value
    tell(times)


def main():
    pairs, cache = [], None
    for line in sys.stdin:
        verb, word = line.split()
        if verb == "load":
            pairs = load(word)
            print(len(pairs), flush=True)
        elif verb == "fill":
            cache = diskcache.Cache(word)
            began, cpu = time.perf_counter_ns(), time.process_time_ns()
            for key, value in pairs:
                cache.set(key, value)
            print(time.perf_counter_ns() - began, time.process_time_ns() - cpu, flush=True)
        elif verb == "get":
            get(cache, shuffled(pairs, word))
        elif verb == "await":
            asyncio.run(wait(cache, shuffled(pairs, word)))


main()
