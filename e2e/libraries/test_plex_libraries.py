"""Unmodified client libraries of Plex work as at the server itself, and their second round is answered from the cache."""

import pytest

from stage.plex_people import TOKENS
from stage.walks import assert_mostly_kept, assert_the_same_walk

LIBRARIES = {
    "@ctrl/plex": ["ctrl_plex.js"],
    "plex-api": ["plex_api.js"],
    "@lukehagar/plexjs": ["plexjs.js"],
}
# The owner, and a user with a share.
PEOPLE = ["olga", "sam"]


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_second_round_is_answered_from_the_cache(library, person, plex, plex_gateway):
    command, token = LIBRARIES[library], TOKENS[person]
    assert_the_same_walk(command, plex, plex_gateway, token)
    assert_mostly_kept(f"{library}, {person}", command, plex_gateway, token)


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_a_library_writes_is_read_back(library, plex, plex_gateway):
    assert_the_same_walk(LIBRARIES[library], plex, plex_gateway, TOKENS["sam"], part="writes")
