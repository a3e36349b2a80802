"""Actions: marking, playing, clearing."""

import pytest

from kodi.house import House, facts
from kodi.scripted_api import UNREACHABLE


@pytest.fixture
def house(tmp_path, monkeypatch):
    """An installation."""
    return House(tmp_path, monkeypatch)


def test_marking_an_episode_shows_in_the_next_menu_and_keeps_the_descriptions(house):
    house.open("continue_watching")
    house.open("episodes", slug="p0", season="p0.1")
    house.asked()
    assert house.open("mark_watched", guid="p0.1.2", watched="true").events == ["refresh"]
    resume = house.open("continue_watching")
    assert [row.label for row in resume.rows][0] == "P1: Episode 2"
    assert house.open("episodes", slug="p0", season="p0.1").rows[1].watch.watched
    assert house.asked() == ["MarkWatched", "ResumeWatching", "Episodes"]


def test_a_menu_that_was_asked_for_before_a_change_does_not_undo_it(house):
    slow = house.host(action="continue_watching")

    def change(name):
        # While the first menu waits for its answer, which is on its way, the user marks an episode in another one.
        house.service.on_ask = lambda name: None
        house.open("mark_watched", guid="p0.1.2", watched="true")
        house.service.watched.clear()

    house.service.on_ask = change
    house.run(slow)
    assert slow.rows[0].label == "P0: Episode 2", "the slow menu shows what it was told"
    assert facts(slow, "deferred_write")[0]["refused"] == "1"
    assert not any(key.startswith("resume/") for key in house.keys())


def test_a_change_that_failed_may_have_happened_so_the_state_is_asked_for_again(house):
    house.open("continue_watching")
    house.service.fails = UNREACHABLE
    host = house.open("mark_watched", guid="p0.1.2", watched="true")
    assert host.notes == ["UNREACHABLE"] and not any(key.startswith("resume/") for key in house.keys())


def test_the_address_of_media_is_never_stored(house):
    assert house.open("play", guid="p0.1.2").played == ["http://media/p0.1.2?signed"]
    assert house.open("play", guid="p0.1.2").played and house.asked() == ["EpisodeSource"] * 2
    assert not any(b"signed" in path.read_bytes() for path in house.folder.rglob("*") if path.is_file())
    house.service.fails = UNREACHABLE
    assert house.open("play", guid="p0.1.2").played == [None]


def test_clearing_removes_everything_and_says_how_much(house):
    house.open("continue_watching")
    assert house.open("clear_cache").notes == ["CACHE_CLEARED 21"]
    assert house.keys() == []
    house.settings = {"disable_cache": "true"}
    assert house.open("clear_cache").notes == ["CACHE_CLEARED 0"]


def test_storage_that_fails_costs_hits_and_nothing_else(house):
    (house.folder / "cache").write_text("a file where the folder would be")
    for _ in range(2):
        menu = house.open("continue_watching")
        assert menu.succeeded and len(menu.rows) == 11
        assert facts(menu, "deferred_write")[0]["stored"] == "0" and menu.warnings
    assert house.open("clear_cache").notes
