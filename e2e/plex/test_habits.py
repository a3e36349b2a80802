"""Servers differ: one packs its answers, states their length twice, varies by token and tags its images."""

import pytest

from stage.comparing import assert_the_same, compare_all, reads
from stage.fixtures import a_server
from stage.plex_people import TOKENS, Person
from stage.plex_tour import tour
from stage.recorder import Recorder

HABITS = ("gzip", "double-content-length", "vary", "etag-on-images", "hubs-differ-by-client", "playing-every-second")


@pytest.fixture(scope="module")
def server(request):
    """A server with all of these habits."""
    options = [word for habit in HABITS for word in ("--switch", habit)]
    with a_server("plex", request, options) as server:
        yield server


def test_its_answers_are_its_own_through_the_gateway_too(server, gateway):
    gateway.knows(TOKENS["olga"])
    with Recorder(server.url) as recorder:
        tour(Person("olga", recorder).plex)
    assert_the_same(compare_all(reads(recorder.asked), server, gateway))


def test_the_client_walks_through_it(gateway):
    tour(Person("olga", gateway).plex)


def test_what_plays_is_followed_while_it_says_so_every_second(olga, behind, films):
    film = films.all()[0]
    playing = lambda: {session.ratingKey: session.viewOffset for session in olga.plex.sessions()}
    assert film.ratingKey not in playing()
    film.updateTimeline(60_000, state="playing")
    assert film.ratingKey in playing()
    film.updateTimeline(film.duration - 1_000, state="stopped")
    assert film.ratingKey not in playing()
    assert olga.item(film.ratingKey).viewCount == behind.item(film.ratingKey).viewCount
