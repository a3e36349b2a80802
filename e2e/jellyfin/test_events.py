"""The client's own socket through the gateway: a read after an event gets the new state, whichever client changed it."""

import queue

import pytest

from stage.fixtures import a_gateway
from stage.jellyfin_people import Person
from stage.waiting import PATIENCE_S, until

# A server announces an edit half a minute after the last one.
ANNOUNCED_WITHIN_S = 30 + PATIENCE_S


@pytest.fixture
def hear(gateway):
    """Listens as a user; what `read` gives on the first event of a kind that is about `item` comes out."""
    listeners = []

    def listen(name, kind, item, read):
        seen = queue.Queue()
        listener = Person(name, gateway, device="window", listens=True)
        listeners.append(listener)

        def on_event(event, data):
            if event == kind and item in str(data):
                try:
                    seen.put(read())
                except Exception as error:  # The client's thread swallows it, the test must not.
                    seen.put(error)

        listener.on_event = on_event
        return seen

    yield listen
    for listener in listeners:
        listener.leave()


def test_what_was_marked_elsewhere_is_marked_on_the_event(olga, behind, hear):
    film = olga.listed("Movie", filters="IsUnplayed")[0]
    look = lambda: olga.state(film["Id"])["Played"]
    assert not olga.kept(look)
    seen = hear("olga", "UserDataChanged", film["Id"], look)
    behind.api.item_played(film["Id"], True)
    assert seen.get(timeout=PATIENCE_S) is True


def test_counts_of_a_series_are_new_on_the_event_of_its_episode(olga, behind, hear):
    series = olga.listed("Series")[0]
    look = lambda: olga.state(series["Id"])["UnplayedItemCount"]
    episodes = olga.api.get_episodes(series["Id"])["Items"]
    episode = next(episode for episode in episodes if not episode["UserData"]["Played"])
    before = olga.kept(look)
    seen = hear("olga", "UserDataChanged", episode["Id"], look)
    behind.api.item_played(episode["Id"], True)
    assert seen.get(timeout=PATIENCE_S) == before - 1


def test_a_title_edited_behind_the_gateways_back_is_new_on_the_event(olga, behind, hear):
    film = olga.listed("Movie")[1]
    look = lambda: olga.api.get_item(film["Id"])["Name"]
    olga.kept(look)
    seen = hear("olga", "LibraryChanged", film["Id"], look)
    behind.api.update_item(film["Id"], {"Name": "Edited Elsewhere"})
    assert seen.get(timeout=ANNOUNCED_WITHIN_S) == "Edited Elsewhere"


def test_a_list_read_again_on_the_event_shows_the_edit(olga, behind, hear):
    film = olga.listed("Movie")[2]
    look = lambda: {item["Id"]: item["Name"] for item in olga.listed("Movie")}[film["Id"]]
    olga.kept(look)
    seen = hear("olga", "LibraryChanged", film["Id"], look)
    behind.api.update_item(film["Id"], {"Name": "Edited In The List"})
    assert seen.get(timeout=ANNOUNCED_WITHIN_S) == "Edited In The List"


def test_a_gateway_with_the_owners_token_notices_without_any_listener(server, request, behind):
    with a_gateway(server, request, "following", owner_token=behind.token) as following:
        until(lambda: "subscribed to the server's events" in following.program.log(), "the gateway follows the events")
        olga = Person("olga", following)
        film = olga.listed("Movie")[3]
        look = lambda: olga.api.get_item(film["Id"])["Name"]
        olga.kept(look)
        behind.api.update_item(film["Id"], {"Name": "Followed"})
        until(lambda: look() == "Followed", "the gateway has noticed the edit", within=10)
        olga.leave()
