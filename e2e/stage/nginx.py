"""A real nginx in front of the gateway, with the lines that the documentation shows."""

import pathlib
import shutil
import subprocess
import tempfile

import requests

from .program import LOGS, STOPS_WITHIN_S, free_port
from .waiting import until

LINES = pathlib.Path(__file__).parents[2] / "docs" / "nginx.conf"
# Debian keeps it where only administrators look.
PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"

WHOLE = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {log} warn;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {lines}
        {more}
    }}
}}
"""


class Nginx:
    """nginx on a port of its own; `known` says what stands for the documented addresses."""

    def __init__(self, name, known, more=""):
        program = shutil.which("nginx", path=PATH)
        assert program, "missing: nginx; e2e/prepare.sh says how to get it"
        self.folder = tempfile.TemporaryDirectory(prefix="greenroom-nginx-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        lines = LINES.read_text()
        for documented, real in known.items():
            assert documented in lines, f"{documented} is not documented"
            lines = lines.replace(documented, real)
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = LOGS / f"{name}.log"
        text = WHOLE.format(folder=self.folder.name, log=self.log, port=self.port, lines=lines, more=more)
        config = pathlib.Path(self.folder.name) / "nginx.conf"
        config.write_text(text)
        self.child = subprocess.Popen([program, "-p", self.folder.name, "-c", str(config), "-e", str(self.log)])
        until(self.is_there, "nginx answers")

    def is_there(self):
        """Whether it answers anything; fails if it is gone."""
        assert self.child.poll() is None, f"nginx ended:\n{self.log.read_text()}"
        try:
            return requests.get(f"{self.url}/nothing", timeout=5).status_code == 404
        except requests.RequestException:
            return False

    def stop(self):
        """Ends it."""
        self.child.terminate()
        try:
            self.child.wait(timeout=STOPS_WITHIN_S)
        finally:
            self.child.kill()
            self.folder.cleanup()
