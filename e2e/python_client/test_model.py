"""The cache against a dict that does the same, for any row of operations."""

import pathlib
import tempfile

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from greenroom import Cache
from python_client.clock import Clock

SCALARS = st.one_of(
    st.text(max_size=8),
    st.binary(max_size=8),
    st.integers(-3, 3),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, width=16),
)
KEYS = st.one_of(st.sampled_from(["a", "ab", "b", 1, 1.0, True, 0, -0.0, b"a", None, ("a",), (1, "a")]), SCALARS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(SCALARS, inner, max_size=3), st.tuples(inner)),
    max_leaves=8,
)
TAGS = st.sampled_from([None, "red", "blue", 1])
TIMES = st.sampled_from([None, 0, 1, 5, 20])


class CacheBesideDict(RuleBasedStateMachine):
    """One cache, reopened now and then, and a dict of (value, end, tag)."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="greenroom-model-")
        self.clock = Clock()
        self.cache = Cache(pathlib.Path(self.folder.name), clock=self.clock)
        self.model = {}

    def live(self, key):
        """The model's entry, if it is fresh."""
        entry = self.model.get(key)
        return entry if entry and (entry[1] is None or entry[1] > self.clock.now) else None

    def end(self, ttl):
        return None if ttl is None else self.clock.now + ttl

    @rule(key=KEYS, value=VALUES, ttl=TIMES, tag=TAGS)
    def set(self, key, value, ttl, tag):
        assert self.cache.set(key, value, ttl=ttl, tag=tag)
        self.model[key] = (value, self.end(ttl), tag)

    @rule(key=KEYS, value=VALUES, ttl=TIMES)
    def add(self, key, value, ttl):
        absent = self.live(key) is None
        assert self.cache.add(key, value, ttl=ttl) == absent
        if absent:
            self.model[key] = (value, self.end(ttl), None)

    @rule(items=st.dictionaries(KEYS, VALUES, max_size=4), ttl=TIMES)
    def set_many(self, items, ttl):
        assert all(self.cache.set_many(items, ttl=ttl).values())
        self.model.update((key, (value, self.end(ttl), None)) for key, value in items.items())

    @rule(key=KEYS, later=st.booleans(), value=VALUES)
    def collect_then_delete_or_drain(self, key, later, value):
        deferred = self.cache.deferred()
        deferred.set(key, value)
        if later:
            self.delete(key)
        assert deferred.drain().left == 0
        if not later:
            self.model[key] = (value, None, None)

    @rule(key=KEYS)
    def get(self, key):
        entry = self.live(key)
        default = object()
        found = self.cache.get(key, default)
        assert found is default if entry is None else (found == entry[0] and type(found) is type(entry[0]))

    @rule(key=KEYS, ttl=TIMES)
    def touch(self, key, ttl):
        entry = self.live(key)
        assert self.cache.touch(key, ttl=ttl) == (entry is not None)
        if entry:
            self.model[key] = (entry[0], self.end(ttl), entry[2])

    @rule(key=KEYS)
    def delete(self, key):
        assert self.cache.delete(key) == (self.live(key) is not None)
        self.model.pop(key, None)

    @rule(key=KEYS)
    def pop(self, key):
        entry = self.live(key)
        default = object()
        assert self.cache.pop(key, default) == (default if entry is None else entry[0])
        self.model.pop(key, None)

    @rule(tag=TAGS.filter(lambda tag: tag is not None))
    def evict(self, tag):
        self.cache.expire()
        covered = [key for key in self.model if self.live(key) and self.model[key][2] == tag]
        assert self.cache.evict(tag) == len(covered)
        self.model = {key: entry for key, entry in self.model.items() if entry[2] != tag}

    @rule(prefix=st.sampled_from(["", "a", "ab"]))
    def delete_prefix(self, prefix):
        self.cache.expire()
        covered = [key for key in self.model if isinstance(key, str) and key.startswith(prefix)]
        assert self.cache.delete_prefix(prefix) == sum(self.live(key) is not None for key in covered)
        for key in covered:
            del self.model[key]

    @rule(seconds=st.sampled_from([0, 1, 4, 30]))
    def time_passes(self, seconds):
        self.clock.advance(seconds)

    @rule()
    def reopen(self):
        self.cache.close()

    @rule()
    def clear(self):
        self.cache.clear()
        self.model = {}

    @invariant()
    def the_same_keys_are_there(self):
        live = {key for key in self.model if self.live(key)}
        assert set(self.cache) == live
        self.cache.expire()
        assert len(self.cache) == len(live)
        assert self.cache.get_many(live) == {key: self.model[key][0] for key in live}

    def teardown(self):
        stats = self.cache.stats()
        assert stats.failures == 0 and "damaged" not in stats.counts
        self.cache.close()
        self.folder.cleanup()


TestCacheBesideDict = CacheBesideDict.TestCase
TestCacheBesideDict.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
