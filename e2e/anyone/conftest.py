"""One server of each kind with a gateway in front of it, for clients of other projects."""

import pytest
import requests

from stage import jellyfin_people
from stage.fixtures import a_gateway, a_server


@pytest.fixture(scope="module", params=["plex", "jellyfin"])
def gateway(request):
    """A gateway in front of a server of either kind."""
    with a_server(request.param, request) as server, a_gateway(server, request) as gateway:
        yield gateway


@pytest.fixture
def token(gateway):
    """A token that the server behind the gateway knows."""
    if gateway.server.kind == "plex":
        gateway.knows("plx-owner-a")
        return "plx-owner-a"
    person = jellyfin_people.Person("olga", gateway, device="desk")
    person.leave()
    return person.token


@pytest.fixture
def ask(gateway, token):
    """Asks with that token for what this kind of server calls its libraries, or for another path."""
    read, header = {
        "plex": ("/library/sections", "X-Plex-Token"),
        "jellyfin": ("/UserViews", "X-Emby-Token"),
    }[gateway.server.kind]
    return lambda path=read, **named: requests.get(gateway.url + path, headers={header: token}, timeout=20, **named)
