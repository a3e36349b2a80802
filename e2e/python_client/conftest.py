"""A cache in a folder of its own, under a clock that stands still."""

import pytest

from greenroom import Cache
from python_client.clock import Clock


@pytest.fixture
def clock():
    """A clock that the test moves."""
    return Clock()


@pytest.fixture
def make(tmp_path, clock):
    """Makes caches of one folder; their refreshes run at once, and nothing waits."""
    made = []

    def cache(**settings):
        settings = {"clock": clock, "pause": clock.advance, "spawn": lambda work: work(), **settings}
        made.append(Cache(tmp_path / "cache", **settings))
        return made[-1]

    yield cache
    for cache in made:
        cache.close()


@pytest.fixture
def cache(make):
    """One cache."""
    return make()
