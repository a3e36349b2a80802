"""A server and a gateway in front of it, for the tests of one file."""

import contextlib

from .gateway import Gateway
from .server import Server


def name_of(request):
    """What the logs of a test file's programs are called."""
    return f"{request.path.parent.name}-{request.path.stem.removeprefix('test_')}"


@contextlib.contextmanager
def a_server(kind, request, options=()):
    """A simulated server that is stopped at the end."""
    server = Server(kind, f"{name_of(request)}-server", options=options)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def a_gateway(server, request, name="gateway", owner_token=None, environment=None):
    """A gateway that is searched for secrets and stopped at the end."""
    gateway = Gateway(server, f"{name_of(request)}-{name}", owner_token, environment)
    try:
        yield gateway
    finally:
        gateway.stop()
