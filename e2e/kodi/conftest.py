"""Kodi with both add-ons, and a simulated GraphQL API."""

import pytest

from kodi.real_kodi import Screen, enabled_kodi
from stage.server import Server

OWNER, SAM = "gql-owner-a", "gql-sam"


@pytest.fixture(scope="session")
def screen():
    """A screen for Kodi."""
    screen = Screen()
    yield screen
    screen.stop()


@pytest.fixture(scope="session")
def installed(screen, tmp_path_factory):
    """A home in which both add-ons are installed and enabled. It is copied, never used."""
    return enabled_kodi(tmp_path_factory.mktemp("kodi") / "home", screen)


@pytest.fixture
def server():
    """A GraphQL API with 24 series and 300 films."""
    server = Server("graphql", "kodi-graphql")
    yield server
    server.stop()


@pytest.fixture
def kodi(installed, server, tmp_path, request):
    """A Kodi that is not started yet, logged in as the owner."""
    kodi = installed.copied_to(tmp_path / "home")
    kodi.configure(api_url=f"{server.url}/graphql", api_token=OWNER, enable_performance_logging="true")
    yield kodi
    kodi.stop()
    kodi.keep_log(request.node.name)
    assert not kodi.warnings()
