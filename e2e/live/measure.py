"""Measures the gateway in front of a live Jellyfin, and prints tables for docs/figures.md.

    python3 e2e/live/measure.py http://127.0.0.1:8096 --owner root:password [--user anna:password ...] [act ...]

The server should hold nothing that matters: items are edited, played and marked. It has films, shows and music. The
built program is `$GREENROOM_BINARY` or target/debug/greenroom. Acts: equal, second, reach, restart, cut, sessions, two.
Python's own library only.
"""

import argparse
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

from relay import Relay
from writes import WRITES

READS = (HERE / "reads.txt").read_text().split("\n")[:-1]
BINARY = os.environ.get("GREENROOM_BINARY", str(HERE.parent.parent / "target/debug/greenroom"))
# Answers that tell of the moment, so two of the same server differ, and the one with the address that the client used.
MOMENTARY = re.compile(
    r"/Sessions|ActivityLog|/System/Storage|/Devices|/Auth/Keys|PlaybackInfo|/ScheduledTasks|/System/Info(/Public)?$"
)
# What is drawn at random, and what every request moves.
VOLATILE = re.compile(rb'"(ChildCount":\d+|Last(Activity|Login)Date":"[^"]*")')

# Names of the libraries by their kind.
FOLDERS = {"movies": "f_films", "tvshows": "f_shows", "music": "f_music"}


class Client:
    """One device of one user."""

    def __init__(self, base, token=None, device=None, name="Live measure"):
        parts = urllib.parse.urlparse(base)
        self.host, self.port, self.token = parts.hostname, parts.port, token
        device = device or uuid.uuid4().hex
        self.identity = f'MediaBrowser Client="{name}", Device="rig", DeviceId="{device}", Version="1.0"'
        self.connection = None

    def send(self, method, path, body=None):
        """Status, `Cache-Status` and body of a response. A closed connection is opened again once."""
        headers = {"Authorization": self.identity + (f', Token="{self.token}"' if self.token else "")}
        headers["Accept"] = "application/json"
        data = json.dumps(body).encode() if body is not None else None
        if data is not None:
            headers["Content-Type"] = "application/json"
        elif method != "GET":
            headers["Content-Length"] = "0"
        for attempt in itertools.count():
            try:
                self.connection = self.connection or http.client.HTTPConnection(self.host, self.port, timeout=60)
                self.connection.request(method, path, body=data, headers=headers)
                response = self.connection.getresponse()
                return response.status, response.getheader("Cache-Status", ""), response.read()
            except (OSError, http.client.HTTPException):
                self.connection = None
                if attempt:
                    raise

    def json(self, path, method="GET", body=None):
        """The value of an answer that must be one."""
        status, _, answer = self.send(method, path, body)
        if status >= 400:
            raise SystemExit(f"{method} {path}: {status} {answer[:200]!r}")
        return json.loads(answer) if answer else None

    def login(self, user, password):
        """Logs in; afterwards the client has a token and the user's id."""
        answer = self.json("/Users/AuthenticateByName", "POST", {"Username": user, "Pw": password})
        self.token, self.user = answer["AccessToken"], answer["User"]["Id"]
        return self

    def at(self, base):
        """The same device at another address."""
        other = Client(base, self.token)
        other.identity, other.user = self.identity, self.user
        return other


class Gateway:
    """`greenroom serve` in front of a server, with a data directory that outlives it."""

    def __init__(self, server, token, directory=None):
        self.server, self.token = server, token
        self.directory = directory or tempfile.mkdtemp(prefix="greenroom-live-")
        self.port, self.control_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.control = Client(f"http://127.0.0.1:{self.control_port}")
        self.start()

    def start(self):
        """Starts it and waits until it answers."""
        secret = pathlib.Path(self.directory) / "owner"
        secret.touch(mode=0o600)
        secret.write_text(self.token)
        arguments = [BINARY, "serve", "--jellyfin", self.server, "--listen", f"127.0.0.1:{self.port}"]
        arguments += ["--control", f"127.0.0.1:{self.control_port}", "--data-dir", f"{self.directory}/data"]
        arguments += ["--token-file", str(secret)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}
        with open(pathlib.Path(self.directory) / "log", "a") as log:
            self.process = subprocess.Popen(arguments, stdout=log, stderr=log, env=environment)
        wait(lambda: Client(self.url).send("GET", "/System/Info/Public")[0] == 200)
        time.sleep(1.5)

    def stop(self, how=signal.SIGTERM):
        """Ends it and waits for its end."""
        self.process.send_signal(how)
        self.process.wait(60)

    def close(self):
        """Ends it for good, and removes its directory, which holds a token."""
        self.stop()
        shutil.rmtree(self.directory)

    def requests(self):
        """Requests that reached the server, and those of them that are the gateway's own."""
        lines = self.control.send("GET", "/metrics")[2].decode().split("\n")

        def total(name):
            rows = [line for line in lines if re.match(name + "[ {]", line)]
            return sum(int(float(line.rsplit(" ", 1)[1])) for line in rows)

        return total("greenroom_upstream_requests_total"), total("greenroom_upstream_own_requests_total")


