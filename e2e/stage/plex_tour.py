"""What companion apps ask a Plex server, asked by PlexAPI: a walk that reads and changes nothing."""


def tour(plex):
    """Walks through the server. What the server refuses is part of the walk."""
    for walk in (at_the_door, through_the_films, through_the_shows, through_the_music, over_the_dashboard):
        walk(plex)


def at_the_door(plex):
    """What an app asks first."""
    plex.identity()
    plex.settings.all()
    plex.systemAccounts()
    plex.systemDevices()
    plex.clients()
    plex.activities
    plex.library.sections()
    plex.query("/media/providers")
    plex.query("/library/sections/")
    plex.query("/library/sections")


def section_of(plex, kind):
    """The first library of a kind."""
    return next(section for section in plex.library.sections() if section.type == kind)


def every_shelf(section):
    """What can be asked of every library."""
    section.all(maxresults=30)
    section.collections()
    section.hubs()
    section.onDeck()
    section.recentlyAdded(maxresults=10)
    section.firstCharacter()
    section.folders()
    section.timeline()
    section.settings()
    section.listFilters()
    section.totalSize


def through_the_films(plex):
    """Lists, filters and items of films."""
    films = section_of(plex, "movie")
    every_shelf(films)
    film = films.all()[0]
    film.reload()
    film.reload(checkFiles=True, includeRelated=True)
    film.extras()
    film.hubs()
    films.continueWatching()
    films.search(title=film.title)
    films.search(genre=film.genres[0].tag, sort="year:desc")
    films.search(unwatched=True)
    films.search(**{"addedAt>>": "2001-01-01", "year<<": 2030})
    films.listFilterChoices("genre")
    films.listFilterChoices("year")
    plex.fetchItems([other.ratingKey for other in films.all()[:3]])
    for picture in filter(None, (film.thumb, film.art)):
        plex._session.get(plex.url(picture, includeToken=True))
    plex._session.get(plex.transcodeImage(film.thumb, 300, 200))
    for collection in films.collections()[:1]:
        collection.items()


def through_the_shows(plex):
    """From shows to episodes."""
    shows = section_of(plex, "show")
    every_shelf(shows)
    show = shows.all()[0]
    show.reload()
    show.seasons()[0].episodes()
    show.episodes()
    show.onDeck()
    show.episodes()[0].reload()
    shows.searchSeasons(maxresults=5)
    shows.searchEpisodes(title=show.episodes()[0].title)
    shows.search(libtype="episode", unwatched=True, maxresults=5)


def through_the_music(plex):
    """From artists to tracks."""
    music = section_of(plex, "artist")
    every_shelf(music)
    artist = music.all()[0]
    artist.reload()
    artist.albums()[0].tracks()
    artist.tracks()
    artist.albums()[0].tracks()[0].reload()
    music.searchAlbums(maxresults=5)
    music.searchTracks(title=artist.tracks()[0].title)
    plex.query(f"/library/sections/{music.key}/all?type=10&X-Plex-Container-Start=0&X-Plex-Container-Size=20")


def over_the_dashboard(plex):
    """What dashboards poll."""
    plex.sessions()
    plex.transcodeSessions()
    plex.history(maxresults=10)
    plex.continueWatching()
    plex.library.onDeck()
    plex.library.recentlyAdded()
    plex.library.hubs()
    plex.resources()
    plex.bandwidth(timespan="days")
    plex.butlerTasks()
    plex.search("the")
    plex.library.search(title="the", libtype="movie")
    for playlist in plex.playlists()[:2]:
        playlist.reload()
        playlist.items()
    plex.playlists(playlistType="audio")
