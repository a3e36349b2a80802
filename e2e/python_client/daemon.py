"""A gateway without a media server: the caches for apps, over TCP and a Unix socket."""

import pathlib
import subprocess
import tempfile

from stage.program import BINARY, Program, free_port, own_environment

from greenroom import Cache

CACHES = ("worker", "other")


class Daemon:
    """`greenroom serve` with caches for apps, and the token of one app."""

    def __init__(self, name, settings=""):
        self.directory = tempfile.TemporaryDirectory(prefix="greenroom-caches-")
        self.folder = pathlib.Path(self.directory.name)
        self.data = self.folder / "data"
        self.socket = f"unix://{self.data}/apps.sock"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.config = self.folder / "greenroom.toml"
        self.config.write_text(
            f'data_dir = "{self.data}"\n[control]\nlisten = "127.0.0.1:{port}"\n'
            f'[apps]\nsocket = "{self.data}/apps.sock"\n[[app_cache]]\nname = "worker"\n{settings}'
        )
        self._name, self._runs = name, 0
        self.start()
        self.token = self.said("token", "add", "worker", "--caches", ",".join(CACHES)).split()[0]
        self.control_token = self.said("token", "show").split()[0]

    def start(self):
        """Starts it, again after `kill` or `stop`."""
        self._runs += 1
        self.program = Program(f"{self._name}-{self._runs}", ["serve", "--config", str(self.config)])
        self.program.wait_for(self.url + "/healthz")

    def said(self, *arguments):
        """What a command prints."""
        command = [str(BINARY), *arguments, "--config", str(self.config)]
        run = subprocess.run(command, capture_output=True, text=True, env=own_environment(), timeout=30, check=True)
        return run.stdout

    def cache(self, name="worker", url=None, **settings):
        """A cache of this daemon, over its socket."""
        return Cache(url=url or self.socket, name=name, token=self.token, **settings)

    def stop(self):
        """Stops it for good."""
        code = self.program.stop()
        log = self.program.log()
        self.directory.cleanup()
        assert code == 0 and "panicked" not in log, log[-4000:]
        assert self.token not in log, "the token is in the log"
