"""Both add-ons in a real Kodi, without a monitor."""

import concurrent.futures
import contextlib
import shutil
import sqlite3
from urllib.parse import unquote

import pytest

from kodi.cache_file import CacheFile
from kodi.conftest import OWNER, SAM
from stage.program import LOGS
from stage.waiting import until

RESUME = {"action": "continue_watching"}
# Ten episodes, each of another project, and the page that lists them.
RESUME_ENTRIES = 21
SERIES = {"action": "projects", "type": "series"}


def shown(rows):
    """What a user sees of rows."""
    return [(row["label"], row["file"], row.get("playcount"), row.get("resume"), row.get("plot")) for row in rows]


def arguments(row):
    """The arguments of a row's address."""
    return dict(pair.split("=", 1) for pair in row["file"].split("?", 1)[1].split("&"))


def acknowledged(kodi):
    """How many entries the add-on has said are stored in this run."""
    return sum(int(line["stored"]) for line in kodi.lines("deferred_write"))


def written(kodi, entries):
    """Waits until the add-on has said that so many entries are stored in this run."""
    until(lambda: acknowledged(kodi) >= entries, f"{entries} entries are stored")


def operations(server):
    """The operations that have reached the server."""
    return [seen["target"].partition("#")[2] for seen in server.reached() if "#" in seen["target"]]


def test_a_menu_is_answered_before_its_entries_are_written_in_one_transaction(kodi, server, tmp_path):
    kodi.start()
    assert [row["label"] for row in kodi.list()] == ["Continue watching", "Series", "Movies"]
    file = CacheFile(kodi)
    until(file.path.exists, "the cache is there")
    with file.with_log():
        with file.locked():
            rows = kodi.list(**RESUME)
            assert len(rows) == 11 and rows[-1]["label"] == "More"
            # The answer has left, and nothing was written, because nothing can be.
            assert file.keys() == [] and kodi.lines("deferred_write") == []
            # The next menu does not wait for those writes either.
            assert len(kodi.list(**SERIES)) == 24
            assert file.keys() == []
        written(kodi, RESUME_ENTRIES + 1)
        counts = file.counts_after_each_commit(tmp_path)
    assert set(counts) <= {0, 1, RESUME_ENTRIES, RESUME_ENTRIES + 1}, "all of a menu or nothing of it"
    assert counts[-1] == RESUME_ENTRIES + 1, counts
    keys = file.keys()
    assert len(keys) == RESUME_ENTRIES + 1 and len([key for key in keys if key.startswith("episode/")]) == 10
    assert sorted(line["stored"] for line in kodi.lines("deferred_write")) == ["1", str(RESUME_ENTRIES)]
    assert sorted(operations(server)) == ["Projects", "ResumeWatching"]


def test_after_a_restart_everything_visited_is_shown_without_the_network(kodi, server):
    kodi.start()
    series = kodi.list(**SERIES)
    seasons = kodi.list(**arguments(series[3]))
    visited = [SERIES, RESUME, arguments(series[3]), arguments(seasons[1]), {"action": "projects", "type": "movie"}]
    before = [shown(kodi.list(**visit)) for visit in visited]
    assert all(before) and len(before[3]) == 8
    until(lambda: len([key for key in CacheFile(kodi).keys() if key.startswith("watch/")]) == 1, "all is stored")
    kodi.quit()
    server.kill()
    kodi.start()
    assert [shown(kodi.list(**visit)) for visit in visited] == before
    menus = [
        line for name in ("projects", "continue_watching", "seasons", "episodes") for line in kodi.lines(f"{name}_menu")
    ]
    assert [(line["source"], line["requests"]) for line in menus] == [("hit", "0")] * 5


def test_overlapping_menus_lose_nothing(kodi, server):
    kodi.start()
    series = kodi.list(**SERIES)[:8]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        seasons = list(pool.map(lambda row: kodi.list(**arguments(row)), series))
        visits = [arguments(season) for rows in seasons for season in rows]
        episodes = list(pool.map(lambda visit: shown(kodi.list(**visit)), visits))
    # A list, eight projects, and eight episodes and a state for each of their 24 seasons.
    written(kodi, 1 + 8 + 24 * 9)
    kodi.quit()
    server.kill()
    kodi.start()
    assert [shown(kodi.list(**visit)) for visit in visits] == episodes
    assert {line["source"] for line in kodi.lines("episodes_menu")} == {"hit"}


@pytest.mark.parametrize("end", ["kill", "quit"])
def test_ending_in_the_middle_of_the_writes_loses_only_what_was_not_acknowledged(kodi, server, end):
    kodi.start()
    kodi.list(**SERIES)
    written(kodi, 1)
    file = CacheFile(kodi)
    with file.locked():
        kodi.list(**RESUME)
        getattr(kodi, end)()
        told = acknowledged(kodi)
    assert file.is_intact() and file.keys() == ["projects/series"]
    assert told == 1
    # What was lost is asked for again, and kept.
    kodi.start()
    assert len(kodi.list(**RESUME)) == 11
    written(kodi, RESUME_ENTRIES)
    assert len(file.keys()) == RESUME_ENTRIES + 1


def test_quitting_right_after_a_menu_keeps_its_entries(kodi, server):
    kodi.start()
    kodi.list(**RESUME)
    kodi.quit()
    assert len(CacheFile(kodi).keys()) == RESUME_ENTRIES


