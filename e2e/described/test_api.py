"""What the API says of itself is so: asked with everything that its description allows, and with much that it does not."""

import pathlib
import subprocess
import sys

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
    """The cookie of somebody who has logged in. Wrong tokens do not end it, and many will be shown."""
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


def test_everything_is_answered_as_it_is_described(gateway):
    apart = [word for name in TAKES_AWAY for word in ("--exclude-operation-id", name)]
    hold(gateway, "session", "--header", gateway.sessions.pop(), *apart)


def test_strangers_are_answered_as_it_is_described(gateway):
    # A method that is not listed is not even told apart for who shows nothing.
    hold(gateway, "stranger", "--exclude-checks", "unsupported_method")


def test_what_takes_something_away_is_answered_as_it_is_described(gateway):
    for name in TAKES_AWAY:
        hold(gateway, name, "--header", gateway.sessions.pop(), "--include-operation-id", name)