def free_port():
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait(holds, seconds=60):
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if holds():
                return
        time.sleep(0.2)
    raise SystemExit("it took too long")


def names_of(owner):
    """An item of each kind by name."""
    def first(kinds, at=0, **query):
        asked = {"userId": owner.user, "includeItemTypes": kinds, "recursive": "true", "sortBy": "SortName"}
        query = urllib.parse.urlencode(asked | query)
        items = owner.json(f"/Items?{query}")["Items"]
        return items[min(at, len(items) - 1)]["Id"] if items else None
    kinds = {"movie": "Movie", "series": "Series", "season": "Season", "episode": "Episode", "artist": "MusicArtist"}
    kinds |= {"album": "MusicAlbum", "track": "Audio"}
    names = {name: first(kind) for name, kind in kinds.items()}
    names |= {"movie2": first("Movie", 1), "movie3": first("Movie", 2), "ep2": first("Episode", 1)}
    names["track2"] = first("Audio", 1)
    for folder in owner.json("/Library/VirtualFolders"):
        names[FOLDERS.get(folder.get("CollectionType"), "f_other")] = folder["ItemId"]
    people = owner.json("/Persons?limit=1")["Items"]
    names["person"] = people[0]["Id"] if people else names["movie"]
    names["boxset"], names["playlist"] = first("BoxSet"), first("Playlist")
    if not names["boxset"]:
        films = f"{names['movie']},{names['movie2']}"
        names["boxset"] = owner.json(f"/Collections?name=A%20set&ids={films}", "POST")["Id"]
    if not names["playlist"]:
        body = {"Name": "Evening", "Ids": [names["track"]], "UserId": owner.user}
        names["playlist"] = owner.json("/Playlists", "POST", body)["Id"]
    return names


def filled(value, names, user):
    """A path or body with ids in place of names."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda match: user if match[1] == "u" else names.get(match[1]) or "0" * 32, value)
    return {key: filled(one, names, user) for key, one in value.items()} if isinstance(value, dict) else value


class Rig:
    """A live server with its users."""

    def __init__(self, base, owner, users):
        self.base = base
        self.clients = {login[0]: Client(base).login(*login) for login in [owner, *users]}
        self.logins = {login[0]: login for login in [owner, *users]}
        self.owner_name = owner[0]
        self.owner = self.clients[owner[0]]
        self.names = names_of(self.owner)
        self.feed_token = Client(base, name="Greenroom").login(*owner).token

    def targets(self, name):
        """The reads of a user."""
        return [filled(read, self.names, self.clients[name].user) for read in READS]

    def direct(self, name):
        """Answers of the server, by read; those that differ between two reads are left out."""
        client, targets = self.clients[name], [target for target in self.targets(name) if not MOMENTARY.search(target)]
        one, other = ({target: body_of(client.send("GET", target)) for target in targets} for _ in range(2))
        return {target: answer for target, answer in one.items() if other[target] == answer}

    def write(self, steps, client):
        """Sends a write of the owner through a client."""
        for method, path, body in steps:
            path = filled(path, self.names, self.owner.user)
            if callable(body):
                body = body(self.owner.json(f"{path}?userId={self.owner.user}"))
            elif body == "configuration":
                configuration = self.owner.json(f"/Users/{self.owner.user}")["Configuration"]
                body = configuration | {"PlayDefaultAudioTrack": not configuration["PlayDefaultAudioTrack"]}
            status, _, answer = client.send(method, path, filled(body, self.names, self.owner.user))
            if status >= 400:
                print(f"  ({method} {path}: {status} {answer[:120]!r})")


def body_of(answer):
    """What two answers are compared by: the status and the body without what is drawn at random."""
    status, _, body = answer
    return status, VOLATILE.sub(b"", body)


def was_asked(cache_status):
    """Whether the server was asked for this answer."""
    return "fwd=" in cache_status or "; hit" not in cache_status


def through(client, targets):
    """Answers through the gateway, and how many reads were asked of the server."""
    answers, asked = {}, set()
    for target in targets:
        answer = client.send("GET", target)
        answers[target] = body_of(answer)
        if was_asked(answer[1]):
            asked.add(target)
    return answers, asked


def old_ones(answers, direct):
    """Reads whose answer is not the server's."""
    return [target for target, answer in direct.items() if answers.get(target) != answer]


