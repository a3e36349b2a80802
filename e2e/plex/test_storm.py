"""A client that reloads by itself: reading a missing attribute of every item of a list causes a storm."""

import pytest

from stage.crowd import all_at_once

FILMS = 115
# Requests the gateway sends to a server at a time, unless it is told otherwise.
PLACES = 8


@pytest.fixture
def slow(server):
    """The server takes long enough for requests to meet."""
    server.take_longer(20)
    yield
    server.take_longer(0)


def test_a_storm_of_reloads_reaches_the_server_a_few_at_a_time_and_all_are_answered(server, gateway, olga, films, slow):
    listed = films.all(maxresults=FILMS)
    assert len(listed) == FILMS and all(film.isPartialObject() for film in listed)
    server.forget()
    already = len(olga.answers.all)
    # Attributes that a list does not carry: the client asks for the whole item to find out.
    summed_up = all_at_once([lambda film=film: (film.ratingKey, film.chapters, film.markers) for film in listed])
    assert [key for key, _, _ in summed_up] == [film.ratingKey for film in listed]
    assert all(film.isFullObject() for film in listed)
    assert {answer.status_code for answer in olga.answers.all[already:]} == {200}
    reached = [seen for seen in server.reached() if seen["target"].startswith("/library/metadata/")]
    assert len(reached) == FILMS
    assert 1 < server.most_at_once() <= PLACES
    ranks = gateway.figures()["servers"][0]["queue"]["ranks"]
    assert sum(rank["waited"] for rank in ranks) > FILMS / 2
    assert sum(rank["refused"] + rank["waited_in_vain"] for rank in ranks) == 0
