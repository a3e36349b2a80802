"""What the menus show, what they store and for how long."""

import pytest

from greenroom import Cache
from kodi.house import HOUR_S, House, facts
from kodi.scripted_api import ERRORS, REFUSED, UNREACHABLE
from resources.lib.host import Text


@pytest.fixture
def house(tmp_path, monkeypatch):
    """An installation."""
    return House(tmp_path, monkeypatch)


MENUS = [
    ("projects", {"type": "series"}),
    ("seasons", {"slug": "p3"}),
    ("episodes", {"slug": "p3", "season": "p3.1"}),
    ("continue_watching", {}),
]


@pytest.mark.parametrize(("action", "arguments"), MENUS)
def test_a_second_visit_shows_the_same_without_a_request(house, action, arguments):
    first = house.open(action, **arguments)
    assert house.asked() and first.succeeded and first.rows
    second = house.open(action, **arguments)
    assert house.asked() == [] and second.rows == first.rows and second.content == first.content
    assert facts(second, f"{action}_menu")[0]["source"] == "hit"


def test_the_menus_lead_to_each_other(house):
    root = house.open("root")
    assert [row.label for row in root.rows] == ["CONTINUE_WATCHING", "SERIES", "MOVIES"] and house.asked() == []
    projects = house.open("projects", type="series")
    assert len(projects.rows) == 12 and projects.rows[3].url == "plugin://x/?action=seasons&slug=p3"
    seasons = house.open("seasons", slug="p3")
    assert [row.url for row in seasons.rows][0] == "plugin://x/?action=episodes&slug=p3&season=p3.1"
    episodes = house.open("episodes", slug="p3", season="p3.1")
    assert [(row.season, row.episode, row.is_folder) for row in episodes.rows] == [(1, n, False) for n in (1, 2, 3)]
    assert episodes.rows[0].menu == ((Text.MARK_WATCHED, "plugin://x/?action=mark_watched&guid=p3.1.1&watched=true"),)
    resume = house.open("continue_watching")
    assert len(resume.rows) == 11 and resume.rows[-1].url == "plugin://x/?action=continue_watching&after=p9.1.2"
    assert resume.rows[0].label == "P0: Episode 2" and len(resume.rows[0].menu) == 2
    assert house.open("no such action").rows == root.rows


def test_nothing_is_written_before_the_menu_ends_and_then_all_in_one_batch(house, monkeypatch):
    hosts = []
    put = Cache.deferred

    def deferred(cache, *arguments):
        later = put(cache, *arguments)
        drain = later.drain
        later.drain = lambda *a, **k: hosts[-1].events.append(f"drain {len(later)}") or drain(*a, **k)
        return later

    monkeypatch.setattr(Cache, "deferred", deferred)
    monkeypatch.setattr(Cache, "set", lambda *a, **k: pytest.fail("written one by one"))
    hosts.append(house.host(action="continue_watching"))
    house.run(hosts[0])
    events = [event for event in hosts[0].events if event != "breathe"]
    assert events == ["end", "drain 21"]
    assert facts(hosts[0], "deferred_write") == [{"stored": "21", "refused": "0", "left": "0"}]
    assert facts(hosts[0], "continue_watching_menu")[0]["cache_write"] == "deferred"


@pytest.mark.parametrize(
    ("action", "arguments", "hours"),
    [("projects", {"type": "series"}, 12), ("seasons", {"slug": "p1"}, 8), ("continue_watching", {}, 5 / 60)],
)
def test_each_menu_has_its_lifetime(house, action, arguments, hours):
    house.open(action, **arguments)
    house.asked()
    house.now_s += hours * HOUR_S - 1
    house.open(action, **arguments)
    assert house.asked() == []
    house.now_s += 2
    house.open(action, **arguments)
    assert len(house.asked()) == 1


def test_an_episode_is_kept_for_72_hours_and_the_users_state_for_5_minutes(house):
    house.settings = {"project_cache_hours": "168"}
    house.open("episodes", slug="p1", season="p1.1")
    house.asked()
    house.now_s += 301
    asked = []
    house.service.on_ask = lambda name: asked.append(name)
    again = house.open("episodes", slug="p1", season="p1.1")
    assert asked == ["Episodes"] and len(again.rows) == 3, "only the state is asked for, in one request"
    assert facts(again, "deferred_write") == [{"stored": "1", "refused": "0", "left": "0"}]
    house.now_s += 72 * HOUR_S
    assert facts(house.open("episodes", slug="p1", season="p1.1"), "deferred_write")[0]["stored"] == "4"


def test_settings_change_the_lifetimes(house):
    house.settings = {"projects_cache_hours": "1"}
    house.open("projects", type="series")
    house.now_s += HOUR_S + 1
    house.asked()
    house.open("projects", type="series")
    assert house.asked() == ["Projects"]


