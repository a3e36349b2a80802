"""A plain proxy in this process that writes down what a client asks."""

import dataclasses
import http.client
import http.server
import threading
import urllib.parse

from .request import Request

# Headers of a connection, not of a request.
OF_THE_CONNECTION = {"host", "connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A request, the status of its answer, and what the gateway says of it."""

    request: Request
    status: int
    cache_status: str


class Recorder:
    """Forwards to `url` and keeps the list of requests in `asked`, and those that were answered in `exchanges`."""

    def __init__(self, url):
        self.asked = []
        self.exchanges = []
        self.upstream = urllib.parse.urlsplit(url)
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                recorder.forward(self)

            do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

            def log_message(self, *_):
                pass

        self.listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.listener.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.listener.server_address[1]}"
        self.thread = threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.05})

    def forward(self, exchange):
        """Writes one request down, asks the server and hands its answer back."""
        headers = [(name, value) for name, value in exchange.headers.items() if name.lower() not in OF_THE_CONNECTION]
        body = exchange.rfile.read(int(exchange.headers.get("Content-Length", 0)))
        request = Request(exchange.command, exchange.path, tuple(headers))
        self.asked.append(request)
        server = http.client.HTTPConnection(self.upstream.hostname, self.upstream.port, timeout=30)
        server.request(exchange.command, exchange.path, body=body or None, headers=dict(headers))
        answer = server.getresponse()
        content = answer.read()
        self.exchanges.append(Exchange(request, answer.status, answer.getheader("Cache-Status", "")))
        exchange.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in OF_THE_CONNECTION:
                exchange.send_header(name, value)
        exchange.send_header("Content-Length", str(len(content)))
        exchange.end_headers()
        exchange.wfile.write(content)
        server.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown()
        self.thread.join()
        self.listener.server_close()
