"""Items of the media server for paths, tracks and ids, from Greenroom's index. The media server is not asked."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Union

from .client import Client, given
from .problem import Problem

# What one request takes; longer lists are sent in parts.
PATHS_PER_CALL = 50_000
TRACKS_PER_CALL = 10_000
IDS_PER_CALL = 50_000
BYTES_PER_CALL = 7 << 20

Answer = Dict[str, Any]


def paths(
    client: Client,
    paths: Sequence[Union[str, Mapping[str, Any]]],
    *,
    server: Optional[str] = None,
    library: Optional[str] = None,
    case: Optional[str] = None,
    maps: Optional[Sequence[Mapping[str, str]]] = None,
) -> List[Answer]:
    """Return an answer for each path, in their order, with `confidence`, `reasons`, `items` and `candidates`.

    A path is a str, or has `path` and what is known of the file (`size_bytes`, `duration_s`). `maps` are rules such as
    `{"from": "^/data/(.*)$", "to": "/mnt/$1"}` in place of the configured ones. Raises Problem, among others
    `no-snapshot` with `retry_after_s` while the first index is built.
    """
    options = given(server=server, library=library, case=case, maps=maps)
    return _in_parts(client, "paths", paths, PATHS_PER_CALL, options)


def tracks(
    client: Client,
    tracks: Sequence[Mapping[str, Any]],
    *,
    server: Optional[str] = None,
    library: Optional[str] = None,
    policy: Optional[str] = None,
    live: Union[bool, int, None] = None,
) -> List[Answer]:
    """Return an answer for each track, in their order, with `decision` (accept, review, reject), `item` and more.

    A track has some of `title`, `artist`, `artists`, `album`, `duration_s`, `ids`, `source_id`. `live` is how many
    searches of the media server each request of 10,000 tracks may spend on those that are not in the index; it needs
    the control token. Raises Problem.
    """
    options = given(server=server, library=library, policy=policy, live=live)
    return _in_parts(client, "tracks", tracks, TRACKS_PER_CALL, options)


def ids(
    client: Client, ids: Sequence[str], *, server: Optional[str] = None, library: Optional[str] = None
) -> List[Answer]:
    """Return an answer for each id (`tt0111161`, `imdb://…`, `mbid://…`), in their order. Raises Problem."""
    return _in_parts(client, "ids", ids, IDS_PER_CALL, given(server=server, library=library))


def _in_parts(
    client: Client, name: str, asked: Sequence[Any], per_call: int, options: Mapping[str, Any]
) -> List[Answer]:
    answers: List[Answer] = []
    for part in _parts(asked, per_call):
        told = client.call("POST", f"/api/v1/match/{name}", {name: part, **options}).get(name)
        if not isinstance(told, list) or len(told) != len(part):
            # Their order alone says which answer is whose.
            raise Problem("not-an-answer", f"{len(part)} {name} were sent, and not as many answered", 200)
        answers += told
    return answers


def _parts(asked: Sequence[Any], per_call: int) -> Iterator[List[Any]]:
    part: List[Any] = []
    size = 0
    for one in asked:
        length = len(json.dumps(one))
        if part and (len(part) >= per_call or size + length > BYTES_PER_CALL):
            yield part
            part, size = [], 0
        part.append(one)
        size += length
    if part:
        yield part
