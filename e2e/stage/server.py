"""A simulated server."""

import requests

from .program import Program, free_port

# Where a server says that it is there, without a token.
GREETING = {"plex": "/identity", "jellyfin": "/System/Info/Public", "graphql": "/status", "http": "/status"}
# Large enough for several pages of everything, small enough for a quick walk.
SIZE = ("--films", "300", "--shows", "24", "--tracks", "3000")


class Server:
    """`greenroom simulate KIND`: what a gateway or an app asks."""

    def __init__(self, kind, name, port=None, options=(), size=SIZE):
        self.kind = kind
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        listen = ["--listen", f"127.0.0.1:{self.port}"]
        self.program = Program(name, ["simulate", kind, *listen, "--latency", "none", *size, *options])
        self.program.wait_for(self.url + GREETING[kind])

    def reached(self):
        """The requests that have reached this server since the last `forget`."""
        return requests.get(f"{self.url}/__simulator/requests", timeout=20).json()

    def forget(self):
        """Counts from nothing again."""
        requests.delete(f"{self.url}/__simulator/ledger", timeout=20).raise_for_status()

    def most_at_once(self):
        """How many requests it has worked on at once at the most since the last `forget`."""
        return requests.get(f"{self.url}/__simulator/ledger", timeout=20).json()["max_in_flight"]

    def take_longer(self, by_ms):
        """From now on every answer takes so much longer."""
        rule = {"fault": {"slow": by_ms} if by_ms else "none"}
        requests.put(f"{self.url}/__simulator/faults", json=rule, timeout=20).raise_for_status()

    def stop(self):
        """Ends the server."""
        self.program.stop()

    def kill(self):
        """Ends the server at once."""
        self.program.kill()
