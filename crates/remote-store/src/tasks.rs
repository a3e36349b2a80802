//! The tasks of a store.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Cache;
use tokio_util::sync::CancellationToken;

use crate::store::RedisStore;
use crate::{session, writer};

/// How long entries may take to be written at shutdown.
const DRAIN: Duration = Duration::from_secs(2);

impl RedisStore {
    /// Runs the store for this cache until `stop`: connects, agrees with other gateways, and writes.
    pub async fn run(self: Arc<Self>, cache: Cache, stop: CancellationToken) {
        tokio::join!(session::run(&self, &cache, &stop), writer::run(&self, &cache, &stop, DRAIN));
    }
}
