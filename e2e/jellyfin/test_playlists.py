"""Playlists made, extended, reordered and deleted through the gateway are so at once, in every list."""


def names(person):
    """The playlists a person has."""
    return {playlist["Name"] for playlist in person.api.get_playlists()["Items"]}


def entries(person, playlist):
    """What is in a playlist now, in order."""
    return [item["Id"] for item in person.api.get_playlist_items(playlist)["Items"]]


def test_a_playlist_lives_and_every_step_is_seen_at_once(olga):
    tracks = [track["Id"] for track in olga.listed("Audio", limit=6)]
    olga.kept(olga.api.get_playlists)
    playlist = olga.api.new_playlist("Rainy Sunday", tracks[:3], media_type="Audio")["Id"]
    assert "Rainy Sunday" in names(olga)

    read = lambda: entries(olga, playlist)
    assert olga.kept(read) == tracks[:3]
    olga.api.add_playlist_items(playlist, tracks[3:])
    assert read() == tracks

    entry_ids = [item["PlaylistItemId"] for item in olga.kept(lambda: olga.api.get_playlist_items(playlist))["Items"]]
    olga.api.move_playlist_item(playlist, entry_ids[0], 2)
    assert read() == [tracks[1], tracks[2], tracks[0], *tracks[3:]]

    olga.kept(read)
    olga.api.remove_playlist_items(playlist, [entry_ids[5]])
    assert read() == [tracks[1], tracks[2], tracks[0], tracks[3], tracks[4]]

    olga.kept(olga.api.get_playlists)
    olga.api.update_playlist(playlist, name="Sunny Monday")
    assert {"Sunny Monday"} == names(olga) & {"Sunny Monday", "Rainy Sunday"}

    olga.kept(olga.api.get_playlists)
    olga.api.delete_item(playlist)
    assert "Sunny Monday" not in names(olga)


def test_another_device_of_the_same_person_sees_the_playlist_at_once(olga, olga_too):
    films = [film["Id"] for film in olga.listed("Movie", limit=3)]
    olga_too.kept(olga_too.api.get_playlists)
    playlist = olga.api.new_playlist("For Both", films[:2], is_public=False)["Id"]
    assert "For Both" in names(olga_too)
    read = lambda: entries(olga_too, playlist)
    assert olga_too.kept(read) == films[:2]
    olga.api.add_playlist_items(playlist, films[2:])
    assert read() == films


def test_a_public_playlist_is_seen_by_others_at_once_and_a_private_one_never(olga, sam):
    films = [film["Id"] for film in olga.listed("Movie", limit=2)]
    sam.kept(sam.api.get_playlists)
    olga.api.new_playlist("For Everybody", films, is_public=True)
    assert "For Everybody" in names(sam)
    sam.kept(sam.api.get_playlists)
    olga.api.new_playlist("Only Mine", films, is_public=False)
    assert "Only Mine" not in names(sam)
