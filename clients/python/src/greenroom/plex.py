"""Edits of items of a Plex server: equal ones of one section in one request."""

from __future__ import annotations

import enum
import http.client
import urllib.parse
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple, Union

TIMEOUT_S = 30.0
# Of one request, so that no server finds its address too long.
ITEMS_MAX = 200
QUERY_BYTES_MAX = 6000
ANSWER_BYTES_MAX = 1 << 20

Field = Union[str, int]


class Edit(NamedTuple):
    """An edit of one item: its section, the number of its type (1: film, 4: episode, 10: track), its rating key, and
    the fields as Plex names them, such as `{"title.value": "New", "title.locked": 1}`."""

    section: str
    kind: int
    item: str
    fields: Mapping[str, Field]


class EditState(enum.Enum):
    """Outcomes of a request."""

    DONE = "done"
    REFUSED = "refused"
    UNSENT = "unsent"
    UNKNOWN = "unknown"


class EditOutcome(NamedTuple):
    """What came of one request, and so of all its edits.

    REFUSED: the server answered with `status`, and none of the edits is done. UNSENT: nothing left this machine.
    UNKNOWN: the request left and was not answered, so that the edits may be done or not.
    """

    edits: Tuple[Edit, ...]
    state: EditState
    status: int = 0
    reason: str = ""


def edits(
    url: str, wanted: Iterable[Edit], token: Optional[str] = None, timeout_s: float = TIMEOUT_S
) -> List[EditOutcome]:
    """Make edits through the gateway, or a Plex server, at `url`, and return an outcome for each request.

    Equal edits of items of one section go as one request, ITEMS_MAX at most, which succeeds or fails as a whole; edits
    of one item keep their order. A request of which nothing has left is sent once more. After a request that could not
    be sent the rest is not tried. Raises ValueError for an address, an item or a field that can be none; nothing is
    sent then.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("url is an http or https address, such as http://127.0.0.1:32500")
    if token is not None and not (token.isascii() and token.isprintable() and token.strip()):
        raise ValueError("a token is one line of printable characters")
    requests = [(group, _path(group)) for group in batched(wanted)]
    outcomes: List[EditOutcome] = []
    headers = {"Accept": "application/json", "Content-Length": "0"}
    if token is not None:
        headers["X-Plex-Token"] = token
    for group, path in requests:
        if outcomes and outcomes[-1].state is EditState.UNSENT:
            outcomes.append(EditOutcome(group, EditState.UNSENT, reason=outcomes[-1].reason))
            continue
        outcomes.append(_sent(parts, group, parts.path.rstrip("/") + path, headers, timeout_s))
    return outcomes


def batched(wanted: Iterable[Edit]) -> List[Tuple[Edit, ...]]:
    """Return edits as requests: equal ones together, those of one item in their order."""
    groups: List[List[Edit]] = []
    newest: Dict[Tuple[str, int, Tuple[Tuple[str, str], ...]], int] = {}
    # The last request with each item: a later edit of it must not go before that.
    last_of: Dict[Tuple[str, str], int] = {}
    for edit in wanted:
        same = (edit.section, edit.kind, tuple(sorted((name, str(value)) for name, value in edit.fields.items())))
        place = newest.get(same)
        item = (edit.section, edit.item)
        if place is None or last_of.get(item, -1) > place or len(groups[place]) >= ITEMS_MAX:
            place = newest[same] = len(groups)
            groups.append([])
        if edit not in groups[place]:
            groups[place].append(edit)
        last_of[item] = max(place, last_of.get(item, -1))
    return [tuple(group) for group in groups]


def _path(group: Tuple[Edit, ...]) -> str:
    first = group[0]
    for edit in group:
        if not (edit.item.isascii() and edit.item.isalnum() and edit.section.isascii() and edit.section.isalnum()):
            raise ValueError(f"no section and item: {edit.section!r}, {edit.item!r}")
    query = {"type": str(first.kind), "id": ",".join(edit.item for edit in group)}
    for name, value in first.fields.items():
        if name in query or not name:
            raise ValueError(f"no field: {name!r}")
        query[name] = str(value)
    path = f"/library/sections/{first.section}/all?{urllib.parse.urlencode(query, safe=',')}"
    if len(path) > QUERY_BYTES_MAX + ITEMS_MAX * 12:
        raise ValueError("the fields of an edit are too long")
    return path


def _sent(
    parts: urllib.parse.SplitResult, group: Tuple[Edit, ...], path: str, headers: Dict[str, str], timeout_s: float
) -> EditOutcome:
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(str(parts.hostname), parts.port, timeout=timeout_s)
    try:
        for is_last in (False, True):
            try:
                connection.connect()
                break
            except OSError as error:
                if is_last:
                    return EditOutcome(group, EditState.UNSENT, reason=str(error) or type(error).__name__)
        try:
            connection.request("PUT", path, headers=headers)
            answer = connection.getresponse()
            told = answer.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            return EditOutcome(group, EditState.UNKNOWN, reason=str(error) or type(error).__name__)
    finally:
        connection.close()
    if 200 <= answer.status < 300:
        return EditOutcome(group, EditState.DONE, answer.status)
    # The server may have begun before it failed, or a proxy may not know what it did.
    state = EditState.UNKNOWN if answer.status >= 500 and answer.status != 503 else EditState.REFUSED
    return EditOutcome(group, state, answer.status, told[:200].decode("utf-8", "replace"))
