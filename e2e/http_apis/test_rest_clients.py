"""Unmodified clients of HTTP APIs from PyPI through the gateway, with the ready-made route files."""

import time

import musicbrainzngs
import pytest
import requests
import tmdbsimple
from pyarr import RadarrAPI, SonarrAPI
from requests.adapters import HTTPAdapter

from http_apis.api_gateway import ApiGateway
from stage.server import Server

KEY = "api-owner-a"
# Seconds between two requests to MusicBrainz, less what a clock may be off.
PACE_S = 0.95


@pytest.fixture
def server():
    """The simulated HTTP APIs; none of their responses may be stored."""
    server = Server("http", "http-apis", options=("--switch", "forbid-store"))
    yield server
    server.stop()


@pytest.fixture
def gateway_with(server, request):
    """Starts a gateway with a route file; the server has seen nothing yet."""
    running = []

    def start(routes):
        server.forget()
        running.append(ApiGateway(routes, server, f"api-{request.node.name}"))
        return running[-1]

    yield start
    for gateway in running:
        gateway.stop()


def reached(server):
    """Paths that the server was asked for, without its own pages and probes."""
    paths = [row["target"].split("?")[0] for row in server.reached()]
    return [path for path in paths if path.startswith(("/3/", "/ws/", "/api/"))]


class RedirectAdapter(HTTPAdapter):
    """Sends what is meant for one host to another: what a session is for."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    def send(self, request, **options):
        request.url = request.url.replace("https://api.themoviedb.org", self.url, 1)
        return super().send(request, **options)


@pytest.fixture
def tmdb():
    """Points tmdbsimple at an address."""

    def point_at(url):
        session = requests.Session()
        session.mount("https://api.themoviedb.org", RedirectAdapter(url))
        tmdbsimple.API_KEY, tmdbsimple.REQUESTS_SESSION = KEY, session

    yield point_at
    tmdbsimple.REQUESTS_SESSION = None


def tmdb_visit():
    """What a metadata manager asks for."""
    found = tmdbsimple.Search().movie(query="green room")["results"]
    films = [tmdbsimple.Movies(row["id"]).info() for row in found]
    cast = [tmdbsimple.Movies(row["id"]).credits()["cast"][0]["name"] for row in found[:5]]
    season = tmdbsimple.TV_Seasons(1399, 1).info()["episodes"]
    return [film["title"] for film in films], cast, len(season)


def test_tmdb_is_asked_once_over_a_restart_and_an_outage(gateway_with, tmdb, server):
    gateway = gateway_with("tmdb")
    tmdb(gateway.url)
    first = tmdb_visit()
    asked = len(reached(server))
    assert asked == 27, "a search, 20 films, five casts and a season"
    assert tmdb_visit() == first
    gateway.restart()
    assert tmdb_visit() == first
    assert len(reached(server)) == asked
    server.kill()
    assert tmdb_visit() == first, "an outage is not noticed"


def test_a_wrong_tmdb_key_is_refused_as_without_the_gateway(gateway_with, tmdb, server):
    gateway = gateway_with("tmdb")
    tmdb(gateway.url)
    tmdbsimple.API_KEY = "wrong"
    with pytest.raises(requests.HTTPError) as refused:
        tmdbsimple.Movies(550).info()
    assert refused.value.response.status_code == 401
    tmdbsimple.API_KEY = KEY
    assert tmdbsimple.Movies(550).info()["title"] == "Film 550"


def artist(number):
    """The id of an artist."""
    return f"{number:08}-0000-4000-8000-000000000000"


def test_musicbrainz_gets_one_request_a_second_however_fast_it_is_asked(gateway_with, server):
    gateway = gateway_with("musicbrainz")
    musicbrainzngs.set_useragent("greenroom-e2e", "1", "nobody@example.org")
    musicbrainzngs.set_hostname(f"127.0.0.1:{gateway.port}", use_https=False)
    musicbrainzngs.set_rate_limit(False)

    def visit():
        return [musicbrainzngs.get_artist_by_id(artist(number))["artist"]["name"] for number in (1, 2, 3)]

    began = time.monotonic()
    names = visit()
    assert names == [f"Artist {number:08}" for number in (1, 2, 3)]
    assert time.monotonic() - began >= 2 * PACE_S, "the budget is kept"
    assert visit() == names
    assert len(musicbrainzngs.search_artists("green")["artist-list"]) == 3
    assert len(reached(server)) == 4
    rows = gateway.told("/api/v1/statistics?by=class")["rows"]
    assert {row["name"]: (row["asked"], row["saved"]) for row in rows if row["asked"]} == {
        "entities": (6, 3),
        "search with a slash" if any(row["name"].endswith("slash") for row in rows) else "searches": (1, 0),
    }


@pytest.mark.parametrize("kind", ["sonarr", "radarr"])
def test_a_dashboard_of_an_arr_costs_it_nothing_and_sees_its_own_writes(gateway_with, server, kind):
    gateway = gateway_with(kind)
    app = SonarrAPI(gateway.url, KEY) if kind == "sonarr" else RadarrAPI(gateway.url, KEY)
    rows = app.get_series if kind == "sonarr" else app.get_movie
    change = app.upd_series if kind == "sonarr" else app.upd_movie

    def visit():
        return rows(), rows(3), app.get_quality_profile(), app.get_root_folder(), app.get_system_status()["version"]

    first = visit()
    assert len(first[0]) == 40 and first[1]["monitored"]
    assert visit() == first
    asked = len(reached(server))
    assert asked == 5
    change({**first[1], "monitored": False})
    assert rows(3)["monitored"] is False, "a write is seen at once"
    stats = gateway.server_stats()
    assert (stats["kind"], stats["state"], stats["writes"]) == ("http", "well", 1)
    gateway.restart()
    assert rows(3)["monitored"] is False
