"""A log of what is slow, with a profile of it."""

from __future__ import annotations

import cProfile
import functools
import inspect
import io
import logging
import pstats
import time
from typing import Any, Callable, Optional, TypeVar, cast

FUNCTIONS_SHOWN = 10

log = logging.getLogger("greenroom.timing")

Function = TypeVar("Function", bound=Callable[..., Any])


def timed(
    slow_s: float = 1.0, *, clock: Callable[[], float] = time.perf_counter, logger: logging.Logger = log
) -> Callable[[Function], Function]:
    """Return a decorator that logs how long each call takes.

    A call of `slow_s` seconds or more is logged as a warning with a profile of the functions that took longest, any
    other at debug level. A coroutine function is timed without a profile, as is a call while another profiler runs.
    """

    def decorate(function: Function) -> Function:
        name = getattr(function, "__qualname__", repr(function))

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrap_coroutine(*args: Any, **kwargs: Any) -> Any:
                began = clock()
                try:
                    return await function(*args, **kwargs)
                finally:
                    _tell(logger, name, clock() - began, slow_s, None)

            return cast(Function, wrap_coroutine)

        @functools.wraps(function)
        def wrap(*args: Any, **kwargs: Any) -> Any:
            profile = _started_profile()
            began = clock()
            try:
                return function(*args, **kwargs)
            finally:
                took_s = clock() - began
                if profile is not None:
                    profile.disable()
                _tell(logger, name, took_s, slow_s, profile)

        return cast(Function, wrap)

    return decorate


def _started_profile() -> Optional[cProfile.Profile]:
    profile = cProfile.Profile()
    try:
        profile.enable()
    except ValueError:
        return None
    return profile


def _tell(
    logger: logging.Logger, name: str, took_s: float, slow_s: float, profile: Optional[cProfile.Profile]
) -> None:
    if took_s < slow_s:
        logger.debug("%s took %.3f s", name, took_s)
        return
    shown = io.StringIO()
    if profile is not None:
        pstats.Stats(profile, stream=shown).sort_stats("cumulative").print_stats(FUNCTIONS_SHOWN)
    logger.warning("%s took %.3f s\n%s", name, took_s, shown.getvalue().strip())
