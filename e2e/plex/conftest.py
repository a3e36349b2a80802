"""A Plex server, a gateway in front of it, and the people who use them. Each test file has its own."""

import pytest

from stage.fixtures import a_gateway, a_server
from stage.plex_people import Person


@pytest.fixture(scope="module")
def server(request):
    """The simulated server."""
    with a_server("plex", request) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(server, request):
    """The gateway, without a token of its own: it knows only what clients show it."""
    with a_gateway(server, request) as gateway:
        yield gateway


@pytest.fixture
def olga(gateway):
    """The owner."""
    return Person("olga", gateway)


@pytest.fixture
def olga_too(gateway):
    """The owner with another token, as another app would have it."""
    return Person("olga too", gateway)


@pytest.fixture
def sam(gateway):
    """A user who sees everything, with a state of their own."""
    return Person("sam", gateway)


@pytest.fixture
def kim(gateway):
    """A user who may not see the shows."""
    return Person("kim", gateway)


@pytest.fixture
def behind(server):
    """The owner at the server itself, behind the gateway's back."""
    return Person("olga", server)


@pytest.fixture
def films(olga):
    """The library of films, as the owner sees it."""
    return library(olga, "movie")


@pytest.fixture
def shows(olga):
    """The library of shows, as the owner sees it."""
    return library(olga, "show")


@pytest.fixture
def music(olga):
    """The library of music, as the owner sees it."""
    return library(olga, "artist")


def library(person, kind):
    """The first library of this kind that a user sees."""
    return next(section for section in person.plex.library.sections() if section.type == kind)
