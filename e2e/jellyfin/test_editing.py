"""Edits, collections and deletions are seen at once, by everybody and in every list."""

import pytest
from jellyfin_apiclient_python.exceptions import HTTPException


def test_an_edited_title_is_seen_at_once_by_everybody_and_in_every_list(olga, sam):
    film = olga.listed("Movie")[0]
    listed = lambda person: {item["Id"]: item["Name"] for item in person.listed("Movie")}[film["Id"]]
    for person in (olga, sam):
        person.kept(lambda: person.api.get_item(film["Id"]))
        person.kept(lambda: listed(person))
    olga.api.update_item(film["Id"], {"Name": "An Edited Title"})
    for person in (olga, sam):
        assert person.api.get_item(film["Id"])["Name"] == "An Edited Title"
        assert listed(person) == "An Edited Title"


def test_a_renamed_series_is_renamed_on_its_seasons_and_episodes_at_once(olga):
    series = olga.listed("Series")[0]["Id"]
    season = olga.api.get_seasons(series)["Items"][0]["Id"]
    episodes = lambda: olga.api.get_episodes(series)["Items"]
    episode = episodes()[0]["Id"]
    for read in (episodes, lambda: olga.api.get_item(episode), lambda: olga.api.get_item(season)):
        olga.kept(read)
    olga.api.update_item(series, {"Name": "A Renamed Series"})
    assert olga.api.get_item(episode)["SeriesName"] == "A Renamed Series"
    assert olga.api.get_item(season)["SeriesName"] == "A Renamed Series"
    assert episodes()[0]["SeriesName"] == "A Renamed Series"


def test_a_collection_lives_and_every_step_is_seen_at_once_by_everybody(olga, sam):
    films = [film["Id"] for film in olga.listed("Movie", limit=4)]
    names_of = lambda person: {item["Name"] for item in person.api.get_collections()["Items"]}
    sam.kept(sam.api.get_collections)
    made = olga.api.new_collection("Best Of Tests", films[:2])["Id"]
    assert "Best Of Tests" in names_of(sam)
    members = lambda: {item["Id"] for item in sam.api.get_user_items(parent_id=made)["Items"]}
    assert sam.kept(members) == set(films[:2])
    olga.api.add_collection_items(made, films[2:])
    assert members() == set(films)
    sam.kept(members)
    olga.api.remove_collection_items(made, films[:1])
    assert members() == set(films[1:])


def test_a_deleted_film_is_gone_at_once_for_everybody(olga, sam):
    film = olga.listed("Movie")[5]["Id"]
    for person in (olga, sam):
        person.kept(lambda: person.listed("Movie"))
        person.kept(lambda: person.api.get_item(film))
    olga.api.delete_item(film)
    for person in (olga, sam):
        assert film not in [item["Id"] for item in person.listed("Movie")]
        with pytest.raises(HTTPException, match="404"):
            person.api.get_item(film)
