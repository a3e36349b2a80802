"""The client connects, logs in and out through the gateway as at the server itself, with every form of a token."""

import pytest
import requests
from jellyfin_apiclient_python import JellyfinClient
from jellyfin_apiclient_python.exceptions import HTTPException

from stage.jellyfin_people import Person

# The ways a token is sent: as headers and as a query.
FORMS = {
    "scheme MediaBrowser": ({"Authorization": 'MediaBrowser Token="{}"'}, {}),
    "scheme MediaBrowser with a device": (
        {"Authorization": 'MediaBrowser Client="A, B", Device="C", DeviceId="olga-sofa", Version="1", Token="{}"'},
        {},
    ),
    "scheme Emby": ({"Authorization": 'Emby Token="{}"'}, {}),
    "X-Emby-Authorization": ({"X-Emby-Authorization": 'MediaBrowser Client="C", Token="{}"'}, {}),
    "X-Emby-Token": ({"X-Emby-Token": "{}"}, {}),
    "X-MediaBrowser-Token": ({"X-MediaBrowser-Token": "{}"}, {}),
    "ApiKey": ({}, {"ApiKey": "{}"}),
    "api_key": ({}, {"api_key": "{}"}),
}


def ask(at, path, form, token):
    """Asks with a token in one of its forms."""
    headers, query = ({name: value.format(token) for name, value in part.items()} for part in FORMS[form])
    return requests.get(at.url + path, headers=headers, params=query, timeout=20)


def test_the_client_finds_the_same_server(olga, behind):
    ours, theirs = olga.api.get_system_info_new(), behind.api.get_system_info_new()
    assert [ours[name] for name in ("Id", "ServerName", "Version")] == [
        theirs[name] for name in ("Id", "ServerName", "Version")
    ]
    assert olga.client.auth.server_id == ours["Id"]


def test_the_address_in_public_info_is_the_one_the_client_used(gateway):
    info = requests.get(f"{gateway.url}/System/Info/Public", timeout=20).json()
    assert info["LocalAddress"] == gateway.url


def test_a_wrong_name_is_not_let_in(gateway):
    client = JellyfinClient(allow_multiple_clients=True)
    client.config.app("Greenroom Companion", "1.0", "a door", "a-door")
    client.config.data["auth.ssl"] = True
    client.auth.connect_to_address(gateway.url)
    assert client.auth.login(gateway.url, "nobody", "nothing") == {}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_token_opens_the_door_and_meets_in_one_answer(form, olga, server, gateway):
    path = f"/UserViews?userId={olga.user_id}"
    kept = ask(gateway, path, "scheme MediaBrowser", olga.token).content
    # A later server takes only today's form itself.
    direct = ask(server, path, "scheme MediaBrowser", olga.token)
    # An answer may depend on the app that a request names, so those that name one meet in another answer.
    if "Client=" in str(FORMS[form]):
        ask(gateway, path, form, olga.token)
    through = ask(gateway, path, form, olga.token)
    assert through.status_code == direct.status_code == 200
    assert through.content == direct.content == kept
    assert "; hit" in through.headers["Cache-Status"]


@pytest.mark.parametrize("form", FORMS)
def test_an_unknown_token_opens_no_door_in_any_form(form, olga, gateway):
    path = f"/UserViews?userId={olga.user_id}"
    ask(gateway, path, "scheme MediaBrowser", olga.token)
    assert ask(gateway, path, form, "0123456789abcdef0123456789abcdef").status_code == 401


def test_who_has_logged_out_is_out_at_once(gateway):
    person = Person("sam", gateway, device="borrowed tablet")
    person.kept(person.api.get_views)
    person.api.sessions("/Logout", "POST")
    with pytest.raises(HTTPException, match="Unauthorized"):
        person.api.get_views()
    person.leave()


def test_logging_in_by_code_works(gateway, olga):
    client = JellyfinClient(allow_multiple_clients=True)
    client.config.app("Greenroom Companion", "1.0", "a television", "a-television")
    client.config.data["auth.ssl"] = True
    client.auth.connect_to_address(gateway.url)
    api = client.auth.API
    assert api.quick_connect_enabled(gateway.url)
    started = api.quick_connect_initiate(gateway.url)
    assert api.quick_connect_state(gateway.url, started["Secret"])["Authenticated"] is False
    olga.api._post("QuickConnect/Authorize", params={"code": started["Code"]})
    assert api.quick_connect_state(gateway.url, started["Secret"])["Authenticated"] is True
    signed_in = client.auth.login_with_quick_connect(gateway.url, started["Secret"])
    gateway.knows(signed_in["AccessToken"], started["Secret"])
    assert signed_in["User"]["Id"] == olga.user_id
