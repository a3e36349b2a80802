"""PlexAPI searches through the gateway: filters of a library, its own query operators, and the search of everything."""


def keys(items):
    """Which items, in order."""
    return [item.ratingKey for item in items]


def same_search(olga, ours, theirs, **wanted):
    """The same search asked twice through the gateway and once directly; returns what was found."""
    found = keys(ours.search(**wanted))
    assert keys(olga.kept(lambda: ours.search(**wanted))) == found
    assert found == keys(theirs.search(**wanted))
    return found


def test_films_are_filtered_as_the_server_filters_them(olga, films, behind):
    theirs = behind.plex.library.sectionByID(films.key)
    film = films.all()[0]
    everything = keys(films.all())
    assert film.ratingKey in same_search(olga, films, theirs, title=film.title)
    assert film.ratingKey in same_search(olga, films, theirs, year=film.year)
    assert film.ratingKey in same_search(olga, films, theirs, genre=film.genres[0].tag)
    assert 0 < len(same_search(olga, films, theirs, unwatched=True)) < len(everything)
    newest = same_search(olga, films, theirs, sort="addedAt:desc", maxresults=5)
    assert len(newest) == 5


def test_operators_in_the_query_keep_their_meaning(olga, films, behind):
    theirs = behind.plex.library.sectionByID(films.key)
    years = sorted({film.year for film in films.all()})
    middle = years[len(years) // 2]
    after = same_search(olga, films, theirs, **{"year>>": middle})
    before = same_search(olga, films, theirs, **{"year<<": middle})
    assert after and before and not set(after) & set(before)
    film = films.all()[0]
    assert film.ratingKey in same_search(olga, films, theirs, **{"title=": film.title})
    assert film.ratingKey not in same_search(olga, films, theirs, **{"title!=": film.title})


def test_the_ways_to_filter_are_listed(films, behind):
    theirs = behind.plex.library.sectionByID(films.key)
    assert [entry.filter for entry in films.listFilters()] == [entry.filter for entry in theirs.listFilters()] != []
    assert [entry.key for entry in films.listSorts()] == [entry.key for entry in theirs.listSorts()] != []
    assert [choice.title for choice in films.listFilterChoices("genre")] == [
        choice.title for choice in theirs.listFilterChoices("genre")
    ]


def test_episodes_and_tracks_are_searched_by_title(olga, shows, music, behind):
    episode = shows.all()[0].episodes()[0]
    theirs = behind.plex.library.sectionByID(shows.key)
    assert episode.ratingKey in same_search(olga, shows, theirs, libtype="episode", title=episode.title)
    track = music.all()[0].tracks()[0]
    theirs = behind.plex.library.sectionByID(music.key)
    assert track.ratingKey in same_search(olga, music, theirs, libtype="track", title=track.title)


def test_the_search_of_everything_finds_what_it_finds_directly(olga, films, behind):
    title = films.all()[0].title
    found = [item.title for item in olga.plex.search(title)]
    assert title in found
    assert [item.title for item in olga.kept(lambda: olga.plex.search(title))] == found
    assert found == [item.title for item in behind.plex.search(title)]
    assert [item.title for item in olga.plex.search(title, mediatype="movie")] == [
        item.title for item in behind.plex.search(title, mediatype="movie")
    ]


def test_what_one_person_may_not_see_is_not_found_for_them(olga, kim, shows):
    title = shows.all()[0].title
    assert title in [item.title for item in olga.kept(lambda: olga.plex.search(title))]
    assert title not in [item.title for item in kim.plex.search(title)]
