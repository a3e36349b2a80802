"""A server of each kind and a gateway in front of it, which knows only what clients show it."""

import pytest
import requests

from stage.fixtures import a_gateway, a_server
from stage.plex_people import TOKENS


@pytest.fixture(scope="module")
def plex(request):
    """The simulated Plex."""
    with a_server("plex", request) as server:
        yield server


@pytest.fixture(scope="module")
def jellyfin(request):
    """The simulated Jellyfin."""
    with a_server("jellyfin", request) as server:
        yield server


@pytest.fixture(scope="module")
def plex_gateway(plex, request):
    """A gateway in front of the Plex."""
    with a_gateway(plex, request) as gateway:
        gateway.knows(*TOKENS.values())
        yield gateway


@pytest.fixture(scope="module")
def jellyfin_gateway(jellyfin, request):
    """A gateway in front of the Jellyfin."""
    with a_gateway(jellyfin, request) as gateway:
        yield gateway


@pytest.fixture
def jellyfin_token(jellyfin, jellyfin_gateway):
    """Logs a user in on a device of a library."""

    def log_in(name, library):
        named = f'MediaBrowser Client="A walk", Device="A walk", DeviceId="{name}-{library}", Version="1.0"'
        body = {"Username": name, "Pw": ""}
        answer = requests.post(
            f"{jellyfin.url}/Users/AuthenticateByName", json=body, headers={"Authorization": named}, timeout=20
        )
        answer.raise_for_status()
        jellyfin_gateway.knows(answer.json()["AccessToken"])
        return answer.json()["AccessToken"]

    return log_in
