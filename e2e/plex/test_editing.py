"""Edits of a metadata manager are seen at once, by everybody and in every list."""

import pytest


def title_in(section, rating_key):
    """The title of an item where its library lists it."""
    return next(item.title for item in section.all() if item.ratingKey == rating_key)


def test_a_new_title_is_seen_at_once_by_everybody_and_in_every_list(olga, sam, films):
    film = films.all()[0]
    his = sam.plex.library.sectionByID(films.key)
    old = olga.kept(lambda: olga.item(film.ratingKey)).title
    olga.kept(films.all)
    sam.kept(lambda: sam.item(film.ratingKey))
    sam.kept(his.all)
    olga.kept(lambda: films.search(title="An Edited Title"))
    film.editTitle("An Edited Title")
    assert olga.item(film.ratingKey).title == "An Edited Title" != old
    assert title_in(films, film.ratingKey) == "An Edited Title"
    assert sam.item(film.ratingKey).title == "An Edited Title"
    assert title_in(his, film.ratingKey) == "An Edited Title"
    assert [found.ratingKey for found in films.search(title="An Edited Title")] == [film.ratingKey]


@pytest.mark.parametrize("edit, shown, value", [
    ("editSummary", "summary", "A summary of a test."),
    ("editSortTitle", "titleSort", "Zz Sorted Last"),
    ("editContentRating", "contentRating", "PG-13"),
])
def test_a_field_is_edited_and_seen_at_once(olga, films, edit, shown, value):
    film = films.all()[1]
    look = lambda: olga.item(film.ratingKey)
    olga.kept(look)
    getattr(film, edit)(value)
    assert getattr(look(), shown) == value


def test_a_label_put_on_an_episode_does_not_lose_the_show(olga, shows):
    episode = shows.all()[0].episodes()[0]
    olga.kept(lambda: olga.item(episode.ratingKey))
    olga.kept(shows.all()[0].episodes)
    episode.editTitle("An Edited Episode")
    assert olga.item(episode.ratingKey).title == "An Edited Episode"
    assert shows.all()[0].episodes()[0].title == "An Edited Episode"


def test_who_may_not_edit_is_refused_and_nothing_changes(olga, sam, films):
    film = films.all()[2]
    look = lambda: olga.item(film.ratingKey).title
    before = olga.kept(look)
    with pytest.raises(Exception, match="40[13]"):
        sam.item(film.ratingKey).editTitle("Not His To Edit")
    assert look() == before


def test_a_renamed_show_is_renamed_on_its_seasons_and_episodes_at_once(olga, shows):
    show = shows.all()[3]
    season, episode = show.seasons()[0], show.episodes()[0]
    olga.kept(lambda: olga.item(episode.ratingKey))
    olga.kept(lambda: olga.item(season.ratingKey))
    olga.kept(show.episodes)
    show.editTitle("A Renamed Show")
    assert olga.item(episode.ratingKey).grandparentTitle == "A Renamed Show"
    assert olga.item(season.ratingKey).parentTitle == "A Renamed Show"
    assert show.episodes()[0].grandparentTitle == "A Renamed Show"
