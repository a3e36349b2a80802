"""The server dies: what was read stays readable, what cannot be known is refused, and when it is back all is well."""

import pytest
from plexapi.exceptions import BadRequest

from stage.fixtures import a_gateway, name_of
from stage.plex_people import Person
from stage.server import Server
from stage.waiting import until


def test_reads_go_on_while_the_server_is_dead_and_writes_are_refused(server, request, olga, films):
    listed = [film.ratingKey for film in olga.kept(films.all)]
    film = olga.kept(lambda: olga.item(listed[0]))
    server.kill()

    assert [other.ratingKey for other in films.all()] == listed
    assert olga.item(film.ratingKey).title == film.title
    with pytest.raises(BadRequest, match="503"):
        film.editTitle("Nobody Hears This")
    with pytest.raises(BadRequest, match="503"):
        olga.plex.query("/library/sections/1/folder")

    again = Server("plex", f"{name_of(request)}-server-again", port=server.port)
    try:
        def writes():
            try:
                return film.editTitle("Back Again")
            except BadRequest:
                return None

        until(writes, "the gateway has noticed that the server is back")
        assert olga.item(film.ratingKey).title == "Back Again"
    finally:
        again.stop()


def test_what_changed_while_the_servers_events_were_lost_is_noticed_when_they_are_back(request):
    name = name_of(request)
    first = Server("plex", f"{name}-before")
    with a_gateway(first, request, "following", owner_token="plx-owner-a") as following:
        follows = lambda: following.program.log().count("subscribed to the server's events")
        until(lambda: follows() == 1, "the gateway follows the events")
        olga = Person("olga", following)
        film = olga.plex.library.sections()[0].all()[0]
        film.editTitle("Lost With The Server")
        look = lambda: olga.item(film.ratingKey).title
        assert look() == "Lost With The Server"
        until(lambda: look() and olga.answers.last_stays_for() > 30, "the answer is kept for long")
        first.kill()
        # Its successor begins anew: whatever happened in between, no event told of it.
        successor = Server("plex", f"{name}-after", port=first.port)
        try:
            until(lambda: follows() == 2, "the gateway follows the events again")
            until(lambda: look() == film.title, "the gateway shows what the server shows", within=10)
        finally:
            successor.stop()
