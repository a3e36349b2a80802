"""What Greenroom is for: the server is asked once for all clients."""

from stage.crowd import all_at_once
from stage.jellyfin_people import Person
from stage.jellyfin_tour import tour

CROWD = 24


def test_the_second_walk_of_an_app_hardly_reaches_the_server(server, gateway):
    person = Person("olga", gateway)
    server.forget()
    tour(person)
    first = server.reached()
    server.forget()
    tour(person)
    second = server.reached()
    person.leave()
    targets = sorted({request["target"] for request in second})
    assert len(first) > 80
    assert len(second) < len(first) * 0.15, f"{len(second)} of {len(first)} requests came again: {targets}"


def test_a_crowd_with_one_token_reaches_the_server_once(server, olga):
    server.forget()
    ask = lambda: olga.api.get_user_items(include_item_types="Movie", recursive=True, sort_by="CommunityRating")
    lists = all_at_once([lambda: ask()["TotalRecordCount"]] * CROWD)
    assert len(set(lists)) == 1 and lists[0] > 0
    # What asks for changes every few seconds is not of the crowd.
    assert len([one for one in server.reached() if "CommunityRating" in one["target"]]) == 1
