//! The reading threads. Each has its own connection and answers lookups in order of arrival. A read transaction spans
//! several lookups, and ends when none is waiting.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::oneshot;

use super::DiskSharedState;
use super::error::{StorageError, StorageErrorKind};
use super::lookup::{ReadSnapshot, StoreLookup};
use super::row::StoredEntry;
use super::store::DiskStore;
use crate::key::Key;

/// Max lookups in one read transaction: a longer one would keep the log from being truncated.
const LOOKUPS_PER_SNAPSHOT: usize = 64;

type LookupReceiver = oneshot::Receiver<Option<Box<StoredEntry>>>;

/// One lookup, and the channel for its result.
struct LookupRequest {
    key: Key,
    response: oneshot::Sender<Option<Box<StoredEntry>>>,
}

/// The queues of all reading threads.
#[derive(Debug)]
pub(crate) struct ReaderPool(RwLock<Vec<SyncSender<LookupRequest>>>);

impl ReaderPool {
    /// Starts the threads.
    pub(crate) fn start(shared: &Arc<DiskSharedState>) -> Result<Self, String> {
        let mut senders = Vec::new();
        for number in 0..shared.settings.readers.max(1) {
            let (sender, requests) = sync_channel(shared.settings.max_pending_reads.max(1));
            let reader = ReaderThread { shared: Arc::clone(shared), store: None, generation: 0 };
            std::thread::Builder::new()
                .name(format!("greenroom-reader-{number}"))
                .spawn(move || reader.run(&requests))
                .map_err(|error| format!("a disk reader thread could not be started: {error}"))?;
            senders.push(sender);
        }
        Ok(Self(RwLock::new(senders)))
    }

    /// Queues a lookup; `None` if too many are waiting, or after [`Self::close`].
    pub(crate) fn request(&self, key: &Key) -> Option<LookupReceiver> {
        let senders = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let at = usize::try_from(key.hash64() >> 32).unwrap_or(0).checked_rem(senders.len())?;
        let (response, receiver) = oneshot::channel();
        senders[at].try_send(LookupRequest { key: key.clone(), response }).ok()?;
        Some(receiver)
    }

