"""What Greenroom is for: the server is asked once for all clients."""

from stage.crowd import all_at_once
from stage.plex_people import Person
from stage.plex_tour import tour

CROWD = 24


def test_the_second_app_on_the_same_walk_hardly_reaches_the_server(server, gateway):
    server.forget()
    tour(Person("olga", gateway).plex)
    first = server.reached()
    server.forget()
    tour(Person("olga", gateway).plex)
    # Greenroom's own question of what changed comes every few seconds, however long the walk takes.
    second = [request for request in server.reached() if "push=1&addedAt" not in request["target"]]
    targets = sorted({request["target"] for request in second})
    assert len(first) > 80
    assert len(second) < len(first) * 0.1, f"{len(second)} of {len(first)} requests came again: {targets}"


def test_a_crowd_with_one_token_reaches_the_server_once(server, gateway, films):
    people = [Person("olga", gateway) for _ in range(CROWD)]
    server.forget()
    path = f"/library/sections/{films.key}/all?type=1&sort=rating:asc"
    lists = all_at_once([lambda person=person: len(person.plex.query(path)) for person in people])
    assert len(set(lists)) == 1 and lists[0] > 0
    assert len([request for request in server.reached() if request["target"].startswith(path)]) == 1
