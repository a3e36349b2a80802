"""The comparison finds what it is there to find, and forgives only what is written down."""

import dataclasses
import gzip

import pytest

from compare import LISTED, Volatile, differences
from stage.request import Answer, Request

REQUEST = Request("GET", "/status/sessions?x=1")
DIRECT = Answer(200, (("Content-Type", "text/xml"), ("Date", "Sat")), b'<Video viewOffset="5" title="A"/>')
VOLATILE = Volatile("""
[[header]]
name = "Date"
reason = "of the answer"

[[body]]
path = "^/status/sessions$"
field = ' viewOffset="[0-9]+"'
reason = "moves on"
""")


def changed(**fields):
    """What is said of an answer that differs in these fields."""
    return differences(REQUEST, DIRECT, dataclasses.replace(DIRECT, **fields), VOLATILE)


def test_the_same_answer_does_not_differ():
    assert changed() == []


def test_a_volatile_header_and_a_volatile_field_are_forgiven():
    assert changed(headers=(("content-type", "text/xml"), ("date", "Sun")), body=DIRECT.body.replace(b"5", b"77")) == []


@pytest.mark.parametrize("fields", [
    {"status": 404},
    {"headers": (("Content-Type", "text/html"),)},
    {"headers": ()},
    {"headers": (*DIRECT.headers, ("X-Other", "1"))},
    {"headers": (*DIRECT.headers, ("Content-Type", "text/xml"))},
    {"body": b'<Video viewOffset="5" title="B"/>'},
    {"body": DIRECT.body[:-1]},
    {"body": DIRECT.body + b"\n"},
    {"body": b""},
])
def test_anything_else_that_differs_is_found(fields):
    assert changed(**fields)


def test_a_field_is_volatile_only_on_its_own_path():
    elsewhere = dataclasses.replace(REQUEST, target="/library")
    moved = dataclasses.replace(DIRECT, body=DIRECT.body.replace(b"5", b"6"))
    assert differences(elsewhere, DIRECT, moved, VOLATILE)


def test_content_is_compared_without_its_coding():
    packed = Answer(200, (("Content-Encoding", "gzip"),), gzip.compress(b"content"))
    assert packed.content() == b"content"


def test_the_length_of_packed_content_is_not_compared_and_that_of_plain_content_is():
    packed = gzip.compress(DIRECT.body)
    sent = (*DIRECT.headers, ("Content-Length", str(len(packed))))
    direct = Answer(200, (*sent, ("Content-Encoding", "gzip")), packed)
    through = Answer(200, (*DIRECT.headers, ("Content-Length", str(len(DIRECT.body)))), DIRECT.body)
    assert differences(REQUEST, direct, through, Volatile('[[header]]\nname = "content-encoding"')) == []
    elsewhere = dataclasses.replace(REQUEST, target="/library")
    assert differences(elsewhere, dataclasses.replace(DIRECT, headers=sent), through, VOLATILE)


def test_a_header_that_is_volatile_with_one_value_is_not_with_another():
    volatile = Volatile('[[header]]\nname = "Vary"\nvalue = "Accept-Encoding"')
    with_vary = lambda value: dataclasses.replace(DIRECT, headers=(*DIRECT.headers, ("Vary", value)))
    assert differences(REQUEST, with_vary("Accept-Encoding"), DIRECT, volatile) == []
    assert differences(REQUEST, with_vary("Origin"), DIRECT, volatile)


def test_every_forgiven_field_has_a_reason():
    text = LISTED.read_text()
    assert text.count("[[header]]") + text.count("[[body]]") == text.count("reason = ") > 0
