"""Writes of an owner, one after the other, as (name, [(method, path, body)]): `{name}` is an id, a body may be a function
of the item that it edits. Those that make something are undone by a later one."""

FILM, SERIES, SEASON = "{movie}", "{series}", "{season}"


def played(item):
    """Marks an item as played."""
    return ("POST", f"/UserPlayedItems/{item}?userId={{u}}", None)


def unplayed(item):
    """The opposite."""
    return ("DELETE", f"/UserPlayedItems/{item}?userId={{u}}", None)


def report(step, position):
    """A player's report of a film."""
    path = {"start": "", "progress": "/Progress", "stop": "/Stopped"}[step]
    body = {"ItemId": "{movie3}", "MediaSourceId": "{movie3}", "PositionTicks": position, "PlaySessionId": "s1"}
    return ("POST", f"/Sessions/Playing{path}", body | {"CanSeek": True, "PlayMethod": "DirectPlay"})


def edited(**fields):
    """An edit of a film: the whole item is posted."""
    return ("POST", f"/Items/{FILM}", lambda item: item | fields)


WRITES = [
    ("played film", [played(FILM)]),
    ("unplayed film", [unplayed(FILM)]),
    ("played (old path)", [("POST", "/Users/{u}/PlayedItems/{movie2}", None)]),
    ("favourite", [("POST", f"/UserFavoriteItems/{FILM}?userId={{u}}", None)]),
    ("favourite off", [("DELETE", f"/UserFavoriteItems/{FILM}?userId={{u}}", None)]),
    ("like", [("POST", "/UserItems/{track}/Rating?userId={u}&likes=true", None)]),
    (
        "user data",
        [
            (
                "POST",
                f"/UserItems/{FILM}/UserData?userId={{u}}",
                {"PlaybackPositionTicks": 20000000, "PlayCount": 3, "Played": False},
            )
        ],
    ),
    ("played series", [played(SERIES)]),
    ("unplayed series", [unplayed(SERIES)]),
    ("played season", [played(SEASON)]),
    ("unplayed season", [unplayed(SEASON)]),
    ("played box set", [played("{boxset}")]),
    ("unplayed box set", [unplayed("{boxset}")]),
    ("played playlist", [played("{playlist}")]),
    ("played episode", [played("{episode}")]),
    ("played album", [played("{album}")]),
    ("session start", [report("start", 0)]),
    ("session progress", [report("progress", 20000000)]),
    ("session progress 2", [report("progress", 30000000)]),
    ("session stop", [report("stop", 30000000)]),
    ("playlist add", [("POST", "/Playlists/{playlist}/Items?userId={u}&ids={track2}", None)]),
    ("playlist rename", [("POST", "/Playlists/{playlist}", {"Name": "Renamed"})]),
    ("playlist name back", [("POST", "/Playlists/{playlist}", {"Name": "Evening"})]),
    ("collection add", [("POST", "/Collections/{boxset}/Items?ids={movie3}", None)]),
    ("collection remove", [("DELETE", "/Collections/{boxset}/Items?ids={movie3}", None)]),
    ("edit overview", [edited(Overview="Told anew.")]),
    ("edit title", [edited(Name="Another name")]),
    ("edit genres", [edited(Genres=["Drama", "Western"])]),
    ("user configuration", [("POST", "/Users/Configuration?userId={u}", "configuration")]),
    ("item refresh", [("POST", f"/Items/{FILM}/Refresh?metadataRefreshMode=FullRefresh&imageRefreshMode=Default", None)]),
    ("library refresh", [("POST", "/Library/Refresh", None)]),
]
