"""Projects, episodes and what the user was watching: cached, or asked for."""

from __future__ import annotations

import enum
import json
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from greenroom import Cache, Status

from . import documents, shapes
from .api import SOFT_TIMEOUT_S, TIMEOUT_S, Api, ApiError, Failure
from .deferred_writes import DeferredWrites
from .host import WatchState
from .keys import Keys
from .settings import Settings

RESUME_ROWS = 10


class Origin(enum.Enum):
    """Where something that is shown is from."""

    CACHE = "hit"
    NETWORK = "loaded"
    STALE = "stale"


class Episodes(NamedTuple):
    """Episodes in the order asked, and the user's state of them by guid."""

    rows: List[Dict[str, Any]]
    watch: Dict[str, WatchState]


class ResumePage(NamedTuple):
    """A page of what the user was watching. `next` is the cursor of the following page, empty if this is the last."""

    episodes: Episodes
    next: str


class _Cached(NamedTuple):
    status: Status
    value: Any = None


MISSING = _Cached(Status.MISS)


class NotFound(Exception):
    """The service does not have what was asked for."""


class Catalogue:
    """What the menus show. Every value that was loaded is collected to be written later."""

    def __init__(
        self, api: Api, keys: Keys, settings: Settings, cache: Optional[Cache], later: Optional[DeferredWrites]
    ) -> None:
        """Use an API; `cache` and `later` are None if nothing is to be stored."""
        self._api, self.keys, self._settings = api, keys, settings
        self._cache, self._later = cache, later
        # Where the parts of the menu are from, and why a part of it is stale.
        self.origins: List[Origin] = []
        self.failure: Optional[ApiError] = None
        # Time that a request may take.
        self.wait_s_max = TIMEOUT_S

    def projects(self, project_type: str) -> List[Dict[str, Any]]:
        """Return the projects of a type, without their seasons. Raises ApiError."""

        def load(timeout_s: float) -> List[Dict[str, Any]]:
            found = self._ask(documents.PROJECTS, {"projectType": project_type}, timeout_s, projects=shapes.projects)
            return list(found["projects"])

        key = self.keys.projects(project_type)
        return list(self._value(key, load, self._settings.projects_ttl_s, shapes.projects))

    def project(self, slug: str) -> Dict[str, Any]:
        """Return a project with its seasons. Raises ApiError, or NotFound."""
        key = self.keys.project(slug)

        def load(timeout_s: float) -> Dict[str, Any]:
            wanted = shapes.nullable(shapes.project)
            found = self._ask(documents.PROJECT, {"slug": slug}, timeout_s, project=wanted)["project"]
            if found is None:
                if self._later is not None:
                    self._later.remove(key)
                raise NotFound(slug)
            return dict(found)

        return dict(self._value(key, load, self._settings.project_ttl_s, shapes.project))

    def episodes(self, season_id: str, guids: Sequence[str], with_watch: bool = True) -> Episodes:
        """Return the episodes of a season. Asks for what is missing of them in one request. Raises ApiError.

        Without a token there is no state of a user.
        """
        with_watch = with_watch and bool(self._settings.api_token)
        cached = {guid: self._cached(self.keys.episode(guid), shapes.episode) for guid in guids}
        stored = self._cached(self.keys.watch(season_id), shapes.watch_by_guid) if with_watch else None
        watch = stored or _Cached(Status.HIT, {})
        missing = [guid for guid, found in cached.items() if found.status is not Status.HIT]
        states = watch.status is not Status.HIT
        if not missing and not states:
            self.origins.append(Origin.CACHE)
            return Episodes([cached[guid].value for guid in guids], _watch_states(watch.value))
        complete = all(found.status is not Status.MISS for found in [*cached.values(), watch])
        variables = {"guids": missing, "watched": list(guids) if states else [], "withWatchData": states}
        wanted = {"episodes": shapes.list_of(shapes.episode)}
        if states:
            wanted["watch"] = shapes.watch_rows
        data = self._tried(lambda timeout_s: self._ask(documents.EPISODES, variables, timeout_s, **wanted), complete)
        if data is None:
            rows = [cached[guid].value for guid in guids]
            return Episodes(rows, _watch_states(watch.value))
        loaded = {row["guid"]: row for row in data["episodes"]}
        for row in loaded.values():
            self._keep(self.keys.episode(row["guid"]), row, self._settings.episode_ttl_s)
        found_rows = {guid: found.value for guid, found in cached.items() if found.status is Status.HIT}
        found_rows.update(loaded)
        told = watch.value
        if states:
            told = {row["guid"]: row["watchData"] for row in data["watch"]}
            self._keep(self.keys.watch(season_id), told, self._settings.resume_ttl_s, self.keys.state_tag)
        return Episodes([found_rows[guid] for guid in guids if guid in found_rows], _watch_states(told))

    def resume(self, after: str = "") -> ResumePage:
        """Return what the user was watching, the latest first. Raises ApiError."""
        key = self.keys.resume(RESUME_ROWS, after)
        cached = self._cached(key, shapes.resume_page)
        page = self._resume_page(cached.value) if cached.status is not Status.MISS else None
        if page is not None and cached.status is Status.HIT:
            self.origins.append(Origin.CACHE)
            return page
        variables = {"first": RESUME_ROWS, "after": after or None}
        data = self._tried(
            lambda timeout_s: self._ask(
                documents.RESUME_WATCHING, variables, timeout_s, resumeWatching=shapes.resume_connection
            ),
            page is not None,
        )
        if data is None and page is not None:
            return page
        assert data is not None, "a failure without an older page was raised"
        return self._resume_loaded(key, data["resumeWatching"])

    def _resume_loaded(self, key: str, connection: Dict[str, Any]) -> ResumePage:
        """Take the episodes and projects of a page apart, each to be kept on its own."""
        rows, watch, projects = [], {}, {}
        for edge in connection["edges"]:
            node = dict(edge["node"])
            watch[node["guid"]] = node.pop("watchData", None)
            project = node["project"]
            projects[project["slug"]] = project
            node["project"] = {name: project[name] for name in ("__typename", "id", "slug", "name", "backdropUrl")}
            rows.append(node)
        for row in rows:
            self._keep(self.keys.episode(row["guid"]), row, self._settings.episode_ttl_s)
        for slug, project in projects.items():
            self._keep(self.keys.project(slug), project, self._settings.project_ttl_s)
        info = connection["pageInfo"]
        cursor = (info["endCursor"] or "") if info["hasNextPage"] else ""
        listed = {"guids": [row["guid"] for row in rows], "watch": watch, "next": cursor}
        self._keep(key, listed, self._settings.resume_ttl_s, self.keys.state_tag)
        return ResumePage(Episodes(rows, _watch_states(watch)), cursor)

    def _resume_page(self, listed: Dict[str, Any]) -> Optional[ResumePage]:
        """Return a cached page with the episodes it names, None if one of them is missing."""
        found = [self._cached(self.keys.episode(guid), shapes.episode) for guid in listed["guids"]]
        if any(episode.status is Status.MISS for episode in found):
            return None
        rows = [episode.value for episode in found]
        return ResumePage(Episodes(rows, _watch_states(listed["watch"])), listed["next"])

    def source(self, guid: str) -> str:
        """Return the address of an episode's media, never a cached one: it is signed. Raises ApiError, NotFound."""
        wanted = shapes.episode_source
        episode = self._ask(documents.EPISODE_SOURCE, {"guid": guid}, TIMEOUT_S, episode=wanted)["episode"]
        if episode is None or not episode["source"]:
            raise NotFound(guid)
        return str(episode["source"]["url"])

    def mark_watched(self, guid: str, watched: bool) -> None:
        """Mark an episode. What is cached of the user's state is invalid from then on. Raises ApiError."""
        self._changed(documents.MARK_WATCHED, {"guid": guid, "watched": watched})

    def remove_from_resume(self, guid: str) -> None:
        """Remove an episode from the list to continue; otherwise as `mark_watched`. Raises ApiError."""
        self._changed(documents.REMOVE_FROM_RESUME, {"guid": guid})

    def _changed(self, document: str, variables: Dict[str, Any]) -> None:
        try:
            self._api.ask(document, variables)
        finally:
            # Also after a failure: the service may have done it and only its answer was lost.
            if self._cache is not None:
                self._cache.evict(self.keys.state_tag)

    def _ask(
        self, document: str, variables: Dict[str, Any], timeout_s: float, **wanted: shapes.Check
    ) -> Dict[str, Any]:
        """Return the data of an operation, with fields that look as wanted: what answers may be another service, or a
        part of it that failed. Raises ApiError."""
        data = self._api.ask(document, variables, timeout_s)
        odd = [name for name, check in wanted.items() if name not in data or not check(data[name])]
        if odd:
            raise ApiError(Failure.ERRORS, f"the response lacks {', '.join(odd)}, or a part of it")
        return data

    def is_fresh(self, key: str) -> bool:
        """Return whether an entry is cached and not expired."""
        return self._cache is not None and key in self._cache

    def _value(self, key: str, load: Callable[[float], Any], ttl_s: float, shape: shapes.Check) -> Any:
        """Return what is cached for a key and fresh, or load it; if that fails, an expired one."""
        cached = self._cached(key, shape)
        if cached.status is Status.HIT:
            self.origins.append(Origin.CACHE)
            return cached.value
        value = self._tried(load, cached.status is Status.STALE)
        if value is None:
            return cached.value
        self._keep(key, value, ttl_s)
        return value

    def _tried(self, load: Callable[[float], Any], has_older: bool) -> Any:
        """Load a value; None if that failed and there is an older one to show. Raises ApiError otherwise."""
        if has_older and self.failure is not None:
            # The service failed a moment ago: no menu waits for it again.
            self.origins.append(Origin.STALE)
            return None
        try:
            value = load(min(self.wait_s_max, SOFT_TIMEOUT_S if has_older else TIMEOUT_S))
        except ApiError as error:
            if error.failure is Failure.REFUSED and self._cache is not None:
                self._cache.delete_prefix(f"{self.keys.partition}/")
            if error.failure is Failure.REFUSED or not has_older:
                raise
            self.failure = error
            self.origins.append(Origin.STALE)
            return None
        self.origins.append(Origin.NETWORK)
        return value

    def _cached(self, key: str, shape: shapes.Check) -> _Cached:
        """Return what is cached for a key; a value of another shape is none."""
        if self._cache is None:
            return MISSING
        found = self._cache.lookup(key)
        if found.status is Status.MISS:
            return MISSING
        try:
            value = json.loads(found.value)
        except (TypeError, ValueError, RecursionError):
            return MISSING
        return _Cached(found.status, value) if shape(value) else MISSING

    def _keep(self, key: str, value: Any, ttl_s: float, tag: Optional[str] = None) -> None:
        if self._later is not None:
            self._later.add(key, value, ttl_s, tag)


def _watch_states(told: Dict[str, Any]) -> Dict[str, WatchState]:
    return {guid: WatchState(int(data["positionS"] or 0), bool(data["watched"])) for guid, data in told.items() if data}
