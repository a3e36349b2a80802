// What `plex-api` can ask and do: it knows paths and nothing else.

import PlexAPI from 'plex-api';

import { end, part, step, token, url } from './walk.js';

const { hostname, port } = new URL(url);
const client = new PlexAPI({
  hostname,
  port: Number(port),
  token,
  options: { identifier: 'walk-of-plex-api', product: 'A walk', version: '1', deviceName: 'A walk' },
});
const rows = (answer) => answer.MediaContainer.Metadata ?? answer.MediaContainer.Directory ?? [];
const read = (path) => step(path, async () => rows(await client.query(path)));

async function reads() {
  for (const path of ['/', '/identity', '/accounts', '/devices', '/clients', '/servers', '/system/agents']) await read(path);
  for (const path of ['/status/sessions', '/status/sessions/history/all?sort=viewedAt:desc', '/activities', '/butler']) {
    await read(path);
  }
  for (const path of ['/:/prefs', '/statistics/bandwidth?timespan=4', '/statistics/media?timespan=4']) await read(path);
  for (const path of ['/media/providers', '/library', '/library/onDeck', '/library/recentlyAdded']) await read(path);
  for (const path of ['/hubs', '/hubs/continueWatching', '/hubs/search?query=the', '/search?query=the', '/playlists']) {
    await read(path);
  }
  const sections = await read('/library/sections');
  await step('find', () => client.find('/library/sections', { type: 'movie' }));
  for (const section of sections) {
    const base = `/library/sections/${section.key}`;
    await read(base);
    for (const list of ['all', 'recentlyAdded', 'newest', 'onDeck', 'recentlyViewed', 'unwatched', 'collections', 'folder']) {
      await read(`${base}/${list}`);
    }
    for (const list of ['filters', 'sorts', 'genre', 'year', 'firstCharacter', 'timeline', 'prefs']) {
      await read(`${base}/${list}`);
    }
    await read(`/hubs/sections/${section.key}`);
    await read(`${base}/all?X-Plex-Container-Start=10&X-Plex-Container-Size=10&includeMeta=1`);
    const [item] = rows(await client.query(`${base}/all`));
    const key = `/library/metadata/${item.ratingKey}`;
    for (const path of [key, `${key}?includeExtras=1&includeRelated=1`, `${key}/children`, `${key}/allLeaves`]) await read(path);
    for (const path of [`${key}/similar`, `${key}/related`, `/hubs/metadata/${item.ratingKey}`]) await read(path);
    await step(`thumb of ${section.type}`, () => client.perform(item.thumb));
    const scaled = `/photo/:/transcode?width=200&height=300&minSize=1&url=${encodeURIComponent(item.thumb)}`;
    await step(`scaled thumb of ${section.type}`, () => client.perform(scaled));
  }
  const playlists = rows(await client.query('/playlists'));
  for (const playlist of playlists.slice(0, 2)) await read(playlist.key);
  await step('not there', () => client.query('/library/metadata/987654321'));
}

async function writes() {
  const [first, second] = rows(await client.query('/library/sections/3/all?type=10&sort=id'));
  const film = rows(await client.query('/library/sections/1/all'))[0].ratingKey;
  const uri = (item) => encodeURIComponent(`server://walk/com.plexapp.plugins.library/library/metadata/${item.ratingKey}`);
  const queue = await step('queue', async () => {
    const made = await client.postQuery(`/playQueues?type=audio&uri=${uri(first)}`);
    return made.MediaContainer;
  });
  const path = `/playQueues/${queue.playQueueID}`;
  await step('queue: add', async () => rows(await client.putQuery(`${path}?uri=${uri(second)}`)));
  await step('queue: shuffle', async () => (await client.putQuery(`${path}/shuffle`)).MediaContainer.playQueueShuffled);
  await step('queue: unshuffle', async () => (await client.putQuery(`${path}/unshuffle`)).MediaContainer.playQueueShuffled);
  await step('queue: read', async () => rows(await client.query(path)));
  await step('queue: clear', () => client.deleteQuery(`${path}/items`));
  await step('queue: empty', async () => rows(await client.query(path)));
  const views = async () => rows(await client.query(`/library/metadata/${film}`))[0].viewCount ?? 0;
  const before = await views();
  const mark = (word) => client.perform(`/:/${word}?key=${film}&identifier=com.plexapp.plugins.library`);
  await step('watched', async () => (await mark('scrobble'), (await views()) - before));
  await step('unwatched', async () => (await mark('unscrobble'), views()));
}

await (part === 'writes' ? writes() : reads());
end();
