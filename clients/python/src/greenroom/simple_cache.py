"""The names of Kodi's script.module.simplecache over a cache of one's own."""

from __future__ import annotations

import datetime
import functools
import hashlib
import os
from typing import Any, Callable, TypeVar, Union

from .cache import Cache
from .lookup import Status
from .memoize import call_key
from .storage import VERSION_CHARACTERS_MAX

Result = TypeVar("Result")

DEFAULT_EXPIRATION = datetime.timedelta(days=30)


class SimpleCache:
    """SimpleCache's methods. Unlike the original it has a folder of its own, so no other add-on's data is in it.

    `global_checksum` is part of every checksum. `enable_mem_cache` and `data_is_json` are there to be set, and have no
    effect.
    """

    enable_mem_cache = True
    data_is_json = False

    def __init__(self, cache: Union[Cache, str, "os.PathLike[str]"]) -> None:
        """Use a cache, or the one in a folder."""
        self.cache = cache if isinstance(cache, Cache) else Cache(cache)
        self.global_checksum: object = ""

    def get(self, endpoint: str, checksum: object = "", json_data: bool = False) -> Any:
        """Return a value, None if there is none or it was stored with another checksum. `json_data` is ignored."""
        found = self.cache.lookup(endpoint, version=self._version(checksum))
        return found.value if found.status is Status.HIT else None

    def has(self, endpoint: str, checksum: object = "") -> bool:
        """Return whether there is a value; an empty one, and None, are values."""
        return self.cache.lookup(endpoint, version=self._version(checksum)).status is Status.HIT

    def set(
        self,
        endpoint: str,
        data: Any,
        checksum: object = "",
        expiration: datetime.timedelta = DEFAULT_EXPIRATION,
        json_data: bool = False,
    ) -> bool:
        """Store a value and return whether it is stored. Raises TypeError for one that cannot be."""
        return self.cache.set(endpoint, data, ttl=expiration, version=self._version(checksum))

    def check_cleanup(self) -> None:
        """Remove what has expired."""
        self.cache.expire()

    def close(self) -> None:
        """Close the files."""
        self.cache.close()

    def _version(self, checksum: object) -> str:
        parts = [str(part) for part in (self.global_checksum, checksum) if part not in ("", None)]
        version = "-".join(parts)
        if len(version) <= VERSION_CHARACTERS_MAX:
            return version
        return f"sha256:{hashlib.sha256(version.encode('utf-8', 'surrogatepass')).hexdigest()}"


def use_cache(cache_days: float = 14) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Return a decorator for methods of an object whose `cache` is a SimpleCache: keeps what they return, except None.

    A call with `ignore_cache=True` asks anew; the argument is passed on.
    """

    def decorate(method: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(method)
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Result:
            cache: SimpleCache = self.cache
            words = {word: value for word, value in kwargs.items() if word != "ignore_cache"}
            key = call_key(f"{type(self).__name__}.{method.__name__}", args, words, False)
            found = cache.cache.lookup(key, version=cache._version(""))
            if found.status is Status.HIT and not kwargs.get("ignore_cache"):
                value: Result = found.value
                return value
            result = method(self, *args, **kwargs)
            if result is not None:
                cache.set(key, result, expiration=datetime.timedelta(days=cache_days))
            return result

        return wrapper

    return decorate
