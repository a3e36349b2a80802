"""Behind nginx, below a path of its own: apps, sockets, and the control page, with the lines of the documentation."""

import itertools
import json

import pytest
import requests
import websocket

from stage.fixtures import a_gateway, a_server, name_of
from stage.jellyfin_people import Person
from stage.nginx import Nginx
from stage.waiting import until

HOST = "media.example"
TOLD = {
    "GREENROOM_SERVER_JELLYFIN_LISTEN_BASE_PATH": "/jellyfin",
    "GREENROOM_CONTROL_BASE_PATH": "/greenroom",
    "GREENROOM_CONTROL_HOSTS": HOST,
}
# A prefix that nginx takes off itself, as some people write it.
TAKEN_OFF = "location /tv/ { proxy_pass %s/; }"


@pytest.fixture(scope="module")
def server(request):
    """A server that takes only today's forms of a credential."""
    with a_server("jellyfin", request, ["--switch", "reject-legacy-auth"]) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(server, request):
    """A gateway that was told of the paths."""
    with a_gateway(server, request, environment=TOLD) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def nginx(gateway, request):
    """nginx in front of it."""
    known = {"127.0.0.1:8196": gateway.url.removeprefix("http://"), "127.0.0.1:8710": gateway.control.removeprefix("http://")}
    nginx = Nginx(f"{name_of(request)}-nginx", known, TAKEN_OFF % gateway.url)
    yield nginx
    nginx.stop()


class Below:
    """The gateway as apps find it."""

    def __init__(self, nginx, gateway):
        self.url = f"{nginx.url}/jellyfin"
        self.knows = gateway.knows


@pytest.fixture(scope="module")
def olga(nginx, gateway):
    """The owner, whose app was given the address behind nginx."""
    person = Person("olga", Below(nginx, gateway))
    yield person
    person.leave()


def seen(url, **named):
    """Requests as a client that calls the host by its name."""
    return requests.get(url, headers={"Host": HOST}, timeout=20, **named)


def test_a_real_client_works_below_a_path(olga, gateway):
    assert {view["Name"] for view in olga.api.get_views()["Items"]}
    film = olga.listed("Movie", limit=1)[0]["Id"]
    olga.api.item_played(film, True)
    assert olga.state(film)["Played"] is True
    olga.kept(lambda: olga.api.get_views())


def test_an_image_and_a_piece_of_a_film_come_through(olga, nginx):
    film = olga.listed("Movie", limit=1)[0]["Id"]
    image = requests.get(f"{nginx.url}/jellyfin/Items/{film}/Images/Primary", timeout=20)
    assert image.status_code == 200 and image.headers["Content-Type"].startswith("image/")
    piece = requests.get(
        f"{nginx.url}/jellyfin/Videos/{film}/stream?static=true&api_key={olga.token}",
        headers={"Range": "bytes=100-299"},
        timeout=20,
    )
    assert piece.status_code == 206 and len(piece.content) == 200


def test_clients_are_told_the_address_they_used(nginx, gateway):
    info = lambda url, **named: requests.get(f"{url}/System/Info/Public", timeout=20, **named).json()["LocalAddress"]
    assert info(f"{nginx.url}/jellyfin", headers={"Host": HOST}) == f"http://{HOST}/jellyfin"
    assert info(f"{nginx.url}/jellyfin") == f"{nginx.url}/jellyfin"
    assert info(f"{nginx.url}/tv") == f"{nginx.url}/jellyfin"
    assert info(gateway.url) == f"{gateway.url}/jellyfin"


def test_a_socket_goes_through(olga, nginx):
    address = f"{nginx.url.replace('http', 'ws', 1)}/jellyfin/socket?api_key={olga.token}&deviceId=through-nginx"
    socket = websocket.create_connection(address, timeout=20)
    try:
        assert json.loads(socket.recv())["MessageType"] == "ForceKeepAlive"
        socket.send(json.dumps({"MessageType": "KeepAlive"}))
        assert json.loads(socket.recv())["MessageType"] == "KeepAlive"
    finally:
        socket.close()


def test_the_page_and_all_it_needs_are_below_its_path(nginx):
    led = seen(f"{nginx.url}/greenroom", allow_redirects=False)
    assert (led.status_code, led.headers["Location"]) == (308, "/greenroom/")
    page = seen(f"{nginx.url}/greenroom/")
    assert page.status_code == 200 and "<title>Greenroom" in page.text
    for part in ("page.css", "page.js", "views/overview.js", "favicon.svg", "healthz"):
        assert f'"/{part}' not in page.text
        assert seen(f"{nginx.url}/greenroom/{part}").status_code == 200


def test_behind_a_proxy_nobody_is_local(nginx, gateway):
    assert requests.get(f"{gateway.control}/api/v1/cache/stats", timeout=20).status_code == 200
    for host in (HOST, "localhost", "127.0.0.1"):
        stats = requests.get(f"{nginx.url}/greenroom/api/v1/cache/stats", headers={"Host": host}, timeout=20)
        assert stats.status_code == 401, host
    foreign = requests.get(f"{nginx.url}/greenroom/", headers={"Host": "evil.example"}, timeout=20)
    assert foreign.status_code == 421


def test_whoever_logs_in_there_sees_the_figures_live_until_the_token_is_renewed(nginx, gateway):
    browser = requests.Session()
    browser.headers.update({"Host": HOST, "Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"})
    api = f"{nginx.url}/greenroom/api/v1"
    token = gateway.control_token()
    entered = browser.post(f"{api}/session", json={"token": token}, timeout=20)
    assert entered.status_code == 200
    cookie = entered.headers["Set-Cookie"]
    assert "; Path=/greenroom/;" in cookie and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    # The client does not send cookies of one name's page to another.
    browser.headers["Cookie"] = cookie.partition(";")[0]
    assert browser.get(f"{api}/cache/stats", timeout=20).status_code == 200
    assert browser.post(f"{api}/cache/clear", timeout=20).json()["success"] is True
    foreign = browser.post(f"{api}/cache/clear", headers={"Origin": "http://evil.example"}, timeout=20)
    assert foreign.status_code == 403
    with browser.get(f"{api}/events", stream=True, timeout=20) as events:
        lines = events.iter_lines(decode_unicode=True)
        told = iter(lambda: list(itertools.takewhile(bool, lines)), None)
        figures = (said for said in told if said[0] == "event: figures")
        for heard in itertools.islice(figures, 2):
            assert "servers" in json.loads(heard[1].removeprefix("data: "))
    gateway.renew_control_token()
    until(lambda: browser.get(f"{api}/cache/stats", timeout=20).status_code == 401, "the session has ended")
