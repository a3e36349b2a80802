"""What the add-on needs of Kodi, so that everything else runs without it."""

from __future__ import annotations

import enum
from typing import Mapping, NamedTuple, Optional, Sequence, Tuple


class Text(enum.IntEnum):
    """Numbers of texts in strings.po."""

    SERIES = 30200
    MOVIES = 30201
    CONTINUE_WATCHING = 30202
    MORE = 30203
    MARK_WATCHED = 30210
    MARK_UNWATCHED = 30211
    REMOVE_FROM_RESUME = 30212
    UNREACHABLE = 30220
    TOKEN_REFUSED = 30221
    SERVICE_ERROR = 30222
    CACHE_CLEARED = 30223
    CACHE_NOT_CLEARED = 30224
    SHOWN_FROM_CACHE = 30225
    NOT_FOUND = 30226


class WatchState(NamedTuple):
    """How far something was watched."""

    position_s: int = 0
    watched: bool = False


class ListRow(NamedTuple):
    """A row of a menu. `menu` are the entries of its context menu: number of the text and address."""

    label: str
    url: str
    is_folder: bool
    plot: str = ""
    picture: str = ""
    fanart: str = ""
    media_type: str = ""
    year: int = 0
    duration_s: int = 0
    season: int = 0
    episode: int = 0
    watch: Optional[WatchState] = None
    menu: Tuple[Tuple[Text, str], ...] = ()


class Host:
    """Kodi, for one run of the add-on."""

    def arguments(self) -> Mapping[str, str]:
        """Return the arguments of the address that was opened."""
        raise NotImplementedError

    def setting(self, name: str) -> str:
        """Return a setting as text, empty if there is none."""
        raise NotImplementedError

    def text(self, number: Text) -> str:
        """Return a text in the user's language."""
        raise NotImplementedError

    def data_folder(self) -> str:
        """Return the add-on's own folder, which exists."""
        raise NotImplementedError

    def url(self, **arguments: str) -> str:
        """Return the address of a menu or an action of this add-on."""
        raise NotImplementedError

    def add_rows(self, rows: Sequence[ListRow], content: str) -> None:
        """Add rows to the menu that is being made."""
        raise NotImplementedError

    def end_menu(self, succeeded: bool) -> None:
        """Hand the menu over: Kodi shows it while the add-on goes on."""
        raise NotImplementedError

    def play(self, url: Optional[str]) -> None:
        """Play an address, or say that there is none."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Make Kodi ask for the current menu anew."""
        raise NotImplementedError

    def notify(self, text: str) -> None:
        """Show a notification."""
        raise NotImplementedError

    def log(self, text: str) -> None:
        """Write a line to Kodi's log."""
        raise NotImplementedError

    def warn(self, text: str) -> None:
        """Write a warning to Kodi's log."""
        raise NotImplementedError

    def begin_visit(self) -> str:
        """Note that a menu was opened, and return a name for that visit."""
        raise NotImplementedError

    def is_latest_visit(self, visit: str) -> bool:
        """Return whether no menu of this add-on was opened since."""
        raise NotImplementedError

    def quits(self) -> bool:
        """Return whether Kodi quits."""
        raise NotImplementedError

    def cache_picture(self, url: str) -> bool:
        """Load a picture into Kodi's texture cache and return whether it is there now."""
        raise NotImplementedError

    def breathe(self) -> None:
        """Let the other add-ons run, which share an interpreter lock with this one."""
        raise NotImplementedError

    def clock(self) -> float:
        """Return a time in seconds that never goes back."""
        raise NotImplementedError

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        raise NotImplementedError
