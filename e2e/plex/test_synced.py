"""`greenroom sync` brings a list onto the server, and the real client sees it at once, also where it had read before."""

import csv
import json

import pytest

from stage.fixtures import a_gateway
from stage.plex_people import TOKENS, Person


@pytest.fixture(scope="module")
def keeping(server, request):
    """A gateway with the owner's token: it indexes the music and keeps playlists."""
    with a_gateway(server, request, "keeping", owner_token=TOKENS["olga"]) as gateway:
        gateway.told("build", "--control", gateway.control)
        yield gateway


@pytest.fixture
def olga(keeping):
    """The owner, behind that gateway."""
    return Person("olga", keeping)


def written(folder, tracks):
    """The tracks as an export of another service."""
    path = folder / "Road.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Track Name", "Artist Name(s)", "Album Name", "Track Duration (ms)"])
        for track in tracks:
            rows.writerow([track.title.upper(), track.grandparentTitle, track.parentTitle, track.duration])
    return path


def synced(keeping, path, *more):
    """What came of it."""
    return json.loads(keeping.told("sync", str(path), "--json", "--control", keeping.control, *more))


def test_a_list_of_elsewhere_is_seen_at_once_and_written_once(olga, keeping, tmp_path):
    music = next(section for section in olga.plex.library.sections() if section.type == "artist")
    tracks = {track.title.lower(): track for track in music.searchTracks(maxresults=400)}
    chosen = list(tracks.values())[:60]
    keys = [track.ratingKey for track in chosen]
    assert "Road" not in {playlist.title for playlist in olga.kept(olga.plex.playlists)}

    report = synced(keeping, written(tmp_path, chosen))["report"]
    assert report["counts"]["found"] == len(chosen)
    playlist = olga.plex.playlist("Road")
    read = lambda: [item.ratingKey for item in olga.plex.fetchItems(f"{playlist.key}/items")]
    assert olga.kept(read) == keys

    assert synced(keeping, written(tmp_path, chosen))["report"]["writes"] == 0
    turned = synced(keeping, written(tmp_path, chosen[:40]), "--mode", "append")["report"]
    assert turned["writes"] == 0
    synced(keeping, written(tmp_path, chosen[1:] + chosen[:1]), "--mode", "replace")
    assert read() == keys[1:] + keys[:1]
