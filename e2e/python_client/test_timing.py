"""A log of what is slow."""

import asyncio
import logging

import pytest

from greenroom import timed
from python_client.clock import Clock


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.DEBUG, "greenroom.timing")
    return caplog


def test_only_what_is_slow_is_logged_with_a_profile(said):
    clock = Clock()

    def inner(seconds):
        clock.advance(seconds)

    @timed(slow_s=1, clock=clock)
    def work(seconds):
        """Says something."""
        inner(seconds)
        return "done"

    assert work(0.5) == "done" and work.__doc__ == "Says something."
    assert [record.levelno for record in said.records] == [logging.DEBUG]
    assert work(1.5) == "done"
    assert said.records[1].levelno == logging.WARNING
    told = said.records[1].getMessage()
    assert "work took 1.500 s" in told and "inner" in told and "cumulative" in told


def test_an_error_passes_and_is_timed(said):
    clock = Clock()

    @timed(clock=clock)
    def fail():
        clock.advance(2)
        raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert said.records[0].levelno == logging.WARNING


def test_one_within_another_works(said):
    inner = timed(slow_s=1)(lambda: 1)
    outer = timed(slow_s=1)(lambda: inner() + 1)
    assert outer() == 2 and len(said.records) == 2


def test_a_coroutine_is_timed_too(said):
    clock = Clock()

    @timed(clock=clock)
    async def work():
        clock.advance(3)
        return 1

    assert asyncio.run(work()) == 1
    assert "took 3.000 s" in said.records[0].getMessage()
