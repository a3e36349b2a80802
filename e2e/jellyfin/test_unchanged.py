"""Every answer through the gateway is the server's, byte for byte, loaded or kept, in every casing, GET and HEAD."""

import dataclasses

import pytest

from stage.comparing import assert_the_same, compare_all, kept, reads
from stage.fixtures import a_gateway
from stage.jellyfin_people import Person
from stage.jellyfin_tour import tour
from stage.recorder import Recorder

# The walk of the real client gives at least so many different requests.
WALK = 80


@pytest.fixture(scope="module")
def walked(server, gateway):
    """What the client asks on its walk, as it was sent to the server."""
    with Recorder(server.url) as recorder:
        person = Person("olga", recorder)
        tour(person)
        gateway.knows(person.token)
        person.leave()
    return reads(recorder.asked)


def test_the_walk_is_long_enough_to_mean_something(walked):
    assert len(walked) >= WALK


def test_what_the_client_asks_is_answered_as_the_server_answers(walked, server, gateway):
    compared = compare_all(walked, server, gateway)
    assert_the_same(compared)
    assert kept(compared) > 0.8


@pytest.mark.parametrize("casing", ["CamelCase", "PascalCase"])
def test_the_same_in_every_casing(casing, walked, server, gateway):
    accept = f'application/json; profile="{casing}"'
    assert_the_same(compare_all([request.with_header("Accept", accept) for request in walked], server, gateway))


def test_the_same_by_head(walked, server, gateway):
    assert_the_same(compare_all([by_head(request) for request in walked], server, gateway))


def test_the_same_by_head_where_nothing_was_kept(walked, server, gateway, request):
    with a_gateway(server, request, "fresh") as fresh:
        fresh.knows(*gateway.secrets)
        assert_the_same(compare_all([by_head(one) for one in walked], server, fresh))


def test_the_same_unpacked(walked, server, gateway):
    plain = [request.with_header("Accept-Encoding", "identity") for request in walked]
    assert_the_same(compare_all(plain, server, gateway))


def by_head(request):
    """The same request for the headers alone."""
    return dataclasses.replace(request, method="HEAD")