def test_a_disabled_cache_neither_reads_nor_writes(house):
    house.open("projects", type="series")
    stored = house.keys()
    house.asked()
    for setting in ("disable_cache", "through_greenroom"):
        house.settings = {setting: "true", "enable_prefetch": "true"}
        menu = house.open("projects", type="series")
        house.open("continue_watching")
        assert house.asked() == ["Projects", "ResumeWatching"] and menu.succeeded
        assert facts(menu, "deferred_write") == [] and facts(menu, "prefetch") == []
    assert house.keys() == stored


@pytest.mark.parametrize("failure", [UNREACHABLE, ERRORS])
@pytest.mark.parametrize(("action", "arguments"), MENUS)
def test_while_the_service_fails_an_expired_menu_is_shown_and_said_so(house, action, arguments, failure):
    before = house.open(action, **arguments)
    house.now_s += 20 * 24 * HOUR_S
    house.service.fails = failure
    house.asked()
    during = house.open(action, **arguments)
    assert during.succeeded and during.rows == before.rows and during.notes == ["SHOWN_FROM_CACHE"]
    assert len(house.asked()) == 1, "a service that failed is not waited for again"
    assert house.service.timeouts[-1] == 3.0 and facts(during, f"{action}_menu")[0]["source"] == "stale"
    house.service.fails = None
    assert facts(house.open(action, **arguments), f"{action}_menu")[0]["source"] == "loaded"


@pytest.mark.parametrize(
    ("failure", "text"), [(UNREACHABLE, "UNREACHABLE"), (ERRORS, "SERVICE_ERROR"), (REFUSED, "TOKEN_REFUSED")]
)
def test_a_failure_with_nothing_stored_is_told_and_stores_nothing(house, failure, text):
    house.service.fails = failure
    menu = house.open("continue_watching")
    assert menu.succeeded is False and menu.notes == [text] and house.keys() == []


@pytest.mark.parametrize(("action", "arguments"), MENUS)
def test_an_answer_of_another_form_ends_the_menu_and_is_told(house, monkeypatch, action, arguments):
    odd = {"projects": None, "project": {"slug": "p3"}, "episodes": [None], "watch": None, "resumeWatching": None}
    monkeypatch.setattr(house.service, "answer", lambda *_: odd)
    menu = house.open(action, **arguments)
    assert menu.succeeded is False and menu.notes == ["SERVICE_ERROR"]


def test_a_refused_token_removes_what_its_user_had(house):
    house.open("projects", type="series")
    house.settings = {"api_token": "token-of-another"}
    house.open("projects", type="series")
    house.settings = {}
    house.now_s += 13 * HOUR_S
    house.service.fails = REFUSED
    assert house.open("projects", type="series").notes == ["TOKEN_REFUSED"]
    house.service.fails = UNREACHABLE
    assert house.open("projects", type="series").succeeded is False
    house.settings = {"api_token": "token-of-another"}
    assert house.open("projects", type="series").succeeded is True


def test_users_and_addresses_do_not_share_entries(house):
    for settings in ({}, {"api_token": "token-bb"}, {"api_token": ""}, {"api_url": "http://127.0.0.1:2/"}):
        house.settings = settings
        menu = house.open("projects", type="series")
        assert facts(menu, "projects_menu")[0]["source"] == "loaded", settings
    house.settings = {"api_token": "token-bb"}
    assert {row.watch.position_s for row in house.open("continue_watching").rows[:-1]} == {80}
    house.settings = {}
    assert {row.watch.position_s for row in house.open("continue_watching").rows[:-1]} == {70}


def test_no_token_is_in_the_folder_or_in_the_log(house):
    hosts = [house.open(action, **arguments) for action, arguments in MENUS]
    stored = b"".join(path.read_bytes() for path in house.folder.rglob("*") if path.is_file())
    assert b"token-a" not in stored and b"episode/" in stored
    assert not any("token-a" in line for host in hosts for line in host.logs + host.warnings)


def test_without_a_token_episodes_have_no_state_and_no_actions(house):
    house.settings = {"api_token": ""}
    rows = house.open("episodes", slug="p1", season="p1.2").rows
    assert [row.watch for row in rows] == [None] * 3 and all(row.menu == () for row in rows)


def test_what_the_service_no_longer_has_is_said_so_and_removed(house):
    house.open("seasons", slug="p2")
    house.service.slugs.remove("p2")
    house.now_s += 9 * HOUR_S
    assert house.open("seasons", slug="p2").notes == ["NOT_FOUND"]
    assert "project/p2" not in house.keys()
    assert house.open("episodes", slug="p3", season="none").notes == ["NOT_FOUND"]
