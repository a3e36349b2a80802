"""One run of the add-on: a menu or an action."""

from __future__ import annotations

import os
from typing import List, Optional

from greenroom import Cache

from .api import Api, ApiError, Failure
from .catalogue import Catalogue, NotFound, Origin
from .deferred_writes import DeferredWrites
from .host import Host, Text
from .keys import Keys, installation_salt
from .menus import Menu, MenuContent, make_menu
from .perf import PerformanceLog
from .prefetch import cache_pictures, plan_prefetch, run_prefetch
from .settings import Settings, read_settings

CACHE_BYTES_MAX = 64 << 20
# How long one attempt to write waits for another run of the add-on. There are more: see `DeferredWrites`.
BUSY_S = 1.0

FAILURE_TEXTS = {
    Failure.UNREACHABLE: Text.UNREACHABLE,
    Failure.REFUSED: Text.TOKEN_REFUSED,
    Failure.ERRORS: Text.SERVICE_ERROR,
}


def run(host: Host) -> None:
    """Show the menu or do what the address says."""
    settings = read_settings(host)
    cache = open_cache(host) if settings.stores else None
    try:
        Run(host, settings, cache).do(host.arguments().get("action", Menu.ROOT.value))
    finally:
        if cache is not None:
            cache.close()


def open_cache(host: Host) -> Cache:
    """Return the add-on's own cache, in its own folder."""
    folder = os.path.join(host.data_folder(), "cache")
    return Cache(folder, BUSY_S, size_limit=CACHE_BYTES_MAX, clock=host.now)


class Run:
    """What one run needs."""

    def __init__(self, host: Host, settings: Settings, cache: Optional[Cache]) -> None:
        self._host, self._settings, self._cache = host, settings, cache
        self._perf = PerformanceLog(host, settings.log_performance)
        self._began = host.clock()
        self._later = None if cache is None else DeferredWrites(host, cache)
        salt = b"" if cache is None else installation_salt(host.data_folder())
        keys = Keys(salt, settings.api_url, settings.api_token)
        self._api = Api(settings.api_url, settings.api_token)
        self._catalogue = Catalogue(self._api, keys, settings, cache, self._later)

    def do(self, action: str) -> None:
        """Do the action of this name; one that is unknown is the first menu."""
        if action == "clear_cache":
            self._clear()
        elif action == "play":
            self._play()
        elif action in ("mark_watched", "remove_from_resume"):
            self._change(action)
        else:
            self._menu(Menu(action) if action in {menu.value for menu in Menu} else Menu.ROOT)

    def _menu(self, menu: Menu) -> None:
        try:
            visit = self._host.begin_visit()
            if self._later is not None:
                self._later.begin()
            made = make_menu(menu, self._host.arguments(), self._catalogue, self._host)
            rendering = self._host.clock()
            self._host.add_rows(made.rows, made.content)
        except Exception as error:
            # Whatever it is, Kodi waits for the end of the menu.
            self._fail(menu, error)
            return
        self._perf.line(
            f"{menu.value}_menu",
            self._began,
            fetch_ms=f"{(rendering - self._began) * 1000:.1f}",
            render_ms=f"{(self._host.clock() - rendering) * 1000:.1f}",
            rows=len(made.rows),
            requests=self._api.requests,
            source=told_origin(self._catalogue.origins),
            cache_status=self._api.cache_status or "none",
            cache_write="deferred",
        )
        # From here on Kodi shows the menu. What follows is work that the user does not wait for.
        self._host.end_menu(True)
        if self._catalogue.failure is not None:
            self._host.notify(self._host.text(Text.SHOWN_FROM_CACHE))
            self._host.warn(f"{menu.value}: {self._catalogue.failure}")
        try:
            self._after(menu, made, visit)
        except Exception as error:
            # The menu is shown: the user needs to know nothing of it.
            self._host.warn(f"after {menu.value}: {told_error(error)}")

    def _fail(self, menu: Menu, error: Exception) -> None:
        self._host.end_menu(False)
        self._host.notify(self._host.text(failure_text(error)))
        self._host.warn(f"{menu.value}: {told_error(error)}")
        self._write("deferred_write")

    def _after(self, menu: Menu, made: MenuContent, visit: str) -> None:
        """Write what the menu loaded, then load what is likely to be opened next and write that."""
        self._write("deferred_write")
        if not self._settings.prefetches or self._catalogue.failure is not None or self._later is None:
            return
        began = self._host.clock()
        self._later.begin()
        pictures: List[str] = []
        items = plan_prefetch(menu, made.following, self._settings.prefetch_project_count, self._catalogue)
        result = run_prefetch(items, self._catalogue, self._host, visit, pictures.append)
        self._perf.line("prefetch", began, wanted=len(items), requests=result.requests, end=result.end.value)
        self._write("prefetch_write")
        began = self._host.clock()
        pictures += [row.picture for row in made.rows]
        loaded = cache_pictures(self._host, visit, pictures, self._settings.prefetch_picture_count)
        self._perf.line("pictures", began, loaded=loaded)

    def _write(self, name: str) -> None:
        if self._later is None:
            return
        began = self._host.clock()
        done = self._later.write()
        if done.stored or done.refused or done.left:
            self._perf.line(name, began, stored=done.stored, refused=done.refused, left=done.left)
        if done.left:
            self._host.warn(f"{done.left} entries were not written")

    def _play(self) -> None:
        try:
            self._host.play(self._catalogue.source(self._host.arguments().get("guid", "")))
        except Exception as error:
            self._host.play(None)
            self._host.warn(f"play: {told_error(error)}")

    def _change(self, action: str) -> None:
        arguments = self._host.arguments()
        guid = arguments.get("guid", "")
        try:
            if action == "mark_watched":
                self._catalogue.mark_watched(guid, arguments.get("watched") == "true")
            else:
                self._catalogue.remove_from_resume(guid)
        except ApiError as error:
            self._host.notify(self._host.text(FAILURE_TEXTS[error.failure]))
            self._host.warn(f"{action}: {error}")
        self._host.refresh()

    def _clear(self) -> None:
        """Clear the cache, also one that is disabled by now."""
        cache = self._cache or open_cache(self._host)
        removed = cache.clear()
        left = len(cache)
        text = Text.CACHE_NOT_CLEARED if left else Text.CACHE_CLEARED
        self._host.notify(self._host.text(text).format(removed))
        if cache is not self._cache:
            cache.close()


def failure_text(error: Exception) -> Text:
    """Return what the user is told of a failure."""
    if isinstance(error, ApiError):
        return FAILURE_TEXTS[error.failure]
    return Text.NOT_FOUND if isinstance(error, NotFound) else Text.SERVICE_ERROR


def told_error(error: Exception) -> str:
    """Return an error for the log: where it is from, if it is none that was expected."""
    if isinstance(error, (ApiError, NotFound)):
        return str(error)
    import traceback

    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def told_origin(origins: List[Origin]) -> str:
    """Return where a menu is from: of its parts, the one that the user would want to know of."""
    for origin in (Origin.STALE, Origin.NETWORK, Origin.CACHE):
        if origin in origins:
            return str(origin.value)
    return "none"
