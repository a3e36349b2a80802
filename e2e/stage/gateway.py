"""The gateway in front of one server."""

import itertools
import pathlib
import subprocess
import tempfile

import requests

from . import traces
from .program import BINARY, Program, free_port, own_environment
from .server import GREETING

# What the control plane shows to anybody on this machine. Nothing of it may hold a secret.
OPEN_PAGES = ("/", "/metrics", "/healthz", "/readyz", "/api/v1/cache/stats", "/api/v1/servers", "/api/v1/session")


class Gateway:
    """`greenroom serve`, its directory and its control plane."""

    def __init__(self, server, name, owner_token=None, environment=None):
        self.server = server
        self.secrets = set()
        self.directory = tempfile.TemporaryDirectory(prefix="greenroom-e2e-")
        port, control = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.control = f"http://127.0.0.1:{control}"
        arguments = ["serve", f"--{server.kind}", server.url, "--listen", f"127.0.0.1:{port}"]
        arguments += ["--control", f"127.0.0.1:{control}", "--data-dir", str(self.data_dir)]
        if owner_token:
            arguments += ["--token-file", str(self.written(owner_token))]
        # The more it says, the more it could give away.
        self.program = Program(name, arguments, {"GREENROOM_LOG": "debug"} | (environment or {}))
        self.program.wait_for(self.control + "/healthz")
        self.program.wait_for(self.url + GREETING[server.kind])

    @property
    def data_dir(self):
        """Where the gateway keeps its state."""
        return pathlib.Path(self.directory.name) / "data"

    def written(self, token):
        """A file that holds `token`, readable only by us."""
        self.knows(token)
        path = pathlib.Path(self.directory.name) / "token"
        path.touch(mode=0o600)
        path.write_text(token)
        return path

    def knows(self, *secrets):
        """Notes secrets that pass through this gateway, so that they are searched for at the end."""
        self.secrets.update(secrets)

    def shown(self):
        """Everything this gateway has shown or written, by where."""
        pages = {path: requests.get(self.control + path, timeout=10).text for path in OPEN_PAGES}
        pages["/api/v1/events"] = self.first_event()
        files = {
            str(path.relative_to(self.data_dir)): path.read_bytes().decode("latin-1")
            for path in self.data_dir.rglob("*")
            if path.is_file()
        }
        names = {"file names": "\n".join(files)}
        return pages | files | names | {"log": self.program.log()}

    def first_event(self):
        """What the page hears first."""
        with requests.get(f"{self.control}/api/v1/events", stream=True, timeout=10) as events:
            return "\n".join(itertools.takewhile(bool, events.iter_lines(decode_unicode=True)))

    def figures(self):
        """All figures."""
        return requests.get(f"{self.control}/api/v1/cache/stats", timeout=10).json()

    def control_token(self):
        """The token that changes need, as its owner asks for it."""
        return self.told("token", "show")

    def renew_control_token(self):
        """Makes another token, as its owner does."""
        return self.told("token", "rotate")

    def told(self, *words):
        """What the program prints about this gateway's directory."""
        command = [str(BINARY), *words, "--data-dir", str(self.data_dir)]
        return subprocess.run(command, capture_output=True, check=True, env=own_environment(), text=True).stdout.strip()

    def leaks(self):
        """Where a secret shows."""
        return traces.found(self.secrets, self.shown())

    def stop(self):
        """Searches what it has shown, stops it, and searches its last words."""
        try:
            leaks = self.leaks() if self.program.child.poll() is None else []
            code = self.program.stop()
            leaks += traces.found(self.secrets, {"log": self.program.log()})
        finally:
            self.directory.cleanup()
        assert not leaks, f"{self.program.name} shows secrets: {leaks}"
        assert code == 0, f"{self.program.name} ended with {code}:\n{self.program.log()[-4000:]}"
        assert "panicked" not in self.program.log(), f"{self.program.name} panicked:\n{self.program.log()[-4000:]}"
