//! The store as the engine sees it.

use std::sync::Arc;

use greenroom_cache::Key;
use greenroom_cache::remote::{LoadClaim, RemoteEntry, RemoteStore, RemoteWrite, SharedInvalidation, StoreFuture};

use crate::claim;
use crate::status::count;
use crate::store::RedisStore;

/// A handle to the store: claims outlive the call that makes them.
#[derive(Debug)]
pub(crate) struct RemoteTierHandle(pub(crate) Arc<RedisStore>);

impl RemoteStore for RemoteTierHandle {
    fn get<'a>(&'a self, key: &'a Key, is_last_resort: bool) -> StoreFuture<'a, Option<RemoteEntry>> {
        Box::pin(self.0.look_up(key, is_last_resort))
    }

    fn put(&self, key: &Key, entry: RemoteWrite) {
        if entry.entry.body().len() as u64 > self.0.settings.max_body_bytes {
            count(&self.0.counters.too_large);
        } else {
            self.0.writes.put(key, entry);
        }
    }

    fn remove(&self, key: &Key, ticket: u64) -> bool {
        self.0.writes.remove(key, ticket)
    }

    fn invalidate(&self, invalidation: SharedInvalidation) {
        self.0.invalidations.push(invalidation);
    }

    fn flush_invalidations(&self) -> StoreFuture<'_, bool> {
        Box::pin(self.0.settle())
    }

    fn claim_load<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, LoadClaim> {
        Box::pin(claim::claim(&self.0, key))
    }

    fn is_shared(&self) -> bool {
        self.0.settings.shared
    }
}
