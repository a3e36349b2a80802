// What `@ctrl/plex` can ask and do.

import { PlayQueue, Playlist, PlexServer } from '@ctrl/plex';

import { end, part, step, token, url } from './walk.js';

const server = new PlexServer(url, token);
await step('connect', () => server.connect());
const library = await step('library', () => server.library());
const sections = (await step('sections', () => library.sections())) ?? [];
const films = sections.find((section) => section.type === 'movie');
const shows = sections.find((section) => section.type === 'show');
const music = sections.find((section) => section.type === 'artist');

async function overTheServer() {
  await step('agents', () => server.agents());
  await step('clients', () => server.clients());
  await step('settings', () => server.settings());
  await step('history', () => server.history(20));
  await step('search', () => server.search('the'));
  await step('search tracks', () => server.search('the', 'track', 3));
  await step('everything', () => library.all());
  await step('section by id', () => library.sectionByID(films.key));
}

async function throughASection(section) {
  const of = section.type;
  const all = (await step(`${of}: all`, () => section.all())) ?? [];
  await step(`${of}: all by date`, () => section.all('addedAt:desc'));
  await step(`${of}: agents`, () => section.agents());
  await step(`${of}: hubs`, () => section.hubs());
  await step(`${of}: playlists`, () => section.playlists());
  const collections = (await step(`${of}: collections`, () => section.collections())) ?? [];
  if (collections.length) await step(`${of}: collection`, () => collections[0].items());
  const folders = (await step(`${of}: folders`, () => section.folders())) ?? [];
  if (folders.length) await step(`${of}: folder`, () => folders[0].subfolders());
  await step(`${of}: genres`, () => section.genres());
  await step(`${of}: filters`, () => section.listFilters());
  await step(`${of}: fields`, () => section.listFields());
  await step(`${of}: get`, () => section.get(all[0].title));
  await step(`${of}: search`, () => section.search({ title: all[0].title, maxresults: 5 }));
  await step(`${of}: item`, () => all[0].reload());
  await step(`${of}: section of item`, () => all[0].section());
  await step(`${of}: history of item`, () => all[0].history(5));
  return all;
}

async function throughTheFilms() {
  const [film] = await throughASection(films);
  await step('film: extras', () => film.extras());
  await step('film: posters', () => film.posters());
  await step('film: locations', () => film.locations());
  await step('film: matches', () => film.matches());
}

async function throughTheShows() {
  const [show] = await throughASection(shows);
  const seasons = await step('seasons', () => show.seasons());
  const episodes = await step('episodes', () => show.episodes());
  await step('season', () => seasons[0].episodes());
  await step('season of episode', () => episodes[0].season());
  await step('show of episode', () => episodes[0].show());
  await step('recent shows', () => shows.recentlyAdded({}, 'episode', 5));
}

async function throughTheMusic() {
  await throughASection(music);
  // A section of music lists its artists as tracks; only a search makes artists of them.
  const [artist] = (await step('artists', () => music.searchArtists({ maxresults: 5 }))) ?? [];
  await step('albums', () => music.albums());
  await step('stations', () => music.stations());
  await step('artists by title', () => music.searchArtists({ title: artist.title }));
  await step('albums by genre', () => music.searchAlbums({ maxresults: 5 }));
  await step('tracks by title', () => music.searchTracks({ title: 'the', maxresults: 5 }));
  await step('recent artists', () => music.recentlyAddedArtists(5));
  await step('recent albums', () => music.recentlyAddedAlbums(5));
  await step('recent tracks', () => music.recentlyAddedTracks(5));
  const albums = await step('albums of artist', () => artist.albums());
  await step('tracks of artist', () => artist.tracks());
  await step('popular tracks', () => artist.popularTracks());
  const tracks = await step('tracks of album', () => albums[0].tracks());
  await step('album of track', () => tracks[0].album());
  await step('artist of track', () => tracks[0].artist());
  await step('artist of album', () => albums[0].artist());
  const playlists = (await music.playlists()) ?? [];
  if (playlists.length) await step('playlist', () => playlists[0].items());
}

async function writes() {
  const tracks = (await music.searchTracks({ maxresults: 4 })).slice(0, 4);
  await tracks[3].reload(); // Only then it knows its section.
  const keys = (queue) => queue.items.map((item) => tracks.findIndex((track) => track.ratingKey === item.ratingKey));
  const queue = await step('queue', () => PlayQueue.create(server, tracks.slice(0, 3)));
  await step('queue: items', () => String(keys(queue)));
  await step('queue: next', async () => String(keys(await queue.addItem(tracks[3], { playNext: true }))));
  await step('queue: move', async () => String(keys(await queue.moveItem(tracks[2]))));
  await step('queue: remove', async () => String(keys(await queue.removeItem(tracks[1]))));
  await step('queue: read', async () => String(keys(await PlayQueue.get(server, queue.playQueueID))));
  await step('queue: clear', async () => (await queue.clear()).length);
  const [film] = await films.all();
  const views = async () => {
    await film.reload();
    return film.viewCount ?? 0;
  };
  const before = await views();
  await step('watched', async () => (await film.markWatched(), (await views()) - before));
  await step('unwatched', async () => (await film.markUnwatched(), views()));
  await step('rated', async () => (await film.rate(8), await film.reload(), film.userRating));
  const playlist = await step('playlist', () => Playlist.create(server, 'A walk', { items: tracks.slice(0, 2) }));
  await step('playlist: items', () => playlist.items());
  await step('playlist: add', async () => (await playlist.addItems([tracks[2]]), playlist.items()));
  await step('playlist: remove', async () => (await playlist.removeItems([tracks[0]]), playlist.items()));
  await step('playlist: delete', () => playlist.delete());
}

if (part === 'writes') {
  await writes();
} else {
  await overTheServer();
  await throughTheFilms();
  if (shows) await throughTheShows();
  await throughTheMusic();
}
end();
