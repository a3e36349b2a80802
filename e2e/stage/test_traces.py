"""The search finds what it is there to find: a search that cannot fail proves nothing."""

import pytest

from stage import traces


@pytest.mark.parametrize("spelling", list(traces.spellings("plx-owner-a/=")))
def test_a_token_is_found_in_every_spelling(spelling):
    shown = {"log": f"GET /library?X-Plex-Token={spelling} 200", "page": "nothing"}
    (place, around), *_ = traces.found({"plx-owner-a/="}, shown)
    assert place == "log"
    assert spelling not in around


def test_what_holds_no_token_is_clean():
    assert traces.found({"plx-owner-a"}, {"log": "GET /library 200 owner"}) == []


def test_a_secret_that_is_an_ordinary_word_is_refused():
    with pytest.raises(AssertionError):
        traces.found({"on"}, {"log": "a log"})
