"""PlexAPI's AlertListener through the gateway: a read after a frame gets the new state, whichever client changed it."""

import queue

import pytest
import requests

from stage.fixtures import a_gateway
from stage.plex_people import Person
from stage.waiting import PATIENCE_S, until


def is_connected(listener):
    """Whether the client's socket is open."""
    socket = listener._ws and listener._ws.sock
    return bool(socket and socket.connected)


def mentions(frame, rating_key):
    """Whether a frame is about this item."""
    numbers = {str(rating_key)}
    rows = frame.get("TimelineEntry", []) + frame.get("PlaySessionStateNotification", [])
    return any(str(row.get("itemID", row.get("ratingKey"))) in numbers for row in rows)


@pytest.fixture
def hear(gateway):
    """Listens as the owner; what `read` gives on the first frame that `about` accepts comes out of the queue."""
    listeners = []

    def listen(about, read):
        seen, errors = queue.Queue(), queue.Queue()

        def on_frame(frame):
            try:
                if about(frame):
                    seen.put(read())
            except Exception as error:  # The listener swallows it, the test must not.
                seen.put(error)

        listener = Person("olga", gateway).plex.startAlertListener(on_frame, errors.put)
        listeners.append(listener)
        until(lambda: is_connected(listener), "the listener is connected")
        return seen

    yield listen
    for listener in listeners:
        listener.stop()


def test_a_title_edited_behind_the_gateways_back_is_new_on_the_frame(olga, behind, films, hear):
    film = films.all()[0]
    look = lambda: olga.item(film.ratingKey).title
    olga.kept(look)
    seen = hear(lambda frame: mentions(frame, film.ratingKey), look)
    behind.item(film.ratingKey).editTitle("Edited Elsewhere")
    assert seen.get(timeout=PATIENCE_S) == "Edited Elsewhere"


def test_a_list_read_again_on_the_frame_shows_the_edit(olga, behind, films, hear):
    film = films.all()[1]
    look = lambda: next(item.title for item in films.all() if item.ratingKey == film.ratingKey)
    olga.kept(look)
    seen = hear(lambda frame: mentions(frame, film.ratingKey), look)
    behind.item(film.ratingKey).editTitle("Edited In The List")
    assert seen.get(timeout=PATIENCE_S) == "Edited In The List"


def test_what_was_played_to_its_end_elsewhere_is_played_on_the_frame(olga, behind, films, hear):
    film = next(film for film in films.search(unwatched=True) if not film.viewOffset)
    look = lambda: olga.item(film.ratingKey).viewCount
    assert not olga.kept(look)
    stopped = lambda frame: mentions(frame, film.ratingKey) and "stopped" in str(frame)
    seen = hear(stopped, look)
    same = behind.item(film.ratingKey)
    same.updateTimeline(film.duration // 2, state="playing")
    same.updateTimeline(film.duration - 1_000, state="stopped")
    assert seen.get(timeout=PATIENCE_S) == 1


def test_who_starts_to_play_elsewhere_is_in_the_sessions_on_the_frame(olga, behind, films, hear):
    film = films.all()[3]
    look = lambda: film.ratingKey in [session.ratingKey for session in olga.plex.sessions()]
    assert not olga.kept(look)
    seen = hear(lambda frame: mentions(frame, film.ratingKey) and "playing" in str(frame), look)
    behind.item(film.ratingKey).updateTimeline(60_000, state="playing")
    assert seen.get(timeout=PATIENCE_S) is True


def test_a_playlist_made_elsewhere_is_there_on_the_frame(olga, behind, films, hear):
    olga.kept(olga.plex.playlists)
    titles = lambda: [playlist.title for playlist in olga.plex.playlists()]
    a_playlist = lambda frame: any(row.get("type") == 15 for row in frame.get("TimelineEntry", []))
    seen = hear(a_playlist, titles)
    behind.plex.createPlaylist("Made Elsewhere", items=[behind.item(films.all()[0].ratingKey)])
    assert "Made Elsewhere" in seen.get(timeout=PATIENCE_S)


def test_a_stream_of_events_serves_as_well_as_a_socket(olga, behind, films, gateway):
    film = films.all()[5]
    look = lambda: olga.item(film.ratingKey).title
    olga.kept(look)
    url = f"{gateway.url}/:/eventsource/notifications"
    with requests.get(url, headers={"X-Plex-Token": olga.token}, stream=True, timeout=PATIENCE_S) as events:
        assert events.headers["Content-Type"].startswith("text/event-stream")
        behind.item(film.ratingKey).editTitle("Edited On The Stream")
        assert next(line for line in events.iter_lines(1, True) if f'"itemID":{film.ratingKey},' in line)
        assert look() == "Edited On The Stream"


def test_a_gateway_with_the_owners_token_notices_without_any_listener(server, request, behind):
    with a_gateway(server, request, "following", owner_token="plx-owner-a") as following:
        until(lambda: "subscribed to the server's events" in following.program.log(), "the gateway follows the events")
        olga = Person("olga", following)
        film = olga.plex.library.sections()[0].all()[4]
        look = lambda: olga.item(film.ratingKey).title
        olga.kept(look)
        behind.item(film.ratingKey).editTitle("Followed")
        until(lambda: look() == "Followed", "the gateway has noticed the edit", within=10)
