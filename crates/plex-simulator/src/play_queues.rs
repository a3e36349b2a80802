//! Play queues: what a player is to play, in order. They belong to the user who made them, and end with the server.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use greenroom_simulator_backend::catalogue::ItemId;
use greenroom_simulator_backend::rng::SeededRng;
use greenroom_simulator_backend::users::UserId;

/// Max play queues; the oldest makes room for a new one.
const MAX_QUEUES: usize = 256;

/// An item in a play queue. The same item may be in it several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueuedItem {
    /// The id of the entry.
    pub(super) id: u64,
    /// The item.
    pub(super) item: ItemId,
}

/// A play queue.
#[derive(Debug, Clone)]
pub(super) struct PlayQueue {
    /// Its id.
    pub(super) id: u64,
    /// Its owner.
    pub(super) owner: UserId,
    /// Its entries, in order.
    pub(super) entries: Vec<QueuedItem>,
    /// The entry that plays.
    pub(super) selected: u64,
    /// The last entry that was added by hand: entries up to it are those of "Up Next".
    pub(super) last_added: Option<u64>,
    /// Ids of the entries in their natural order, while the queue is shuffled.
    pub(super) natural_order: Option<Vec<u64>>,
    /// From what it was made.
    pub(super) source: String,
    /// Number of changes, from 1.
    pub(super) version: u64,
}

/// The play queues of a server.
#[derive(Debug)]
pub(super) struct PlayQueues {
    chance: SeededRng,
    store: Mutex<QueueStore>,
}

#[derive(Debug, Default)]
struct QueueStore {
    queues: BTreeMap<u64, PlayQueue>,
    last_queue: u64,
    last_entry: u64,
}

/// A change of a play queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum QueueChange {
    /// These items are added to "Up Next": at its end, or as the next ones.
    Add {
        /// The items.
        items: Vec<ItemId>,
        /// Whether they are the next ones.
        next: bool,
    },
    /// An entry is removed.
    Remove(u64),
    /// All entries are removed.
    Clear,
    /// An entry is moved behind another, or to the top.
    Move {
        /// The moved entry.
        entry: u64,
        /// The entry before it.
        after: Option<u64>,
    },
    /// The first entry is selected.
    Reset,
    /// The entries after the selected one come in random order.
    Shuffle,
    /// The natural order comes back.
    Unshuffle,
}

impl PlayQueues {
    /// No queues yet.
    pub(super) fn new(chance: SeededRng) -> Self {
        Self { chance, store: Mutex::default() }
    }

    /// Makes a queue of `items` that starts at position `start`.
    pub(super) fn create(&self, owner: UserId, source: String, items: &[ItemId], start: usize) -> PlayQueue {
        let mut store = self.store.lock();
        if store.queues.len() >= MAX_QUEUES {
            store.queues.pop_first();
        }
        store.last_queue += 1;
        let entries = store.entries(items);
        let selected = entries.get(start).or(entries.first()).map_or(0, |entry| entry.id);
        let queue = PlayQueue {
            id: store.last_queue,
            owner,
            entries,
            selected,
            last_added: None,
            natural_order: None,
            source,
            version: 1,
        };
        store.queues.insert(queue.id, queue.clone());
        queue
    }

    /// The queue with this id, if it is `owner`'s.
    pub(super) fn get(&self, owner: UserId, id: u64) -> Option<PlayQueue> {
        self.store.lock().queues.get(&id).filter(|queue| queue.owner == owner).cloned()
    }

    /// Changes a queue of `owner`'s. `None` if there is no such queue or entry.
    pub(super) fn change(&self, owner: UserId, id: u64, change: &QueueChange) -> Option<PlayQueue> {
        let mut store = self.store.lock();
        let added = match change {
            QueueChange::Add { items, .. } => store.entries(items),
            _ => Vec::new(),
        };
        let queue = store.queues.get_mut(&id).filter(|queue| queue.owner == owner)?;
        match change {
            QueueChange::Add { next, .. } => queue.add(added, *next),
            QueueChange::Remove(entry) => queue.remove(*entry)?,
            QueueChange::Clear => queue.entries.clear(),
            QueueChange::Move { entry, after } => queue.move_entry(*entry, *after)?,
            QueueChange::Reset => queue.selected = queue.entries.first().map_or(0, |entry| entry.id),
            QueueChange::Shuffle => queue.shuffle(self.chance),
            QueueChange::Unshuffle => queue.unshuffle(),
        }
        queue.version += 1;
        Some(queue.clone())
    }
}

