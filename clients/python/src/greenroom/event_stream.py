"""Server-sent events of a running Greenroom."""

from __future__ import annotations

import http.client
import json
from typing import Any, Iterator, List, NamedTuple

from .client import Client
from .problem import Problem

LINE_BYTES_MAX = 16 << 20
EVENT_BYTES_MAX = 64 << 20


class Event(NamedTuple):
    """An event: its name (`figures`, `decisions`, `message`) and its data, decoded from JSON."""

    name: str
    data: Any


def events(client: Client) -> Iterator[Event]:
    """Yield what happens for as long as the caller listens: figures every two seconds, and decisions.

    Ends when Greenroom ends the stream (connect again). Raises Problem if it is refused, or the connection is lost or
    silent for the client's timeout.
    """
    return stream(client, "/api/v1/events")


def stream(client: Client, path: str) -> Iterator[Event]:
    """Yield the events of a path."""
    with client.open("GET", path, headers={"Accept": "text/event-stream"}) as answer:
        name, lines, size = "message", [], 0  # type: str, List[str], int
        while True:
            line = _line(answer)
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            field, _, value = text.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if not text:
                if lines:
                    yield Event(name, _data("\n".join(lines)))
                name, lines, size = "message", [], 0
            elif field == "event":
                name = value
            elif field == "data":
                size += len(value)
                if size > EVENT_BYTES_MAX:
                    raise Problem("not-an-answer", "an event is too long", answer.status)
                lines.append(value)


def _line(answer: http.client.HTTPResponse) -> bytes:
    try:
        line = answer.readline(LINE_BYTES_MAX + 1)
    except (OSError, http.client.HTTPException) as error:
        raise Problem("unreachable", str(error) or type(error).__name__) from error
    if len(line) > LINE_BYTES_MAX:
        raise Problem("not-an-answer", "a line is too long", answer.status)
    return line


def _data(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
