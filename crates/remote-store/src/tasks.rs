//! The tasks of a store.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Cache;
use tokio_util::sync::CancellationToken;

use crate::remote_tier::RemoteTierHandle;
use crate::store::RedisStore;
use crate::{session, writer};

/// Max time to write entries at shutdown.
const DRAIN: Duration = Duration::from_secs(2);

impl RedisStore {
    /// Attaches the store to a cache, before the cache's first read. False if the cache has one. A cache that shares
    /// trusts nothing that it has until it has heard the others.
    pub fn attach(self: &Arc<Self>, cache: &Cache) -> bool {
        if self.settings.shared {
            cache.trust_until(Timestamp::UNIX_EPOCH, self.settings.when_away.max_age());
        }
        cache.attach_remote(Arc::new(RemoteTierHandle(Arc::clone(self))))
    }

    /// Runs the store for this cache until `stop`: connects, agrees with other gateways, and writes.
    pub async fn run(self: Arc<Self>, cache: Cache, stop: CancellationToken) {
        tokio::join!(session::run(&self, &cache, &stop), writer::run(&self, &cache, &stop, DRAIN));
    }
}
