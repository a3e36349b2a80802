"""The client walks through every library and sees what the server shows."""

import pytest
import requests

from stage.jellyfin_people import Person


def rows(answer):
    """What a list shows, short enough to be compared."""
    items = answer["Items"] if isinstance(answer, dict) else answer
    return [(item["Type"], item["Id"], item["Name"]) for item in items]


def same(ours, theirs, read):
    """What `read` gives through the gateway, checked against the kept answer and the server's own."""
    first = read(ours.api)
    assert ours.kept(lambda: read(ours.api)) == first
    assert read(theirs.api) == first
    return first


def test_views_and_their_libraries_are_the_servers(olga, behind):
    views = same(olga, behind, lambda api: api.get_views())["Items"]
    assert {"movies", "tvshows", "music"} <= {view.get("CollectionType") for view in views}
    for view in views:
        same(olga, behind, lambda api: api.get_user_items(parent_id=view["Id"], limit=20, fields="Etag,SortName"))
        same(olga, behind, lambda api: api.get_filters(parent_id=view["Id"]))
        same(olga, behind, lambda api: api.get_genres(parent_id=view["Id"]))


def test_a_series_is_walked_down_to_its_episodes(olga, behind):
    series = olga.listed("Series")[0]
    seasons = same(olga, behind, lambda api: api.get_seasons(series["Id"]))["Items"]
    in_season = same(olga, behind, lambda api: api.get_season(series["Id"], seasons[0]["Id"]))["Items"]
    every = same(olga, behind, lambda api: api.get_episodes(series["Id"], fields="Overview"))["Items"]
    assert {episode["Id"] for episode in in_season} < {episode["Id"] for episode in every}
    above = same(olga, behind, lambda api: api.get_ancestors(in_season[0]["Id"]))
    assert [item["Id"] for item in above][:2] == [seasons[0]["Id"], series["Id"]]


def test_an_artist_is_walked_down_to_the_tracks(olga, behind):
    artist = same(olga, behind, lambda api: api.get_album_artists(limit=10))["Items"][0]
    albums = same(olga, behind, lambda api: api.get_artist_albums(artist["Id"]))["Items"]
    tracks = same(olga, behind, lambda api: api.get_album_tracks(albums[0]["Id"]))["Items"]
    songs = same(olga, behind, lambda api: api.get_artist_songs(artist["Id"]))["Items"]
    assert {track["Id"] for track in tracks} <= {song["Id"] for song in songs}
    same(olga, behind, lambda api: api.get_artists(limit=10))


def test_an_item_has_all_its_fields(olga, behind):
    film = olga.listed("Movie")[0]
    item = same(olga, behind, lambda api: api.get_item(film["Id"]))
    assert item["MediaSources"] and item["People"] and item["ProviderIds"]
    same(olga, behind, lambda api: api.get_items([film["Id"]]))
    # Similar items are drawn anew at each request; they all come from the server.
    assert olga.api.get_similar(film["Id"])["Items"]


def test_what_is_next_resumed_and_new_is_what_the_server_says(olga, behind):
    same(olga, behind, lambda api: api.get_next(limit=10))
    assert rows(same(olga, behind, lambda api: api.get_resume_items()))
    assert rows(same(olga, behind, lambda api: api.get_recently_added(limit=10)))
    assert rows(same(olga, behind, lambda api: api.get_recently_added(media="Movie", limit=5)))


def test_searches_find_what_they_find_directly(olga, behind):
    film = olga.listed("Movie")[0]
    found = same(olga, behind, lambda api: api.search_media_items(term=film["Name"], media="Movie"))
    assert film["Id"] in [item["Id"] for item in found["Items"]]
    hints = {"searchTerm": film["Name"], "userId": "{UserId}"}
    same(olga, behind, lambda api: api._get("Search/Hints", dict(hints)))
    same(olga, behind, lambda api: api.get_user_items(
        include_item_types="Movie", recursive=True, filters="IsUnplayed", sort_by="ProductionYear,SortName",
        sort_order="Descending,Ascending", years=film["ProductionYear"]))


def test_a_list_is_the_same_in_pages_of_any_size(olga, behind):
    whole = [item["Id"] for item in behind.listed("Movie")]
    pages = []
    while len(pages) < len(whole):
        page = [item["Id"] for item in olga.listed("Movie", start_index=len(pages), limit=50)]
        assert page
        pages += page
    assert pages == whole


def test_old_and_new_routes_and_spellings_meet_in_one_answer(olga, gateway):
    ask = lambda path: requests.get(gateway.url + path, headers={"X-Emby-Token": olga.token}, timeout=20)
    new = ask(f"/Items?userId={olga.user_id}&includeItemTypes=Movie,Series&recursive=true&limit=5")
    assert new.json()["Items"]
    for spelling in (
        f"/Users/{olga.user_id}/Items?IncludeItemTypes=Movie,Series&Recursive=true&Limit=5",
        f"/items?UserId={olga.user_id}&includeItemTypes=Movie&includeItemTypes=Series&recursive=True&limit=5",
    ):
        answer = ask(spelling)
        assert "; hit" in answer.headers["Cache-Status"], spelling
        assert answer.content == new.content


def test_pictures_come_through_and_are_kept(olga, server, gateway):
    film = olga.listed("Movie")[0]
    url = olga.api.image_url(film["Id"], tag=film["ImageTags"]["Primary"], max_width=300)
    picture = requests.get(url.replace(gateway.url, server.url), timeout=20)
    assert picture.headers["Content-Type"].startswith("image/")
    assert requests.get(url, timeout=20).content == picture.content
    again = requests.get(url, timeout=20)
    assert again.content == picture.content
    assert "; hit" in again.headers["Cache-Status"]


@pytest.mark.parametrize("kind", ["Series", "Episode"])
def test_what_somebody_may_not_see_is_not_shown(kind, olga, kim, server):
    assert olga.kept(lambda: olga.listed(kind))
    assert kim.listed(kind) == []
    direct = Person("kim", server, device="server room")
    assert rows(kim.api.get_views()) == rows(direct.api.get_views())
    direct.leave()


def test_system_and_tasks_are_what_the_server_says(olga, behind):
    same(olga, behind, lambda api: api._get("ScheduledTasks"))
    same(olga, behind, lambda api: api._get("Items/Counts", {"userId": "{UserId}"}))
    same(olga, behind, lambda api: api.media_folders())
    same(olga, behind, lambda api: api.virtual_folders())
    same(olga, behind, lambda api: api.get_users())