impl QueueStore {
    /// Entries for these items.
    fn entries(&mut self, items: &[ItemId]) -> Vec<QueuedItem> {
        let first = self.last_entry + 1;
        self.last_entry += items.len() as u64;
        items.iter().zip(first..).map(|(item, id)| QueuedItem { id, item: *item }).collect()
    }
}

impl PlayQueue {
    /// Position of the selected entry.
    pub(super) fn offset(&self) -> usize {
        self.position(self.selected).unwrap_or(0)
    }

    /// Position of an entry.
    pub(super) fn position(&self, entry: u64) -> Option<usize> {
        self.entries.iter().position(|held| held.id == entry)
    }

    fn add(&mut self, added: Vec<QueuedItem>, next: bool) {
        let after_selected = if self.entries.is_empty() { 0 } else { self.offset() + 1 };
        let region_end = self.last_added.and_then(|entry| self.position(entry)).map(|at| at + 1);
        let at = if next { after_selected } else { region_end.unwrap_or(after_selected) };
        if !next || region_end.is_none() {
            self.last_added = added.last().map(|entry| entry.id).or(self.last_added);
        }
        self.entries.splice(at..at, added);
        if self.position(self.selected).is_none() {
            self.selected = self.entries.first().map_or(0, |entry| entry.id);
        }
    }

    fn remove(&mut self, entry: u64) -> Option<()> {
        let at = self.position(entry)?;
        self.entries.remove(at);
        if self.selected == entry {
            let heir = self.entries.get(at).or(self.entries.last());
            self.selected = heir.map_or(0, |entry| entry.id);
        }
        Some(())
    }

    fn move_entry(&mut self, entry: u64, after: Option<u64>) -> Option<()> {
        let from = self.position(entry)?;
        let to = match after {
            Some(after) => self.position(after)? + 1,
            None => 0,
        };
        let moved = self.entries.remove(from);
        self.entries.insert(if from < to { to - 1 } else { to }, moved);
        Some(())
    }

    fn shuffle(&mut self, chance: SeededRng) {
        self.natural_order.get_or_insert_with(|| self.entries.iter().map(|entry| entry.id).collect());
        let (selected, version) = (self.selected, self.version);
        self.entries.sort_by_key(|entry| (entry.id != selected, chance.draw("play queue", entry.id ^ (version << 32))));
    }

    fn unshuffle(&mut self) {
        if let Some(order) = self.natural_order.take() {
            self.entries.sort_by_key(|entry| order.iter().position(|id| *id == entry.id).unwrap_or(order.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: UserId = UserId::OWNER;

    fn queues() -> PlayQueues {
        PlayQueues::new(SeededRng::new(1))
    }

    fn items(queue: &PlayQueue) -> Vec<u32> {
        queue.entries.iter().map(|entry| entry.item.0).collect()
    }

    fn made(queues: &PlayQueues, count: u32) -> PlayQueue {
        queues.create(OWNER, String::new(), &(1..=count).map(ItemId).collect::<Vec<_>>(), 0)
    }

    #[test]
    fn what_is_added_comes_after_what_was_added_before() {
        let queues = queues();
        let id = made(&queues, 3).id;
        let add = |item, next| queues.change(OWNER, id, &QueueChange::Add { items: vec![ItemId(item)], next });
        add(10, false).expect("it exists");
        add(11, false).expect("it exists");
        let queue = add(12, true).expect("it exists");
        assert_eq!(items(&queue), [1, 12, 10, 11, 2, 3]);
        assert_eq!(queue.version, 4);
    }

    #[test]
    fn the_order_before_a_shuffle_comes_back() {
        let queues = queues();
        let id = made(&queues, 9).id;
        let change = |change| items(&queues.change(OWNER, id, &change).expect("it exists"));
        let shuffled = change(QueueChange::Shuffle);
        assert_eq!(shuffled[0], 1, "the selected one goes on");
        assert_ne!(shuffled, (1..=9).collect::<Vec<_>>());
        assert_eq!(change(QueueChange::Unshuffle), (1..=9).collect::<Vec<_>>());
    }

    #[test]
    fn another_users_queue_is_not_there() {
        let queues = queues();
        let id = made(&queues, 1).id;
        assert!(queues.get(UserId(2), id).is_none());
        assert!(queues.change(UserId(2), id, &QueueChange::Clear).is_none());
    }

    #[test]
    fn the_oldest_queue_makes_room() {
        let queues = queues();
        let first = made(&queues, 1).id;
        let last = (0..MAX_QUEUES).map(|_| made(&queues, 1).id).last().expect("some");
        assert!(queues.get(OWNER, first).is_none());
        assert!(queues.get(OWNER, last).is_some());
    }
}
