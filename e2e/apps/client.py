"""Stash2Plex with its two caches replaced by the Python client, held against Stash2Plex as it is.

    sh e2e/apps/run.sh client

Its matcher must find the same items, what it has read once must not reach the server again, and `match.paths` must find
them in one request. Ends with 1 if not. The app is fetched as measure.py tells.
"""

import contextlib
import dataclasses
import json
import os
import sys

import requests

import measure
from stage.gateway import Gateway
from stage.server import Server
from stage.waiting import until

FILES = 12
SOURCE = measure.HERE.parents[1] / "clients" / "python" / "src"
CACHES = "cache,match-cache"


def files_of(server):
    """Some films of the server, from all over the library."""
    listed = measure.rows(server, "/library/sections/1/all")
    step = len(listed) // FILES
    known = {row["Media"][0]["Part"][0]["file"]: row["key"] for row in listed[::step][:FILES]}
    title = measure.rows(server, "/library/sections")[0]["title"]
    path = measure.FOLDER / "stash2plex" / "wanted-12.json"
    path.write_text(json.dumps({"library": title, "files": list(known)}))
    return str(path), known


def index(gateway, token):
    """Builds the index of the films."""
    shown = {"Authorization": f"Bearer {token}"}
    libraries = lambda: requests.get(f"{gateway.control}/api/v1/libraries", timeout=10).json()["libraries"]
    until(libraries, "the libraries are known")
    library = next(one["id"] for one in libraries() if one["contents"] == "films")
    requests.post(f"{gateway.control}/api/v1/libraries/{library}/build", headers=shown, timeout=30).raise_for_status()
    # That of the music is built by itself, and asks the server as well.
    built = lambda: [one["state"] for one in libraries() if one["id"] == library or one["contents"] == "music"]
    until(lambda: all(state == "current" for state in built()), "both are indexed")


def held(what, is_so):
    """Prints what must hold, and ends if it does not."""
    print(f"{'yes' if is_so else 'NO '}  {what}", flush=True)
    if not is_so:
        sys.exit(1)


def main():
    """The comparison."""
    measure.FOLDER.mkdir(parents=True, exist_ok=True)
    app = measure.installed("stash2plex")
    with contextlib.ExitStack() as stack:
        server = Server("plex", "apps-client-server")
        stack.callback(server.stop)
        asked_for, known = files_of(server)
        app.fresh()
        own = json.loads(app.act(server.url, "with caches", asked_for).replace("'", '"'))
        held(f"as it is, directly: {own['matched']} of {FILES} match", own["matched"] == FILES)
        app = dataclasses.replace(app, name="stash2plex_client")
        # Without a token it keeps no index, so that what the app reads is all that it reads.
        gateway = started(stack, Gateway(server, "apps-client-rounds"))
        match_with_its_matcher(app, server, gateway, asked_for, known)
        gateway = started(stack, Gateway(server, "apps-client-index", measure.TOKEN))
        match_with_greenroom(app, server, gateway, asked_for, known)


def started(stack, gateway):
    """A gateway that is stopped at the end, and whose tokens the acts are told."""
    stack.callback(gateway.directory.cleanup)
    stack.callback(gateway.program.stop)
    token = gateway.told("token", "add", "stash2plex", "--caches", CACHES).split()[0]
    told = {"CACHES_URL": gateway.control, "CACHES_TOKEN": token, "CONTROL_TOKEN": gateway.control_token()}
    os.environ.update(told | {"PYTHONPATH": str(SOURCE)})
    return gateway


def asked_by_the_app(server):
    """What has reached the server, without Greenroom's own looks at what has changed, which name a page size."""
    targets = [one["target"] for one in server.reached()]
    return [target for target in targets if target != "/library/sections" and "X-Plex-Container-Size" not in target]


def match_with_its_matcher(app, server, gateway, asked_for, known):
    """Three rounds of the app's own matcher over caches of the gateway."""
    app.fresh()
    reached = {}
    for number in ("first", "second", "third"):
        server.forget()
        answer = json.loads(app.act(gateway.url, "with its matcher", asked_for))
        reached[number] = asked_by_the_app(server)
        held(f"{number} round with the client: {len(answer['matched'])} of {FILES} match", answer["matched"] == known)
        held(f"{number} round: no call of the caches failed", answer["failed"] == 0)
        print(f"     {answer['hits']} hits of the match cache, {len(reached[number])} of its requests reached the server")
    held("every later match came from the cache", answer["hits"] == FILES)
    # Of the items only the first one was found in a list; it is read by its key for the first time.
    first_reads = [key for key in known.values() if key not in reached["first"]]
    held(f"second round: nothing reached the server but the first read of {first_reads}", reached["second"] == first_reads)
    held("third round: nothing reached the server", not reached["third"])


def match_with_greenroom(app, server, gateway, asked_for, known):
    """The same files, matched by Greenroom's index."""
    index(gateway, os.environ["CONTROL_TOKEN"])
    server.forget()
    answer = json.loads(app.act(gateway.url, "with greenroom", asked_for))
    held(f"match.paths: {len(answer['matched'])} of {FILES} match the same items", answer["matched"] == known)
    held(f"match.paths: in {len(answer['calls'])} request", len(answer["calls"]) == 1)
    # Lists of many keys are the index's own reading.
    asked = [one["target"] for one in server.reached() if one["class"] == "search" or one["target"] in known.values()]
    held(f"match.paths: the server was asked for none of them {asked}", not asked)


if __name__ == "__main__":
    main()
