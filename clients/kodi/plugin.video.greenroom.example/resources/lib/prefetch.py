"""Loads what is likely to be opened next, once a menu is shown."""

from __future__ import annotations

import enum
from typing import Callable, List, NamedTuple, Optional

from .api import ApiError
from .catalogue import Catalogue, NotFound
from .host import Host
from .menus import Following, Menu, SeasonEpisodes

# Of one menu: a long list must not keep the service busy, or the add-on running.
MAX_REQUESTS = 20
MAX_SECONDS = 15.0
# Of one request: Kodi ends a script that is not done 5 seconds after it quits.
REQUEST_SECONDS_MAX = 3.0
REQUEST_SECONDS_MIN = 0.1


class End(enum.Enum):
    """Why prefetching ended."""

    DONE = "done"
    BUDGET = "budget"
    ERROR = "error"
    NAVIGATION = "navigation"
    QUIT = "quit"


class PrefetchResult(NamedTuple):
    """Requests that were made, and why there were no more."""

    requests: int
    end: End


class PrefetchItem(NamedTuple):
    """Something to load: a project, or else the missing episodes of a season."""

    slug: str = ""
    season: Optional[SeasonEpisodes] = None


def plan_prefetch(menu: Menu, following: Following, project_count: int, catalogue: Catalogue) -> List[PrefetchItem]:
    """Return what is missing or expired of what is likely to be opened next.

    Of a list of projects the first `project_count`; of other menus all that they name.
    """
    slugs = following.projects[:project_count] if menu is Menu.PROJECTS else following.projects
    keys = catalogue.keys
    items = [PrefetchItem(slug=slug) for slug in slugs if not catalogue.is_fresh(keys.project(slug))]
    for season in following.seasons:
        missing = [guid for guid in season.guids if not catalogue.is_fresh(keys.episode(guid))]
        if missing:
            items.append(PrefetchItem(season=SeasonEpisodes(season.season_id, missing)))
    return items


def may_go_on(host: Host, visit: str, requests: int, ends_at: float) -> Optional[End]:
    """Return why prefetching must end now, None if it may go on."""
    if host.quits():
        return End.QUIT
    if not host.is_latest_visit(visit):
        return End.NAVIGATION
    if requests >= MAX_REQUESTS or host.clock() >= ends_at:
        return End.BUDGET
    return None


def run_prefetch(
    items: List[PrefetchItem],
    catalogue: Catalogue,
    host: Host,
    visit: str,
    took_picture: Callable[[str], None],
) -> PrefetchResult:
    """Load items one after the other until one fails, the budget is used up, or another menu is opened.

    `took_picture` is told the pictures of what was loaded.
    """
    ends_at = host.clock() + MAX_SECONDS
    requests = 0
    for item in items:
        end = may_go_on(host, visit, requests, ends_at)
        if end is not None:
            return PrefetchResult(requests, end)
        requests += 1
        catalogue.wait_s_max = max(REQUEST_SECONDS_MIN, min(REQUEST_SECONDS_MAX, ends_at - host.clock()))
        try:
            if item.season is None:
                took_picture(catalogue.project(item.slug)["posterUrl"] or "")
            else:
                loaded = catalogue.episodes(item.season.season_id, item.season.guids, with_watch=False)
                for row in loaded.rows:
                    took_picture(row["posterUrl"] or "")
        except NotFound:
            continue
        except ApiError:
            return PrefetchResult(requests, End.ERROR)
        if catalogue.failure is not None:
            # It failed, and an expired entry took its place.
            return PrefetchResult(requests, End.ERROR)
    return PrefetchResult(requests, End.DONE)


def cache_pictures(host: Host, visit: str, urls: List[str], limit: int) -> int:
    """Load at most `limit` pictures through Kodi's texture cache and return how many are there now."""
    loaded = 0
    for url in list(dict.fromkeys(url for url in urls if url))[:limit]:
        if host.quits() or not host.is_latest_visit(visit):
            break
        loaded += host.cache_picture(url)
    return loaded
