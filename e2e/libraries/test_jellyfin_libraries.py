"""Unmodified client libraries of Jellyfin work as at the server itself, and their second round is answered from the cache."""

import pytest

from stage.walks import assert_mostly_kept, assert_the_same_walk

LIBRARIES = {
    "@jellyfin/sdk 0.13": ["jellyfin_sdk.js", "0.13"],
    "@jellyfin/sdk 1.0": ["jellyfin_sdk.js", "1.0"],
    "aiojellyfin": ["of_aiojellyfin.py"],
    "jellyfin-sdk": ["of_jellyfin_sdk.py"],
}
# These only read.
READERS = {"aiojellyfin"}
# The owner, and a user without administrator rights.
PEOPLE = ["olga", "sam"]


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_second_round_is_answered_from_the_cache(library, person, jellyfin, jellyfin_gateway, jellyfin_token):
    command, token = LIBRARIES[library], jellyfin_token(person, library)
    assert_the_same_walk(command, jellyfin, jellyfin_gateway, token)
    assert_mostly_kept(f"{library}, {person}", command, jellyfin_gateway, token)


@pytest.mark.parametrize("library", [library for library in LIBRARIES if library not in READERS])
def test_what_a_library_writes_is_read_back(library, jellyfin, jellyfin_gateway, jellyfin_token):
    assert_the_same_walk(LIBRARIES[library], jellyfin, jellyfin_gateway, jellyfin_token("sam", library), part="writes")
