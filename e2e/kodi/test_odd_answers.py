"""Answers of the service, and stored entries, that are not what was asked for: the menu ends, and nothing is made worse."""

import json

import pytest

from kodi.house import HOUR_S, House
from kodi.scripted_api import episode, project
from kodi.test_menus import MENUS
from resources.lib import catalogue, plugin

LEAVES = {"projects": "Projects", "seasons": "Project", "episodes": "Episodes", "continue_watching": "ResumeWatching"}


@pytest.fixture
def house(tmp_path, monkeypatch):
    """An installation."""
    return House(tmp_path, monkeypatch)


def without(value, name):
    """An object without a field."""
    return {key: item for key, item in value.items() if key != name}


def connection(**node):
    """A page of one episode that was being watched."""
    whole = {**episode("p1.1.1"), "watchData": None, "project": project("p1"), **node}
    return {"resumeWatching": {"edges": [{"node": whole}], "pageInfo": {"hasNextPage": False, "endCursor": None}}}


ODD = [
    ("projects", {"projects": None}),
    ("projects", {"projects": [None]}),
    ("projects", {"projects": {"name": "x"}}),
    ("projects", {"projects": [without(project("p1"), "slug")]}),
    ("projects", {"projects": [{**project("p1"), "year": "2020"}]}),
    ("projects", {"projects": [{**project("p1"), "name": None}]}),
    ("seasons", {"project": without(project("p3"), "seasons")}),
    ("seasons", {"project": {**project("p3"), "seasons": None}}),
    ("seasons", {"project": {**project("p3"), "seasons": [None]}}),
    ("seasons", {"project": {**project("p3"), "seasons": [{**project("p3")["seasons"][0], "episodes": None}]}}),
    ("seasons", {"project": []}),
    ("episodes", {"episodes": None, "watch": []}),
    ("episodes", {"episodes": [None], "watch": []}),
    ("episodes", {"episodes": [{**episode("p3.1.1"), "project": None}], "watch": []}),
    ("episodes", {"episodes": [{**episode("p3.1.1"), "durationS": "long"}], "watch": []}),
    ("episodes", {"episodes": [], "watch": None}),
    ("episodes", {"episodes": [], "watch": [None]}),
    ("episodes", {"episodes": [], "watch": [{"guid": "p3.1.1", "watchData": {"positionS": float("inf"), "watched": True}}]}),
    ("continue_watching", {"resumeWatching": None}),
    ("continue_watching", {"resumeWatching": {"edges": [None], "pageInfo": {"hasNextPage": False, "endCursor": None}}}),
    ("continue_watching", {**connection(), "resumeWatching": {**connection()["resumeWatching"], "pageInfo": None}}),
    ("continue_watching", connection(project=None)),
    ("continue_watching", connection(project=without(project("p1"), "seasons"))),
    ("continue_watching", connection(watchData=5)),
    ("continue_watching", connection(guid=None)),
]


@pytest.fixture(params=ODD, ids=lambda odd: json.dumps(odd)[:80])
def odd(request, house):
    """A menu, its arguments, and what makes the service answer oddly."""
    menu, data = request.param
    answer = house.service.answer

    def spoil():
        house.service.answer = lambda name, *others: data if name == LEAVES[menu] else answer(name, *others)

    return menu, dict(MENUS)[menu], spoil


def test_an_odd_answer_ends_the_menu_and_nothing_of_it_is_stored(house, odd):
    menu, arguments, spoil = odd
    spoil()
    host = house.open(menu, **arguments)
    assert host.succeeded is False and host.events.count("end") == 1
    assert host.notes == ["SERVICE_ERROR"] and len(host.warnings) == 1
    kept = house.keys()
    assert all(key.startswith("project/p3") for key in kept), kept


def test_an_odd_answer_shows_what_is_stored(house, odd):
    menu, arguments, spoil = odd
    before = house.open(menu, **arguments)
    house.now_s += 80 * HOUR_S
    spoil()
    host = house.open(menu, **arguments)
    assert host.succeeded and host.rows == before.rows and host.notes == ["SHOWN_FROM_CACHE"]


@pytest.mark.parametrize(("action", "arguments"), MENUS)
@pytest.mark.parametrize("stored", [None, 5, "text", {"guids": [None]}, [[]], {"name": "of another version"}], ids=str)
def test_an_entry_of_another_form_is_a_miss(house, action, arguments, stored):
    expected = house.open(action, **arguments).rows
    cache = plugin.open_cache(house.host())
    for key in list(cache):
        cache.set(key, json.dumps(stored), ttl=HOUR_S)
    cache.close()
    host = house.open(action, **arguments)
    assert host.succeeded and host.rows == expected


def test_an_entry_nested_without_end_is_a_miss(house):
    expected = house.open("projects", type="series").rows
    cache = plugin.open_cache(house.host())
    for key in list(cache):
        cache.set(key, "[" * 100_000, ttl=HOUR_S)
    cache.close()
    assert house.open("projects", type="series").rows == expected


def test_values_of_another_form_are_kept_under_other_keys(house, monkeypatch):
    house.open("projects", type="series")
    house.asked()
    monkeypatch.setattr("resources.lib.keys.FORMAT", 1)
    house.open("projects", type="series")
    assert house.asked() == ["Projects"]


@pytest.mark.parametrize(("action", "arguments"), [*MENUS, ("root", {})])
@pytest.mark.parametrize("broken", ["add_rows", "begin_visit"])
def test_whatever_fails_the_menu_ends_once_and_the_log_says_where(house, action, arguments, broken):
    host = house.host(action=action, **arguments)

    def fail(*_):
        raise RuntimeError("odd")

    setattr(host, broken, fail)
    house.run(host)
    assert host.succeeded is False and host.events.count("end") == 1 and host.notes == ["SERVICE_ERROR"]
    assert "RuntimeError: odd" in host.warnings[0] and "plugin.py" in host.warnings[0]


def test_what_fails_after_a_menu_is_logged_and_the_menu_stays(house, monkeypatch):
    monkeypatch.setattr(plugin.DeferredWrites, "write", lambda self: 1 / 0)
    host = house.open("projects", type="series")
    assert host.succeeded and host.events.count("end") == 1 and host.notes == []
    assert "ZeroDivisionError" in host.warnings[0]


@pytest.mark.parametrize("data", [{"episode": []}, {"episode": {}}, {"episode": {"source": {"url": None}}}], ids=str)
def test_an_odd_answer_plays_nothing_and_says_so(house, data):
    house.service.answer = lambda *_: data
    host = house.open("play", guid="p1.1.1")
    assert host.played == [None] and len(host.warnings) == 1


def test_something_unexpected_plays_nothing_and_says_so(house, monkeypatch):
    monkeypatch.setattr(catalogue.Catalogue, "source", lambda self, guid: 1 / 0)
    host = house.open("play", guid="p1.1.1")
    assert host.played == [None] and "ZeroDivisionError" in host.warnings[0]
