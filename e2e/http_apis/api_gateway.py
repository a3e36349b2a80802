"""The gateway in front of HTTP APIs, configured by the ready-made route files of the documentation."""

import pathlib
import re
import tempfile

import requests

from stage.program import Program, free_port

ROUTES = pathlib.Path(__file__).parents[2] / "docs" / "routes"


class ApiGateway:
    """`greenroom serve` with one route file, in which the addresses alone are changed, and what it offers in comments is
    used if it is wanted."""

    def __init__(self, routes, server, name, *, uses_comments=False):
        self.name = name
        self.directory = tempfile.TemporaryDirectory(prefix="greenroom-e2e-")
        self.port, control = free_port(), free_port()
        self.url, self.control = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{control}"
        folder = pathlib.Path(self.directory.name)
        text = (ROUTES / f"{routes}.toml").read_text()
        if uses_comments:
            text = re.sub(r"^# (\[\[.*\]\]|\w+ += .*)$", r"\1", text, flags=re.M)
        text = re.sub(r'^url( *)= ".*"$', f'url\\1= "{server.url}"', text, count=1, flags=re.M)
        text = re.sub(r'^listen( *)= ".*"$', f'listen\\1= "127.0.0.1:{self.port}"', text, count=1, flags=re.M)
        self.config = folder / "greenroom.toml"
        head = f'data_dir = "{folder / "data"}"\n[control]\nlisten = "127.0.0.1:{control}"\n'
        self.config.write_text(head + text)
        self.starts = 0
        self.start()

    def start(self):
        """Starts it, with what it stored before."""
        self.starts += 1
        arguments = ["serve", "--config", str(self.config)]
        self.program = Program(f"{self.name}-{self.starts}", arguments, {"GREENROOM_LOG": "debug"})
        self.program.wait_for(self.control + "/healthz")

    def restart(self):
        """Stops it as a service does, and starts it again."""
        assert self.program.stop() == 0
        self.start()

    def told(self, path):
        """What the control plane says."""
        response = requests.get(self.control + path, timeout=10)
        response.raise_for_status()
        return response.json()

    def server_stats(self):
        """The figures of its only server."""
        return self.told("/api/v1/servers")[0]

    def decisions(self):
        """The request log, the oldest first."""
        return self.told("/api/v1/decisions?limit=500")["items"][::-1]

    def stop(self):
        """Stops it and removes its directory."""
        assert self.program.stop() == 0
        self.directory.cleanup()
