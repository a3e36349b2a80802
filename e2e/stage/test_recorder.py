"""The recording proxy passes everything on and writes down what it saw."""

import http.server
import threading

import requests

from stage.recorder import Recorder


class Echo(http.server.BaseHTTPRequestHandler):
    """A server that answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Answers with path, a header and the body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        content = f"{self.path} {self.headers['X-Plex-Token']} ".encode() + body
        self.send_response(201)
        self.send_header("X-Seen", "yes")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Says nothing."""


def test_a_request_passes_whole_and_is_written_down():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    with Recorder(f"http://127.0.0.1:{server.server_address[1]}") as recorder:
        url = f"{recorder.url}/playlists?title=a%20b&title%3E=c"
        answer = requests.post(url, data=b"body", headers={"X-Plex-Token": "t"}, timeout=10)
    server.shutdown()
    thread.join()
    server.server_close()
    assert (answer.status_code, answer.headers["X-Seen"]) == (201, "yes")
    assert answer.content == b"/playlists?title=a%20b&title%3E=c t body"
    (asked,) = recorder.asked
    assert (asked.method, asked.target) == ("POST", "/playlists?title=a%20b&title%3E=c")
    assert ("X-Plex-Token", "t") in asked.headers
