"""What the API says of itself is so: asked with everything that its description allows, and with much that it does not."""

import pathlib
import subprocess
import sys

import jsonschema_rs
import pytest
import requests

from stage.fixtures import a_gateway, a_server
from stage.program import LOGS, own_environment
from stage.waiting import until

HERE = pathlib.Path(__file__).parent
OWNER = "plx-owner-a"
# Turning a library off, or logging out, takes from all other calls what they are answered from: they are asked apart.
TAKES_AWAY = ("put_libraries_id", "delete_session")
RUN_LASTS_S = 120


@pytest.fixture(scope="module")
def gateway(request):
    """A gateway with every library indexed, so that nothing has to be answered with 'not yet'."""
    with a_server("plex", request) as server, a_gateway(server, request, owner_token=OWNER) as gateway:
        index(gateway)
        # All at once, before wrong tokens are shown: who shows many is not let in for a while.
        gateway.sessions = [log_in(gateway) for _ in range(1 + len(TAKES_AWAY))]
        yield gateway


def index(gateway):
    """Builds every library, and waits until each is there."""
    libraries = lambda: requests.get(f"{gateway.control}/api/v1/libraries", timeout=10).json()["libraries"]
    shown = {"Authorization": f"Bearer {gateway.control_token()}"}
    until(lambda: len(libraries()) == 3, "the libraries are known")
    for library in libraries():
        build = f"{gateway.control}/api/v1/libraries/{library['id']}/build"
        requests.post(build, headers=shown, timeout=10).raise_for_status()
    until(lambda: all(library["state"] == "current" for library in libraries()), "the libraries are indexed")


def log_in(gateway):
    """The cookie of a logged-in user. Wrong tokens do not end it, and many will be shown."""
    login = {"token": gateway.control_token()}
    answer = requests.post(f"{gateway.control}/api/v1/session", json=login, timeout=10)
    name, value = answer.cookies.items()[0]
    gateway.knows(value)
    return f"Cookie: {name}={value}"


def hold(gateway, name, *arguments):
    """Holds the description against the gateway; fails with what was found."""
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
    where = [f"{gateway.control}/api/v1/openapi.json", "--no-color"]
    log = LOGS / f"described-{name}.txt"
    with log.open("w") as out:
        run = subprocess.run(
            [*program, "run", *where, *arguments],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=LOGS,
            env=own_environment(),
            timeout=RUN_LASTS_S,
            check=False,
        )
    told = log.read_text()
    assert run.returncode == 0, told[-6000:]
    assert "No operations" not in told and "Tested: 0" not in told, told[-2000:]


