"""What dashboards poll: who plays what, the history, what goes on."""


def playing(person):
    """What this person sees being played."""
    return {session.ratingKey: session for session in person.plex.sessions()}


def test_who_starts_to_play_is_in_the_sessions_at_once_and_gone_when_they_stop(olga, films):
    film = films.all()[0]
    olga.kept(olga.plex.sessions)
    assert film.ratingKey not in playing(olga)
    film.updateTimeline(60_000, state="playing")
    assert film.ratingKey in playing(olga)
    assert playing(olga)[film.ratingKey].players[0].state == "playing"
    olga.kept(olga.plex.sessions)
    film.updateTimeline(90_000, state="paused")
    assert playing(olga)[film.ratingKey].players[0].state == "paused"
    film.updateTimeline(120_000, state="stopped")
    assert film.ratingKey not in playing(olga)
    assert olga.item(film.ratingKey).viewOffset == 120_000


def test_the_history_is_the_servers_and_grows_at_once(olga, films, behind):
    read = lambda: olga.plex.history(maxresults=20)
    before = [(entry.ratingKey, entry.viewedAt) for entry in olga.kept(read)]
    assert before == [(entry.ratingKey, entry.viewedAt) for entry in behind.plex.history(maxresults=20)] != []
    film = films.search(unwatched=True)[0]
    film.markPlayed()
    assert read()[0].ratingKey == film.ratingKey
    assert olga.plex.history(maxresults=5, accountID=1)[0].ratingKey == film.ratingKey


def test_what_is_on_deck_and_continued_is_what_the_server_says(olga, behind):
    deck = [item.ratingKey for item in behind.plex.library.onDeck()]
    assert [item.ratingKey for item in olga.plex.library.onDeck()] == deck != []
    watching = [item.ratingKey for item in behind.plex.continueWatching()]
    assert [item.ratingKey for item in olga.plex.continueWatching()] == watching != []


def test_hubs_and_what_is_new_are_what_the_server_says(olga, behind):
    assert [hub.title for hub in olga.plex.library.hubs()] == [hub.title for hub in behind.plex.library.hubs()] != []
    new = [item.ratingKey for item in behind.plex.library.recentlyAdded()]
    assert [item.ratingKey for item in olga.plex.library.recentlyAdded()] == new != []


def test_statistics_are_what_the_server_says(olga, behind):
    assert len(olga.plex.resources()) == len(behind.plex.resources())
    assert len(olga.plex.bandwidth(timespan="days")) == len(behind.plex.bandwidth(timespan="days"))
    assert [task.name for task in olga.plex.butlerTasks()] == [task.name for task in behind.plex.butlerTasks()]
