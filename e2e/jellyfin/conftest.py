"""A Jellyfin server, a gateway in front of it, and the people who use them. Each test file has its own."""

import contextlib

import pytest

from stage.fixtures import a_gateway, a_server
from stage.jellyfin_people import Person


@pytest.fixture(scope="module", params=[(), ("--switch", "reject-legacy-auth")], ids=["today", "twelve"])
def server(request):
    """The simulated server, as it is today and as a later version is: that one refuses old forms of a token."""
    with a_server("jellyfin", request, request.param) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(server, request):
    """The gateway, without a token of its own: it knows only what clients show it."""
    with a_gateway(server, request) as gateway:
        yield gateway


@contextlib.contextmanager
def present(*arguments, **named):
    """A user who is removed at the end."""
    person = Person(*arguments, **named)
    try:
        yield person
    finally:
        person.leave()


@pytest.fixture
def olga(gateway):
    """The owner, logged in by name."""
    with present("olga", gateway) as person:
        yield person


@pytest.fixture
def olga_too(gateway):
    """The owner on another device, with another token."""
    with present("olga", gateway, device="kitchen") as person:
        yield person


@pytest.fixture
def sam(gateway):
    """A user who sees everything, with a state of their own."""
    with present("sam", gateway) as person:
        yield person


@pytest.fixture
def kim(gateway):
    """A user who may not see the shows."""
    with present("kim", gateway) as person:
        yield person


@pytest.fixture
def behind(server):
    """The owner at the server itself, behind the gateway's back."""
    with present("olga", server, device="server room") as person:
        yield person
