"""What `aiojellyfin` can ask: music, and images of it."""

import asyncio

import aiohttp
from aiojellyfin import Connection, ImageType, ItemFields
from aiojellyfin.const import ItemFilter
from aiojellyfin.session import SessionConfiguration

from walk import TOKEN, URL, Walk

DETAILS = (ItemFields.Path, ItemFields.Genres, ItemFields.MediaSources, ItemFields.ProviderIds)


async def through_the_music(walk, connection, user):
    """Artists, albums, tracks and playlists, by queries and one by one."""
    queries = {
        "artists": (connection.artists, connection.get_artist),
        "albums": (connection.albums, connection.get_album),
        "tracks": (connection.tracks, connection.get_track),
        "playlists": (connection.playlists, connection.get_playlist),
    }
    for name, (query, one) in queries.items():
        query = query.user_id(user).fields(*DETAILS).enable_userdata()
        found = await walk.later(name, query.limit(20).request)
        await walk.later(f"{name}: second page", query.start_index(20).limit(20).request)
        await walk.later(f"{name}: search", query.search_term("the").limit(5).request)
        await walk.later(f"{name}: favourites", query.filters(ItemFilter.IsFavorite).limit(5).request)
        await walk.later(f"{name}: all", lambda query=query: everything(query))
        for item in found["Items"][:3]:
            await walk.later(f"{name}: {item['Name']}", lambda item=item, one=one: one(item["Id"]))
            for width in (200, 400):
                url = connection.artwork(item["Id"], ImageType.Primary, max_width=width)
                await walk.later(f"{name}: {item['Name']} {width}", lambda url=url: fetched(connection, url))


async def everything(query):
    """All pages of a query."""
    return [item async for item in query.stream(500)]


async def fetched(connection, url):
    """An image, as an app that was given its address fetches it."""
    async with connection._session_config.session.get(url) as answer:
        return [answer.status, len(await answer.read())]


async def beside_the_music(walk, connection):
    """What lies between items."""
    folders = await walk.later("folders", connection.get_media_folders)
    music = next(folder for folder in folders["Items"] if folder.get("CollectionType") == "music")
    await walk.later("folders with fields", lambda: connection.get_media_folders("Path"))
    await walk.later("albums of a library", connection.albums.parent(music["Id"]).limit(5).request)
    tracks = await walk.later("tracks again", connection.tracks.limit(3).request)
    await walk.later("similar", lambda: connection.get_similar_tracks(tracks["Items"][0]["Id"], limit=5))
    await walk.later("suggested", connection.get_suggested_tracks)
    playlists = await walk.later("playlists again", connection.playlists.limit(2).request)
    for playlist in playlists["Items"]:
        await walk.later(f"in {playlist['Name']}", connection.tracks.in_playlist(playlist["Id"]).limit(50).request)


async def main():
    """The walk."""
    walk = Walk()
    async with aiohttp.ClientSession() as session:
        configuration = SessionConfiguration(session, URL, "A walk", "1.0", "A walk", "walk-of-aiojellyfin")
        connection = Connection(configuration, "", TOKEN)
        user = (await connection._session.get_json("/Users/Me", {}))["Id"]
        connection = Connection(configuration, user, TOKEN)
        await through_the_music(walk, connection, user)
        await beside_the_music(walk, connection)
    walk.end()


asyncio.run(main())
