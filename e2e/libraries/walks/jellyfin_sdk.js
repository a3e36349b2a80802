// What `@jellyfin/sdk` can ask and do. The version is the last word of the command line: 0.13 or 1.0. Both generate their
// methods from a description of the server; the newer one spreads them over other classes, so they are found by name.

import { end, part, step, token, url } from './walk.js';

const package_ = process.argv[2] === '0.13' ? '@jellyfin/sdk-0.13' : '@jellyfin/sdk';
const { Jellyfin } = await import(package_);
const classes = await import(`${package_}/lib/utils/api/index.js`);
const api = new Jellyfin({
  clientInfo: { name: 'A walk', version: '1.0' },
  deviceInfo: { name: 'A walk', id: `walk-of-sdk-${process.argv[2]}` },
}).createApi(url, token);
const parts = Object.values(classes).map((get) => get(api));
const method = (name) => {
  const of = parts.find((one) => typeof one[name] === 'function');
  return of && ((parameters) => of[name](parameters));
};
const ask = async (name, parameters = {}, as = name) => {
  const act = method(name);
  if (!act) return undefined; // This version has no such method.
  return step(as, async () => {
    const { data } = await act(parameters);
    return data?.Items ?? data;
  });
};

const user = (await ask('getCurrentUser'))?.Id;

async function overTheServer() {
  for (const name of ['getPublicSystemInfo', 'getSystemInfo', 'getPingSystem', 'getEndpointInfo', 'getUtcTime']) await ask(name);
  for (const name of ['getUsers', 'getPublicUsers', 'getBrandingOptions', 'getBrandingCss', 'getQuickConnectEnabled']) await ask(name);
  for (const name of ['getCountries', 'getCultures', 'getLocalizationOptions', 'getParentalRatings']) await ask(name);
  for (const name of ['getTasks', 'getSessions', 'getMediaFolders', 'getVirtualFolders']) await ask(name);
  for (const name of ['getPhysicalPaths', 'getPlugins', 'getPackages', 'getRepositories', 'getChannels']) await ask(name);
  await ask('getLogEntries', { limit: 5 });
  await ask('getUserById', { userId: user });
  await ask('getDisplayPreferences', { displayPreferencesId: 'usersettings', userId: user, client: 'emby' });
  await ask('getGroupingOptions', { userId: user });
  await ask('getItemCounts', { userId: user });
  await ask('getRootFolder', { userId: user });
  await ask('getSearchHints', { searchTerm: 'the', userId: user, limit: 5 });
  await ask('getResumeItems', { userId: user, limit: 5, mediaTypes: ['Video'] });
  await ask('getNextUp', { userId: user, limit: 5 });
  await ask('getUpcomingEpisodes', { userId: user, limit: 5 });
  await ask('getSuggestions', { userId: user, limit: 5 });
  await ask('getLatestMedia', { userId: user, limit: 5 });
  await ask('getMovieRecommendations', { userId: user });
  await ask('getTrailers', { userId: user });
}

async function throughAView(view) {
  const of = view.CollectionType;
  const within = { userId: user, parentId: view.Id };
  await ask('getItem', { userId: user, itemId: view.Id }, `${of}: view`);
  await ask('getItems', { ...within, limit: 20 }, `${of}: items`);
  const sorted = { sortBy: ['DateCreated', 'SortName'], sortOrder: ['Descending', 'Ascending'] };
  await ask('getItems', { ...within, recursive: true, ...sorted, startIndex: 5, limit: 5 }, `${of}: newest`);
  await ask('getItems', { ...within, recursive: true, filters: ['IsUnplayed'], limit: 5 }, `${of}: unplayed`);
  await ask('getLatestMedia', { ...within, limit: 5 }, `${of}: latest`);
  await ask('getQueryFilters', within, `${of}: filters`);
  await ask('getQueryFiltersLegacy', within, `${of}: legacy filters`);
  for (const name of ['getGenres', 'getStudios', 'getYears', 'getPersons']) await ask(name, { ...within, limit: 5 }, `${of}: ${name}`);
}

