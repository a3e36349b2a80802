"""Kodi's JSON-RPC over TCP, on the loopback address only: its web server would listen on every address."""

import json
import socket

CALL_WITHIN_S = 60.0


class RpcError(Exception):
    """Kodi refused a call."""


def documents(text):
    """The JSON documents that follow each other in `text`, whole ones only."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        try:
            document, at = decoder.raw_decode(text, at)
        except ValueError:
            return
        yield document


class JsonRpc:
    """Calls to one Kodi, each over a connection of its own, so that several may be under way at once."""

    def __init__(self, port):
        self.port = port

    def call(self, method, within_s=CALL_WITHIN_S, **params):
        """The result of a call; raises RpcError, or OSError if Kodi is away."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        with socket.create_connection(("127.0.0.1", self.port), timeout=within_s) as connection:
            connection.sendall(json.dumps(request).encode())
            received = b""
            while True:
                part = connection.recv(1 << 20)
                if not part:
                    raise ConnectionError("Kodi hung up")
                received += part
                # Notifications come on the same connection.
                for answer in documents(received.decode(errors="replace")):
                    if answer.get("id") == 1:
                        if "error" in answer:
                            raise RpcError(f"{method}: {answer['error']}")
                        return answer["result"]
