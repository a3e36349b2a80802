"""A connection to a server that can be cut: bytes pass until then, and again after it is mended."""

import contextlib
import socket
import threading


class Relay:
    """Listens on a port of its own and passes everything to a server."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.pairs = set()
        self.is_cut = False
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        """Takes connections until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.open(client)

    def open(self, client):
        """Joins a client with the server, unless the connection is cut."""
        try:
            if self.is_cut:
                raise OSError("cut")
            server = socket.create_connection(self.target, timeout=10)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        with self.lock:
            self.pairs.add((client, server))
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self.copy, args=(one, other, (client, server)), daemon=True).start()

    def copy(self, one, other, pair):
        """Copies bytes one way."""
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        self.close(pair)

    def close(self, pair):
        """Closes both ends."""
        with self.lock:
            self.pairs.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut(self):
        """Ends all connections and takes no new ones."""
        self.is_cut = True
        for pair in list(self.pairs):
            self.close(pair)

    def mend(self):
        """Takes connections again."""
        self.is_cut = False
