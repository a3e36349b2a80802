"""What people see of a server of any HTTP API: `why`, bypass, observe mode, doctor, warnings."""

import json
import subprocess

import pytest
import requests

from http_apis.api_gateway import ApiGateway
from stage.program import BINARY, own_environment
from stage.server import Server

KEY = {"X-Api-Key": "api-owner-a"}


@pytest.fixture(scope="module")
def server():
    """The simulated HTTP APIs; none of their responses may be stored."""
    server = Server("http", "http-operated", options=("--switch", "forbid-store"))
    yield server
    server.stop()


@pytest.fixture
def gateway(server, request):
    """A gateway with the routes for Sonarr."""
    server.forget()
    gateway = ApiGateway("sonarr", server, f"operated-{request.node.name}")
    yield gateway
    gateway.stop()


def get(gateway, path):
    """The text of a response that must succeed."""
    response = requests.get(gateway.url + path, headers=KEY, timeout=10)
    response.raise_for_status()
    return response.json()


def told(gateway, *arguments):
    """What a command of the program prints, as JSON."""
    command = [str(BINARY), *arguments, "--config", str(gateway.config), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=own_environment(), check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_why_says_which_route_applies_and_whether_the_server_says_the_same(gateway):
    get(gateway, "/api/v3/series")
    known = told(gateway, "why", gateway.url + "/api/v3/series", "--header", "X-Api-Key: api-owner-a")
    assert (known["class"], known["outcome"], known["server_says"]["word"]) == ("library", "hit", "same")
    assert "api-owner-a" not in json.dumps(known)
    unknown = told(gateway, "why", gateway.url + "/api/v3/history", "--header", "X-Api-Key: api-owner-a")
    assert unknown["outcome"] == "load" and "No route applies" in unknown["sentence"]


def test_a_bypass_and_observe_mode_send_every_read_to_the_server(gateway, server):
    get(gateway, "/api/v3/series")
    told(gateway, "bypass", "on", "--server", "sonarr")
    get(gateway, "/api/v3/series")
    told(gateway, "bypass", "off", "--server", "sonarr")
    assert gateway.server_stats()["bypassed"] == 1
    told(gateway, "observe", "on", "--server", "sonarr")
    for _ in range(3):
        get(gateway, "/api/v3/series")
    stats = gateway.server_stats()
    assert stats["mode"] == "observe"
    assert stats["observed"]["totals"]["hits"] == 3 and stats["observed"]["totals"]["differed"] == 0
    assert len([row for row in server.reached() if row["target"].startswith("/api/v3/series")]) == 5


def test_a_path_that_is_never_fresh_is_named_with_what_a_route_would_save(gateway):
    for _ in range(12):
        requests.get(gateway.url + "/3/configuration", headers=KEY, timeout=10).raise_for_status()
    found = [warning for warning in gateway.told("/api/v1/warnings")["items"] if warning["code"] == "route-never-fresh"]
    assert [warning["server"] for warning in found] == ["sonarr"]
    assert "Responses of /3/configuration are never fresh: the server says no-store" in found[0]["text"]


def test_doctor_checks_the_server(gateway):
    report = told(gateway, "doctor")
    api = next(subject for subject in report["subjects"] if subject["name"].startswith("sonarr"))
    levels = {finding["check"]: finding["level"] for finding in api["findings"]}
    assert levels == {"probe": "warning", "clock": "ok"}, "the simulator has no /ping"


def test_metrics_and_readiness_know_the_server(gateway):
    get(gateway, "/api/v3/series")
    metrics = requests.get(gateway.control + "/metrics", timeout=10).text
    assert 'greenroom_client_requests_total{server="sonarr"} 1' in metrics
    assert 'greenroom_cache_answers_total{server="sonarr",class="library",served="loaded"} 1' in metrics
    assert gateway.told("/readyz")["servers"] == [{"name": "sonarr", "state": "well"}]