def act_equal(rig):
    """Every read through the gateway is what the server says."""
    gateway = Gateway(rig.base, rig.feed_token)
    print("| user | reads compared | different | asked in the second pass |\n| --- | --- | --- | --- |")
    for name, client in rig.clients.items():
        device = client.at(gateway.url)
        through(device, rig.targets(name))
        answers, asked = through(device, rig.targets(name))
        direct = rig.direct(name)
        different = old_ones(answers, direct)
        print(f"| {name} | {len(direct)} | {len(different)} {different or ''} | {len(asked & set(direct))} |")
    gateway.close()


def act_second(rig):
    """A second device of a user finds what the first one read."""
    gateway = Gateway(rig.base, rig.feed_token)
    print("| user | reads | asked by the first device | by a second one |\n| --- | --- | --- | --- |")
    for name, client in rig.clients.items():
        _, first = through(client.at(gateway.url), rig.targets(name))
        other = Client(rig.base).login(*rig.logins[name])
        _, second = through(other.at(gateway.url), rig.targets(name))
        print(f"| {name} | {len(READS)} | {len(first)} | {len(second)} |")
    gateway.close()


def act_reach(rig):
    """What a write makes the gateway ask again, beside what truly changed."""
    gateway = Gateway(rig.base, rig.feed_token)
    device = rig.owner.at(gateway.url)
    targets = rig.targets(rig.owner_name)
    through(device, targets)
    print("| write | changed | asked again | old at once | old after 2 s |\n| --- | --- | --- | --- | --- |")
    sums = [0, 0, 0, 0]
    for name, steps in WRITES:
        through(device, targets)
        _, idle = through(device, targets)
        before = rig.direct(rig.owner_name)
        rig.write(steps, device)
        answers, asked = through(device, targets)
        after = rig.direct(rig.owner_name)
        changed = {target for target in after if target in before and before[target] != after[target]}
        # What the server itself changed a moment later is not old.
        old = [target for target in changed if answers.get(target) == before[target]]
        time.sleep(2)
        later, _ = through(device, targets)
        direct = rig.direct(rig.owner_name)
        late = [target for target in old_ones(later, direct) if target in after and after[target] == direct[target]]
        row = [len(changed), len((asked - idle) & set(after)), len(old), len(late)]
        sums = [one + other for one, other in zip(sums, row)]
        print(f"| {name} | {row[0]} | {row[1]} | {row[2]} {old or ''} | {row[3]} {late or ''} |", flush=True)
    print(f"| sum | {sums[0]} | {sums[1]} ({sums[1] / max(sums[0], 1):.2f} times) | {sums[2]} | {sums[3]} |")
    gateway.close()


def act_restart(rig):
    """A restart with and without a change made meanwhile."""
    targets = rig.targets(rig.owner_name)
    print("| end | change meanwhile | reads asked after it | own requests | old |\n| --- | --- | --- | --- | --- |")
    writes = dict(WRITES)
    changes = [("nothing", []), ("film played", writes["played film"]), ("title edited", writes["edit title"])]
    for how, (change, steps) in itertools.product((signal.SIGTERM, signal.SIGKILL), changes):
        gateway = Gateway(rig.base, rig.feed_token)
        device = rig.owner.at(gateway.url)
        rig.write(dict(WRITES)["unplayed film"], device)
        rig.write([("POST", "/Items/{movie}", lambda item: item | {"Name": "As it was"})], device)
        # The server tells of an edit as late as it is set to. An edit within a minute before the end is taken for one
        # that no client heard, because clocks may differ.
        time.sleep(8 if steps else 75)
        for _ in range(2):
            through(device, targets)
        time.sleep(3)
        gateway.stop(how)
        rig.write(steps, rig.owner)
        time.sleep(1)
        gateway.start()
        own = gateway.requests()[1]
        answers, asked = through(device, targets)
        direct = rig.direct(rig.owner_name)
        old = old_ones(answers, direct)
        own = gateway.requests()[1] - own
        share = f"{len(asked & set(direct))} of {len(direct)}"
        print(f"| {how.name} | {change} | {share} | {own} | {len(old)} {old or ''} |", flush=True)
        gateway.close()


