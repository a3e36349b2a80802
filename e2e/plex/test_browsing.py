"""PlexAPI walks through every library, from the shelves down to the files, and sees what the server shows."""

import pytest

from stage.plex_people import Person


def rows(items):
    """What a list shows, short enough to be compared."""
    return [(item.type, item.ratingKey, item.title) for item in items]


def read_and_keep(person, read):
    """What is read the first time, after checking that the kept answer is the same."""
    first = rows(read())
    assert rows(person.kept(read)) == first
    return first


@pytest.mark.parametrize("kind", ["movie", "show", "artist"])
def test_every_library_is_listed_as_the_server_lists_it(olga, behind, kind):
    titles = [section.title for section in behind.plex.library.sections() if section.type == kind]
    assert titles
    for title in titles:
        ours, theirs = olga.plex.library.section(title), behind.plex.library.section(title)
        assert read_and_keep(olga, ours.all) == rows(theirs.all())
        assert ours.totalSize == theirs.totalSize > 0
        assert rows(ours.recentlyAdded(maxresults=10)) == rows(theirs.recentlyAdded(maxresults=10))
        assert rows(ours.collections()) == rows(theirs.collections())
        assert [hub.hubIdentifier for hub in ours.hubs()] == [hub.hubIdentifier for hub in theirs.hubs()]


def test_a_show_is_walked_down_to_its_files_and_up_again(olga, shows, behind):
    show = shows.all()[0]
    same = behind.item(show.ratingKey)
    assert read_and_keep(olga, show.seasons) == rows(same.seasons())
    assert read_and_keep(olga, show.episodes) == rows(same.episodes())
    season = show.seasons()[0]
    assert read_and_keep(olga, season.episodes) == rows(same.seasons()[0].episodes())
    episode = season.episodes()[0]
    assert episode.season().ratingKey == season.ratingKey
    assert episode.show().ratingKey == show.ratingKey
    assert episode.locations == same.seasons()[0].episodes()[0].locations != []


def test_an_artist_is_walked_down_to_the_files_and_up_again(olga, music, behind):
    artist = music.all()[0]
    same = behind.item(artist.ratingKey)
    assert read_and_keep(olga, artist.albums) == rows(same.albums())
    assert read_and_keep(olga, artist.tracks) == rows(same.tracks())
    album = artist.albums()[0]
    assert read_and_keep(olga, album.tracks) == rows(same.albums()[0].tracks())
    track = album.tracks()[0]
    assert track.album().ratingKey == album.ratingKey
    assert track.artist().ratingKey == artist.ratingKey
    assert track.locations == same.albums()[0].tracks()[0].locations != []


def test_a_film_of_a_list_completes_itself(films, behind):
    film = films.all()[0]
    same = behind.item(film.ratingKey)
    assert film.isPartialObject()
    assert [genre.tag for genre in film.genres] == [genre.tag for genre in same.genres] != []
    assert [role.tag for role in film.roles] == [role.tag for role in same.roles]
    assert [guid.id for guid in film.guids] == [guid.id for guid in same.guids] != []
    assert film.media[0].parts[0].file == same.media[0].parts[0].file


def test_several_items_are_asked_for_at_once(olga, films, behind):
    keys = [film.ratingKey for film in films.all()[:3]]
    assert rows(olga.plex.fetchItems(keys)) == rows(behind.plex.fetchItems(keys))


def test_a_list_is_the_same_in_pages_of_any_size(olga, films, behind):
    key = f"/library/sections/{films.key}/all?type=1&sort=titleSort"
    whole = rows(behind.plex.fetchItems(key))
    assert rows(olga.plex.fetchItems(key, container_size=7)) == whole
    assert rows(olga.plex.fetchItems(key)) == whole
    assert rows(olga.plex.fetchItems(key, container_start=5, container_size=3, maxresults=3)) == whole[5:8]


def test_posters_come_through_and_are_kept(olga, films, behind):
    film = films.all()[0]
    picture = behind.plex._session.get(behind.plex.url(film.thumb, includeToken=True))
    assert picture.headers["Content-Type"].startswith("image/")
    read = lambda: olga.plex._session.get(olga.plex.url(film.thumb, includeToken=True)).content
    assert read() == picture.content
    assert olga.kept(read) == picture.content


def test_a_library_that_somebody_may_not_see_is_not_shown(kim, server, shows):
    direct = Person("kim", server)
    titles = [section.title for section in kim.plex.library.sections()]
    assert titles == [section.title for section in direct.plex.library.sections()]
    assert shows.title not in titles
