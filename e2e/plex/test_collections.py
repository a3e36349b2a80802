"""What metadata managers do: collections, edits in bulk, deletions, smart playlists. All of it is seen at once."""

import pytest
from plexapi.exceptions import NotFound


def titles(section):
    """The collections of a library."""
    return {collection.title for collection in section.collections()}


def members(person, collection):
    """What is in a collection now."""
    return {item.ratingKey for item in person.plex.fetchItems(f"/library/collections/{collection.ratingKey}/children")}


def test_a_collection_lives_and_every_step_is_seen_at_once_by_everybody(olga, sam, films):
    his = sam.plex.library.sectionByID(films.key)
    chosen = films.all()[:5]
    keys = [film.ratingKey for film in chosen]
    olga.kept(films.collections)
    sam.kept(his.collections)
    collection = olga.plex.createCollection("Best Of Tests", films, items=chosen[:3])
    assert "Best Of Tests" in titles(films)
    assert "Best Of Tests" in titles(his)

    read = lambda: members(olga, collection)
    assert olga.kept(read) == set(keys[:3])
    collection.addItems(chosen[3:])
    assert read() == set(keys)
    olga.kept(read)
    collection.removeItems(chosen[0])
    assert read() == set(keys[1:])

    sam.kept(his.collections)
    collection.editTitle("Worst Of Tests")
    assert {"Worst Of Tests"} == titles(his) & {"Best Of Tests", "Worst Of Tests"}
    olga.kept(films.collections)
    collection.delete()
    assert "Worst Of Tests" not in titles(films)


def test_a_film_says_at_once_which_collections_and_labels_it_has(olga, films):
    film = films.all()[6]
    look = lambda: olga.item(film.ratingKey)
    olga.kept(look)
    film.addCollection("Named On The Film")
    assert "Named On The Film" in [tag.tag for tag in look().collections]
    olga.kept(look)
    film.addLabel("Seen By A Test")
    assert "Seen By A Test" in [tag.tag for tag in look().labels]
    olga.kept(look)
    film.addGenre("Tested")
    assert "Tested" in [tag.tag for tag in look().genres]
    assert film.ratingKey in [found.ratingKey for found in films.search(filters={"genre": "Tested"})]


def test_edits_in_bulk_are_seen_at_once(olga, films):
    chosen = films.all()[10:14]
    looks = [lambda film=film: olga.item(film.ratingKey).contentRating for film in chosen]
    for look in looks:
        olga.kept(look)
    films.batchMultiEdits(chosen).editContentRating("Tested").saveMultiEdits()
    assert [look() for look in looks] == ["Tested"] * len(chosen)


def test_a_deleted_film_is_gone_at_once_for_everybody(olga, sam, films):
    his = sam.plex.library.sectionByID(films.key)
    film = films.all()[20]
    for person, section in ((olga, films), (sam, his)):
        person.kept(lambda: person.item(film.ratingKey))
        person.kept(section.all)
    film.delete()
    for person, section in ((olga, films), (sam, his)):
        with pytest.raises(NotFound):
            person.item(film.ratingKey)
        assert film.ratingKey not in [other.ratingKey for other in section.all()]


def test_a_smart_playlist_follows_what_is_watched_at_once(olga, films):
    playlist = olga.plex.createPlaylist(
        "Still To Watch", section=films, smart=True, sort="addedAt:desc", filters={"unwatched": True}
    )
    read = lambda: [item.ratingKey for item in olga.plex.fetchItems(f"{playlist.key}/items")]
    first = olga.kept(read)[0]
    olga.item(first).markPlayed()
    assert first not in read()


def test_what_is_taken_out_of_continue_watching_is_out_at_once(olga):
    watching = lambda: [item.ratingKey for item in olga.plex.continueWatching()]
    first = olga.kept(watching)[0]
    olga.item(first).removeFromContinueWatching()
    assert first not in watching()
