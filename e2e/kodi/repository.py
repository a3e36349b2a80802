"""Kodi's add-on repository, for a checker that asks it what there is."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Either add-on as the repository lists it while the other one is checked: one requires the other.
MODULE = '<addons><addon id="script.module.greenroom" name="Greenroom" version="0.1.0"/></addons>'
PLUGIN = (
    '<addons><addon id="plugin.video.greenroom.example" name="Greenroom Example" version="0.1.0">'
    '<requires><import addon="script.module.greenroom" version="0.1.0"/></requires></addon></addons>'
)


class _Lists(BaseHTTPRequestHandler):
    def do_GET(self):
        """Answers a list; the checker asks for it as for any proxy."""
        self.server.asked.append(self.path)
        body = gzip.compress(self.server.addons.encode())
        self.send_response(200 if self.path.endswith("/addons.xml.gz") else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words):
        """Says nothing."""


class Repository:
    """The repository, behind a proxy on this machine."""

    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Lists)
        self.server.asked = []
        self.server.addons = MODULE
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def asked(self):
        """The addresses that were asked for."""
        return self.server.asked

    def holds(self, addons):
        """Sets what is in the lists of all versions."""
        self.server.addons = addons

    def stop(self):
        """Ends it."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