def test_what_is_answered_about_matches_and_playlists_has_the_fields_that_are_described(gateway):
    """Real answers, not only such as nonsense is answered with: found, not found, pinned, and a run with its report.

    The first of all: the others show wrong tokens, and turn libraries off.
    """
    description = requests.get(f"{gateway.control}/api/v1/openapi.json", timeout=10).json()
    shown = {"Authorization": f"Bearer {gateway.control_token()}"}

    def call(method, path, body=None, at=None):
        answer = requests.request(method, f"{gateway.control}{path}", headers=shown, json=body, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.text}"
        responses = description["paths"][at or path.split("?")[0]][method.lower()]["responses"]
        schema = responses[str(answer.status_code)]["content"]["application/json"]["schema"]
        told = answer.json()
        jsonschema_rs.validator_for({**schema, "components": description["components"]}).validate(told)
        unknown = undescribed(description, schema, told)
        assert not unknown, f"{method} {path} answers what is not described: {unknown}"
        return told

    libraries = requests.get(f"{gateway.control}/api/v1/libraries", timeout=10).json()["libraries"]
    music = next(library["id"] for library in libraries if library["contents"] == "music")
    films = next(library["id"] for library in libraries if library["contents"] == "films")
    track = some_track(gateway, music)
    asked = {"title": track["title"], "artist": track["artist"]}
    nowhere = {"title": "Nowhere to be found", "artist": "Nobody"}
    tracks = call("POST", "/api/v1/match/tracks", {"library": music, "tracks": [asked, nowhere]})
    assert [one["decision"] for one in tracks["tracks"]][1] == "reject"
    key = tracks["tracks"][0]["candidates"][0]["key"]
    pinned = call("PUT", "/api/v1/match/pins", {"library": music, "track": asked, "key": key})
    again = call("POST", "/api/v1/match/tracks", {"library": music, "tracks": [asked]})
    item = again["tracks"][0]["item"]
    assert (again["tracks"][0]["source"], item["key"]) == ("pin", key)
    assert call("GET", "/api/v1/match/pins")["decisions"]
    paths = call("POST", "/api/v1/match/paths", {"library": music, "paths": [*item["files"], "/no/such.flac"]})
    assert paths["high"] >= 1, paths
    ids = call("POST", "/api/v1/match/ids", {"library": music, "ids": [*item["guids"], "imdb://tt0000000"]})
    assert len(ids["ids"]) == len(item["guids"]) + 1
    call("POST", "/api/v1/match/ids", {"library": films, "ids": ["imdb://tt0000000"]})
    assert call("DELETE", "/api/v1/match/pins", {"ids": [pinned["id"]]})["gone"] == 1

    rows = f'title,artist\n"{asked["title"]}","{asked["artist"]}"\n"Nowhere to be found",Nobody\n'
    wish = {"source": rows, "hint": "rows.csv", "name": "Described", "library": music, "dry_run": True}
    run = call("POST", "/api/v1/playlists/sync", wish)
    assert run["report"]["counts"]["missing"] >= 1, run
    of_run = "/api/v1/playlists/runs/{id}"
    call("GET", f"/api/v1/playlists/runs/{run['run']}", at=of_run)
    call("GET", f"/api/v1/playlists/runs/{run['run']}/rows", at=of_run + "/rows")
    call("GET", f"/api/v1/playlists/runs/{run['run']}/missing", at=of_run + "/missing")
    assert call("GET", "/api/v1/playlists/runs")["runs"]
    call("GET", "/api/v1/playlists/standing")


def test_everything_is_answered_as_it_is_described(gateway):
    apart = [word for name in TAKES_AWAY for word in ("--exclude-operation-id", name)]
    hold(gateway, "session", "--header", gateway.sessions.pop(), *apart)


def test_strangers_are_answered_as_it_is_described(gateway):
    # A method that is not listed is not even told apart for who shows nothing.
    hold(gateway, "stranger", "--exclude-checks", "unsupported_method")


def test_what_takes_something_away_is_answered_as_it_is_described(gateway):
    for name in TAKES_AWAY:
        hold(gateway, name, "--header", gateway.sessions.pop(), "--include-operation-id", name)


def some_track(gateway, library):
    """A track that is there, as the server itself tells it."""
    asked = {"X-Plex-Token": OWNER, "Accept": "application/json"}
    section = library.split(":")[1]
    answer = requests.get(f"{gateway.url}/library/sections/{section}/all?type=10", headers=asked, timeout=10)
    row = answer.json()["MediaContainer"]["Metadata"][0]
    return {"title": row["title"], "artist": row["grandparentTitle"]}


def undescribed(description, schema, told, at=""):
    """The names in an answer of which its description says nothing."""
    parts = list(forms(description, schema))
    if isinstance(told, list):
        items = [part["items"] for part in parts if "items" in part]
        return [name for each in told for item in items for name in undescribed(description, item, each, at)]
    if not isinstance(told, dict) or any("additionalProperties" in part for part in parts if "properties" not in part):
        return []
    known = {}
    for part in parts:
        for name, of in part.get("properties", {}).items():
            known.setdefault(name, []).append(of)
    unknown = [f"{at}.{name}" for name in told if name not in known]
    for name in told.keys() & known.keys():
        found = [undescribed(description, of, told[name], f"{at}.{name}") for of in known[name]]
        unknown += min(found, key=len)
    return unknown


def forms(description, schema):
    """A schema with all that it refers to, and each form it may have."""
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        yield from forms(description, schema)
        return
    yield schema
    for word in ("allOf", "oneOf", "anyOf"):
        for part in schema.get(word, []):
            yield from forms(description, part)
