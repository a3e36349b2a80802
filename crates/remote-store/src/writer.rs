//! Writes what is queued, in the background: nothing waits for it.

use greenroom_cache::clock::millis;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use greenroom_cache::{Cache, Key};
use tokio_util::sync::CancellationToken;

use crate::codec;
use crate::scripts;
use crate::status::count;
use crate::store::{OpenStore, RedisStore};
use crate::write_queue::KeyWrite;

/// Changes written at a time.
const BATCH: usize = 256;
/// Commands under way at a time: a connection carries many.
const CONCURRENT: usize = 32;
/// Entries are written together that come within this time.
const LINGER: Duration = Duration::from_millis(5);
/// Pause of the writer while the store is away.
const RETRY: Duration = Duration::from_millis(500);
/// Shortest and longest physical lifetime of an entry.
const MIN_LIFETIME: Duration = Duration::from_millis(1);
const MAX_LIFETIME: Duration = Duration::from_millis(366 * 24 * 3_600_000);

/// Writes until `stop`, then what is left, within `drain`.
pub(crate) async fn run(store: &RedisStore, cache: &Cache, stop: &CancellationToken, drain: Duration) {
    loop {
        tokio::select! {
            () = store.writes.notify.notified() => tokio::time::sleep(LINGER).await,
            () = stop.cancelled() => break,
        }
        while write_batch(store, cache).await {
            if stop.is_cancelled() {
                break;
            }
        }
        if store.opened().is_none() && store.writes.depth().0 > 0 {
            tokio::select! {
                () = tokio::time::sleep(RETRY) => store.writes.notify.notify_one(),
                () = stop.cancelled() => break,
            }
        }
    }
    let draining = async { while write_batch(store, cache).await {} };
    let _ = tokio::time::timeout(drain, draining).await; // What is left is lost, which costs hits only.
}

/// Writes a batch. False if there is none, or no store.
async fn write_batch(store: &RedisStore, cache: &Cache) -> bool {
    let Some(open) = store.opened() else { return false };
    // Before the writes: what was loaded under these leases is among them.
    let releases = std::mem::take(&mut *store.releases.lock());
    let batch = store.writes.take(BATCH);
    if batch.is_empty() && releases.is_empty() {
        return false;
    }
    let writes = batch.into_iter().map(|(key, write)| write_one(store, cache, open.clone(), key, write));
    stream::iter(writes).buffer_unordered(CONCURRENT).collect::<Vec<()>>().await;
    for (name, nonce) in releases {
        let mut connection = open.connection.clone();
        // A lease that cannot be released ends by itself.
        let _ = scripts::run::<u64>(&open.scripts.release, &mut connection, &[name], &[nonce]).await;
    }
    true
}

async fn write_one(store: &RedisStore, cache: &Cache, mut open: OpenStore, key: Key, write: KeyWrite) {
    let name = store.entry_key(&key);
    let written = match &write.entry {
        Some(entry) => {
            let offset_ms = store.offset_ms.load(Ordering::Relaxed);
            let lifetime_ms = entry.entry.deadlines().error_until_ms.duration_since(store.clock.now());
            let lifetime_ms = millis(lifetime_ms.clamp(MIN_LIFETIME, MAX_LIFETIME)).to_string().into_bytes();
            // An epoch of zero: the load began before the store was heard.
            let is_known = entry.known.epoch != 0;
            let encoded = codec::encode(store.key, &key, entry, offset_ms).filter(|_| is_known);
            match encoded {
                Some(encoded) => {
                    let put = &open.scripts.put;
                    scripts::run::<u64>(put, &mut open.connection, &[name], &[encoded, lifetime_ms]).await
                }
                None if write.removal.is_none() => return,
                None => delete(&mut open, name).await,
            }
        }
        None => delete(&mut open, name).await,
    };
    let counters = &store.counters;
    match (written, write.removal) {
        (Ok(stored), removal) => {
            store.record_answer(true);
            count(if stored == 1 { &counters.written } else { &counters.superseded });
            if let Some(ticket) = removal {
                cache.removed_remotely(&key, ticket);
            }
        }
        (Err(error), removal) => {
            count(if error.code() == Some("OOM") { &counters.full } else { &counters.failed });
            if let Some(ticket) = removal {
                store.writes.put_back(&key, ticket);
            }
        }
    }
}

async fn delete(open: &mut OpenStore, name: String) -> redis::RedisResult<u64> {
    redis::cmd("DEL").arg(name).query_async::<u64>(&mut open.connection).await.map(|_| 1)
}
