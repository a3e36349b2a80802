"""Every answer through the gateway is the server's, byte for byte, loaded or kept, in XML and JSON, GET and HEAD."""

import dataclasses

import pytest

from stage.comparing import assert_the_same, compare_all, kept, reads
from stage.fixtures import a_gateway
from stage.plex_people import TOKENS, Person
from stage.plex_tour import tour
from stage.recorder import Recorder

# The walk of the real client gives at least so many different requests.
WALK = 100
JSON = ("Accept", "application/json")
# What is asked for in headers or in the query.
IN_EITHER = ("X-Plex-Container-Start", "X-Plex-Container-Size", "X-Plex-Token")


@pytest.fixture(scope="module")
def walked(server, gateway):
    """What PlexAPI asks on its walk, as it was sent to the server."""
    gateway.knows(*TOKENS.values())
    with Recorder(server.url) as recorder:
        tour(Person("olga", recorder).plex)
    return reads(recorder.asked)


def test_the_walk_is_long_enough_to_mean_something(walked):
    assert len(walked) >= WALK


def test_what_the_client_asks_is_answered_as_the_server_answers(walked, server, gateway):
    compared = compare_all(walked, server, gateway)
    assert_the_same(compared)
    assert kept(compared) > 0.8


def test_the_same_in_json(walked, server, gateway):
    compared = compare_all([request.with_header(*JSON) for request in walked], server, gateway)
    assert_the_same(compared)
    assert kept(compared) > 0.8


def test_the_same_by_head(walked, server, gateway):
    assert_the_same(compare_all([by_head(request) for request in walked], server, gateway))


def test_the_same_by_head_in_json_where_nothing_was_kept(walked, server, request):
    with a_gateway(server, request, "fresh") as fresh:
        fresh.knows(*TOKENS.values())
        assert_the_same(compare_all([by_head(one).with_header(*JSON) for one in walked], server, fresh))


def test_the_same_with_pages_and_token_asked_for_in_the_query(walked, server, gateway):
    paged = [in_query(request) for request in walked if "X-Plex-Container-Size" in dict(request.headers)]
    assert len(paged) > 20
    assert_the_same(compare_all(paged, server, gateway))


def test_the_same_for_somebody_with_other_rights(walked, server, gateway):
    as_kim = [request.with_header("X-Plex-Token", TOKENS["kim"]) for request in walked]
    assert_the_same(compare_all(as_kim, server, gateway))


def by_head(request):
    """The same request for the headers alone."""
    return dataclasses.replace(request, method="HEAD")


def in_query(request):
    """The same request with paging and token in the query instead of in headers."""
    headers = dict(request.headers)
    query = "&".join(f"{name}={headers[name]}" for name in IN_EITHER if name in headers)
    rest = tuple(pair for pair in request.headers if pair[0] not in IN_EITHER)
    joint = "&" if "?" in request.target else "?"
    return dataclasses.replace(request, target=request.target + joint + query, headers=rest)
