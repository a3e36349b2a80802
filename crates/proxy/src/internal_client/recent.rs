//! What dashboards asked lately: a reader of it is to be expected again, so it is worth keeping warm, in whatever rhythm
//! it was asked.

use std::collections::HashMap;
use std::sync::Arc;

use greenroom_cache::Key;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::server::Server;

/// For so long after a question another one is expected.
const EXPECTED_MS: u64 = 60_000;
/// What is remembered at a time.
const MAX_KEYS: usize = 256;

/// What was asked lately.
#[derive(Debug, Default)]
pub(super) struct Lately {
    keys: Mutex<HashMap<Key, (Arc<Server>, u64)>>,
    /// Wakes whoever waits for a first question.
    asked: Notify,
}

impl Lately {
    /// Somebody asked.
    pub(super) fn note(&self, server: &Arc<Server>, key: Key, now_ms: u64) {
        let mut keys = self.keys.lock();
        if keys.is_empty() {
            self.asked.notify_one();
        }
        if keys.len() >= MAX_KEYS && !keys.contains_key(&key) {
            keys.retain(|_, (_, asked_ms)| is_expected(*asked_ms, now_ms));
            if keys.len() >= MAX_KEYS {
                return;
            }
        }
        keys.insert(key, (Arc::clone(server), now_ms));
    }

    /// The server has said no: nobody is expected to be told anything else.
    pub(super) fn forget(&self, key: &Key) {
        self.keys.lock().remove(key);
    }

    /// Waits until somebody asks, where nothing is expected.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// What may be asked again soon.
    pub(super) fn expected(&self, now_ms: u64) -> Vec<(Arc<Server>, Key)> {
        let mut keys = self.keys.lock();
        keys.retain(|_, (_, asked_ms)| is_expected(*asked_ms, now_ms));
        keys.iter().map(|(key, (server, _))| (Arc::clone(server), key.clone())).collect()
    }
}

fn is_expected(asked_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(asked_ms) < EXPECTED_MS
}
