// What `@lukehagar/plexjs` can ask and do. It checks every answer against its own description of a server.

import { PlexAPI } from '@lukehagar/plexjs';

import { end, part, step, token, url } from './walk.js';

const plex = new PlexAPI({
  serverURL: url,
  token,
  accepts: 'application/json',
  clientIdentifier: 'walk-of-plexjs',
  product: 'A walk',
  version: '1.0',
  platform: 'Linux',
  device: 'A walk',
  deviceName: 'A walk',
});
const container = (answer) => answer?.object?.mediaContainer ?? Object.values(answer ?? {}).find((value) => value?.mediaContainer)?.mediaContainer;
// What came back may not fit the description: that is the library's affair, and the same with and without a gateway.
const rows = async (name, act) => {
  const answer = await step(name, act);
  return container(answer)?.metadata ?? [];
};

async function overTheServer() {
  await step('server', () => plex.general.getServerInfo({}));
  await step('identity', () => plex.general.getIdentity());
  await step('preferences', () => plex.preferences.getAllPreferences());
  await step('preference', () => plex.preferences.getPreference({ id: 'FriendlyName' }));
  await step('activities', () => plex.activities.listActivities());
  await step('tasks', () => plex.butler.getTasks());
  await step('providers', () => plex.provider.listProviders());
  await step('sessions', () => plex.status.listSessions());
  await step('background tasks', () => plex.status.getBackgroundTasks());
  await step('history', () => plex.status.listPlaybackHistory({ sort: ['viewedAt:desc'] }));
  await step('updates', () => plex.updater.getUpdatesStatus());
  await step('search', () => plex.search.searchHubs({ query: 'the', limit: 3 }));
  await step('hubs', () => plex.hubs.getAllHubs({ count: 5 }));
  await step('continue watching', () => plex.hubs.getContinueWatching({ count: 5 }));
  await step('promoted hubs', () => plex.hubs.getPromotedHubs({ count: 5 }));
  await step('sections', () => plex.library.getSections());
  await step('items', () => plex.library.getLibraryItems({}));
  await step('preferences of sections', () => plex.library.getSectionsPrefs({ type: 1 }));
  await step('tags', () => plex.library.getTags({ type: 1 }));
}

async function throughASection(sectionId, type) {
  const of = `section ${sectionId}`;
  await step(of, () => plex.library.getLibraryDetails({ sectionId: String(sectionId), includeDetails: 1 }));
  await step(`${of}: filters`, () => plex.library.getSectionFilters({ sectionId }));
  await step(`${of}: sorts`, () => plex.library.getAvailableSorts({ sectionId }));
  await step(`${of}: first characters`, () => plex.library.getFirstCharacters({ sectionId, type }));
  await step(`${of}: preferences`, () => plex.library.getSectionPreferences({ sectionId }));
  await step(`${of}: collections`, () => plex.library.getCollections({ sectionId }));
  await step(`${of}: categories`, () => plex.content.getCategories({ sectionId }));
  await step(`${of}: folders`, () => plex.content.getFolders({ sectionId }));
  await step(`${of}: leaves`, () => plex.content.getAllLeaves({ sectionId }));
  await step(`${of}: hubs`, () => plex.hubs.getSectionHubs({ sectionId, count: 5 }));
  const listed = await rows(`${of}: all`, () => plex.content.listContent({ sectionId: String(sectionId) }));
  await step(`${of}: of a type`, () => plex.content.listContent({ sectionId: String(sectionId), mediaQuery: { type } }));
  return listed[0]?.ratingKey ?? { 1: '1', 2: '301', 3: '3001' }[sectionId];
}

async function throughAnItem(id) {
  const metadataId = Number(id);
  await step(`item ${id}`, () => plex.content.getMetadataItem({ ids: [id] }));
  await step(`item ${id}: extras`, () => plex.library.getExtras({ ids: id }));
  await step(`item ${id}: leaves`, () => plex.library.getAllItemLeaves({ ids: id }));
  await step(`item ${id}: similar`, () => plex.library.listSimilar({ ids: id, count: 5 }));
  await step(`item ${id}: related`, () => plex.library.getRelatedItems({ ids: id }));
  await step(`item ${id}: hubs`, () => plex.hubs.getMetadataHubs({ metadataId, count: 5 }));
  await step(`item ${id}: related hubs`, () => plex.hubs.getRelatedHubs({ metadataId, count: 5 }));
}

async function throughThePlaylists() {
  const lists = await rows('playlists', () => plex.playlist.listPlaylists({}));
  await step('audio playlists', () => plex.playlist.listPlaylists({ playlistType: 'audio' }));
  for (const list of lists.slice(0, 2)) {
    const playlistId = Number(list.ratingKey);
    await step(`playlist ${playlistId}`, () => plex.playlist.getPlaylist({ playlistId }));
    await step(`playlist ${playlistId}: items`, () => plex.playlist.getPlaylistItems({ playlistId }));
  }
}

async function writes() {
  const uri = (id) => `server://walk/com.plexapp.plugins.library/library/metadata/${id}`;
  const answer = await plex.content.listContent({ sectionId: '3', mediaQuery: { type: 10 } }).catch(() => undefined);
  const [first, second] = (container(answer)?.metadata ?? []).map((row) => row.ratingKey);
  const [one, two] = [first ?? '3001', second ?? '3002'];
  let playQueueId = 1;
  await step('queue', async () => {
    const made = container(await plex.playQueue.createPlayQueue({ type: 'audio', uri: uri(one) }));
    playQueueId = made.playQueueID;
    return made.playQueueTotalCount;
  });
  const count = (made) => container(made)?.playQueueTotalCount ?? 'ok';
  await step('queue: add', async () => count(await plex.playQueue.addToPlayQueue({ playQueueId, uri: uri(two) })));
  await step('queue: shuffle', async () => count(await plex.playQueue.shuffle({ playQueueId })));
  await step('queue: unshuffle', async () => count(await plex.playQueue.unshuffle({ playQueueId })));
  await step('queue: reset', async () => count(await plex.playQueue.resetPlayQueue({ playQueueId })));
  await step('queue: read', async () => count(await plex.playQueue.getPlayQueue({ playQueueId, window: 10 })));
  await step('queue: clear', async () => count(await plex.playQueue.clearPlayQueue({ playQueueId })));
  const identifier = 'com.plexapp.plugins.library';
  await step('watched', () => plex.timeline.markPlayed({ identifier, key: '1' }));
  await step('unwatched', () => plex.timeline.unscrobble({ identifier, key: '1' }));
  await step('rated', () => plex.rate.setRating({ identifier, key: '1', rating: 8 }));
}

if (part === 'writes') {
  await writes();
} else {
  await overTheServer();
  for (const [section, type] of [[1, 1], [2, 4], [3, 10]]) await throughAnItem(await throughASection(section, type));
  await throughThePlaylists();
}
end();
