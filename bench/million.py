#!/usr/bin/env python3
"""Follows the changes of a large library, end to end: build, 1,000 announced changes, restart.

    bench/million.py [TRACKS] [PROGRAM]

PROGRAM is `target/release/greenroom` by default. It runs twice: as a simulated Plex with TRACKS tracks (by default a
million), and as the gateway in front of it, each a process of its own. Changes are edits of titles, sent to the server as
its own app would send them; it announces each. Memory is the gateway's, as the kernel counts it. Only 127.0.0.1.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

TOKEN = "plx-owner-a"  # of the simulated server; it opens nothing else
CHANGES = 1_000


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fetch(url, method="GET", body=None):
    headers = {"X-Plex-Token": TOKEN, "Accept": "application/json", "Content-Type": "application/json"}
    request = urllib.request.Request(url, method=method, headers=headers, data=body and json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as response:
        text = response.read()
    return json.loads(text) if text.startswith(b"{") else None


def wait_until(what, found, pause=0.05, limit=1800):
    began = time.monotonic()
    while True:
        try:
            value = found()
        except (OSError, ValueError):  # it does not listen yet
            value = None
        if value:
            return time.monotonic() - began, value
        if time.monotonic() - began > limit:
            sys.exit(f"gave up: {what}")
        time.sleep(pause)


def memory_mib(process, field):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) // 1024


def cpu_s(process):
    with open(f"/proc/{process.pid}/stat") as status:
        user, system = status.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=120)


def main():
    tracks = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    program = sys.argv[2] if len(sys.argv) > 2 else "target/release/greenroom"
    server_port, gateway_port, control_port = free_port(), free_port(), free_port()
    server, control = f"http://127.0.0.1:{server_port}", f"http://127.0.0.1:{control_port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "greenroom.toml"), "w") as file:
            file.write(
                f'data_dir = "{folder}/data"\n[control]\nlisten = "127.0.0.1:{control_port}"\n'
                f'[[server]]\nname = "home"\nkind = "plex"\nurl = "{server}"\ntoken = "{TOKEN}"\n'
                f'listen = "127.0.0.1:{gateway_port}"\n'
            )
        simulate = [program, "simulate", "plex", "--tracks", str(tracks), "--latency", "none"]
        simulator = subprocess.Popen([*simulate, "--listen", f"127.0.0.1:{server_port}"], **quiet)
        serve = [program, "serve", "--config", file.name]
        gateway = None

        def music():
            libraries = fetch(f"{control}/api/v1/libraries")["libraries"]
            return next((library for library in libraries if library["contents"] == "music"), {"state": "unknown"})

        def current():
            library = music()
            return library["state"] == "current" and library

        try:
            wait_until("the server listens", lambda: fetch(f"{server}/identity"))
            gateway = subprocess.Popen(serve, **quiet)
            took, library = wait_until("the index is built", current)
            print(f"load average {os.getloadavg()[0]:.1f}")
            print(f"build: {took:.1f} s, {cpu_s(gateway):.1f} s of CPU, {library['items']['tracks']} tracks, {library['cost']['requests']} requests")
            print(f"memory of the process: {memory_mib(gateway, 'VmRSS')} MiB, {memory_mib(gateway, 'VmHWM')} at the peak")
            index = library["generation"]["memory_bytes"]
            print(f"memory of the index and its rows, as the program counts it: {index // 1024 // 1024} MiB")

            page = f"{server}/library/sections/3/all?type=10&X-Plex-Container-Start=0&X-Plex-Container-Size={CHANGES}"
            rows = fetch(page)["MediaContainer"]["Metadata"]
            began_cpu_s = cpu_s(gateway)
            before, requests = library["generation"]["number"], library["cost"]["requests"]
            for number, row in enumerate(rows):
                title = urllib.parse.quote(f"Edited number {number}")
                edit = f"type=10&id={row['ratingKey']}&title.value={title}&title.locked=1"
                fetch(f"{server}/library/sections/3/all?{edit}", "PUT")
            announced_cpu_s = cpu_s(gateway)
            wanted = [
                {"title": f"Edited number {number}", "artist": row["grandparentTitle"], "album": row["parentTitle"]}
                for number, row in enumerate(rows)
            ]

            def followed():
                library = current()
                if not library or library["generation"]["number"] == before:
                    return None
                told = fetch(f"{control}/api/v1/match/tracks", "POST", {"library": library["id"], "tracks": wanted})
                if told["accepted"] < len(wanted):
                    sys.exit(f"the index is said to be current, and only {told['accepted']} of {len(wanted)} are in it")
                return library

            took, library = wait_until("the changes are in the index", followed)
            print(f"{len(rows)} changes: in the index, and said to be current, {took:.1f} s after the last was announced")
            print(f"  {cpu_s(gateway) - announced_cpu_s:.1f} s of CPU for it, {announced_cpu_s - began_cpu_s:.1f} before it")
            print(f"  requests to the server for them: {library['cost']['requests'] - requests}")
            print(f"memory of the process: {memory_mib(gateway, 'VmRSS')} MiB, {memory_mib(gateway, 'VmHWM')} at the peak")
            index = library["generation"]["memory_bytes"]
            print(f"memory of the index and its rows, as the program counts it: {index // 1024 // 1024} MiB")

            stop(gateway)
            gateway = subprocess.Popen(serve, **quiet)
            took, library = wait_until("the index is current again", current)
            print(f"restart: current {took:.1f} s after the start, {cpu_s(gateway):.1f} s of CPU, {library['items']['tracks']} tracks")
            print(f"memory of the process: {memory_mib(gateway, 'VmRSS')} MiB, {memory_mib(gateway, 'VmHWM')} at the peak")
        finally:
            for process in filter(None, [gateway, simulator]):
                process.kill()
                process.wait()


main()
