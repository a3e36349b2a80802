//! Keys that dashboards read lately: a repeat is likely, so they are kept warm whatever their rhythm.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Key;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::server::Server;

/// A repeat is expected within this time.
const EXPECTED: Duration = Duration::from_secs(60);
/// Max remembered keys.
const MAX_KEYS: usize = 256;

/// Recently read keys.
#[derive(Debug, Default)]
pub(super) struct RecentRequests {
    keys: Mutex<HashMap<Key, (Arc<Server>, Timestamp)>>,
    /// Wakes the task that waits for a first read.
    read_recorded: Notify,
}

impl RecentRequests {
    /// Records a read.
    pub(super) fn record(&self, server: &Arc<Server>, key: Key, now_ms: Timestamp) {
        let mut keys = self.keys.lock();
        if keys.is_empty() {
            self.read_recorded.notify_one();
        }
        if keys.len() >= MAX_KEYS && !keys.contains_key(&key) {
            keys.retain(|_, (_, read_ms)| is_expected(*read_ms, now_ms));
            if keys.len() >= MAX_KEYS {
                return;
            }
        }
        keys.insert(key, (Arc::clone(server), now_ms));
    }

    /// Forgets a key whose read the server denied.
    pub(super) fn forget(&self, key: &Key) {
        self.keys.lock().remove(key);
    }

    /// Waits for a read, if none is expected.
    pub(super) async fn wait_for_request(&self) {
        self.read_recorded.notified().await;
    }

    /// Keys likely to be read again soon.
    pub(super) fn expected(&self, now_ms: Timestamp) -> Vec<(Arc<Server>, Key)> {
        let mut keys = self.keys.lock();
        keys.retain(|_, (_, read_ms)| is_expected(*read_ms, now_ms));
        keys.iter().map(|(key, (server, _))| (Arc::clone(server), key.clone())).collect()
    }
}

fn is_expected(read_ms: Timestamp, now_ms: Timestamp) -> bool {
    now_ms.duration_since(read_ms) < EXPECTED
}
