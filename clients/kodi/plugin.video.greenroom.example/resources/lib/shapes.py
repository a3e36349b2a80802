"""What the service's values must look like. Menus read fields without looking, so what lacks one goes no further."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict

Check = Callable[[Any], bool]


def is_text(value: Any) -> bool:
    """Return whether a value is a text."""
    return isinstance(value, str)


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number."""
    return isinstance(value, int)


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def is_flag(value: Any) -> bool:
    """Return whether a value is true or false."""
    return isinstance(value, bool)


def nullable(check: Check) -> Check:
    """Return a check that None passes, too."""
    return lambda value: value is None or check(value)


def list_of(check: Check) -> Check:
    """Return a check of all items of a list."""
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def map_of(check: Check) -> Check:
    """Return a check of all values of an object."""
    return lambda value: isinstance(value, dict) and all(check(item) for item in value.values())


def fields(**checks: Check) -> Check:
    """Return a check of an object's fields, none of which may be missing; others do not matter."""
    return lambda value: isinstance(value, dict) and all(
        name in value and check(value[name]) for name, check in checks.items()
    )


_PROJECT: Dict[str, Check] = {
    "slug": is_text,
    "name": is_text,
    "description": nullable(is_text),
    "year": nullable(is_count),
    "posterUrl": nullable(is_text),
    "backdropUrl": nullable(is_text),
}
_SEASON = fields(
    id=is_text, name=is_text, number=nullable(is_count), episodes=list_of(fields(guid=is_text))
)
_PARENT = fields(__typename=is_text, id=is_text, slug=is_text, name=is_text, backdropUrl=nullable(is_text))

projects = list_of(fields(**_PROJECT))
project = fields(**_PROJECT, seasons=list_of(_SEASON))
episode = fields(
    guid=is_text,
    name=is_text,
    description=nullable(is_text),
    posterUrl=nullable(is_text),
    durationS=nullable(is_count),
    seasonNumber=nullable(is_count),
    number=nullable(is_count),
    project=_PARENT,
)
watch = nullable(fields(positionS=nullable(is_number), watched=nullable(is_flag)))
# States by the guids of episodes, as they are stored.
watch_by_guid = map_of(watch)
watch_rows = list_of(fields(guid=is_text, watchData=watch))
# A page of what the user was watching, as it is stored.
resume_page = fields(guids=list_of(is_text), watch=watch_by_guid, next=is_text)
resume_connection = fields(
    edges=list_of(
        fields(node=lambda node: episode(node) and watch(node.get("watchData")) and project(node["project"]))
    ),
    pageInfo=fields(hasNextPage=nullable(is_flag), endCursor=nullable(is_text)),
)
episode_source = nullable(fields(source=nullable(fields(url=is_text))))
