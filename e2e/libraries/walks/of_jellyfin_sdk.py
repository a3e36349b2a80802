"""What `jellyfin-sdk` can ask and do: its own words, and the methods it generates from a description of the server."""

import jellyfin
from jellyfin.generated import Version

from walk import PART, TOKEN, URL, Walk

FIELDS = ["Overview", "Genres", "MediaSources", "People", "ProviderIds", "Path"]

api = jellyfin.Api(URL, TOKEN, Version.V10_11)
api.register_client("A walk", "A walk", "walk-of-jellyfin-sdk", "1.0")
parts = [getattr(api.generated, name)(api.client) for name in api.generated.__all__ if name.endswith("Api")]
PRIMARY = api.generated.ImageType.PRIMARY
walk = Walk()


def ask(name, /, *rest, **named):
    """Calls the generated method of this name, whichever class has it."""
    act = next(getattr(part, name) for part in parts if hasattr(part, name))
    found = walk.step(" ".join((name, *rest)), lambda: act(**named))
    return getattr(found, "items", found)


def own_words():
    """What the library says in words of its own."""
    walk.step("info", lambda: api.system.info.server_name)
    walk.step("users", lambda: len(api.users.all))
    walk.step("views", lambda: len(api.users.of(me.name).views.data))
    walk.step("libraries", lambda: [library.name for library in api.users.of(me.name).libraries])
    walk.step("films", lambda: len(api.items.search.add("include_item_types", ["Movie"]).recursive().all))
    walk.step("pages", lambda: len(list(api.items.search.add("include_item_types", ["MusicAlbum"]).recursive().paginate(50).all)))
    walk.step("letter", lambda: len(api.items.search.recursive().name_starts_with("A").paginate(20).all.data))


def over_the_server():
    """The server and its settings."""
    for name in ("get_public_system_info", "get_system_info", "get_ping_system", "get_endpoint_info", "get_utc_time"):
        ask(name)
    for name in ("get_users", "get_public_users", "get_branding_options", "get_branding_css", "get_quick_connect_enabled"):
        ask(name)
    for name in ("get_countries", "get_cultures", "get_localization_options", "get_parental_ratings", "get_tasks"):
        ask(name)
    for name in ("get_devices", "get_sessions", "get_media_folders", "get_virtual_folders", "get_physical_paths"):
        ask(name)
    for name in ("get_plugins", "get_packages", "get_repositories", "get_channels"):
        ask(name)
    of_me = {"user_id": me.id}
    ask("get_log_entries", limit=5)
    ask("get_display_preferences", display_preferences_id="usersettings", client="emby", **of_me)
    for name in ("get_user_by_id", "get_grouping_options", "get_item_counts", "get_root_folder", "get_movie_recommendations"):
        ask(name, **of_me)
    for name in ("get_resume_items", "get_next_up", "get_upcoming_episodes", "get_suggestions", "get_latest_media"):
        ask(name, limit=5, **of_me)
    ask("get_search_hints", search_term="the", limit=5, **of_me)


def through_a_view(view):
    """Lists and filters of a library."""
    within, of = {"user_id": me.id, "parent_id": view.id}, view.name
    ask("get_items", of, limit=20, **within)
    ask("get_items", of, "newest", recursive=True, sort_by=["DateCreated", "SortName"], sort_order=["Descending"], limit=5, **within)
    ask("get_items", of, "unplayed", recursive=True, filters=["IsUnplayed"], limit=5, **within)
    for name in ("get_query_filters", "get_query_filters_legacy"):
        ask(name, of, **within)
    for name in ("get_latest_media", "get_genres", "get_studios", "get_years"):
        ask(name, of, limit=5, **within)


def through_an_item(kind):
    """A list of items and all about one of them."""
    wanted = {"recursive": True, "include_item_types": [kind], "limit": 5, "fields": FIELDS}
    found = ask("get_items", kind, user_id=me.id, **wanted)
    if not found:
        return None
    item, of_me = found[0], {"user_id": me.id}
    for name in ("get_item", "get_ancestors", "get_theme_media", "get_theme_songs", "get_local_trailers", "get_special_features"):
        ask(name, kind, item_id=item.id, **of_me)
    for name in ("get_intros", "get_item_user_data", "get_playback_info"):
        ask(name, kind, item_id=item.id, **of_me)
    ask("get_similar_items", kind, item_id=item.id, limit=5, **of_me)
    ask("get_item_image_infos", kind, item_id=item.id)
    ask("get_item_segments", kind, item_id=item.id, include_segment_types=["Intro", "Outro"])
    for width in (200, 400):
        ask("get_item_image", kind, str(width), item_id=item.id, image_type=PRIMARY, max_width=width)
    return item


def through_the_libraries():
    """All libraries, and one item of each kind."""
    of_me = {"user_id": me.id}
    for view in ask("get_user_views", **of_me) or []:
        through_a_view(view)
    through_an_item("Movie")
    show = through_an_item("Series")
    if show:
        seasons = ask("get_seasons", series_id=show.id, **of_me)
        ask("get_episodes", series_id=show.id, **of_me)
        ask("get_episodes", "of a season", series_id=show.id, season_id=seasons[0].id, limit=2, **of_me)
        through_an_item("Episode")
    through_an_item("MusicAlbum")
    track = through_an_item("Audio")
    ask("get_lyrics", item_id=track.id)
    artists = ask("get_album_artists", limit=5, **of_me)
    ask("get_artists", limit=5, **of_me)
    ask("get_persons", limit=5, **of_me)
    ask("get_artist_by_name", name=artists[0].name, **of_me)
    playlists = ask("get_items", "playlists", recursive=True, include_item_types=["Playlist"], **of_me)
    for playlist in (playlists or [])[:2]:
        ask("get_playlist", playlist.name, playlist_id=playlist.id)
        ask("get_playlist_items", playlist.name, playlist_id=playlist.id, limit=20, **of_me)


def writes():
    """A configuration and the state of an item, written and read back."""
    before = me.configuration
    wanted = before.model_copy(update={"subtitle_mode": api.generated.SubtitlePlaybackMode.ALWAYS})
    ask("update_user_configuration", user_id=me.id, user_configuration=wanted)
    walk.step("configuration", lambda: ask("get_current_user").configuration.subtitle_mode.value)
    ask("update_user_configuration", "before", user_id=me.id, user_configuration=before)
    walk.step("configuration again", lambda: ask("get_current_user").configuration.subtitle_mode == before.subtitle_mode)
    film = {"user_id": me.id, "item_id": ask("get_items", user_id=me.id, recursive=True, include_item_types=["Movie"], limit=1)[0].id}
    ask("mark_played_item", **film)
    walk.step("played", lambda: ask("get_item_user_data", **film).played)
    ask("mark_unplayed_item", **film)
    walk.step("unplayed", lambda: ask("get_item_user_data", **film).played)


me = ask("get_current_user")
if PART == "writes":
    writes()
else:
    own_words()
    over_the_server()
    through_the_libraries()
walk.end()
