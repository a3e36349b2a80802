"""Counts what apps get while a live Jellyfin is killed and started again, through the gateway and directly.

    python3 e2e/live/outage.py http://127.0.0.1:8096 --owner root:password [--user anna:password ...] \\
        --pid PID --start "COMMAND"

One app of each user reads on, the same reads all the time, which are in the cache at the beginning: others, such as
suggestions, which are drawn anew each time, are counted apart and fail while the server is down. PID is the server's process;
COMMAND starts it again and ends once it answers. The built program is `$GREENROOM_BINARY` or target/debug/greenroom.
"""

import argparse
import collections
import contextlib
import http.client
import os
import shlex
import signal
import subprocess
import threading
import time

from measure import MOMENTARY, Gateway, Rig, was_asked

# The apps read on for so long after the server answers again.
AFTERWARDS_S = 5
# Pause of an app between two reads, as of a dashboard.
PAUSE_S = 0.01


class App(threading.Thread):
    """Reads the same targets again and again until it is told to stop."""

    def __init__(self, client, targets):
        super().__init__(daemon=True)
        self.client, self.targets = client, targets
        self.stop, self.counts, self.failed = threading.Event(), collections.Counter(), collections.Counter()

    def run(self):
        """Counts statuses; a connection that fails is status 0."""
        while True:
            for target in self.targets:
                if self.stop.is_set():
                    return
                status = 0
                with contextlib.suppress(OSError, http.client.HTTPException):
                    status = self.client.send("GET", target)[0]
                self.counts[status] += 1
                if status != 200:
                    self.failed[target.split("?")[0], status] += 1
                time.sleep(PAUSE_S)


def cached(client, targets):
    """The targets that answer 200, and of these the ones whose second answer comes from the cache."""
    good = [target for target in targets if client.send("GET", target)[0] == 200]
    return good, [target for target in good if not was_asked(client.send("GET", target)[1])]


def main():
    """Runs the outage and prints a line for each side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--owner", required=True, metavar="NAME:PASSWORD")
    parser.add_argument("--user", action="append", default=[], metavar="NAME:PASSWORD")
    parser.add_argument("--pid", required=True, type=int, help="process id of the server")
    parser.add_argument("--start", required=True, metavar="COMMAND", help="starts the server again")
    options = parser.parse_args()
    rig = Rig(options.server, options.owner.split(":"), [user.split(":") for user in options.user])
    gateway = Gateway(rig.base, rig.feed_token)
    try:
        sides = {"directly": [], "through Greenroom": []}
        for name, client in rig.clients.items():
            device = client.at(gateway.url)
            good, targets = cached(device, [read for read in rig.targets(name) if not MOMENTARY.search(read)])
            print(f"{name}: {len(targets)} of {len(good)} reads are cached")
            sides["directly"].append(App(client, targets))
            sides["through Greenroom"].append(App(device, targets))
        os.kill(options.pid, signal.SIGKILL)
        began = time.monotonic()
        apps = [app for side in sides.values() for app in side]
        for app in apps:
            app.start()
        subprocess.run(shlex.split(options.start), check=True, stdout=subprocess.DEVNULL)
        time.sleep(AFTERWARDS_S)
        for app in apps:
            app.stop.set()
        for app in apps:
            app.join()
        print(f"the server was killed and answered again within {time.monotonic() - began - AFTERWARDS_S:.0f} s")
        for side, of_side in sides.items():
            counts = sum((app.counts for app in of_side), collections.Counter())
            failed = sum((app.failed for app in of_side), collections.Counter())
            total = counts.total()
            print(f"{side}: {total:,} reads, {total - counts[200]:,} failed")
            for (path, status), number in failed.most_common(5):
                print(f"  {number:,} x {status} {path}")
    finally:
        gateway.close()


if __name__ == "__main__":
    main()