async function throughAnItem(kind) {
  const fields = ['Overview', 'Genres', 'MediaSources', 'People', 'ProviderIds', 'Path'];
  const found = await ask('getItems', { userId: user, recursive: true, includeItemTypes: [kind], limit: 5, fields }, `${kind}s`);
  const item = found?.[0];
  if (!item) return undefined;
  const of = { userId: user, itemId: item.Id };
  const about = ['getItem', 'getAncestors', 'getThemeMedia', 'getThemeSongs', 'getThemeVideos', 'getLocalTrailers', 'getSpecialFeatures'];
  for (const name of [...about, 'getIntros', 'getItemUserData', 'getItemImageInfos', 'getPlaybackInfo']) {
    await ask(name, of, `${kind}: ${name}`);
  }
  await ask('getSimilarItems', { ...of, limit: 5 }, `${kind}: similar`);
  await ask('getItemCollections', of, `${kind}: collections`);
  await ask('getItemSegments', { itemId: item.Id, includeSegmentTypes: ['Intro', 'Outro'] }, `${kind}: segments`);
  const image = { itemId: item.Id, imageType: 'Primary', maxWidth: 200, tag: item.ImageTags?.Primary };
  await ask('getItemImage', image, `${kind}: image`);
  await ask('getItemImage', { ...image, maxWidth: 400 }, `${kind}: larger image`);
  return item;
}

async function throughTheLibraries() {
  for (const view of (await ask('getUserViews', { userId: user })) ?? []) await throughAView(view);
  await throughAnItem('Movie');
  const show = await throughAnItem('Series');
  if (show) {
    const seasons = await ask('getSeasons', { seriesId: show.Id, userId: user });
    await ask('getEpisodes', { seriesId: show.Id, userId: user });
    await ask('getEpisodes', { seriesId: show.Id, seasonId: seasons[0].Id, userId: user, limit: 2 }, 'episodes of a season');
    await throughAnItem('Episode');
  }
  await throughAnItem('MusicAlbum');
  const track = await throughAnItem('Audio');
  await ask('getLyrics', { itemId: track.Id });
  const artists = await ask('getAlbumArtists', { userId: user, limit: 5 });
  await ask('getArtists', { userId: user, limit: 5, sortBy: ['SortName'] });
  await ask('getArtistByName', { name: artists[0].Name, userId: user });
  await ask('getItems', { userId: user, artistIds: [artists[0].Id], recursive: true, includeItemTypes: ['MusicAlbum'] }, 'albums of artist');
  const playlists = await ask('getItems', { userId: user, recursive: true, includeItemTypes: ['Playlist'] }, 'playlists');
  for (const playlist of (playlists ?? []).slice(0, 2)) {
    await ask('getPlaylist', { playlistId: playlist.Id }, `playlist ${playlist.Name}`);
    await ask('getPlaylistItems', { playlistId: playlist.Id, userId: user, limit: 20 }, `items of ${playlist.Name}`);
  }
}

async function writes() {
  const me = async () => (await method('getCurrentUser')({})).data;
  const { Configuration: before } = await me();
  await ask('updateUserConfiguration', { userId: user, userConfiguration: { ...before, SubtitleMode: 'Always' } });
  await step('configuration', async () => (await me()).Configuration.SubtitleMode);
  await ask('updateUserConfiguration', { userId: user, userConfiguration: before }, 'configuration before');
  await step('configuration again', async () => (await me()).Configuration.SubtitleMode === before.SubtitleMode);
  const { data: films } = await method('getItems')({ userId: user, recursive: true, includeItemTypes: ['Movie'], limit: 1 });
  const itemId = films.Items[0].Id;
  const played = async () => (await method('getItemUserData')({ userId: user, itemId })).data.Played;
  await ask('markPlayedItem', { userId: user, itemId });
  await step('played', played);
  await ask('markUnplayedItem', { userId: user, itemId });
  await step('unplayed', played);
  const favourite = async () => (await method('getItemUserData')({ userId: user, itemId })).data.IsFavorite;
  await ask('markFavoriteItem', { userId: user, itemId });
  await step('favourite', favourite);
  await ask('unmarkFavoriteItem', { userId: user, itemId });
  await step('no favourite', favourite);
}

await (part === 'writes' ? writes() : overTheServer().then(throughTheLibraries));
end();
