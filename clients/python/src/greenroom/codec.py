"""Values as bytes: bytes and str as they are, everything else as JSON. No pickle, no eval.

Plain JSON is decoded by the C decoder alone. What JSON has no word for (tuples, bytes inside of lists, dates, dict keys
that are no str, NaN) is written with tags, `{"$tuple": [...]}`, and decoded by a second, slower codec.
"""

from __future__ import annotations

import base64
import datetime
import json
import math
from typing import Any, Callable, Dict, Tuple

# How a stored value is to be decoded. The numbers are in files: they stay.
RAW, TEXT, JSON, TAGGED = 0, 1, 2, 3

VALUE_DEPTH_MAX = 100
VALUE_NODES_MAX = 10_000_000
# Numbers with more digits cannot be converted by newer versions of Python.
INTEGER_BITS_MAX = 14_000

_decoder = json.JSONDecoder()
# What `raw_decode` calls, without the call around it.
_scan: Callable[[str, int], Tuple[Any, int]] = getattr(_decoder, "scan_once", _decoder.raw_decode)


class ValueRefused(ValueError):
    """A value beyond a limit: `reason` is `too_deep`, `too_large` or `too_many_nodes`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def encode(value: Any) -> Tuple[int, bytes]:
    """Return the codec and the bytes of a value.

    Raises TypeError for an object that has no place in JSON (such are never pickled), ValueRefused for a value that is
    nested too deeply or in a circle, or has too many parts. Subclasses are stored as their base type.
    """
    kind = type(value)
    if kind is bytes:
        return RAW, value
    if kind is str:
        return TEXT, value.encode("utf-8", "surrogatepass")
    survey = _Survey()
    survey.visit(value, 0)
    if survey.plain:
        return JSON, json.dumps(value, separators=(",", ":")).encode("ascii")
    return TAGGED, json.dumps(_tagged(value), separators=(",", ":")).encode("ascii")


def decode(codec: int, payload: bytes) -> Any:
    """Return the value of `encode`'s answer. Raises ValueError for anything else."""
    if codec == RAW:
        return payload
    if codec == JSON:
        return _decoded(payload)
    if codec == TEXT:
        return payload.decode("utf-8", "surrogatepass")
    if codec == TAGGED:
        return _untagged(_decoded(payload))
    raise ValueError(f"no codec {codec}")


def is_readable(codec: int, payload: bytes) -> bool:
    """Return whether `decode` gives a value."""
    try:
        decode(codec, payload)
    except (ValueError, RecursionError):
        return False
    return True


def _decoded(payload: bytes) -> Any:
    # What `encode` wrote is ASCII without a space around it, so most of what `json.loads` does is not needed.
    try:
        text = payload.decode("ascii")
        value, end = _scan(text, 0)
        if end == len(text):
            return value
    except (StopIteration, ValueError):
        pass
    # Of another program.
    return json.loads(payload)


class _Survey:
    """Looks whether a value is plain JSON, within the limits, and of types that can be stored."""

    def __init__(self) -> None:
        self.plain = True
        self.nodes = 0

    def visit(self, value: Any, depth: int) -> None:
        kind = type(value)
        if kind is str or value is None or kind is bool:
            return
        if kind is list:
            self._enter(len(value), depth)
            for item in value:
                self.visit(item, depth + 1)
        elif kind is dict:
            self._enter(len(value), depth)
            for key, item in value.items():
                if type(key) is not str or key[:1] == "$":
                    self.plain = False
                    self.visit(key, depth + 1)
                self.visit(item, depth + 1)
        else:
            self._visit_other(value, depth)

    def _enter(self, parts: int, depth: int) -> None:
        self.nodes += parts
        if depth >= VALUE_DEPTH_MAX:
            raise ValueRefused("too_deep")
        if self.nodes > VALUE_NODES_MAX:
            raise ValueRefused("too_many_nodes")

    def _visit_other(self, value: Any, depth: int) -> None:
        if isinstance(value, int):
            if value.bit_length() > INTEGER_BITS_MAX:
                raise ValueRefused("too_large")
            self.plain = self.plain and type(value) is int
        elif isinstance(value, float):
            self.plain = self.plain and type(value) is float and math.isfinite(value)
        elif isinstance(value, dict):
            self.plain = False
            self.visit(dict(value), depth)
        elif isinstance(value, (list, tuple)):
            self.plain = False
            self.visit(list(value), depth)
        elif isinstance(value, (str, bytes, bytearray, datetime.date, datetime.timedelta)):
            self.plain = False
            _tagged(value)
        else:
            raise TypeError(
                f"{type(value).__name__} cannot be stored: a value is bytes, str, int, float, bool, None, list, tuple, "
                "dict, date, datetime or timedelta"
            )


def _tagged(value: Any) -> Any:
    if value is None or type(value) in (str, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) and key[:1] != "$" for key in value):
            return {str(key): _tagged(item) for key, item in value.items()}
        return {"$dict": [[_tagged(key), _tagged(item)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"$tuple": [_tagged(item) for item in value]}
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, datetime.timedelta):
        return {"$timedelta": [value.days, value.seconds, value.microseconds]}
    return _tagged_date(value)


def _tagged_date(value: datetime.date) -> Dict[str, Any]:
    if not isinstance(value, datetime.datetime):
        return {"$date": value.isoformat()}
    offset = value.utcoffset()
    if offset is not None:
        # The offset is kept, the name of the zone is not.
        value = value.replace(tzinfo=datetime.timezone(offset))
    return {"$datetime": value.isoformat()}


_TAGS: Dict[str, Callable[[Any], Any]] = {
    "$float": float,
    "$tuple": lambda items: tuple(_untagged(item) for item in items),
    "$dict": lambda items: {_untagged(key): _untagged(item) for key, item in items},
    "$bytes": lambda text: base64.b64decode(text, validate=True),
    "$date": datetime.date.fromisoformat,
    "$datetime": datetime.datetime.fromisoformat,
    "$timedelta": lambda parts: datetime.timedelta(*parts),
}


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if isinstance(value, dict):
        if len(value) == 1:
            (name, inner), = value.items()
            if name in _TAGS:
                try:
                    return _TAGS[name](inner)
                except (TypeError, ValueError, OverflowError) as error:
                    raise ValueError(f"no value: {error}") from None
        return {key: _untagged(item) for key, item in value.items()}
    return value