def test_a_kill_at_any_moment_leaves_all_entries_of_a_menu_or_none(kodi, server):
    file = CacheFile(kodi)
    for _ in range(3):
        kodi.start()
        kodi.list(**RESUME)
        kodi.kill()
        stored = len(file.keys())
        assert stored in (0, RESUME_ENTRIES) and stored >= acknowledged(kodi)
        shutil.rmtree(file.path.parent, ignore_errors=True)


def test_prefetch_loads_projects_and_as_many_pictures_as_are_wanted(kodi, server):
    kodi.configure(
        api_url=f"{server.url}/graphql",
        api_token=OWNER,
        enable_performance_logging="true",
        enable_prefetch="true",
        prefetch_project_count="3",
        prefetch_picture_count="7",
    )
    kodi.start()
    series = kodi.list(**SERIES)
    until(lambda: kodi.lines("pictures"), "pictures were loaded")
    assert kodi.lines("prefetch") == [{"wanted": "3", "requests": "3", "end": "done"}]
    assert kodi.lines("pictures") == [{"loaded": "7"}]
    assert operations(server) == ["Projects"] + ["Project"] * 3
    cached = textures(kodi)
    posters = [row["art"]["poster"] for row in series[:7]]
    assert len(cached) == 7 and all(
        any(url in poster or poster in url for poster in map(unquoted, posters)) for url in cached
    )
    # Opening a prefetched project asks for nothing.
    server.forget()
    assert len(kodi.list(**arguments(series[0]))) == 3
    assert kodi.lines("seasons_menu")[0]["source"] == "hit"


def textures(kodi):
    """The addresses of our pictures in Kodi's texture cache."""
    path = next((kodi.userdata / "Database").glob("Textures*.db"))
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return {url for (url,) in database.execute("SELECT url FROM texture") if "/images/" in url}


def unquoted(image):
    """The address within Kodi's address of an image."""
    return unquote(image.removeprefix("image://").rstrip("/"))


def test_one_user_never_sees_what_another_one_loaded(kodi, server):
    kodi.start()
    owner = shown(kodi.list(**RESUME))
    written(kodi, RESUME_ENTRIES)
    kodi.quit()
    kodi.configure(api_url=f"{server.url}/graphql", api_token=SAM, enable_performance_logging="true")
    kodi.start()
    assert shown(kodi.list(**RESUME)) != owner
    written(kodi, RESUME_ENTRIES)
    assert len(CacheFile(kodi).partitions()) == 2
    stored = b"".join(
        path.read_bytes() for path in kodi.addon_data.rglob("*") if path.is_file() and path.suffix != ".xml"
    )
    assert OWNER.encode() not in stored and SAM.encode() not in stored and OWNER not in kodi.log()
    kodi.quit()
    server.kill()
    kodi.configure(api_url=f"{server.url}/graphql", api_token="gql-kim", enable_performance_logging="true")
    kodi.start()
    with pytest.raises(Exception, match="GetDirectory"):
        kodi.list(**RESUME)


def on_screen(kodi, *labels):
    """What Kodi's skin is told."""
    told = kodi.rpc.call("XBMC.GetInfoLabels", labels=list(labels))
    return [told[label] for label in labels]


def open_on_screen(kodi, query):
    """Opens a menu in Kodi's window, and selects its second row. Returns the row's label."""
    url = f"plugin://plugin.video.greenroom.example/?{query}"
    rows = [row["label"] for row in kodi.list(**dict(pair.split("=") for pair in query.split("&") if pair))]
    kodi.rpc.call("GUI.ActivateWindow", window="videos", parameters=[url, "return"])

    def is_open():
        folder, rows_and_up = on_screen(kodi, "Container.FolderPath", "Container.NumItems")
        return folder == url and rows_and_up == str(len(rows))

    until(is_open, f"the menu {query} is open")
    assert on_screen(kodi, "Container.SortMethod") == ["Default"], "rows are in the service's order"

    def is_selected():
        if on_screen(kodi, "ListItem.Label") == [rows[1]]:
            return True
        kodi.rpc.call("Input.Down")
        return False

    until(is_selected, f"{rows[1]} is selected")
    return rows[1]


def test_the_menus_are_on_the_screen(kodi, server):
    kodi.start()
    pictures = LOGS / "kodi"
    pictures.mkdir(parents=True, exist_ok=True)
    menus = {"root": "", "series": "action=projects&type=series", "continue": "action=continue_watching"}
    for name, query in menus.items():
        open_on_screen(kodi, query)
        if query:
            # The selected row's picture is shown once Kodi has it in its own cache.
            (picture,) = on_screen(kodi, "ListItem.Art(poster)")
            until(lambda wanted=picture: any(url in unquoted(wanted) for url in textures(kodi)), f"{picture} is loaded")
        taken = len(list(kodi.screenshots.iterdir()))
        kodi.rpc.call("Input.ExecuteAction", action="screenshot")
        until(lambda before=taken: len(list(kodi.screenshots.glob("*.png"))) > before, "a picture was taken")
        newest = max(kodi.screenshots.glob("*.png"), key=lambda path: path.name)
        until(lambda path=newest: path.read_bytes().endswith(b"IEND\xaeB`\x82"), "the picture is whole")
        shutil.copy(newest, pictures / f"{name}.png")
        # One colour would be a few hundred bytes.
        assert newest.stat().st_size > 20_000
