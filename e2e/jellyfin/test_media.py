"""Media passes through as it is: whole, in ranges, and never into the cache."""

import requests

PIECE = {"Range": "bytes=1000-70999"}


def test_a_piece_of_a_film_is_the_servers_piece(olga, server, gateway):
    film = olga.listed("Movie", limit=1)[0]["Id"]
    url = olga.api.video_url(film)
    direct = requests.get(url.replace(gateway.url, server.url), headers=PIECE, timeout=20)
    through = requests.get(url, headers=PIECE, timeout=20)
    assert through.status_code == direct.status_code == 206
    assert through.headers["Content-Range"] == direct.headers["Content-Range"]
    assert through.content == direct.content
    assert len(through.content) == 70_000


def test_a_song_comes_whole_and_is_not_kept(olga, server, gateway):
    track = olga.listed("Audio", limit=1)[0]["Id"]
    url = olga.api.audio_url(track)
    before = gateway.figures()["memory"]["bytes"]
    through = requests.get(url, timeout=20)
    assert through.content == requests.get(url.replace(gateway.url, server.url), timeout=20).content
    assert len(through.content) > 100_000
    assert "; hit" not in through.headers["Cache-Status"]
    assert gateway.figures()["memory"]["bytes"] - before < len(through.content)
