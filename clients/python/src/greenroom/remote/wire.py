"""What requests and answers consist of: times, media types, entries, refusals."""

from __future__ import annotations

import base64
import functools
import json
import math
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, TypeVar

from .. import codec
from ..backend import Entry, FailureReason, Put, StorageError, StoredEntry
from .connection import Answer
from .names import encoded_of, is_key

OPERATIONS_PER_CALL = 500
# Of the JSON of one batch: the daemon takes 16 MiB. A longer value is not put into one at all.
BYTES_PER_CALL = 12 << 20
VALUE_BYTES_PER_CALL = 8 << 20
MEDIA_TYPES = {
    codec.RAW: "application/octet-stream",
    codec.TEXT: "text/plain; charset=utf-8",
    codec.JSON: "application/json",
    codec.TAGGED: "application/vnd.greenroom.tagged+json",
}
CODECS = {name: kind for kind, name in MEDIA_TYPES.items()}
# As other programs write them, without parameters and in lower case.
_CODECS_OF_OTHERS = {name.split(";")[0]: kind for name, kind in CODECS.items()}
_TEXT_CHARSETS = ("", "utf-8", "utf8", "us-ascii")
Result = TypeVar("Result")


def understood(method: Callable[..., Result]) -> Callable[..., Result]:
    """Turn what an answer lacks into a StorageError: another program may be at the address."""

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Result:
        try:
            return method(*args, **kwargs)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StorageError(FailureReason.IO, f"not an answer of Greenroom: {error!r}") from error

    return wrapper


JSON = "Content-Type: application/json\r\n"


def problem(answer: Answer) -> Tuple[str, str]:
    """Return code and detail of a refusal."""
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "", "not an answer of Greenroom"
    return (str(told.get("code", "")), str(told.get("detail", ""))) if isinstance(told, dict) else ("", "")


def codec_of(headers: Dict[bytes, bytes]) -> int:
    """Return how the value of an answer is to be decoded."""
    return codec_of_media_type(headers.get(b"content-type", b"").decode("latin-1"))


def codec_of_media_type(media_type: str) -> int:
    """Return how a value of a media type is to be decoded; text in another encoding is bytes."""
    known = CODECS.get(media_type)
    if known is not None:
        return known
    essence, *parameters = (part.strip().lower() for part in media_type.split(";"))
    kind = _CODECS_OF_OTHERS.get(essence, codec.RAW)
    if kind == codec.TEXT:
        charsets = [part.partition("=")[2].strip(' "') for part in parameters if part.startswith("charset=")]
        if any(charset not in _TEXT_CHARSETS for charset in charsets):
            return codec.RAW
    return kind


def later(now: float, headers: Dict[bytes, bytes], name: bytes) -> Optional[float]:
    """Return a moment that a header tells as a time from now."""
    told = headers.get(name)
    return None if told is None else now + int(told) / 1000


def stored_of(result: Dict[str, Any], now: float) -> Optional[StoredEntry]:
    """Return the entry of a result of a batch."""
    if result["state"] not in ("hit", "stale"):
        return None
    left, stale_left = result.get("left_ms"), result.get("stale_left_ms")
    return StoredEntry(
        codec_of_media_type(result["media_type"]),
        base64.b64decode(result["value"]),
        None if left is None else now + left / 1000,
        None if stale_left is None else now + stale_left / 1000,
        tuple(encoded_of(tag) for tag in result.get("tags", ())),
        result.get("version", ""),
        now - result["age_ms"] / 1000,
    )


def millis(seconds: float) -> int:
    """Return a duration in whole milliseconds."""
    return max(0, math.ceil(min(seconds, 1e11) * 1000))


def times(entry: Entry, now: float) -> Tuple[int, int]:
    """Return fresh and stale time in milliseconds; -1 as fresh time is for ever."""
    if entry.expires is None:
        return -1, 0
    return millis(entry.expires - now), 0 if entry.dies is None else millis(entry.dies - max(entry.expires, now))


class EncodedPut(NamedTuple):
    """A put, and its operation of a batch; none if it goes alone."""

    put: Put
    operation: bytes


def parts(puts: Sequence[Put], encoded: Callable[[Put], bytes]) -> Iterator[List[EncodedPut]]:
    """Yield puts in batches that the daemon takes. What does not fit into a batch is alone, and is no operation."""
    part: List[EncodedPut] = []
    size = 0
    for put in puts:
        goes_alone = len(put.entry.payload) > VALUE_BYTES_PER_CALL or not is_key(put.key)
        operation = b"" if goes_alone else encoded(put)
        if part and (goes_alone or len(part) >= OPERATIONS_PER_CALL or size + len(operation) > BYTES_PER_CALL):
            yield part
            part, size = [], 0
        if goes_alone or len(operation) > BYTES_PER_CALL:
            yield [EncodedPut(put, b"")]
            continue
        part.append(EncodedPut(put, operation))
        size += len(operation) + 1
    if part:
        yield part
