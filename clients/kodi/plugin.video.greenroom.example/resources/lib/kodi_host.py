"""Kodi as the add-on sees it. There is nothing to decide here: what decides is tested without Kodi."""

from __future__ import annotations

import os
import time
from typing import Dict, List, Mapping, Optional, Sequence
from urllib.parse import parse_qsl, quote, urlencode

import xbmc
import xbmcaddon
import xbmcgui
import xbmcplugin
import xbmcvfs

from .host import Host, ListRow, Text

ADDON_ID = "plugin.video.greenroom.example"
HOME_WINDOW = 10000
VISIT_PROPERTY = f"{ADDON_ID}.visit"
PICTURE_BYTES_READ = 64


class KodiHost(Host):
    """Kodi, for the run that was started with `argv`."""

    def __init__(self, argv: List[str]) -> None:
        self._base = argv[0]
        self._handle = int(argv[1]) if len(argv) > 1 else -1
        self._arguments: Dict[str, str] = dict(parse_qsl(argv[2][1:])) if len(argv) > 2 else {}
        self._addon = xbmcaddon.Addon(ADDON_ID)
        self._monitor = xbmc.Monitor()

    def arguments(self) -> Mapping[str, str]:
        """Return the arguments of the address that was opened."""
        return self._arguments

    def setting(self, name: str) -> str:
        """Return a setting as text, empty if there is none."""
        return str(self._addon.getSetting(name))

    def text(self, number: Text) -> str:
        """Return a text in the user's language."""
        return str(self._addon.getLocalizedString(int(number)))

    def data_folder(self) -> str:
        """Return the add-on's own folder, which exists."""
        folder = xbmcvfs.translatePath(self._addon.getAddonInfo("profile"))
        os.makedirs(folder, mode=0o700, exist_ok=True)
        return str(folder)

    def url(self, **arguments: str) -> str:
        """Return the address of a menu or an action of this add-on."""
        return f"plugin://{ADDON_ID}/?{urlencode(arguments)}"

    def add_rows(self, rows: Sequence[ListRow], content: str) -> None:
        """Add rows to the menu that is being made."""
        if content:
            xbmcplugin.setContent(self._handle, content)
        # The first one is how a menu is sorted: as it comes. Without any, Kodi sorts by a date that no row has.
        for method in (xbmcplugin.SORT_METHOD_UNSORTED, xbmcplugin.SORT_METHOD_LABEL):
            xbmcplugin.addSortMethod(self._handle, method)
        items = [(row.url, _list_item(row, self), row.is_folder) for row in rows]
        xbmcplugin.addDirectoryItems(self._handle, items, len(items))

    def end_menu(self, succeeded: bool) -> None:
        """Hand the menu over: Kodi shows it while the add-on goes on."""
        xbmcplugin.endOfDirectory(self._handle, succeeded=succeeded, cacheToDisc=False)

    def play(self, url: Optional[str]) -> None:
        """Play an address, or say that there is none."""
        xbmcplugin.setResolvedUrl(self._handle, url is not None, xbmcgui.ListItem(path=url or ""))

    def refresh(self) -> None:
        """Make Kodi ask for the current menu anew."""
        xbmc.executebuiltin("Container.Refresh")

    def notify(self, text: str) -> None:
        """Show a notification."""
        xbmcgui.Dialog().notification(self._addon.getAddonInfo("name"), text, sound=False)

    def log(self, text: str) -> None:
        """Write a line to Kodi's log."""
        xbmc.log(f"[{ADDON_ID}] {text}", xbmc.LOGINFO)

    def warn(self, text: str) -> None:
        """Write a warning to Kodi's log."""
        xbmc.log(f"[{ADDON_ID}] {text}", xbmc.LOGWARNING)

    def begin_visit(self) -> str:
        """Note that a menu was opened, and return a name for that visit."""
        visit = f"{time.time_ns()}-{self._handle}"
        xbmcgui.Window(HOME_WINDOW).setProperty(VISIT_PROPERTY, visit)
        return visit

    def is_latest_visit(self, visit: str) -> bool:
        """Return whether no menu of this add-on was opened since."""
        return bool(xbmcgui.Window(HOME_WINDOW).getProperty(VISIT_PROPERTY) == visit)

    def quits(self) -> bool:
        """Return whether Kodi quits."""
        return bool(self._monitor.abortRequested())

    def cache_picture(self, url: str) -> bool:
        """Load a picture into Kodi's texture cache and return whether it is there now."""
        # Kodi opens an image:// address through its texture cache, and loads what is missing there.
        with xbmcvfs.File(f"image://{quote(url, safe='')}/") as picture:
            return bool(picture.readBytes(PICTURE_BYTES_READ))

    def breathe(self) -> None:
        """Let the other add-ons run, which share an interpreter lock with this one."""
        time.sleep(0)

    def clock(self) -> float:
        """Return a time in seconds that never goes back."""
        return time.perf_counter()

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return time.time()


def _list_item(row: ListRow, host: Host) -> xbmcgui.ListItem:
    item = xbmcgui.ListItem(row.label, offscreen=True)
    art = {"thumb": row.picture, "poster": row.picture, "icon": row.picture, "fanart": row.fanart}
    item.setArt({name: url for name, url in art.items() if url})
    if row.menu:
        item.addContextMenuItems([(host.text(text), f"RunPlugin({url})") for text, url in row.menu])
    if not row.is_folder:
        item.setProperty("IsPlayable", "true")
    tag = item.getVideoInfoTag()
    tag.setTitle(row.label)
    tag.setPlot(row.plot)
    if row.media_type:
        tag.setMediaType(row.media_type)
    if row.year:
        tag.setYear(row.year)
    if row.season:
        tag.setSeason(row.season)
    if row.episode:
        tag.setEpisode(row.episode)
    if row.duration_s:
        tag.setDuration(row.duration_s)
    if row.watch is not None:
        tag.setPlaycount(1 if row.watch.watched else 0)
        tag.setResumePoint(row.watch.position_s, row.duration_s or 0)
    return item
