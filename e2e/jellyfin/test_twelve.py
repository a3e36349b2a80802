"""A newer Jellyfin refuses the old forms of a token; apps that know no other go on working through the gateway."""

import json

import pytest
import requests
import websocket

from stage.fixtures import a_server
from stage.jellyfin_people import Person

OLD_FORMS = {
    "scheme Emby": {"headers": {"Authorization": 'Emby Token="{}"'}},
    "X-Emby-Authorization": {"headers": {"X-Emby-Authorization": 'MediaBrowser Client="C", Token="{}"'}},
    "X-Emby-Token": {"headers": {"X-Emby-Token": "{}"}},
    "X-MediaBrowser-Token": {"headers": {"X-MediaBrowser-Token": "{}"}},
    "api_key": {"params": {"api_key": "{}"}},
}


@pytest.fixture(scope="module")
def server(request):
    """A server that takes only today's forms."""
    with a_server("jellyfin", request, ["--switch", "reject-legacy-auth"]) as server:
        yield server


@pytest.mark.parametrize("form", OLD_FORMS)
def test_an_old_form_is_refused_there_and_translated_here(form, server, gateway, olga):
    carried = {
        place: {name: value.format(olga.token) for name, value in part.items()}
        for place, part in OLD_FORMS[form].items()
    }
    path = f"/UserViews?userId={olga.user_id}"
    assert requests.get(server.url + path, timeout=20, **carried).status_code == 401
    assert requests.get(gateway.url + path, timeout=20, **carried).status_code == 200


def test_the_client_of_today_needs_no_translation(server, gateway, olga):
    direct = Person("olga", server, device="server room")
    assert direct.api.get_views() == olga.api.get_views()
    direct.leave()


class OldApp:
    """An app that was written long ago: every request of it carries an old form of the token."""

    def __init__(self, url, token):
        self.url, self.token = url, token
        self.session = requests.Session()
        self.session.headers["X-Emby-Token"] = token

    def ask(self, method, path, **named):
        """One request."""
        return self.session.request(method, self.url + path, timeout=20, **named)

    def everything(self, user_id):
        """What such an app does in an evening, by what it is called."""
        mine = f"/Users/{user_id}"
        film = self.film(user_id)
        return {
            "reads the libraries": self.ask("GET", f"{mine}/Views"),
            "reads an item": self.ask("GET", f"{mine}/Items/{film}"),
            "marks as played": self.ask("POST", f"{mine}/PlayedItems/{film}"),
            "marks as unplayed": self.ask("DELETE", f"{mine}/PlayedItems/{film}"),
            "reports playing": self.ask("POST", "/Sessions/Playing", json={"ItemId": film, "PositionTicks": 0}),
            "reports the end": self.ask("POST", "/Sessions/Playing/Stopped", json={"ItemId": film, "PositionTicks": 1}),
            "plays a piece": requests.get(
                f"{self.url}/Videos/{film}/stream?static=true&api_key={self.token}",
                headers={"Range": "bytes=0-99"},
                timeout=20,
            ),
            "shows a poster": requests.get(f"{self.url}/Items/{film}/Images/Primary?api_key={self.token}", timeout=20),
        }

    def film(self, user_id):
        """The id of a film."""
        films = self.ask("GET", f"/Users/{user_id}/Items?IncludeItemTypes=Movie&Recursive=true&Limit=1")
        return films.json()["Items"][0]["Id"]


def test_an_old_app_does_all_it_did(server, gateway, olga):
    app = OldApp(gateway.url, olga.token)
    server.forget()
    done = app.everything(olga.user_id)
    assert {what: answer.status_code for what, answer in done.items() if not answer.ok} == {}
    assert done["plays a piece"].content == done["plays a piece"].content[:100] and done["plays a piece"].status_code == 206
    # What was played is seen at once, also by the app of today.
    assert app.ask("POST", f"/Users/{olga.user_id}/PlayedItems/{app.film(olga.user_id)}").ok
    assert olga.state(app.film(olga.user_id))["Played"] is True
    assert not [request for request in server.reached() if "api_key" in json.dumps(request)]


def test_the_same_app_is_refused_by_the_server_itself(server, gateway, olga):
    app = OldApp(server.url, olga.token)
    assert app.ask("GET", f"/Users/{olga.user_id}/Views").status_code == 401
    assert app.ask("POST", "/Sessions/Playing", json={}).status_code == 401


def test_an_old_app_logs_in_and_listens(gateway):
    named = 'MediaBrowser Client="Old", Device="attic", DeviceId="old-attic", Version="1"'
    login = {"headers": {"X-Emby-Authorization": named}, "json": {"Username": "sam", "Pw": ""}, "timeout": 20}
    entered = requests.post(f"{gateway.url}/Users/AuthenticateByName", **login)
    assert entered.status_code == 200
    token = entered.json()["AccessToken"]
    gateway.knows(token)
    address = f"{gateway.url.replace('http', 'ws', 1)}/socket?api_key={token}&deviceId=old-attic"
    socket = websocket.create_connection(address, timeout=20)
    try:
        assert json.loads(socket.recv())["MessageType"] == "ForceKeepAlive"
    finally:
        socket.close()
