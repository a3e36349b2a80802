"""A function's results by its arguments."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Sequence, Tuple, TypeVar, Union

from . import codec
from .storage import Seconds, Tags

if TYPE_CHECKING:
    from .cache import Cache

# Longer keys are replaced by their hash.
READABLE_CHARACTERS_MAX = 512

Result = TypeVar("Result")
Ignored = Sequence[Union[int, str]]


def memoized(
    cache: "Cache", name: Optional[str], typed: bool, ignore: Ignored, ttl: Optional[Seconds], stale: Seconds, tag: Tags
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Return the decorator of `Cache.memoize`."""

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        key = key_maker(function, name, typed, ignore)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Result:
            return cache.get_or_load(key(*args, **kwargs), lambda: function(*args, **kwargs), ttl, stale, tag)

        wrapper.__cache_key__ = key  # type: ignore[attr-defined]
        return wrapper

    return decorate


def key_maker(function: Callable[..., Any], name: Optional[str], typed: bool, ignore: Ignored) -> Callable[..., str]:
    """Return a function that gives the key of a call."""
    base = name or f"{function.__module__}.{function.__qualname__}"

    def key(*args: Any, **kwargs: Any) -> str:
        return call_key(
            base,
            tuple(value for place, value in enumerate(args) if place not in ignore),
            {word: value for word, value in kwargs.items() if word not in ignore},
            typed,
        )

    return key


def call_key(base: str, args: Tuple[Any, ...], kwargs: Dict[str, Any], typed: bool) -> str:
    """Return the key of a call. Raises TypeError or ValueError for an argument that cannot be part of a key."""
    words = sorted(kwargs)
    values = [*args, *(kwargs[word] for word in words)]
    parts: Any = [[_equal(value) for value in values] if not typed else values, words]
    if typed:
        parts.append([type(value).__name__ for value in values])
    try:
        text = codec.encode(parts)[1].decode("ascii")
    except TypeError as error:
        raise TypeError(f"an argument of {base} can be no part of a key ({error}); name it in ignore=") from None
    key = f"{base}:{text}"
    if len(key) <= READABLE_CHARACTERS_MAX:
        return key
    return f"{base[:128]}:sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _equal(value: Any) -> Any:
    """Make numbers the same that are equal in Python, and dicts that differ in their order."""
    if isinstance(value, bool) or isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(_equal, value)) if type(value) in (list, tuple) else value
    if type(value) is dict:
        return {key: _equal(value[key]) for key in sorted(value, key=repr)}
    return value
