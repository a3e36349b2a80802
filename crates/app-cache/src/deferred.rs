//! Deferred puts of one cache: answered before they are stored, and readable meanwhile. The newest of a key wins.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::entry::NewEntry;
use crate::name::EntryKey;

/// Max deferred puts of all caches.
pub(crate) const MAX_DEFERRED: usize = 65_536;
/// Max bytes of the deferred puts of all caches.
pub(crate) const MAX_DEFERRED_BYTES: u64 = 64 * 1024 * 1024;

/// A put that is not on disk yet.
#[derive(Debug, Clone)]
pub(crate) struct DeferredPut {
    pub(crate) entry: Arc<NewEntry>,
    /// When it was accepted, in milliseconds since 1970.
    pub(crate) accepted_ms: Timestamp,
    pub(crate) ticket: u64,
}

/// Deferred puts of one cache.
#[derive(Debug)]
pub(crate) struct DeferredPuts {
    queued: HashMap<EntryKey, DeferredPut>,
    /// Puts that the writer has taken and not yet committed.
    writing: HashMap<EntryKey, DeferredPut>,
    last_ticket: u64,
    /// All tickets up to this one are on disk, or lost.
    written: watch::Sender<u64>,
    budget: Arc<DeferredBudget>,
}

/// Entries and bytes of the deferred puts of all caches.
#[derive(Debug, Default)]
pub(crate) struct DeferredBudget {
    puts: AtomicUsize,
    bytes: AtomicU64,
}

impl DeferredBudget {
    fn take(&self, bytes: u64) -> bool {
        // Slightly more may get in when several caches ask at once; the bound is for memory, not exact.
        if self.puts.load(Ordering::Relaxed) >= MAX_DEFERRED
            || self.bytes.load(Ordering::Relaxed).saturating_add(bytes) > MAX_DEFERRED_BYTES
        {
            return false;
        }
        self.puts.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    fn give_back(&self, bytes: u64) {
        self.puts.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl DeferredPuts {
    pub(crate) fn new(budget: Arc<DeferredBudget>) -> Self {
        let (written, _) = watch::channel(0);
        Self { queued: HashMap::new(), writing: HashMap::new(), last_ticket: 0, written, budget }
    }

    /// Accepts a put and returns its ticket; gives it back if there is no room.
    pub(crate) fn offer(
        &mut self,
        key: EntryKey,
        entry: NewEntry,
        accepted_ms: Timestamp,
    ) -> Result<u64, Box<NewEntry>> {
        if !self.budget.take(entry.weight(key.as_str())) {
            return Err(Box::new(entry));
        }
        self.last_ticket += 1;
        let put = DeferredPut { entry: Arc::new(entry), accepted_ms, ticket: self.last_ticket };
        let length = key.as_str().len();
        if let Some(older) = self.queued.insert(key, put) {
            self.budget.give_back(older.entry.weight_under(length));
        }
        Ok(self.last_ticket)
    }

    /// The newest put of a key.
    pub(crate) fn find(&self, key: &EntryKey) -> Option<&DeferredPut> {
        self.queued.get(key).or_else(|| self.writing.get(key))
    }

    /// Takes the queued puts for the writer, in the order of the tickets. It stays readable until [`Self::finish`].
    pub(crate) fn begin_writing(&mut self) -> Vec<(EntryKey, DeferredPut)> {
        let mut taken: Vec<_> = self.queued.drain().collect();
        taken.sort_unstable_by_key(|(_, put)| put.ticket);
        self.writing.extend(taken.iter().cloned());
        taken
    }

    /// Returns puts that the writer did not accept to the queue; it must be called before anything else is offered.
    pub(crate) fn return_to_queue(&mut self, taken: Vec<(EntryKey, DeferredPut)>) {
        for (key, _) in &taken {
            self.writing.remove(key);
        }
        self.queued.extend(taken);
    }

    /// Records that the taken puts are on disk, or lost.
    pub(crate) fn finish(&mut self, taken: &[(EntryKey, DeferredPut)]) {
        let mut newest = 0;
        for (key, put) in taken {
            newest = newest.max(put.ticket);
            self.budget.give_back(put.entry.weight(key.as_str()));
            if self.writing.get(key).is_some_and(|writing| writing.ticket == put.ticket) {
                self.writing.remove(key);
            }
        }
        self.written.send_if_modified(|written| {
            let is_newer = newest > *written;
            *written = newest.max(*written);
            is_newer
        });
    }

    /// Number of puts that are not on disk.
    pub(crate) fn pending(&self) -> usize {
        self.queued.len() + self.writing.len()
    }

    /// True if nothing waits for the writer.
    pub(crate) fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// The newest ticket that was given.
    pub(crate) fn last_ticket(&self) -> u64 {
        self.last_ticket
    }

    /// A watch on the newest ticket that is on disk with all before it.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::EntryTags;

    fn entry(value: &str) -> NewEntry {
        NewEntry {
            value: value.as_bytes().to_vec(),
            media_type: "text/plain".into(),
            expires_ms: None,
            dies_ms: None,
            tags: EntryTags::default(),
            version: String::new(),
        }
    }

    fn key(text: &str) -> EntryKey {
        EntryKey::parse(text).expect("valid")
    }

    #[test]
    fn the_newest_put_of_a_key_wins_and_is_readable_until_it_is_on_disk() {
        let budget = Arc::new(DeferredBudget::default());
        let mut puts = DeferredPuts::new(Arc::clone(&budget));
        let text = |puts: &DeferredPuts| puts.find(&key("a")).map(|put| put.entry.value.clone());
        assert_eq!(puts.offer(key("a"), entry("1"), Timestamp::UNIX_EPOCH), Ok(1));
        assert_eq!(puts.offer(key("a"), entry("2"), Timestamp::UNIX_EPOCH), Ok(2));
        let first = puts.begin_writing();
        assert_eq!((first.len(), text(&puts)), (1, Some(b"2".to_vec())));
        assert_eq!(puts.offer(key("a"), entry("3"), Timestamp::UNIX_EPOCH), Ok(3));
        let second = puts.begin_writing();
        puts.finish(&first);
        assert_eq!((text(&puts), *puts.subscribe().borrow()), (Some(b"3".to_vec()), 2), "the newer one is not written");
        puts.finish(&second);
        assert_eq!((text(&puts), *puts.subscribe().borrow()), (None, 3));
        assert_eq!((budget.puts.load(Ordering::Relaxed), budget.bytes.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn what_the_writer_refuses_is_queued_again() {
        let mut puts = DeferredPuts::new(Arc::default());
        assert_eq!(puts.offer(key("a"), entry("1"), Timestamp::UNIX_EPOCH), Ok(1));
        let taken = puts.begin_writing();
        assert!(puts.is_empty());
        puts.return_to_queue(taken);
        assert_eq!((puts.is_empty(), puts.pending()), (false, 1));
    }

    #[test]
    fn beyond_its_bytes_nothing_is_deferred() {
        let mut puts = DeferredPuts::new(Arc::default());
        let large = NewEntry { value: vec![0; 40 << 20], ..entry("") };
        assert_eq!(puts.offer(key("a"), large.clone(), Timestamp::UNIX_EPOCH), Ok(1));
        assert!(puts.offer(key("b"), large.clone(), Timestamp::UNIX_EPOCH).is_err());
        let taken = puts.begin_writing();
        assert!(puts.offer(key("b"), large.clone(), Timestamp::UNIX_EPOCH).is_err(), "what is being written counts");
        puts.finish(&taken);
        assert!(puts.offer(key("b"), large, Timestamp::UNIX_EPOCH).is_ok());
    }
}
