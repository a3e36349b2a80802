"""What companion apps ask a Jellyfin server, asked by the real client: a walk that reads and changes nothing."""

import contextlib

from jellyfin_apiclient_python.exceptions import HTTPException


def tour(person):
    """Walks through the server."""
    for walk in (at_the_door, through_the_films, through_the_shows, through_the_music, over_the_dashboard):
        walk(person, person.api)


def at_the_door(person, api):
    """What an app asks first."""
    api.try_server()
    api.get_system_info_new()
    api.get_public_users()
    api.get_user()
    api.get_user(person.user_id)
    api.get_users()
    api._get("Users/Me")
    api.get_user_settings()
    api.get_endpoint_info()
    api.get_views()
    api._get("UserViews", {"userId": "{UserId}"})
    api.media_folders()
    api.virtual_folders()
    api.get_media_folders()
    api.get_collection_folders()
    api._get("Branding/Configuration")
    api._get("Localization/Options")


def every_shelf(api, view):
    """What can be asked of every library."""
    of = view["Id"]
    api.get_user_items(parent_id=of, limit=20)
    newest = {"sort_by": "DateCreated", "sort_order": "Descending"}
    api.get_user_items(parent_id=of, recursive=True, limit=5, start_index=5, **newest)
    api.get_user_items(parent_id=of, recursive=True, limit=0)
    api.get_recently_added(parent_id=of, limit=5)
    api.get_filters(parent_id=of)
    api.get_genres(parent_id=of)
    api.get_studios(parent_id=of, limit=5)
    api.get_item(of)


def through_the_films(person, api):
    """Lists, filters and items of films."""
    every_shelf(api, person.views()["movies"])
    films = person.listed("Movie", limit=30)
    film = films[0]["Id"]
    api.get_item(film)
    api.get_item(film, fields="Etag")
    api.get_items([item["Id"] for item in films[:3]])
    api.get_similar(film)
    api.get_ancestors(film)
    api.get_themes(film)
    api.get_images(film)
    api.get_userdata_for_item(film)
    api.get_local_trailers(film)
    api.get_intros(film)
    with contextlib.suppress(HTTPException):  # Not every server has it; what it answers then is compared as well.
        api.get_recommendation(limit=3)
    api.get_items_by_letter(media="Movie", letter="A")
    api.get_date_modified("2001-01-01T00:00:00Z", person.views()["movies"]["Id"], media="Movie")
    person.listed("Movie", filters="IsUnplayed", limit=5)
    person.listed("Movie", is_favorite=True)
    person.listed("Movie", years=films[0]["ProductionYear"], limit=5)
    person.listed("Movie", enable_total_record_count=False, limit=5)
    person.listed("Movie", enable_user_data=False, enable_images=False, limit=5)
    for width in (200, 400):
        person.client.http.session.get(api.image_url(film, tag=films[0]["ImageTags"]["Primary"], max_width=width))
    person.client.http.session.get(api.artwork(film, "Primary", 300))


def through_the_shows(person, api):
    """From series to episodes."""
    every_shelf(api, person.views()["tvshows"])
    series = person.listed("Series", limit=5)[0]["Id"]
    api.get_item(series)
    seasons = api.get_seasons(series)["Items"]
    episodes = api.get_season(series, seasons[0]["Id"])["Items"]
    api.get_episodes(series)
    api.get_episodes(series, season_id=seasons[0]["Id"], fields="Overview", limit=2)
    api.get_episodes(series, start_item_id=episodes[1]["Id"])
    api.get_adjacent_episodes(series, episodes[1]["Id"])
    api.get_item(episodes[0]["Id"])
    api.get_ancestors(episodes[0]["Id"])
    api.get_next(limit=5)
    api.get_next(series_id=series)


def through_the_music(person, api):
    """From artists to tracks."""
    every_shelf(api, person.views()["music"])
    artist = api.get_album_artists(limit=5)["Items"][0]["Id"]
    api.get_artists(limit=5, sort_by="SortName")
    api.get_item(artist)
    album = api.get_artist_albums(artist)["Items"][0]["Id"]
    track = api.get_album_tracks(album)["Items"][0]["Id"]
    api.get_artist_songs(artist)
    api.get_item(track)
    person.listed("Audio", limit=100, start_index=100)
    person.listed("MusicAlbum", limit=20)


def over_the_dashboard(person, api):
    """What dashboards poll."""
    api.get_sessions()
    api.sessions()
    api._get("Items/Counts", {"userId": "{UserId}"})
    api._get("ScheduledTasks")
    api.get_log_entries(limit=10)
    api.get_resume_items()
    api.get_recently_added()
    api.get_recently_added(media="Movie", limit=5, fields="")
    api.get_persons(limit=5)
    api.search_media_items(term="the", limit=5)
    api._get("Search/Hints", {"searchTerm": "the", "userId": "{UserId}", "limit": 5})
    api.get_collections()
    for playlist in api.get_playlists()["Items"][:2]:
        api.get_playlist(playlist["Id"])
        api.get_playlist_items(playlist["Id"])
