//! What a server remembers so that it knows what a write or an event makes stale: see [`crate::invalidate`].

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenroom_cache::Partition;
use greenroom_dialect::signal::Playing;
use greenroom_library::lineage::Lineage;
use parking_lot::Mutex;

use crate::identity::Identity;

/// Items whose place in the library is remembered; some 100 bytes each.
const MAX_LINEAGE: usize = 200_000;
/// Progress reports reach lists at most this often per item and identity.
const PACE: Duration = Duration::from_secs(60);
/// Paces and players that are remembered at most; a household has a handful.
const MAX_REMEMBERED: usize = 10_000;

/// What one server remembers of what went stale.
#[derive(Debug)]
pub struct InvalidationState {
    /// Which item lies under which.
    pub lineage: Mutex<Lineage>,
    /// How often progress reports were let through to lists.
    pub paces: Paces,
    /// What every player did last.
    pub players: Players,
    /// Whether things go stale for some partitions only.
    pub choosiness: Choosiness,
}

impl Default for InvalidationState {
    fn default() -> Self {
        Self {
            lineage: Mutex::new(Lineage::new(MAX_LINEAGE)),
            paces: Paces::default(),
            players: Players::default(),
            choosiness: Choosiness::default(),
        }
    }
}

/// Whether things went stale for some partitions only: those nobody knew of were not among them, and lose what lies on
/// disk for them when they are seen, in this process or a later one. So it is kept before it happens.
#[derive(Debug, Default)]
pub struct Choosiness {
    is_wanted: AtomicBool,
    is_kept: AtomicBool,
}

impl Choosiness {
    /// Whether it may be chosen. If not, it will be allowed as soon as that is kept.
    pub fn is_allowed(&self) -> bool {
        self.is_wanted.store(true, Ordering::Release);
        self.is_kept()
    }

    /// Whether it is to be kept that it is chosen.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }

    /// Whether a later process will know that it was chosen.
    pub fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Acquire)
    }

    /// A later process will know.
    pub fn note_kept(&self) {
        self.is_wanted.store(true, Ordering::Release);
        self.is_kept.store(true, Ordering::Release);
    }
}

/// Lets a thing through at most once a minute.
#[derive(Debug, Default)]
pub struct Paces(Mutex<HashMap<(Partition, String), u64>>);

impl Paces {
    /// Whether the slow part of this progress report is due.
    pub fn is_due(&self, identity: &Identity, item: &str, now_ms: u64) -> bool {
        let mut paces = self.0.lock();
        let key = (identity.partition().clone(), item.to_owned());
        let pace_ms = u64::try_from(PACE.as_millis()).unwrap_or(u64::MAX);
        match paces.get(&key) {
            Some(last) if now_ms.saturating_sub(*last) < pace_ms => false,
            _ => {
                make_room(&mut paces);
                paces.insert(key, now_ms);
                true
            }
        }
    }
}

/// What every player did last: a socket says so every second, only changes matter.
#[derive(Debug, Default)]
pub struct Players(Mutex<HashMap<String, (String, Playing)>>);

impl Players {
    /// Whether this is news.
    pub fn changed(&self, watcher: &Identity, session: &str, item: &str, state: Playing) -> bool {
        let mut players = self.0.lock();
        let key = format!("{:?}/{session}", watcher.partition());
        let now = (item.to_owned(), state);
        if players.get(&key) == Some(&now) {
            return false;
        }
        make_room(&mut players);
        players.insert(key, now);
        true
    }
}

fn make_room<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if map.len() >= MAX_REMEMBERED {
        map.clear();
    }
}
