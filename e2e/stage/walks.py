"""Walks with client libraries: programs of their own that ask a server what their library can ask, through a recorder."""

import json
import os
import pathlib
import subprocess
import sys
from http import HTTPStatus

from .program import LOGS
from .recorder import Recorder

WALKS = pathlib.Path(__file__).parents[1] / "libraries" / "walks"
# A walk that takes longer hangs.
PATIENCE_S = 240
# Of the cacheable reads of a second round, at least this share is answered from the cache.
KEPT = 0.95
# Reads that depend on the moment, and those that hold data of an account, are never kept.
PASSED_BY_DESIGN = ("moment", "account")
# A walk has at least so many steps.
STEPS = {"reads": 30, "writes": 4}


def walk(command, at, token, part="reads"):
    """Runs one walk against `at`: what became of its steps, and the exchanges it made."""
    runner = {".js": "node", ".py": sys.executable}[pathlib.Path(command[0]).suffix]
    with Recorder(at.url) as recorder:
        names = {"GREENROOM_WALK_URL": recorder.url, "GREENROOM_WALK_TOKEN": token, "GREENROOM_WALK_PART": part}
        arguments = [runner, str(WALKS / command[0]), *command[1:]]
        ended = subprocess.run(
            arguments, env=os.environ | names, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    assert ended.returncode == 0, f"{command} ended with {ended.returncode}:\n{ended.stderr[-4000:]}"
    return json.loads(ended.stdout.strip().rpartition("\n")[2]), recorder.exchanges


def is_cacheable(exchange):
    """Whether the gateway should keep the answer: an answered read that is none of those which pass by design."""
    is_passed = any(f"fwd=bypass; detail={reason}" in exchange.cache_status for reason in PASSED_BY_DESIGN)
    is_read = exchange.request.method in ("GET", "HEAD") and not is_passed
    return is_read and exchange.status < HTTPStatus.BAD_REQUEST


def is_hit(exchange):
    """Whether the answer came from the cache."""
    return "; hit" in exchange.cache_status


def line(exchange):
    """An exchange as a line."""
    return f"{exchange.request.method} {exchange.request.target} -> {exchange.status} {exchange.cache_status}"


def assert_the_same_walk(command, server, gateway, token, part="reads"):
    """A walk through the gateway goes as it does at the server; fails with the steps that do not."""
    direct, _ = walk(command, server, token, part)
    through, exchanges = walk(command, gateway, token, part)
    differing = {name: (direct.get(name), through.get(name)) for name in direct | through if direct.get(name) != through.get(name)}
    failed = [line(one) for one in exchanges if one.status >= HTTPStatus.INTERNAL_SERVER_ERROR]
    assert not differing, f"steps at the server and through the gateway: {differing}, failed: {failed}"
    assert len(direct) >= STEPS[part], f"only {len(direct)} steps: {direct}"


def assert_mostly_kept(name, command, gateway, token):
    """The next walk is answered from the cache but for a few reads; fails with those."""
    _, exchanges = walk(command, gateway, token)
    cacheable = [one for one in exchanges if is_cacheable(one)]
    hits = sum(map(is_hit, cacheable))
    missed = [line(one) for one in cacheable if not is_hit(one)]
    passed = [line(one) for one in exchanges if not is_cacheable(one)]
    told = f"{name}: {hits} hits of {len(cacheable)} cacheable reads, {len(passed)} others"
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / "library-hits.log").open("a") as log:
        log.write("\n".join([told, *(f"  missed: {one}" for one in missed), *(f"  other: {one}" for one in passed), ""]))
    assert hits >= KEPT * len(cacheable), "\n".join([told, *missed])
