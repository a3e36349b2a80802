//! Entries and removals that wait to be written: per key the newest, bounded in bytes; beyond, the oldest entry is
//! dropped and counted.

use std::collections::{BTreeMap, HashMap};

use greenroom_cache::Key;
use greenroom_cache::remote::RemoteWrite;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Max removals that wait. Beyond, everything in the store is invalidated instead.
const MAX_REMOVALS: usize = 10_000;

/// A change of one key.
#[derive(Debug, Clone)]
pub(crate) struct KeyWrite {
    /// The newest entry.
    pub(crate) entry: Option<RemoteWrite>,
    /// Ticket of a removal that the entry, or nothing, follows.
    pub(crate) removal: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// Each with its position.
    writes: HashMap<Key, (u64, KeyWrite)>,
    order: BTreeMap<u64, Key>,
    next: u64,
    bytes: u64,
    removals: usize,
    dropped: u64,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct WriteQueue {
    state: Mutex<State>,
    max_bytes: u64,
    pub(crate) notify: Notify,
}

impl WriteQueue {
    pub(crate) fn new(max_bytes: u64) -> Self {
        Self { state: Mutex::default(), max_bytes, notify: Notify::new() }
    }

    /// Adds an entry. Never waits.
    pub(crate) fn put(&self, key: &Key, entry: RemoteWrite) {
        let mut state = self.state.lock();
        let removal = state.take(key).and_then(|waiting| waiting.removal);
        state.insert(key, KeyWrite { entry: Some(entry), removal });
        while state.bytes > self.max_bytes {
            let mut waiting = state.order.values();
            let is_entry = |key: &&Key| state.writes.get(*key).is_some_and(|(_, write)| write.entry.is_some());
            let Some(key) = waiting.find(is_entry).cloned() else { break };
            let removal = state.take(&key).and_then(|dropped| dropped.removal);
            state.dropped += 1;
            if removal.is_some() {
                state.insert(&key, KeyWrite { entry: None, removal });
            }
        }
        drop(state);
        self.notify.notify_one();
    }

    /// Adds a removal, which takes the place of an entry that waits. False if there are too many.
    pub(crate) fn remove(&self, key: &Key, ticket: u64) -> bool {
        let mut state = self.state.lock();
        state.take(key);
        let has_room = state.removals < MAX_REMOVALS;
        if has_room {
            state.insert(key, KeyWrite { entry: None, removal: Some(ticket) });
        }
        drop(state);
        self.notify.notify_one();
        has_room
    }

    /// Takes up to `most` changes, oldest first.
    pub(crate) fn take(&self, most: usize) -> Vec<(Key, KeyWrite)> {
        let mut state = self.state.lock();
        let keys: Vec<Key> = state.order.values().take(most).cloned().collect();
        keys.into_iter().filter_map(|key| state.take(&key).map(|write| (key, write))).collect()
    }

    /// Puts back the removal of a change that failed, unless another follows it.
    pub(crate) fn put_back(&self, key: &Key, ticket: u64) {
        let mut state = self.state.lock();
        if let Some((_, waiting)) = state.writes.get_mut(key) {
            if waiting.removal.replace(ticket.max(waiting.removal.unwrap_or(0))).is_none() {
                state.removals += 1;
            }
        } else {
            state.insert(key, KeyWrite { entry: None, removal: Some(ticket) });
        }
    }

    /// Changes that wait, their bytes, and entries dropped so far.
    pub(crate) fn depth(&self) -> (u64, u64, u64) {
        let state = self.state.lock();
        (state.writes.len() as u64, state.bytes, state.dropped)
    }
}

impl State {
    fn take(&mut self, key: &Key) -> Option<KeyWrite> {
        let (at, waiting) = self.writes.remove(key)?;
        self.order.remove(&at);
        self.bytes -= bytes(&waiting);
        self.removals -= usize::from(waiting.removal.is_some());
        Some(waiting)
    }

    fn insert(&mut self, key: &Key, write: KeyWrite) {
        self.bytes += bytes(&write);
        self.removals += usize::from(write.removal.is_some());
        self.next += 1;
        self.writes.insert(key.clone(), (self.next, write));
        self.order.insert(self.next, key.clone());
    }
}

fn bytes(write: &KeyWrite) -> u64 {
    write.entry.as_ref().map_or(0, |entry| entry.entry.weight())
}
