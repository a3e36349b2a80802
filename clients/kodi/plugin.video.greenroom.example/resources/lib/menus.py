"""The menus: rows, and what is likely to be opened next."""

from __future__ import annotations

import enum
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from .catalogue import Catalogue, Episodes, NotFound
from .host import Host, ListRow, Text, WatchState


class Menu(enum.Enum):
    """The menus, by the name of their action."""

    ROOT = "root"
    PROJECTS = "projects"
    SEASONS = "seasons"
    EPISODES = "episodes"
    CONTINUE_WATCHING = "continue_watching"


class SeasonEpisodes(NamedTuple):
    """The episodes of a season, as their project lists them."""

    season_id: str
    guids: List[str]


class Following(NamedTuple):
    """What is likely to be opened next, most likely first."""

    projects: Sequence[str] = ()
    seasons: Sequence[SeasonEpisodes] = ()


class MenuContent(NamedTuple):
    """A menu that is ready to be shown."""

    rows: List[ListRow]
    content: str
    following: Following = Following()


def make_menu(menu: Menu, arguments: Mapping[str, str], catalogue: Catalogue, host: Host) -> MenuContent:
    """Return a menu. Raises ApiError, or NotFound."""
    if menu is Menu.PROJECTS:
        return _projects(catalogue, host, arguments.get("type", "series"))
    if menu is Menu.SEASONS:
        return _seasons(catalogue, host, arguments.get("slug", ""))
    if menu is Menu.EPISODES:
        return _episodes(catalogue, host, arguments.get("slug", ""), arguments.get("season", ""))
    if menu is Menu.CONTINUE_WATCHING:
        return _continue_watching(catalogue, host, arguments.get("after", ""))
    return _root(host)


def _root(host: Host) -> MenuContent:
    rows = [
        ListRow(host.text(Text.CONTINUE_WATCHING), host.url(action=Menu.CONTINUE_WATCHING.value), True),
        ListRow(host.text(Text.SERIES), host.url(action=Menu.PROJECTS.value, type="series"), True),
        ListRow(host.text(Text.MOVIES), host.url(action=Menu.PROJECTS.value, type="movie"), True),
    ]
    return MenuContent(rows, "")


def _projects(catalogue: Catalogue, host: Host, project_type: str) -> MenuContent:
    projects = catalogue.projects(project_type)
    is_series = project_type == "series"
    rows = [
        ListRow(
            label=project["name"],
            url=host.url(action=Menu.SEASONS.value, slug=project["slug"]),
            is_folder=True,
            plot=project["description"] or "",
            picture=project["posterUrl"] or "",
            fanart=project["backdropUrl"] or "",
            media_type="tvshow" if is_series else "movie",
            year=project["year"] or 0,
        )
        for project in projects
    ]
    following = Following(projects=[project["slug"] for project in projects])
    return MenuContent(rows, "tvshows" if is_series else "movies", following)


def _seasons(catalogue: Catalogue, host: Host, slug: str) -> MenuContent:
    project = catalogue.project(slug)
    rows = [
        ListRow(
            label=season["name"],
            url=host.url(action=Menu.EPISODES.value, slug=slug, season=season["id"]),
            is_folder=True,
            plot=project["description"] or "",
            picture=project["posterUrl"] or "",
            fanart=project["backdropUrl"] or "",
            media_type="season",
            season=season["number"] or 0,
        )
        for season in project["seasons"]
    ]
    following = Following(seasons=[_listed(season) for season in project["seasons"]])
    return MenuContent(rows, "seasons", following)


def _episodes(catalogue: Catalogue, host: Host, slug: str, season_id: str) -> MenuContent:
    project = catalogue.project(slug)
    seasons = [_listed(season) for season in project["seasons"]]
    at = next((at for at, season in enumerate(seasons) if season.season_id == season_id), None)
    if at is None:
        raise NotFound(season_id)
    episodes = catalogue.episodes(season_id, seasons[at].guids)
    rows = _episode_rows(host, episodes, in_resume=False)
    # The parent project, and what is watched after this season.
    following = [SeasonEpisodes(season.season_id, season.guids[:1]) for season in seasons[at + 1 : at + 2]]
    return MenuContent(rows, "episodes", Following([slug], following))


def _continue_watching(catalogue: Catalogue, host: Host, after: str) -> MenuContent:
    page = catalogue.resume(after)
    rows = _episode_rows(host, page.episodes, in_resume=True)
    if page.next:
        rows.append(ListRow(host.text(Text.MORE), host.url(action=Menu.CONTINUE_WATCHING.value, after=page.next), True))
    parents = list(dict.fromkeys(row["project"]["slug"] for row in page.episodes.rows))
    return MenuContent(rows, "episodes", Following(projects=parents))


def _listed(season: Dict[str, Any]) -> SeasonEpisodes:
    return SeasonEpisodes(season["id"], [episode["guid"] for episode in season["episodes"]])


def _episode_rows(host: Host, episodes: Episodes, in_resume: bool) -> List[ListRow]:
    rows = []
    for episode in episodes.rows:
        guid = episode["guid"]
        watch = episodes.watch.get(guid)
        name = f"{episode['project']['name']}: {episode['name']}" if in_resume else episode["name"]
        rows.append(
            ListRow(
                label=name,
                url=host.url(action="play", guid=guid),
                is_folder=False,
                plot=episode["description"] or "",
                picture=episode["posterUrl"] or "",
                fanart=episode["project"]["backdropUrl"] or "",
                media_type="episode",
                duration_s=episode["durationS"] or 0,
                season=episode["seasonNumber"] or 0,
                episode=episode["number"] or 0,
                watch=watch,
                menu=_context_menu(host, guid, watch, in_resume),
            )
        )
    return rows


def _context_menu(host: Host, guid: str, watch: Optional[WatchState], in_resume: bool) -> Any:
    if watch is None:
        return ()
    text = Text.MARK_UNWATCHED if watch.watched else Text.MARK_WATCHED
    mark = host.url(action="mark_watched", guid=guid, watched="false" if watch.watched else "true")
    entries = [(text, mark)]
    if in_resume:
        entries.append((Text.REMOVE_FROM_RESUME, host.url(action="remove_from_resume", guid=guid)))
    return tuple(entries)
