"""The built program as a child process: started, waited for by state, stopped by its id."""

import os
import pathlib
import signal
import socket
import subprocess

import requests

from .waiting import until

BINARY = pathlib.Path(os.environ.get("GREENROOM_BINARY", "target/debug/greenroom"))
LOGS = pathlib.Path(os.environ.get("GREENROOM_E2E_LOGS", "target/e2e"))
# A program that is told to stop has this long.
STOPS_WITHIN_S = 15


def free_port():
    """A port of the loopback address that no process listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def own_environment():
    """Our environment without what the program would take for its own configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}


class Program:
    """One run of the program, with its output kept in a file."""

    def __init__(self, name, arguments, environment=None):
        LOGS.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log_path = LOGS / f"{name}.log"
        with self.log_path.open("wb") as log:
            self.child = subprocess.Popen(
                [str(BINARY), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=own_environment() | (environment or {}),
            )

    def log(self):
        """What the program has written so far."""
        return self.log_path.read_text(errors="replace")

    def answers(self, url):
        """Whether `url` answers 200; fails if the program is gone."""
        if self.child.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.child.returncode}:\n{self.log()[-4000:]}")
        try:
            return requests.get(url, timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def wait_for(self, url):
        """Waits until `url` answers 200."""
        until(lambda: self.answers(url), f"{self.name} answers {url}")

    def kill(self):
        """Ends the program at once, as a power cut would."""
        self.child.kill()
        self.child.wait(timeout=STOPS_WITHIN_S)

    def stop(self):
        """Tells the program to stop and returns its exit code."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(timeout=STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop within {STOPS_WITHIN_S} s") from None
