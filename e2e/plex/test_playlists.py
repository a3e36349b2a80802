"""Playlists made, extended, reordered and deleted through the gateway are so at once, in every list that shows them."""


def titles(person):
    """The playlists a person has."""
    return {playlist.title for playlist in person.plex.playlists()}


def entries(person, playlist):
    """What is in a playlist now, in order."""
    items = person.plex.fetchItems(f"{playlist.key}/items")
    return [item.ratingKey for item in items]


def test_a_playlist_lives_and_every_step_is_seen_at_once(olga, music):
    tracks = music.searchTracks(maxresults=6)
    keys = [track.ratingKey for track in tracks]
    olga.kept(olga.plex.playlists)
    playlist = olga.plex.createPlaylist("Rainy Sunday", items=tracks[:3])
    assert "Rainy Sunday" in titles(olga)
    assert olga.plex.playlist("Rainy Sunday").ratingKey == playlist.ratingKey

    read = lambda: entries(olga, playlist)
    assert olga.kept(read) == keys[:3]
    playlist.addItems(tracks[3:])
    assert read() == keys
    assert olga.plex.playlist("Rainy Sunday").leafCount == 6

    olga.kept(read)
    fresh = olga.plex.playlist("Rainy Sunday")
    fresh.moveItem(fresh.items()[0], after=fresh.items()[2])
    assert read() == [keys[1], keys[2], keys[0], *keys[3:]]

    olga.kept(read)
    fresh = olga.plex.playlist("Rainy Sunday")
    fresh.removeItems(fresh.items()[-1])
    assert read() == [keys[1], keys[2], keys[0], keys[3], keys[4]]

    olga.kept(olga.plex.playlists)
    fresh.editTitle("Sunny Monday")
    assert "Sunny Monday" in titles(olga)
    assert "Rainy Sunday" not in titles(olga)

    olga.kept(olga.plex.playlists)
    olga.plex.playlist("Sunny Monday").delete()
    assert "Sunny Monday" not in titles(olga)


def test_another_token_of_the_same_account_sees_the_playlist_at_once(olga, olga_too, films):
    chosen = films.all()[:2]
    olga_too.kept(olga_too.plex.playlists)
    playlist = olga.plex.createPlaylist("For Both", items=chosen)
    assert "For Both" in titles(olga_too)
    read = lambda: entries(olga_too, playlist)
    olga_too.kept(read)
    playlist.addItems(films.all()[2:3])
    assert len(read()) == 3
    olga_too.kept(olga_too.plex.playlists)
    playlist.delete()
    assert "For Both" not in titles(olga_too)


def test_nobody_else_sees_a_playlist(olga, sam, films):
    sam.kept(sam.plex.playlists)
    before = titles(sam)
    olga.plex.createPlaylist("Only Mine", items=films.all()[:1])
    assert "Only Mine" in titles(olga)
    assert titles(sam) == before


def test_a_playlist_is_filled_one_by_one_as_sync_tools_do(olga, music):
    tracks = music.searchTracks(maxresults=12)
    playlist = olga.plex.createPlaylist("One By One", items=tracks[:1])
    for number, track in enumerate(tracks[1:], start=2):
        playlist.addItems(track)
        assert len(entries(olga, playlist)) == number
