"""Who marks or plays something through the gateway sees it at once, though all of it was in the cache."""

from stage.crowd import all_at_once
from stage.jellyfin_people import Person

TICKS_PER_S = 10_000_000


def ids(items):
    """Which items."""
    return {item["Id"] for item in items}


def unplayed(person, number, kind="Movie"):
    """A film that was never played; each test takes another."""
    found = person.listed(kind, filters="IsUnplayed")
    return [item for item in found if not item["UserData"]["PlaybackPositionTicks"]][number]


def test_a_film_marked_played_is_played_at_once_and_unplayed_again(olga):
    film = unplayed(olga, 0)
    look = lambda: olga.state(film["Id"])
    unwatched = lambda: olga.listed("Movie", filters="IsUnplayed")
    assert not olga.kept(look)["Played"]
    assert film["Id"] in ids(olga.kept(unwatched))
    olga.api.item_played(film["Id"], True)
    assert look()["Played"] and look()["PlayCount"] == 1
    assert film["Id"] not in ids(unwatched())
    olga.kept(look)
    olga.kept(unwatched)
    olga.api.item_played(film["Id"], False)
    assert not look()["Played"]
    assert film["Id"] in ids(unwatched())


def test_a_favourite_is_one_at_once(olga):
    film = unplayed(olga, 1)
    favourites = lambda: olga.listed("Movie", is_favorite=True)
    assert film["Id"] not in ids(olga.kept(favourites))
    olga.kept(lambda: olga.state(film["Id"]))
    olga.api.favorite(film["Id"])
    assert olga.state(film["Id"])["IsFavorite"]
    assert film["Id"] in ids(favourites())
    olga.kept(favourites)
    olga.api.favorite(film["Id"], False)
    assert not olga.state(film["Id"])["IsFavorite"]
    assert film["Id"] not in ids(favourites())


def test_an_episode_marked_played_counts_in_its_season_and_its_series_at_once(olga):
    series = olga.listed("Series")[0]
    season = olga.api.get_seasons(series["Id"])["Items"][0]
    unplayed_of = lambda item: olga.state(item["Id"])["UnplayedItemCount"]
    before = olga.kept(lambda: unplayed_of(series)), olga.kept(lambda: unplayed_of(season))
    olga.kept(lambda: olga.listed("Series"))
    episodes = olga.api.get_season(series["Id"], season["Id"])["Items"]
    episode = next(episode for episode in episodes if not episode["UserData"]["Played"])
    olga.api.item_played(episode["Id"], True)
    assert (unplayed_of(series), unplayed_of(season)) == (before[0] - 1, before[1] - 1)
    assert olga.listed("Series")[0]["UserData"]["UnplayedItemCount"] == before[0] - 1


def test_a_series_marked_played_is_played_down_to_its_episodes_at_once(olga):
    series = olga.listed("Series")[2]
    season = olga.api.get_seasons(series["Id"])["Items"][0]
    episodes = lambda: olga.api.get_episodes(series["Id"])["Items"]
    one = lambda: olga.state(episodes_before[0]["Id"])["Played"]
    of_season = lambda: olga.state(season["Id"])["UnplayedItemCount"]
    olga.api.item_played(series["Id"], False)
    episodes_before = olga.kept(episodes)
    assert not olga.kept(one)
    assert olga.kept(of_season) > 0
    olga.api.item_played(series["Id"], True)
    assert one()
    assert of_season() == 0
    assert all(episode["UserData"]["Played"] for episode in episodes())


def test_the_next_episode_is_next_up_at_once(olga):
    series = olga.listed("Series")[1]
    olga.api.item_played(series["Id"], False)
    first, second = olga.api.get_episodes(series["Id"])["Items"][:2]
    following = lambda: olga.api.get_next(limit=1, series_id=series["Id"])["Items"]
    assert second["Id"] not in ids(olga.kept(following))
    olga.api.item_played(first["Id"], True)
    assert ids(following()) == {second["Id"]}


def test_what_is_played_shows_in_sessions_and_is_resumed_where_it_stopped(olga):
    film = unplayed(olga, 2)
    place = 600 * TICKS_PER_S
    playing = lambda: {s["NowPlayingItem"]["Id"] for s in olga.api.get_sessions() if s.get("NowPlayingItem")}
    resumed = lambda: olga.api.get_resume_items(limit=50)["Items"]
    olga.kept(lambda: olga.api.get_sessions())
    assert film["Id"] not in ids(olga.kept(resumed))
    olga.api.session_playing({"ItemId": film["Id"], "PositionTicks": 0, "CanSeek": True})
    assert film["Id"] in playing()
    olga.api.session_progress({"ItemId": film["Id"], "PositionTicks": place, "IsPaused": True})
    assert film["Id"] in playing()
    olga.api.session_stop({"ItemId": film["Id"], "PositionTicks": place})
    assert film["Id"] not in playing()
    assert olga.state(film["Id"])["PlaybackPositionTicks"] == place
    assert film["Id"] in ids(resumed())


def test_user_data_posted_is_read_back_at_once(olga):
    film = unplayed(olga, 3)
    olga.kept(lambda: olga.state(film["Id"]))
    olga.kept(lambda: olga.api.get_userdata_for_item(film["Id"]))
    olga.api.update_userdata_for_item(film["Id"], {"PlayCount": 7, "Played": True})
    assert olga.state(film["Id"])["PlayCount"] == 7
    assert olga.api.get_userdata_for_item(film["Id"])["PlayCount"] == 7


def test_each_person_has_a_state_of_their_own(olga, sam):
    film = unplayed(olga, 4)
    before = sam.kept(lambda: sam.state(film["Id"]))["PlayCount"]
    olga.api.item_played(film["Id"], True)
    olga.api.favorite(film["Id"])
    assert sam.state(film["Id"])["PlayCount"] == before
    assert not sam.state(film["Id"])["IsFavorite"]
    sam.api.item_played(film["Id"], True)
    sam.api.item_played(film["Id"], False)
    assert olga.state(film["Id"])["Played"]


def test_another_device_of_the_same_person_sees_the_write_at_once(olga, olga_too):
    film = unplayed(olga, 5)
    assert olga.token != olga_too.token
    look = lambda: olga_too.state(film["Id"])
    unwatched = lambda: olga_too.listed("Movie", filters="IsUnplayed")
    assert not olga_too.kept(look)["Played"]
    assert film["Id"] in ids(olga_too.kept(unwatched))
    olga.api.item_played(film["Id"], True)
    assert look()["Played"]
    assert film["Id"] not in ids(unwatched())
    olga.kept(lambda: olga.state(film["Id"]))
    olga_too.api.item_played(film["Id"], False)
    assert not olga.state(film["Id"])["Played"]


def test_many_people_at_once_each_get_their_own_answer(gateway, olga, sam):
    film = unplayed(olga, 6)
    sam.api.favorite(film["Id"])
    people = [Person(name, gateway, device=f"tablet {n}") for n in range(8) for name in ("olga", "sam", "kim")]
    seen = all_at_once([lambda person=person: person.state(film["Id"])["IsFavorite"] for person in people])
    assert seen == [person.user_id == sam.user_id for person in people]
    for person in people:
        person.leave()
