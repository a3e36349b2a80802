"""Who marks, rates or plays something through the gateway sees it at once, though all of it was in the cache."""

from stage.crowd import all_at_once
from stage.plex_people import Person


def keys(items):
    """Which items."""
    return {item.ratingKey for item in items}


def unplayed(section, number):
    """A film that was never played; each test takes another."""
    return [film for film in section.search(unwatched=True) if not film.viewOffset][number]


def test_a_film_marked_played_is_played_at_once_and_unplayed_again(olga, films):
    film = unplayed(films, 0)
    look = lambda: olga.item(film.ratingKey)
    unwatched = lambda: films.search(unwatched=True)
    assert not olga.kept(look).isPlayed
    assert film.ratingKey in keys(olga.kept(unwatched))
    film.markPlayed()
    assert look().viewCount == 1
    assert film.ratingKey not in keys(unwatched())
    olga.kept(look)
    olga.kept(unwatched)
    film.markUnplayed()
    assert not look().isPlayed
    assert film.ratingKey in keys(unwatched())


def test_an_episode_marked_played_counts_in_its_season_and_its_show_at_once(olga, shows):
    show = shows.all()[0]
    season = show.seasons()[0]
    before = olga.kept(lambda: olga.item(show.ratingKey)).viewedLeafCount
    in_season = olga.kept(lambda: olga.item(season.ratingKey)).viewedLeafCount
    olga.kept(show.seasons)
    olga.kept(shows.all)
    episode = next(episode for episode in season.episodes() if not episode.isPlayed)
    episode.markPlayed()
    assert olga.item(season.ratingKey).viewedLeafCount == in_season + 1
    assert olga.item(show.ratingKey).viewedLeafCount == before + 1
    assert show.seasons()[0].viewedLeafCount == in_season + 1
    assert shows.all()[0].viewedLeafCount == before + 1


def test_a_show_marked_played_is_played_down_to_its_episodes_at_once(olga, shows):
    show = shows.all()[1]
    episode, season = show.episodes()[0], show.seasons()[0]
    olga.kept(show.episodes)
    olga.kept(lambda: olga.item(episode.ratingKey))
    olga.kept(lambda: olga.item(season.ratingKey))
    show.markPlayed()
    assert olga.item(episode.ratingKey).isPlayed
    assert olga.item(season.ratingKey).viewedLeafCount == season.leafCount
    assert all(episode.isPlayed for episode in show.episodes())
    olga.kept(show.episodes)
    show.markUnplayed()
    assert not any(episode.isPlayed for episode in show.episodes())


def test_a_rating_is_seen_at_once(olga, films):
    film = unplayed(films, 1)
    look = lambda: olga.item(film.ratingKey)
    olga.kept(look)
    film.rate(8.0)
    assert look().userRating == 8.0
    olga.kept(look)
    film.rate(3.0)
    assert look().userRating == 3.0


def test_what_was_left_in_the_middle_is_continued_at_once(olga, films):
    film = unplayed(films, 2)
    watching = lambda: olga.plex.continueWatching()
    assert film.ratingKey not in keys(olga.kept(watching))
    olga.kept(lambda: olga.item(film.ratingKey))
    olga.kept(films.continueWatching)
    film.updateProgress(film.duration // 3)
    assert olga.item(film.ratingKey).viewOffset == film.duration // 3
    assert film.ratingKey in keys(watching())
    assert film.ratingKey in keys(films.continueWatching())


def test_the_next_episode_is_on_deck_at_once(olga, shows):
    show = shows.all()[2]
    show.markUnplayed()
    first, second = show.episodes()[:2]
    deck = lambda: olga.plex.library.onDeck()
    assert second.ratingKey not in keys(olga.kept(deck))
    first.markPlayed()
    assert second.ratingKey in keys(deck())


def test_each_person_has_a_state_of_their_own(olga, sam, films):
    film = unplayed(films, 3)
    his = lambda: sam.item(film.ratingKey)
    before = sam.kept(his).viewCount
    film.markPlayed()
    film.rate(9.0)
    assert his().viewCount == before
    assert his().userRating != 9.0
    sam.item(film.ratingKey).rate(2.0)
    assert his().userRating == 2.0
    assert olga.item(film.ratingKey).userRating == 9.0


def test_another_token_of_the_same_account_sees_the_write_at_once(olga, olga_too, films):
    film = unplayed(films, 4)
    look = lambda: olga_too.item(film.ratingKey)
    listed = lambda: olga_too.plex.library.sectionByID(films.key).search(unwatched=True)
    assert not olga_too.kept(look).isPlayed
    assert film.ratingKey in keys(olga_too.kept(listed))
    film.markPlayed()
    assert look().isPlayed
    assert film.ratingKey not in keys(listed())
    olga.kept(lambda: olga.item(film.ratingKey))
    look().markUnplayed()
    assert not olga.item(film.ratingKey).isPlayed


def test_many_people_at_once_each_get_their_own_answer(server, gateway, films):
    film = unplayed(films, 5)
    Person("sam", server).item(film.ratingKey).rate(4.0)
    names = ["olga", "sam", "kim"]
    wanted = {name: Person(name, server).item(film.ratingKey).userRating for name in names}
    assert wanted["sam"] == 4.0 != wanted["olga"]
    people = [Person(name, gateway) for name in names * 8]
    seen = all_at_once([lambda person=person: person.item(film.ratingKey).userRating for person in people])
    assert seen == [wanted[name] for name in names * 8]
