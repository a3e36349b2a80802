"""Measures what real apps ask of a server, directly and through a gateway, and prints it as a table.

    sh e2e/apps/run.sh [cmdarr komandorr stash2plex]

An app is fetched at the commit that apps.toml names, into the build's folder. Where its repository cannot be reached,
`GREENROOM_APPS` names a folder with a clone of each (`$GREENROOM_APPS/cmdarr`). Its requirements are installed in an
environment of its own. What it asks beyond this machine is refused.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
import tomllib

import requests

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from stage.gateway import Gateway
from stage.plex_people import TOKENS
from stage.program import free_port
from stage.server import Server
from stage.waiting import until

APPS = tomllib.loads((HERE / "apps.toml").read_text())
FOLDER = pathlib.Path(os.environ["GREENROOM_E2E_LOGS"]) / "apps"
TOKEN = TOKENS["olga"]
# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"
# How many tracks a playlist names, and how many files a round; every fifth is unknown to the server.
TRACKS, FILES = 100, 40
# A minute of an app that polls.
POLLED_S, BROWSERS = 60, 3
# An app has settled when it asks at most twice in so many seconds.
SETTLED_S, SETTLES_WITHIN_S = 6, 90


@dataclasses.dataclass
class Installed:
    """An app, ready to run."""

    name: str
    folder: pathlib.Path
    python: pathlib.Path

    def environment(self, url):
        """What the app is told of its server, and of the world beyond this machine."""
        told = {"PLEX_URL": url, "PLEX_TOKEN": TOKEN, "PLEX_CLIENT_ENABLED": "true"}
        told |= {"PLEX_SERVER_URL": url, "PLEX_SERVER_TOKEN": TOKEN, "LOG_LEVEL": "WARNING"}
        told |= {"LIBRARY_CACHE_PLEX_ENABLED": "true", "PLEXAPI_CONFIG_PATH": os.devnull}
        beyond = {name: NOWHERE for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}
        return os.environ | told | beyond | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

    def fresh(self):
        """The app without anything that it has stored."""
        for stored in ("data", "logs"):
            shutil.rmtree(self.folder / stored, ignore_errors=True)
            (self.folder / stored).mkdir()

    def act(self, url, *words):
        """Runs an act to its end and returns what it said last."""
        command = [str(self.python), str(HERE / "acts" / f"{self.name}.py"), *words]
        named = {"cwd": self.folder, "env": self.environment(url), "capture_output": True, "text": True}
        ended = subprocess.run(command, check=False, **named)
        assert ended.returncode == 0, f"{self.name} {words}:\n{ended.stderr[-4000:]}"
        last = ended.stdout.strip().rpartition("\n")[2]
        print(f"  {self.name} {words[0]}: {last}", file=sys.stderr)
        return last


def installed(name):
    """Fetches an app and installs what it needs, unless that was done before."""
    app, folder = APPS[name], FOLDER / name
    done = folder / "done"
    if not done.exists() or done.read_text() != app["commit"]:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mirror = os.environ.get("GREENROOM_APPS")
        source = str(pathlib.Path(mirror) / name) if mirror else app["repository"]
        subprocess.run(["git", "clone", "--quiet", "--no-checkout", source, str(folder / "app")], check=True)
        subprocess.run(["git", "-C", str(folder / "app"), "checkout", "--quiet", app["commit"]], check=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        pip = [str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(folder / "app" / app["requirements"])], check=True)
        done.write_text(app["commit"])
    return Installed(name, folder / "app" / app["folder"], folder / "venv/bin/python")


def rows(server, path):
    """Rows of the server itself."""
    headers = {"X-Plex-Token": TOKEN, "Accept": "application/json"}
    container = requests.get(server.url + path, headers=headers, timeout=30).json()["MediaContainer"]
    return container.get("Metadata") or container["Directory"]


def with_unknown(known, invented, count):
    """Known ones from all over the list, and every fifth one invented."""
    step = max(1, len(known) // count)
    picked = known[::step][:count]
    return [invented(at) if at % 5 == 4 else one for at, one in enumerate(picked)]


def wanted(name, server):
    """What an app is to look for, as a file."""
    if name == "cmdarr":
        listed = rows(server, "/library/sections/3/all?type=10")
        known = [
            {"artist": row["grandparentTitle"], "track": row["title"], "album": row["parentTitle"]} for row in listed
        ]
        nothing = lambda at: {"artist": f"Nobody {at}", "track": f"Nothing {at}", "album": ""}
        asked_for = {"tracks": with_unknown(known, nothing, TRACKS)}
    else:
        known = [row["Media"][0]["Part"][0]["file"] for row in rows(server, "/library/sections/1/all")]
        nothing = lambda at: f"/films/Nothing {at}/Nothing {at}.mkv"
        title = rows(server, "/library/sections")[0]["title"]
        asked_for = {"library": title, "files": with_unknown(known, nothing, FILES)}
    path = FOLDER / name / "wanted.json"
    path.write_text(json.dumps(asked_for))
    return str(path)


def cmdarr(app, at, server, count):
    """Its library cache is built and built again; a playlist is synced and synced again, with the cache and without."""
    tracks = wanted("cmdarr", server)
    count("library cache is built", lambda: app.act(at.url, "build", tracks))
    count("and built again", lambda: app.act(at.url, "build", tracks))
    count(f"playlist of {TRACKS} is synced", lambda: app.act(at.url, "sync", tracks))
    count("and synced again", lambda: app.act(at.url, "sync", tracks))
    count("synced without its cache", lambda: app.act(at.url, "sync live", tracks))
    count("and again without it", lambda: app.act(at.url, "sync live", tracks))


def stash2plex(app, at, server, count):
    """A round of files is matched and matched again, with its caches and without."""
    files = wanted("stash2plex", server)
    count(f"{FILES} files are matched", lambda: app.act(at.url, "with caches", files))
    count("and matched again", lambda: app.act(at.url, "with caches", files))
    count("matched without its caches", lambda: app.act(at.url, "without caches", files))
    count("and again without them", lambda: app.act(at.url, "without caches", files))


# What its page asks every so many seconds while it is open.
POLLED = {"activities": 5, "sessions": 5, "stats": 10, "stats/dashboard": 10, "stats/live": 30}
# What it asks once.
OPENED = ("users/count", "media/recent", "watch-history")


def komandorr(app, at, server, count):
    """It starts, its page is opened, and stays open in a few browsers for a minute."""
    for client, key in (("tv", 1), ("tablet", 2), ("phone", 301)):
        playing = {"ratingKey": key, "key": f"/library/metadata/{key}", "state": "playing", "time": 60_000}
        headers = {"X-Plex-Token": TOKEN, "X-Plex-Client-Identifier": client, "X-Plex-Device-Name": client}
        requests.get(f"{server.url}/:/timeline", params=playing, headers=headers, timeout=20)
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    command = [str(app.python), "-m", "uvicorn", "app.main:app", *options]
    page = f"http://127.0.0.1:{port}/api/plex"
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((FOLDER / "komandorr" / "log").open("wb"))
        child = subprocess.Popen(command, cwd=app.folder, env=app.environment(at.url), stdout=log, stderr=log)
        stack.callback(child.wait)
        stack.callback(child.terminate)

        def opens():
            until(lambda: answers(f"{page}/config"), "komandorr answers")
            for one in (*POLLED, *OPENED):
                asked(f"{page}/{one}")
            settled(server)

        # When its first sync of the history begins depends on the moment, so all of its start is one act.
        count("starts, page is opened, history is synced", opens)
        count(f"{BROWSERS} browsers for {POLLED_S} s", lambda: polled(page))


def answers(url):
    """Whether a page answers."""
    with contextlib.suppress(requests.RequestException):
        return requests.get(url, timeout=5).ok
    return False


def total(server):
    """How many requests have reached the server since the last `forget`."""
    return requests.get(f"{server.url}/__simulator/ledger", timeout=20).json()["total"]


def settled(server):
    """Waits until hardly anything reaches the server any more: an app may do its first work behind its page."""
    before, end = -1, time.monotonic() + SETTLES_WITHIN_S
    while total(server) - before > 2 and time.monotonic() < end:
        before = total(server)
        time.sleep(SETTLED_S)


def asked(url):
    """Asks as a page does: whatever it is told."""
    return requests.get(url, timeout=60).status_code


def polled(page):
    """Several browsers with the page open for a minute."""
    began = time.monotonic()

    def browser():
        due = {path: 0.0 for path in POLLED}
        while (now := time.monotonic() - began) < POLLED_S:
            for path in [path for path, at in due.items() if at <= now]:
                asked(f"{page}/{path}")
                due[path] += POLLED[path]
            time.sleep(max(0.05, min(due.values()) - (time.monotonic() - began)))

    browsers = [threading.Thread(target=browser) for _ in range(BROWSERS)]
    for one in browsers:
        one.start()
    for one in browsers:
        one.join()


ACTS = {"cmdarr": cmdarr, "komandorr": komandorr, "stash2plex": stash2plex}


def counted(name, app, through):
    """Runs an app's acts and counts what reaches the server at each, what the gateway asks by itself included."""
    told = {}
    app.fresh()
    server = Server("plex", f"apps-{name}-server")
    gateway = Gateway(server, f"apps-{name}-gateway", TOKEN) if through else None

    def count(what, act):
        server.forget()
        act()
        told[what] = total(server)

    try:
        ACTS[name](app, gateway or server, server, count)
    finally:
        if gateway:
            gateway.program.stop()
            gateway.directory.cleanup()
        server.stop()
    return told


def main():
    """The table."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    print("| app | act | requests directly | requests that reach the server through Greenroom |")
    print("| --- | --- | ---: | ---: |")
    for name in sys.argv[1:] or ACTS:
        app = installed(name)
        direct, through = counted(name, app, False), counted(name, app, True)
        for what, number in direct.items():
            print(f"| {name} | {what} | {number:,} | {through[what]:,} |", flush=True)


if __name__ == "__main__":
    main()
