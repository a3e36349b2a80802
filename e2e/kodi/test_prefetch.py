"""Prefetching after a menu."""

import pytest

from kodi.house import HOUR_S, House, facts
from kodi.scripted_api import ERRORS, UNREACHABLE
from resources.lib import prefetch


@pytest.fixture
def house(tmp_path, monkeypatch):
    """An installation that prefetches."""
    house = House(tmp_path, monkeypatch)
    house.settings = {"enable_prefetch": "true", "prefetch_picture_count": "0"}
    return house


def prefetched(host):
    """How prefetching went."""
    (line,) = facts(host, "prefetch")
    return int(line["wanted"]), int(line["requests"]), line["end"]


def test_it_is_off_unless_it_is_turned_on(house):
    house.settings = {}
    assert facts(house.open("projects", type="series"), "prefetch") == []
    assert house.asked() == ["Projects"]


def test_of_a_list_the_first_projects_are_loaded_and_only_what_is_missing_or_expired(house):
    assert prefetched(house.open("projects", type="series")) == (5, 5, "done")
    assert house.asked() == ["Projects"] + ["Project"] * 5
    house.open("seasons", slug="p2")
    assert "Project" not in house.asked(), "p2 is there"
    assert prefetched(house.open("projects", type="series"))[0] == 0
    house.now_s += 9 * HOUR_S
    house.asked()
    assert prefetched(house.open("projects", type="series")) == (5, 5, "done"), "expired ones count as missing"


@pytest.mark.parametrize(("count", "expected"), [("0", 0), ("2", 2), ("20", 12), ("99", 12)])
def test_the_number_of_projects_is_a_setting_with_bounds(house, count, expected):
    house.settings["prefetch_project_count"] = count
    assert prefetched(house.open("projects", type="series")) == (expected, expected, "done")


def test_of_a_project_the_episodes_of_all_seasons_are_loaded(house):
    assert prefetched(house.open("seasons", slug="p1")) == (2, 2, "done")
    assert len([key for key in house.keys() if key.startswith("episode/p1.")]) == 6


def test_of_episodes_the_parent_and_what_comes_next_are_loaded(house):
    assert prefetched(house.open("episodes", slug="p1", season="p1.1")) == (1, 1, "done")
    assert "episode/p1.2.1" in house.keys() and "episode/p1.2.2" not in house.keys()
    assert prefetched(house.open("episodes", slug="p1", season="p1.2")) == (0, 0, "done"), "nothing comes after it"


def test_of_what_was_watched_the_parents_are_loaded(house):
    assert prefetched(house.open("continue_watching")) == (0, 0, "done"), "they came with the list"
    house.drop("project/p3")
    house.drop("project/p7")
    house.asked()
    assert prefetched(house.open("continue_watching")) == (2, 2, "done")
    assert house.asked() == ["Project"] * 2 and "project/p7" in house.keys()


def test_it_stops_at_the_first_error_and_keeps_what_it_has(house):
    house.service.on_ask = lambda name: setattr(
        house.service, "fails", ERRORS if house.service.operations.count("Project") == 3 else None
    )
    host = house.open("projects", type="series")
    assert prefetched(host) == (5, 3, "error") and host.succeeded
    assert [key for key in house.keys() if key.startswith("project/")] == ["project/p0", "project/p1"]


def test_an_expired_project_whose_refresh_fails_counts_as_an_error(house):
    house.open("projects", type="series")
    house.now_s += 9 * HOUR_S
    house.service.on_ask = lambda name: setattr(house.service, "fails", UNREACHABLE)
    assert prefetched(house.open("projects", type="series")) == (5, 1, "error")


def test_it_ends_when_another_menu_is_opened_and_keeps_what_it_has(house):
    def navigate(name):
        if house.service.operations.count("Project") == 2:
            house.service.on_ask = lambda name: None
            house.visits.append("another")

    house.service.on_ask = navigate
    assert prefetched(house.open("projects", type="series")) == (5, 2, "navigation")
    assert [key for key in house.keys() if key.startswith("project/")] == ["project/p0", "project/p1"]


def test_it_ends_when_kodi_quits(house):
    host = house.host(action="projects", type="series")
    house.service.on_ask = lambda name: setattr(host, "quitting", name == "Project")
    house.run(host)
    assert prefetched(host) == (5, 1, "quit") and "project/p0" in house.keys()


def test_it_has_a_budget_of_requests_and_of_time(house, monkeypatch):
    monkeypatch.setattr(prefetch, "MAX_REQUESTS", 2)
    assert prefetched(house.open("projects", type="series")) == (5, 2, "budget")
    monkeypatch.setattr(prefetch, "MAX_REQUESTS", 20)
    host = house.host(action="projects", type="series")
    house.service.on_ask = lambda name: setattr(host, "elapsed", host.elapsed + 6)
    house.drop("")
    house.run(host)
    assert prefetched(host) == (5, 3, "budget")


def test_nothing_is_prefetched_while_the_service_fails(house):
    house.open("projects", type="series")
    house.now_s += 20 * 24 * HOUR_S
    house.service.fails = UNREACHABLE
    assert facts(house.open("projects", type="series"), "prefetch") == []


def test_pictures_are_loaded_up_to_their_number_each_once_and_those_that_come_next_first(house):
    house.settings["prefetch_picture_count"] = "4"
    house.settings["prefetch_project_count"] = "2"
    host = house.host(action="projects", type="series")
    host.broken_pictures = {"http://pictures/p3.jpg"}
    house.run(host)
    pictures = [event.split(" ")[1] for event in host.events if event.startswith("picture")]
    assert pictures == [f"http://pictures/p{number}.jpg" for number in range(4)]
    assert facts(host, "pictures") == [{"loaded": "3"}] and host.events.index("end") < host.events.index(
        f"picture {pictures[0]}"
    )
    host = house.host(action="projects", type="series")
    host.on_picture = lambda: house.visits.append("another")
    house.run(host)
    assert facts(host, "pictures") == [{"loaded": "1"}], "cancelled by navigation"


def test_work_after_a_menu_is_cut_into_slices(house):
    host = house.open("continue_watching")
    after = host.events[host.events.index("end") + 1 :]
    # The clock of the test moves 0.1 ms at each look; a slice is 1 ms.
    assert after.count("breathe") >= 2 and "breathe" not in host.events[: host.events.index("end")]


def test_a_request_takes_no_longer_than_kodi_waits_for_a_script_that_it_ends(house):
    host = house.host(action="projects", type="series")

    def slow(name):
        if name == "Project":
            host.elapsed += 2.9

    house.service.on_ask = slow
    assert prefetched(house.run(host)) == (5, 5, "done")
    menu, *requests = house.service.timeouts
    assert menu == 10.0 and requests == [3.0] * 5
    house.now_s += 9 * HOUR_S
    house.settings["prefetch_project_count"] = "12"
    host = house.host(action="projects", type="series")
    house.service.timeouts.clear()
    assert prefetched(house.run(host))[2] == "budget"
    last = house.service.timeouts[-1]
    assert 0.1 <= last < 0.6, "what is left of 15 seconds"
