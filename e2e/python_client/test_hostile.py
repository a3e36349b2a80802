"""Keys and values that are meant to do harm."""

import json

import pytest
from hypothesis import given, settings, strategies as st

from greenroom import codec
from greenroom.keys import KEY_BYTES_MAX, KeyTooLong, decode_key, decode_tags, encode_key, encode_tags, prefix_range

PARTS = st.one_of(
    st.text(st.characters()), st.binary(), st.integers(), st.floats(allow_nan=False), st.booleans(), st.none()
)
KEYS = st.recursive(PARTS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(KEYS, KEYS)
def test_keys_are_one_exactly_if_python_calls_them_equal(one, other):
    assert (encode_key(one) == encode_key(other)) == (one == other)
    assert decode_key(encode_key(one)) == one


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(), st.text())
def test_a_prefix_range_holds_the_texts_with_the_prefix_and_no_other_key(prefix, rest):
    low, end = prefix_range(prefix)
    assert low <= encode_key(prefix + rest) < end
    assert (low <= encode_key(rest) < end) == rest.startswith(prefix)
    assert not low <= encode_key((prefix,)) < end


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary())
def test_bytes_that_are_no_key_are_a_value_error_and_nothing_else(foreign):
    for decode in (decode_key, decode_tags):
        try:
            decode(foreign)
        except ValueError:
            pass


JSON = st.recursive(
    st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.sampled_from(["$tuple", "$dict", "$date"])),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.sampled_from(["$tuple", "$dict", "$bytes", "$datetime", "$float", "a"]), inner),
    ),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.integers(-1, 5), st.one_of(st.binary(), JSON.map(lambda value: json.dumps(value).encode())))
def test_bytes_that_are_no_value_are_a_value_error_and_nothing_else(kind, payload):
    try:
        codec.decode(kind, payload)
    except ValueError:
        pass


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def circle():
    value = {}
    value["self"] = [value]
    return value


def doubled(times):
    """A value that is small in memory and immense when it is written out."""
    value = ["x"]
    for _ in range(times):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    "value, reason",
    [(nested(5000), "too_deep"), (circle(), "too_deep"), (10**5000, "too_large"), (b"x" * 2000, "too_large")],
    ids=["deep", "circular", "long number", "large"],
)
def test_a_value_beyond_a_limit_is_refused_and_counted(make, value, reason):
    cache = make(value_limit=1000)
    assert not cache.set("key", value)
    assert cache.stats().counts[f"refused_{reason}"] == 1 and "key" not in cache


def test_a_value_that_explodes_when_it_is_written_is_refused(cache, monkeypatch):
    monkeypatch.setattr(codec, "VALUE_NODES_MAX", 10_000)
    assert not cache.set("key", doubled(60))
    assert cache.stats().counts["refused_too_many_nodes"] == 1


HOSTILE = ["", "\0", "\ud800", "' OR 1=1 --", "%", "_", "../../etc/passwd", "x" * (KEY_BYTES_MAX - 1), "é", "e\u0301"]


@pytest.mark.parametrize("key", [*HOSTILE, b"", b"\xff" * 100, (), ((),), ("a", ("b",)), 10**300, -1, 1e300], ids=ascii)
def test_a_hostile_key_is_a_key_like_any_other(cache, key):
    cache.set("beside", 0)
    assert cache.set(key, "value", tag=key if len(encode_key(key)) < 100 else None)
    assert cache.get(key) == "value" and set(cache) == {"beside", key}
    assert cache.delete(key) and list(cache) == ["beside"]


def test_a_key_that_is_too_long_is_a_miss_and_a_count(cache):
    text = "x" * KEY_BYTES_MAX
    for key in (text, text.encode(), 1 << (5 * KEY_BYTES_MAX), (text,), deep_key()):
        with pytest.raises(KeyTooLong):
            encode_key(key)
        assert not cache.set(key, 1) and cache.get(key, "none") == "none" and not cache.delete(key)
        assert key not in cache and not cache.touch(key) and cache.incr(key) is None
        assert not cache.lookup(key).found and cache.get_many([key]) == {}
    assert len(cache) == 0 and cache.stats().counts["refused_key_too_long"] >= 40


def deep_key():
    key = ()
    for _ in range(100):
        key = (key,)
    return key


@pytest.mark.parametrize("key", [[], {}, {1}, object(), float("nan"), 1j, ([],)], ids=lambda key: type(key).__name__)
def test_what_is_no_key_is_a_type_error(cache, key):
    with pytest.raises(TypeError):
        cache.get(key)
    with pytest.raises(TypeError):
        cache.set(key, 1)


def test_tags_are_kept_apart():
    tags = [encode_key(tag) for tag in ("a", ("a", "b"), b"ab", "")]
    assert decode_tags(encode_tags(tags)) == tags and encode_tags([]) is None
