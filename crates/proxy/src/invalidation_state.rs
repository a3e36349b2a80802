//! State of a server that decides what a write or an event invalidates: see [`crate::invalidate`].

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenroom_cache::Partition;
use greenroom_dialect::server_event::PlaybackState;
use greenroom_library::lineage::Lineage;
use parking_lot::Mutex;

use crate::identity::Identity;

/// Max items with a known parent; some 100 bytes each.
const MAX_LINEAGE: usize = 200_000;
/// Progress reports invalidate lists at most this often per item and identity.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(60);
/// Max remembered throttles and players; a household has a handful.
const MAX_ENTRIES: usize = 10_000;

/// Invalidation state of one server.
#[derive(Debug)]
pub struct InvalidationState {
    /// Parents of items.
    pub lineage: Mutex<Lineage>,
    /// Times of the last progress reports that invalidated lists.
    pub progress_throttle: ProgressThrottle,
    /// Last state of every player.
    pub player_states: PlayerStates,
    /// Whether invalidations were limited to known partitions.
    pub partial_invalidation: PartialInvalidation,
}

impl Default for InvalidationState {
    fn default() -> Self {
        Self {
            lineage: Mutex::new(Lineage::new(MAX_LINEAGE)),
            progress_throttle: ProgressThrottle::default(),
            player_states: PlayerStates::default(),
            partial_invalidation: PartialInvalidation::default(),
        }
    }
}

/// True once an invalidation covered only known partitions. Unknown partitions are purged from disk when first seen, by
/// this process or a later one, so the flag is persisted before the first such invalidation.
#[derive(Debug, Default)]
pub struct PartialInvalidation {
    is_requested: AtomicBool,
    is_persisted: AtomicBool,
}

impl PartialInvalidation {
    /// Whether it is allowed now. If not, requests it: it is allowed once the flag is persisted.
    pub fn is_allowed(&self) -> bool {
        self.is_requested.store(true, Ordering::Release);
        self.is_persisted()
    }

    /// Whether the flag must be persisted.
    pub fn is_requested(&self) -> bool {
        self.is_requested.load(Ordering::Acquire)
    }

    /// Whether the flag is persisted.
    pub fn is_persisted(&self) -> bool {
        self.is_persisted.load(Ordering::Acquire)
    }

    /// Records that the flag is persisted.
    pub fn set_persisted(&self) {
        self.is_requested.store(true, Ordering::Release);
        self.is_persisted.store(true, Ordering::Release);
    }
}

/// Allows one progress report a minute for each item and identity.
#[derive(Debug, Default)]
pub struct ProgressThrottle(Mutex<HashMap<(Partition, String), u64>>);

impl ProgressThrottle {
    /// Whether this progress report may invalidate lists.
    pub fn is_due(&self, identity: &Identity, item: &str, now_ms: u64) -> bool {
        let mut last_reports = self.0.lock();
        let key = (identity.partition().clone(), item.to_owned());
        let interval_ms = u64::try_from(PROGRESS_INTERVAL.as_millis()).unwrap_or(u64::MAX);
        match last_reports.get(&key) {
            Some(last) if now_ms.saturating_sub(*last) < interval_ms => false,
            _ => {
                clear_if_full(&mut last_reports);
                last_reports.insert(key, now_ms);
                true
            }
        }
    }
}

/// Last state of every player: sockets report it every second, but only changes matter.
#[derive(Debug, Default)]
pub struct PlayerStates(Mutex<HashMap<String, (String, PlaybackState)>>);

impl PlayerStates {
    /// Whether the state changed.
    pub fn changed(&self, identity: &Identity, session: &str, item: &str, state: PlaybackState) -> bool {
        let mut players = self.0.lock();
        let key = format!("{:?}/{session}", identity.partition());
        let now = (item.to_owned(), state);
        if players.get(&key) == Some(&now) {
            return false;
        }
        clear_if_full(&mut players);
        players.insert(key, now);
        true
    }
}

fn clear_if_full<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if map.len() >= MAX_ENTRIES {
        map.clear();
    }
}
