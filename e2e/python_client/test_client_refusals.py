"""Refusals that break off, as a Problem."""

import socket
import threading

import pytest

from greenroom import Client, Problem


@pytest.mark.parametrize(
    "refusal",
    [
        b"HTTP/1.1 503 Unavailable\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_a_refusal_that_is_cut_off_is_a_problem(refusal):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(refusal)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(Problem) as raised:
            Client(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=10).call("GET", "/api/v1/servers")
        assert raised.value.code in ("unreachable", "not-an-answer")
        thread.join(10)