def act_cut(rig):
    """The connection to the server is cut for a while, with a change made meanwhile."""
    parts = urllib.parse.urlparse(rig.base)
    print("| cut for | old 1 s after it | old 6 s after it |\n| --- | --- | --- |")
    for seconds in (3, 15):
        relay = Relay(parts.hostname, parts.port)
        gateway = Gateway(relay.url, rig.feed_token)
        device, targets = rig.owner.at(gateway.url), rig.targets(rig.owner_name)
        rig.write(dict(WRITES)["unplayed film"], device)
        for _ in range(2):
            through(device, targets)
        relay.cut()
        rig.write(dict(WRITES)["played film"], rig.owner)
        time.sleep(seconds)
        relay.mend()
        row = []
        for pause in (1, 5):
            time.sleep(pause)
            answers, _ = through(device, targets)
            row.append(old_ones(answers, rig.direct(rig.owner_name)))
        print(f"| {seconds} s | {len(row[0])} {row[0] or ''} | {len(row[1])} {row[1] or ''} |", flush=True)
        gateway.close()


def playing(client):
    """What plays, by session: the item, and whether it is paused."""
    plays = [one for one in client.json("/Sessions") if one.get("NowPlayingItem")]
    return {one["Id"]: (one["NowPlayingItem"]["Id"], one["PlayState"]["IsPaused"]) for one in plays}


def act_sessions(rig, seconds=120):
    """Sessions polled each second, directly and through the gateway, while a player plays, pauses and stops."""
    gateway = Gateway(rig.base, rig.feed_token)
    direct, device = rig.owner, rig.owner.at(gateway.url)
    seen, ended = [], threading.Event()

    def play():
        player = Client(rig.base, name="Player").login(*rig.logins[rig.owner_name])
        film = {"ItemId": rig.names["movie3"], "MediaSourceId": rig.names["movie3"], "PlaySessionId": uuid.uuid4().hex}
        while not ended.is_set():
            steps = (("", False, 4.3), ("/Progress", True, 2.7), ("/Progress", False, 3.1), ("/Stopped", False, 3.9))
            for path, paused, pause in steps:
                player.send("POST", f"/Sessions/Playing{path}", film | {"IsPaused": paused, "PositionTicks": 10000000})
                ended.wait(pause)

    thread = threading.Thread(target=play)
    thread.start()
    status = []
    for _ in range(seconds):
        begun = time.monotonic()
        now = playing(direct)
        status.append(device.send("GET", "/Sessions")[1])
        seen.append((now, playing(device)))
        time.sleep(max(0, 1 - (time.monotonic() - begun)))
    ended.set()
    thread.join()
    changes = [at for at in range(1, len(seen)) if seen[at][0] != seen[at - 1][0]]
    polls_late = lambda at: next((later - at for later in range(at, len(seen)) if seen[later][1] == seen[at][0]), None)
    late = [polls_late(at) for at in changes]
    most, never = max((one or 0 for one in late), default=0), late.count(None)
    durations = [sum(1 for pair in seen if pair[side]) for side in (0, 1)]
    asked = sum(was_asked(one) for one in status)
    print("| polls | changes seen directly | polls later, most | never seen | s playing directly | through | asked |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print(f"| {len(seen)} | {len(changes)} | {most} | {never} | {durations[0]} | {durations[1]} | {asked} |")
    gateway.close()


def act_two(rig):
    """Two gateways in front of one server, one edit: neither shows what is old."""
    tokens = [Client(rig.base, name="Greenroom").login(*rig.logins[rig.owner_name]).token for _ in range(2)]
    gateways = [Gateway(rig.base, token) for token in tokens]
    devices, targets = [rig.owner.at(gateway.url) for gateway in gateways], rig.targets(rig.owner_name)
    for device in devices:
        through(device, targets)
    print("| change | old at the first after 8 s | at the second |\n| --- | --- | --- |")
    for change in ("played film", "favourite", "edit title", "unplayed film", "favourite off"):
        rig.write(dict(WRITES)[change], rig.owner)
        # Both are read meanwhile.
        for _ in range(8):
            time.sleep(1)
            for device in devices:
                device.send("GET", targets[0])
        row = [old_ones(through(device, targets)[0], rig.direct(rig.owner_name)) for device in devices]
        print(f"| {change} | {len(row[0])} {row[0] or ''} | {len(row[1])} {row[1] or ''} |", flush=True)
    for gateway in gateways:
        gateway.close()


ACTS = {
    "equal": act_equal,
    "second": act_second,
    "reach": act_reach,
    "restart": act_restart,
    "cut": act_cut,
    "sessions": act_sessions,
    "two": act_two,
}


def main():
    """Runs the acts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--owner", required=True, help="name:password")
    parser.add_argument("--user", action="append", default=[], help="name:password")
    parser.add_argument("acts", nargs="*", default=[])
    given = parser.parse_intermixed_args()
    rig = Rig(given.server.rstrip("/"), given.owner.split(":", 1), [user.split(":", 1) for user in given.user])
    for act in given.acts or ACTS:
        print(f"\n## {act}: {ACTS[act].__doc__}\n", flush=True)
        ACTS[act](rig)


if __name__ == "__main__":
    main()
