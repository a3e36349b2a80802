"""Playlists of elsewhere, written to the media server by a running Greenroom."""

from __future__ import annotations

import urllib.parse
from typing import Any, Dict, Iterator, Mapping, Optional, Sequence, Union

from .client import Client, given
from .event_stream import Event, stream

Source = Union[str, Mapping[str, Any], Sequence[Any]]


def sync(
    client: Client,
    source: Source,
    *,
    server: Optional[str] = None,
    library: Optional[str] = None,
    name: Optional[str] = None,
    mode: Optional[str] = None,
    accounts: Optional[Sequence[str]] = None,
    policy: Optional[str] = None,
    live: Optional[int] = None,
    wait: Optional[bool] = None,
    shrink: Optional[bool] = None,
    dry_run: Optional[bool] = None,
    hint: Optional[str] = None,
    detach: bool = False,
) -> Dict[str, Any]:
    """Write a playlist and return the run: `state`, `report` with every row, or `error`.

    `source` is a list of rows (`{"title": …, "artist": …}`), the text of a playlist, or
    `{"server": …, "playlist": …}`. `hint` is a file name that tells the format of a text. `mode` is create, replace or
    append. Waits for the end of the run; with `detach` returns at once, and `run` tells the rest. Raises Problem.
    """
    wish = given(
        source=source,
        server=server,
        library=library,
        name=name,
        mode=mode,
        accounts=None if accounts is None else list(accounts),
        policy=policy,
        live=live,
        wait=wait,
        shrink=shrink,
        dry_run=dry_run,
        hint=hint,
        detach=detach or None,
    )
    begun = client.call("POST", "/api/v1/playlists/sync", wish)
    if detach or begun.get("state") != "running":
        return begun
    number = str(begun.get("run", ""))
    for _ in progress(client, number):
        pass
    return run(client, number)


def run(client: Client, run: str) -> Dict[str, Any]:
    """Return a run: how far it is, or its report. Raises Problem."""
    return client.call("GET", _path(run))


def progress(client: Client, run: str) -> Iterator[Event]:
    """Yield how far a run is until it ends. Raises Problem."""
    return stream(client, _path(run))


def cancel(client: Client, run: str) -> Dict[str, Any]:
    """Stop a run between two writes. Raises Problem."""
    return client.call("POST", f"{_path(run)}/cancel")


def _path(run: str) -> str:
    return f"/api/v1/playlists/runs/{urllib.parse.quote(run, safe='')}"
