"""PlexAPI connects through the gateway as to the server itself."""

import pytest
import requests
from plexapi.exceptions import Unauthorized
from plexapi.server import PlexServer


def test_the_client_finds_the_same_server(olga, behind):
    for shown in ("machineIdentifier", "friendlyName", "version", "platform", "myPlexUsername"):
        assert getattr(olga.plex, shown) == getattr(behind.plex, shown), shown
    assert olga.plex.identity().machineIdentifier == behind.plex.machineIdentifier


def test_the_second_app_of_a_person_is_answered_from_the_cache(olga, gateway):
    olga.kept(lambda: olga.plex.query("/"))
    assert PlexServer(gateway.url, token=olga.token).machineIdentifier == olga.plex.machineIdentifier


def test_a_token_that_the_server_does_not_know_is_unauthorized(gateway):
    with pytest.raises(Unauthorized):
        PlexServer(gateway.url, token="a-token-nobody-gave-out")


def test_a_known_answer_is_not_given_to_an_unknown_token(olga, gateway):
    olga.kept(lambda: olga.plex.query("/library/sections"))
    stranger = requests.get(f"{gateway.url}/library/sections", headers={"X-Plex-Token": "a-token-nobody-gave-out"})
    assert stranger.status_code == 401
    assert "Directory" not in stranger.text


def test_without_a_token_the_client_is_unauthorized(gateway):
    with pytest.raises(Unauthorized):
        PlexServer(gateway.url)


def test_what_an_owner_may_ask_is_asked(olga, behind):
    assert [account.name for account in olga.plex.systemAccounts()] == [
        account.name for account in behind.plex.systemAccounts()
    ]
    assert [device.name for device in olga.plex.systemDevices()] == [
        device.name for device in behind.plex.systemDevices()
    ]
    assert [setting.id for setting in olga.plex.settings.all()] == [
        setting.id for setting in behind.plex.settings.all()
    ]
    assert [client.title for client in olga.plex.clients()] == [client.title for client in behind.plex.clients()]
    assert len(olga.plex.activities) == len(behind.plex.activities)