    /// Lets the threads end once they have answered what is queued.
    pub(crate) fn close(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

struct ReaderThread {
    shared: Arc<DiskSharedState>,
    store: Option<DiskStore>,
    generation: u64,
}

impl ReaderThread {
    fn run(mut self, requests: &Receiver<LookupRequest>) {
        while let Ok(first) = requests.recv() {
            self.open();
            if let Err(error) = self.serve(first, requests) {
                self.report(error);
                self.store = None;
            }
        }
    }

    /// Answers a lookup and those that arrive meanwhile. A lookup that is dropped without an answer is a miss.
    fn serve(&self, first: LookupRequest, requests: &Receiver<LookupRequest>) -> Result<(), StorageError> {
        let Some(store) = &self.store else { return Ok(()) };
        let mut known_commits = self.shared.commits.load(Ordering::Acquire);
        let mut snapshot = store.read_snapshot()?;
        let (mut next, mut served) = (Some(first), 0);
        while let Some(request) = next {
            self.renew_snapshot(&mut snapshot, &mut known_commits)?;
            // The caller may be gone: then skip the lookup.
            if !request.response.is_closed() {
                let found = self.lookup(store, &mut snapshot, &request.key)?;
                let _ = request.response.send(found); // The caller may be gone by now.
            }
            served += 1;
            let is_done = served >= LOOKUPS_PER_SNAPSHOT || self.shared.truncating.load(Ordering::Relaxed);
            next = if is_done { None } else { requests.try_recv().ok() };
        }
        Ok(())
    }

    /// Renews the snapshot after a commit, because committed values leave the write queue and must be visible here.
    /// `known_commits` is the number of commits when the snapshot was taken.
    fn renew_snapshot(&self, snapshot: &mut ReadSnapshot<'_>, known_commits: &mut u64) -> Result<(), StorageError> {
        let commits = self.shared.commits.load(Ordering::Acquire);
        if commits != *known_commits {
            snapshot.renew()?;
            *known_commits = commits;
        }
        Ok(())
    }

    /// Opens the store at the first lookup, and again after the writer reopened it. Closes it while the writer has none
    /// open.
    fn open(&mut self) {
        if !self.shared.is_open.load(Ordering::Acquire) {
            self.store = None;
            return;
        }
        let generation = self.shared.generation.load(Ordering::Acquire);
        if self.generation != generation {
            self.store = None;
            self.generation = generation;
        }
        if self.store.is_none() {
            let settings = &self.shared.settings;
            match DiskStore::open(&settings.dir, settings.file_above_bytes).and_then(DiskStore::with_reader_cache) {
                Ok(store) => self.store = Some(store),
                Err(error) => self.report(error),
            }
        }
    }

    fn lookup(
        &self,
        store: &DiskStore,
        snapshot: &mut ReadSnapshot<'_>,
        key: &Key,
    ) -> Result<Option<Box<StoredEntry>>, StorageError> {
        let mut result = snapshot.get(key)?;
        if matches!(result, StoreLookup::Corrupt(_)) {
            // Its file may be missing because a newer row replaced it, which this snapshot does not show yet.
            snapshot.renew()?;
            result = snapshot.get(key)?;
        }
        match result {
            StoreLookup::Found(found) => {
                if found.needs_used_update(self.shared.clock.now()) {
                    self.shared.queue.record_used(store.hash(key));
                }
                Ok(Some(found))
            }
            StoreLookup::Miss => Ok(None),
            StoreLookup::Corrupt(corrupt_row) => {
                self.shared.counters.corrupt.fetch_add(1, Ordering::Relaxed);
                self.shared.queue.record_corrupt(corrupt_row);
                Ok(None)
            }
        }
    }

    fn report(&self, error: StorageError) {
        tracing::debug!(%error, "disk lookup failed");
        if matches!(error.kind, StorageErrorKind::Damaged | StorageErrorKind::Gone) {
            self.shared.report_error(error, self.generation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::disk::DiskSettings;
    use crate::disk::tests::markers::entry_of;
    use crate::disk::write_batch::{PendingWrite, WriteBatch};
    use crate::hybrid_timestamp::HybridTimestamp;
    use crate::key::Partition;
    use crate::timestamp::Timestamp;

    #[test]
    fn a_long_read_sees_later_commits() {
        let dir = tempfile::tempdir().expect("a folder");
        let shared = Arc::new(DiskSharedState::new(DiskSettings::new(dir.path()), Clock::system()));
        shared.is_open.store(true, Ordering::Release);
        let mut store = DiskStore::open(dir.path(), 65_536).expect("it opens");
        let mut write = |key: &Key| {
            let entry = entry_of(key, Vec::new(), HybridTimestamp::end_of(Timestamp::from_millis(1)), b"value");
            let batch = WriteBatch {
                writes: vec![PendingWrite { key: key.clone(), entry, known_sequence: 0 }],
                ..WriteBatch::default()
            };
            store.write(&batch, 7, Timestamp::from_millis(1)).expect("written");
            shared.commits.fetch_add(1, Ordering::Release);
        };
        let reader = ReaderThread { shared: Arc::clone(&shared), store: None, generation: 0 };
        let opened = DiskStore::open(dir.path(), 65_536).expect("it opens");
        let (mut snapshot, mut known_commits) = (opened.read_snapshot().expect("a read begins"), 0);
        let mut finds = |key: &Key| {
            reader.renew_snapshot(&mut snapshot, &mut known_commits).expect("it goes on");
            reader.lookup(&opened, &mut snapshot, key).expect("answered").is_some()
        };
        let key = |text| Key::new("home", &Partition::new("anna"), text);
        write(&key("/a"));
        assert!(finds(&key("/a")));
        assert!(!finds(&key("/b")));
        write(&key("/b"));
        assert!(finds(&key("/b")), "it has left the queue, so it must be here");
    }
}
