"""Pickles that are small and whose values are not."""

import pickle

import pytest

from greenroom.importer.pickle_reader import read_pickle
from greenroom.importer.unreadable import Unreadable

DOUBLED = b"N" + b"2\x86" * 60
# Lists from the outside in: when each gets its items, these are empty.
LISTS = b"".join(b"]q%c" % number for number in range(60)) + b"".join(
    b"h%c(h%ch%ce0" % (number, number + 1, number + 1) for number in range(59)
)
HOSTILE = {
    "a tuple of two of itself": DOUBLED + b".",
    "as the key of a dict": b"}" + DOUBLED + b"Ns.",
    "as the key of a dict of an old protocol": b"(" + DOUBLED + b"Nd.",
    "as the name of a class": DOUBLED + b"2\x93.",
    "as the text of bytes": b"c_codecs\nencode\n" + DOUBLED + b"X\x06\x00\x00\x00latin1\x86R.",
    "as the arguments of a date": b"cdatetime\ntimedelta\n" + DOUBLED + b"\x85R.",
    "lists filled from the outside in": b"(" + LISTS + b"1h\x00.",
    "a list within itself": b"]q\x00h\x00a.",
    "nested deeply": b"N" + b"\x85" * 500_000 + b".",
    "nested deeply as a key": b"}N" + b"\x85" * 500_000 + b"Ns.",
    "one long text many times": b"(X\x00\x00\x10\x00" + b"x" * (1 << 20) + b"q\x00" + b"h\x00" * 10_000 + b"t.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_small_pickle_of_a_huge_value_is_refused_at_once(name):
    with pytest.raises(Unreadable):
        read_pickle(HOSTILE[name])


def test_values_that_name_one_part_many_times_are_read():
    shared = [1, ("a", b"b"), {("key", 1): None}]
    value = {"rows": [shared] * 1000, "text": ["long" * 100] * 100}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert read_pickle(pickle.dumps(value, protocol)) == value
