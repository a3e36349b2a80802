"""The calls of the API, against the built program."""

import itertools

import pytest
import requests

import greenroom
from greenroom import Problem, match, playlists
from stage.fixtures import a_gateway, a_server
from stage.program import free_port
from stage.waiting import until

OWNER = "plx-owner-a"


@pytest.fixture(scope="module")
def gateway(request):
    """A gateway with all its libraries indexed."""
    with a_server("plex", request) as server, a_gateway(server, request, owner_token=OWNER) as gateway:
        token = gateway.control_token()
        client = greenroom.Client(gateway.control, token)
        until(lambda: len(greenroom.libraries(client)) == 3, "the libraries are known")
        for library in greenroom.libraries(client):
            client.call("POST", f"/api/v1/libraries/{library['id']}/build")
        until(
            lambda: all(library["state"] == "current" for library in greenroom.libraries(client)),
            "the libraries are indexed",
        )
        gateway.client = client
        yield gateway


@pytest.fixture
def client(gateway):
    return gateway.client


@pytest.fixture
def tracks(gateway):
    """Some tracks, as the server itself tells them."""
    asked = f"{gateway.server.url}/library/sections"
    headers = {"X-Plex-Token": OWNER, "Accept": "application/json"}
    sections = requests.get(asked, headers=headers, timeout=10).json()["MediaContainer"]["Directory"]
    music = next(section["key"] for section in sections if section["type"] == "artist")
    query = {"type": "10", "X-Plex-Container-Start": "0", "X-Plex-Container-Size": "20"}
    found = requests.get(f"{asked}/{music}/all", params=query, headers=headers, timeout=10)
    return found.json()["MediaContainer"]["Metadata"]


def test_paths_are_matched_in_one_request_and_in_their_order(client, tracks, monkeypatch):
    files = [track["Media"][0]["Part"][0]["file"] for track in tracks]
    asked = [files[0], "/no/such.flac", {"path": files[1]}, *files[2:]]
    calls = counted_calls(client, monkeypatch)
    answers = match.paths(client, asked)
    assert len(calls) == 1 and len(answers) == len(asked)
    assert [answer["confidence"] for answer in answers][:3] == ["HIGH", "NONE", "HIGH"]
    assert answers[0]["key"] == tracks[0]["ratingKey"] and answers[2]["key"] == tracks[1]["ratingKey"]
    monkeypatch.setattr(match, "PATHS_PER_CALL", 7)
    assert match.paths(client, asked) == answers and len(calls) == 1 + 3, "20 and one in parts of 7"
    monkeypatch.setattr(match, "BYTES_PER_CALL", 300)
    assert match.paths(client, asked) == answers and len(calls) > 6
    mapped = match.paths(client, ["/mine" + files[0]], maps=[{"from": "^/mine(.*)$", "to": "$1"}])
    assert mapped[0]["confidence"] == "HIGH"
    assert match.paths(client, []) == []


def counted_calls(client, monkeypatch):
    """The calls that are made from now on."""
    call, calls = client.call, []
    monkeypatch.setattr(client, "call", lambda *arguments: calls.append(arguments) or call(*arguments))
    return calls


def test_tracks_and_ids_are_matched(client, tracks):
    first = tracks[0]
    asked = {"title": first["title"], "artist": first["grandparentTitle"], "album": first["parentTitle"]}
    answers = match.tracks(client, [asked, {"title": "Nowhere", "artist": "Nobody"}])
    assert answers[0]["candidates"] and answers[1]["decision"] == "reject"
    item = match.paths(client, [first["Media"][0]["Part"][0]["file"]])[0]["items"][0]
    found = match.ids(client, [*item["guids"], "imdb://tt0000000"])
    assert len(found) == len(item["guids"]) + 1 and found[-1]["confidence"] == "NONE"


def test_a_playlist_is_written_and_told_row_by_row(client, tracks):
    rows = [{"title": track["title"], "artist": track["grandparentTitle"]} for track in tracks[:5]]
    rows.append({"title": "Nowhere", "artist": "Nobody"})
    planned = playlists.sync(client, rows, name="From Python", mode="replace", dry_run=True)
    assert planned["state"] == "done" and planned["report"]["dry_run"] and planned["report"]["counts"]["missing"] >= 1
    written = playlists.sync(client, rows, name="From Python", mode="replace")
    assert written["report"]["accounts"][0]["standing"] == "written" and written["report"]["writes"] > 0
    text = 'title,artist\n"Nowhere",Nobody\n'
    begun = playlists.sync(client, text, name="Nothing", hint="rows.csv", detach=True)
    told = list(playlists.progress(client, begun["run"]))
    ended = playlists.run(client, begun["run"])["state"]
    assert told[-1].data["state"] == ended != "running"


def test_a_run_that_goes_on_is_waited_for(client, tracks, monkeypatch):
    call = client.call
    detached = lambda method, path, body=None: call(method, path, body and {**body, "detach": True})
    monkeypatch.setattr(client, "call", detached)
    rows = [{"title": tracks[0]["title"], "artist": tracks[0]["grandparentTitle"]}]
    assert playlists.sync(client, rows, name="Waited For", dry_run=True)["state"] == "done"


def test_events_are_yielded_while_they_come(client):
    first, second = itertools.islice(greenroom.events(client), 2)
    assert first.name in ("figures", "decisions") and isinstance(first.data, (dict, list)) and second.data


def test_a_refusal_says_its_code_and_what_to_do(gateway, client):
    with pytest.raises(Problem) as problem:
        match.paths(client, ["/a"], server="nowhere")
    assert (problem.value.code, problem.value.status) == ("unknown-server", 404) and "server" in problem.value.detail
    stranger = greenroom.Client(gateway.control)
    assert len(greenroom.libraries(stranger)) == 3, "reads on this machine need no token"
    with pytest.raises(Problem) as problem:
        playlists.sync(stranger, [{"title": "a", "artist": "b"}], name="x")
    assert problem.value.status == 401
    with pytest.raises(Problem) as problem:
        greenroom.libraries(greenroom.Client(gateway.control, "wrong"))
    assert problem.value.status == 401
    with pytest.raises(Problem) as problem:
        next(greenroom.events(greenroom.Client(gateway.control, "wrong")))
    assert problem.value.status == 401


def test_a_gateway_that_is_away_or_is_none_is_said_so(gateway):
    with pytest.raises(Problem) as problem:
        greenroom.libraries(greenroom.Client(f"http://127.0.0.1:{free_port()}"))
    assert (problem.value.code, problem.value.status) == ("unreachable", 0)
    with pytest.raises(Problem) as problem:
        greenroom.libraries(greenroom.Client(gateway.server.url))
    assert problem.value.code == "not-an-answer"


@pytest.mark.parametrize("url", ["", "localhost:8710", "ftp://a", "file:///etc/passwd", "http://"])
def test_what_is_no_address_is_an_error_of_the_caller(url):
    with pytest.raises(ValueError):
        greenroom.Client(url)


@pytest.mark.parametrize("token", ["a\r\nX: y", "", "é", "a\n"])
def test_a_token_cannot_carry_a_header(token):
    with pytest.raises(ValueError):
        greenroom.Client(token=token)
