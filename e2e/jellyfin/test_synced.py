"""`greenroom sync` brings a list onto the server, and the real client sees it at once, also where it had read before."""

import json

import pytest

from stage.fixtures import a_gateway
from stage.jellyfin_people import Person


@pytest.fixture
def keeping(server, request, behind):
    """A gateway with the owner's token: it indexes the music and keeps playlists."""
    with a_gateway(server, request, "keeping", owner_token=behind.token) as gateway:
        gateway.told("build", "--control", gateway.control)
        yield gateway


def test_a_list_of_elsewhere_is_seen_at_once_and_written_once(keeping, tmp_path):
    olga = Person("olga", keeping)
    tracks = {track["Name"].lower(): track for track in olga.listed("Audio", limit=400)}
    chosen = list(tracks.values())[:60]
    row = lambda track: {"title": track["Name"], "creator": track["AlbumArtist"], "album": track["Album"]}
    path = tmp_path / "road.jspf"
    path.write_text(json.dumps({"playlist": {"title": "Road", "track": [row(track) for track in chosen]}}))
    assert "Road" not in {playlist["Name"] for playlist in olga.kept(olga.api.get_playlists)["Items"]}

    synced = lambda: json.loads(keeping.told("sync", str(path), "--json", "--control", keeping.control))["report"]
    assert synced()["counts"]["found"] == len(chosen)
    made = next(playlist for playlist in olga.api.get_playlists()["Items"] if playlist["Name"] == "Road")
    entries = olga.kept(lambda: olga.api.get_playlist_items(made["Id"]))
    assert [item["Id"] for item in entries["Items"]] == [track["Id"] for track in chosen]
    assert synced()["writes"] == 0
    olga.leave()
