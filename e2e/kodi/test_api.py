"""The add-on's requests against the simulated API, and what it makes of failures on the way."""

import socket
import threading
import time

import pytest
import requests

from kodi.fake_host import FakeHost
from kodi.house import HOUR_S, facts
from resources.lib import plugin
from resources.lib.api import Api, ApiError, Failure
from stage.program import free_port
from stage.server import Server

PROJECTS = "query Projects { projects { name } }"


@pytest.fixture(scope="module")
def api_server():
    """A GraphQL API with 24 series and 300 films."""
    server = Server("graphql", "kodi-api")
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def well(api_server):
    """Every test begins without faults."""
    yield
    for page in ("faults", "operation-errors", "ledger"):
        requests.delete(f"{api_server.url}/__simulator/{page}", timeout=10).raise_for_status()


def spoil(server, page, rule):
    """Injects a fault."""
    requests.put(f"{server.url}/__simulator/{page}", json=rule, timeout=10).raise_for_status()


class Visits:
    """Runs of the add-on against the server."""

    def __init__(self, server, folder):
        self.url, self.folder, self.now_s, self.token = f"{server.url}/graphql", folder, 1_000_000.0, "gql-owner-a"

    def open(self, action, **arguments):
        """Opens a menu, or does an action."""
        settings = {"api_url": self.url, "api_token": self.token}
        host = FakeHost(self.folder, [], settings, {"action": action, **arguments}, lambda: self.now_s)
        plugin.run(host)
        return host


@pytest.fixture
def visits(api_server, tmp_path):
    """An installation."""
    return Visits(api_server, tmp_path)


def arguments(row):
    """The arguments of a row's address."""
    return dict(pair.split("=", 1) for pair in row.url.split("?", 1)[1].split("&"))


def test_every_menu_of_the_service_is_shown(visits):
    series = visits.open("projects", type="series").rows
    assert len(series) == 24 and all(row.picture and row.fanart for row in series)
    seasons = visits.open(**arguments(series[0])).rows
    episodes = visits.open(**arguments(seasons[2])).rows
    assert (len(seasons), len(episodes)) == (3, 8) and [row.season for row in episodes] == [3] * 8
    films = visits.open("projects", type="movie").rows
    assert len(visits.open(**arguments(visits.open(**arguments(films[9])).rows[0])).rows) == 1
    resume = visits.open("continue_watching").rows
    assert len(resume) == 11 and all(row.watch.position_s > 0 for row in resume[:-1])
    more = visits.open(**arguments(resume[-1])).rows
    assert more and not {row.url for row in more} & {row.url for row in resume}


def test_a_change_reaches_the_service_and_shows_in_the_menus(visits, api_server):
    first = visits.open("continue_watching").rows[0]
    (_, mark), (_, remove) = first.menu
    visits.open(**dict(pair.split("=", 1) for pair in mark.split("?")[1].split("&")))
    assert first.url not in {row.url for row in visits.open("continue_watching").rows}
    second = visits.open("continue_watching").rows[0]
    remove = second.menu[1][1]
    visits.open(**dict(pair.split("=", 1) for pair in remove.split("?")[1].split("&")))
    assert second.url not in {row.url for row in visits.open("continue_watching").rows}
    played = visits.open(**arguments(second)).played
    assert played[0].startswith(f"{api_server.url}/media/") and requests.get(played[0], timeout=10).ok


@pytest.mark.parametrize(
    ("page", "rule", "failure"),
    [
        ("faults", {"fault": "truncated"}, Failure.UNREACHABLE),
        ("faults", {"fault": "html_instead_of_json"}, Failure.UNREACHABLE),
        ("faults", {"fault": "start_page503"}, Failure.UNREACHABLE),
        ("faults", {"fault": "answer_lost"}, Failure.UNREACHABLE),
        ("faults", {"fault": "gzip"}, Failure.UNREACHABLE),
        ("faults", {"fault": {"status": 500}}, Failure.UNREACHABLE),
        ("faults", {"fault": {"status": 302}}, Failure.UNREACHABLE),
        ("faults", {"fault": {"status": 401}}, Failure.REFUSED),
        ("operation-errors", {}, Failure.ERRORS),
        ("operation-errors", {"partial": True}, Failure.ERRORS),
    ],
    ids=str,
)
def test_a_failure_replaces_no_good_value_and_an_older_one_is_shown(visits, api_server, page, rule, failure):
    before = visits.open("projects", type="series").rows
    visits.now_s += 13 * HOUR_S
    spoil(api_server, page, rule)
    with pytest.raises(ApiError) as raised:
        Api(visits.url, visits.token).ask(PROJECTS)
    assert raised.value.failure is failure and visits.token not in str(raised.value)
    during = visits.open("projects", type="series")
    if failure is Failure.REFUSED:
        assert during.succeeded is False
        return
    assert during.rows == before and during.notes == ["SHOWN_FROM_CACHE"]
    requests.delete(f"{api_server.url}/__simulator/{page}", timeout=10)
    assert facts(visits.open("projects", type="series"), "projects_menu")[0]["source"] == "loaded"


def test_a_service_that_does_not_answer_in_time_is_unreachable(visits, api_server):
    spoil(api_server, "faults", {"fault": "hang"})
    with pytest.raises(ApiError) as raised:
        Api(visits.url, "").ask(PROJECTS, timeout_s=0.2)
    assert raised.value.failure is Failure.UNREACHABLE


@pytest.mark.parametrize(
    "url", ["", "no address", "file:///etc/passwd", "ftp://127.0.0.1/", "http://", "http://[", None]
)
def test_an_address_that_leads_nowhere_is_unreachable(url):
    url = f"http://127.0.0.1:{free_port()}/graphql" if url is None else url
    with pytest.raises(ApiError) as raised:
        Api(url, "token\r\nX: y").ask(PROJECTS)
    assert raised.value.failure is Failure.UNREACHABLE and "token" not in str(raised.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_does_not_take_the_token_elsewhere(visits, api_server, status):
    spoil(api_server, "faults", {"fault": {"status": status}})
    with pytest.raises(ApiError):
        Api(visits.url, visits.token).ask(PROJECTS)
    assert [seen["target"].partition("#")[0] for seen in api_server.reached()] == ["/graphql"]


def test_a_response_that_trickles_in_does_not_take_longer_than_one_that_hangs():
    """Each part comes within the socket's limit, all of them do not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not ended.wait(0.02):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        began = time.monotonic()
        with pytest.raises(ApiError) as raised:
            Api(f"http://127.0.0.1:{server.getsockname()[1]}/", "").ask(PROJECTS, timeout_s=0.3)
        assert raised.value.failure is Failure.UNREACHABLE and time.monotonic() - began < 10
        ended.set()
        thread.join(10)
