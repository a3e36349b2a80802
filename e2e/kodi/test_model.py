"""Any sequence of menus, changes, outages, users and pauses shows nothing older than the user's last change."""

import tempfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kodi.house import House
from kodi.scripted_api import ERRORS, UNREACHABLE

TOKENS = ("token-a", "token-bb", "")
SEASON = {"slug": "p1", "season": "p1.1"}
GUIDS = ["p1.1.1", "p1.1.2", "p1.1.3"]
# Past each of the lifetimes, and past all of them.
PAUSES_S = (1, 299, 302, 8 * 3600 + 1, 73 * 3600, 31 * 24 * 3600)

menus = st.tuples(st.just("menu"), st.sampled_from(["episodes", "continue_watching"]))
marks = st.tuples(st.just("mark"), st.sampled_from(GUIDS), st.booleans())
others = st.one_of(
    st.tuples(st.just("pause"), st.sampled_from(PAUSES_S)),
    st.tuples(st.just("fail"), st.sampled_from([None, UNREACHABLE, ERRORS])),
    st.tuples(st.just("user"), st.sampled_from(TOKENS)),
    st.tuples(st.just("clear")),
    st.tuples(st.just("prefetch"), st.booleans()),
)
# Mostly menus and changes; the rest comes between them.
steps = st.one_of(menus, menus, marks, marks, others)


def guid(row):
    """The episode that a row plays."""
    return row.url.rpartition("guid=")[2]


def check(house, menu, token):
    """Every row shows the state that the service has for this user."""
    for row in menu.rows:
        if row.is_folder:
            continue
        if not token:
            assert row.watch is None
            continue
        assert row.watch.position_s == len(token) * 10, "another user's state"
        assert row.watch.watched == ((token, guid(row)) in house.service.watched), guid(row)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=15, max_size=40))
def test_what_is_shown_is_never_older_than_the_users_last_change(sequence):
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        house = House(folder, patch)
        token = house.settings["api_token"] = TOKENS[0]
        for name, *told in sequence:
            if name == "menu":
                menu = house.open(told[0], **(SEASON if told[0] == "episodes" else {}))
                assert menu.succeeded or house.service.fails is not None
                check(house, menu, token)
            elif name == "mark":
                house.open("mark_watched", guid=told[0], watched=str(told[1]).lower())
            elif name == "pause":
                house.now_s += told[0]
            elif name == "fail":
                house.service.fails = told[0]
            elif name == "user":
                token = house.settings["api_token"] = told[0]
            elif name == "clear":
                house.open("clear_cache")
                assert house.keys() == []
            else:
                house.settings["enable_prefetch"] = str(told[0]).lower()
