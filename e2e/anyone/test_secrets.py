"""Wherever a client puts its token, it shows nowhere: not in the log at its most talkative, not in a file or page."""

import urllib.parse

from stage.request import Request

# Looks like a token, opens nothing.
STRAY = "stray-token-0123456789"
QUERY = {"plex": "X-Plex-Token", "jellyfin": "api_key"}


def places(gateway, token):
    """Addresses that carry a token in every place clients put it."""
    name = QUERY[gateway.server.kind]
    nested = urllib.parse.quote(f"http://127.0.0.1:32400/library/metadata/1/thumb/2?{name}={token}", safe="")
    yield f"/library/sections?{name}={token}"
    yield f"/UserViews?{name}={token}"
    yield f"/Items/0123?{name}={token}"
    yield f"/photo/:/transcode?width=10&height=10&url={nested}&{name}={token}"
    yield f"/no/such/path?{name}={token}"
    yield f"/library//odd/../path?{name}={token}"
    yield f"/socket?{name}={token}"
    yield f"/:/websockets/notifications?{name}={token}"
    yield f"/:/scrobble?key=nothing&{name}={token}"


def test_a_token_in_any_place_shows_nowhere(gateway, token):
    gateway.knows(STRAY)
    for secret in (token, STRAY):
        for path in places(gateway, secret):
            Request("GET", path).send(gateway.url)
            if "socket" not in path:
                Request("POST", path, (("User-Agent", "Nosy/1.0"), ("Content-Length", "0"))).send(gateway.url)
    shown = gateway.shown()
    assert "Nosy" in shown["/api/v1/cache/stats"]
    assert len(shown["log"]) > 1_000
    assert gateway.leaks() == []


def test_an_error_does_not_repeat_the_token(gateway):
    for path in places(gateway, STRAY):
        answer = Request("GET", path).send(gateway.url)
        assert answer.status >= 400
        assert STRAY not in answer.body.decode()
        assert STRAY not in str(answer.headers)


def test_a_token_in_the_data_directory_would_be_found(gateway, token):
    planted = gateway.data_dir / "planted"
    planted.write_text(f"token={token}")
    try:
        assert [place for place, _ in gateway.leaks()] == ["planted"]
    finally:
        planted.unlink()
