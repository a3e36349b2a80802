"""Keys and tags as bytes: injective, ordered by prefix, and equal where Python calls two keys equal."""

from __future__ import annotations

import math
import struct
from typing import Any, List, Sequence, Tuple, Union

# What a key or a tag may be. Tuples may hold tuples.
Key = Union[str, bytes, int, float, bool, None, Tuple[Any, ...]]

KEY_BYTES_MAX = 4096
TUPLE_DEPTH_MAX = 16

_LENGTH = struct.Struct(">I")


class KeyTooLong(ValueError):
    """A key of more than KEY_BYTES_MAX bytes, or of too many nested tuples."""


def encode_key(key: Key) -> bytes:
    """Return the bytes of a key.

    Keys that are equal in Python (1, 1.0 and True) have the same bytes; all others differ.
    Raises TypeError for other types and for NaN, KeyTooLong beyond the limits.
    """
    try:
        encoded = b"s" + key.encode() if type(key) is str else _encode(key, 0)
    except UnicodeEncodeError:
        encoded = _encode(key, 0)
    if len(encoded) > KEY_BYTES_MAX:
        raise KeyTooLong(f"a key has at most {KEY_BYTES_MAX} bytes, this one has {len(encoded)}")
    return encoded


def encode_key_or_none(key: Key) -> Union[bytes, None]:
    """Return the bytes of a key, None if it is too long. Raises TypeError as `encode_key`."""
    try:
        return encode_key(key)
    except KeyTooLong:
        return None


def decode_key(encoded: bytes) -> Key:
    """Return the key of bytes that `encode_key` made. Raises ValueError for other bytes."""
    kind, rest = encoded[:1], encoded[1:]
    if kind == b"s":
        return rest.decode("utf-8", "surrogatepass")
    if kind == b"b":
        return rest
    if kind == b"i":
        return int(rest, 16)
    if kind == b"f":
        return float.fromhex(rest.decode("ascii"))
    if kind == b"n" and not rest:
        return None
    if kind == b"t":
        return tuple(decode_key(part) for part in _parts(rest))
    raise ValueError("no key")


def encode_tags(tags: Sequence[bytes]) -> Union[bytes, None]:
    """Return one column's bytes for several encoded tags, None for no tag."""
    return _joined(list(tags)) if tags else None


def decode_tags(column: Union[bytes, None]) -> List[bytes]:
    """Return the encoded tags of a column. Raises ValueError for bytes that `encode_tags` did not make."""
    return _parts(column) if column else []


def prefix_range(prefix: str) -> Tuple[bytes, bytes]:
    """Return the first encoded key with this prefix, and the first one after all of them."""
    low = b"s" + prefix.encode("utf-8", "surrogatepass")
    stripped = low.rstrip(b"\xff")
    return low, stripped[:-1] + bytes([stripped[-1] + 1])


def _encode(key: Key, depth: int) -> bytes:
    if isinstance(key, str):
        return b"s" + key.encode("utf-8", "surrogatepass")
    if isinstance(key, bytes):
        return b"b" + key
    if key is None:
        return b"n"
    if isinstance(key, int):
        # Hexadecimal, because decimal conversion of long numbers is quadratic and limited.
        return b"i%x" % int(key) if key >= 0 else b"i-%x" % -int(key)
    if isinstance(key, float):
        return _encode_float(key)
    if isinstance(key, tuple):
        if depth >= TUPLE_DEPTH_MAX:
            raise KeyTooLong(f"a key has at most {TUPLE_DEPTH_MAX} nested tuples")
        return b"t" + _joined([_encode(part, depth + 1) for part in key])
    raise TypeError(f"a key is str, bytes, int, float, bool, None or a tuple of these, not {type(key).__name__}")


def _encode_float(key: float) -> bytes:
    if math.isnan(key):
        raise TypeError("NaN is no key, because it does not equal itself")
    if key.is_integer():
        return _encode(int(key), 0)
    return b"f" + float(key).hex().encode("ascii")


def _joined(parts: Sequence[bytes]) -> bytes:
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


def _parts(joined: bytes) -> List[bytes]:
    parts = []
    place = 0
    while place < len(joined):
        if place + 4 > len(joined):
            raise ValueError("cut off")
        end = place + 4 + _LENGTH.unpack_from(joined, place)[0]
        if end > len(joined):
            raise ValueError("cut off")
        parts.append(joined[place + 4 : end])
        place = end
    return parts
