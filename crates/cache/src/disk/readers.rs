//! The threads that read. Each has a connection of its own and answers looks in the order they come; a read
//! transaction is held over several looks, and ended as soon as nobody asks.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::oneshot;

use super::store::{Found, Sight, Store};
use super::trouble::{Failing, Trouble};
use super::{Shared, Snapshot};
use crate::key::Key;

/// Looks in one read transaction: more would keep the log from being cut.
const LOOKS_PER_READ: usize = 64;

type Answer = oneshot::Receiver<Option<Box<Found>>>;

/// One look, and where its answer is waited for.
struct Ask {
    key: Key,
    snapshot: Snapshot,
    answer: oneshot::Sender<Option<Box<Found>>>,
}

/// All reading threads.
#[derive(Debug)]
pub(crate) struct Readers(RwLock<Vec<SyncSender<Ask>>>);

impl Readers {
    /// Starts the threads.
    pub(crate) fn start(shared: &Arc<Shared>) -> Result<Self, String> {
        let mut doors = Vec::new();
        for number in 0..shared.settings.readers.max(1) {
            let (door, asks) = sync_channel(shared.settings.max_looks.max(1));
            let reader = Reader { shared: Arc::clone(shared), store: None, generation: 0 };
            std::thread::Builder::new()
                .name(format!("greenroom-reader-{number}"))
                .spawn(move || reader.run(&asks))
                .map_err(|error| format!("no thread to read with: {error}"))?;
            doors.push(door);
        }
        Ok(Self(RwLock::new(doors)))
    }

    /// Asks for a key; `None` if too many wait already.
    pub(crate) fn ask(&self, key: &Key, snapshot: Snapshot) -> Option<Answer> {
        let doors = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let at = usize::try_from(key.hash64() >> 32).unwrap_or(0).checked_rem(doors.len())?;
        let (answer, answered) = oneshot::channel();
        doors[at].try_send(Ask { key: key.clone(), snapshot, answer }).ok()?;
        Some(answered)
    }

    /// Lets the threads end.
    pub(crate) fn close(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

struct Reader {
    shared: Arc<Shared>,
    store: Option<Store>,
    generation: u64,
}

impl Reader {
    fn run(mut self, asks: &Receiver<Ask>) {
        while let Ok(first) = asks.recv() {
            let mut is_reading = self.open().is_some_and(|store| store.begin_read().is_ok());
            self.answer(first);
            let mut looks = 1;
            while looks < LOOKS_PER_READ
                && !self.shared.cutting.load(Ordering::Relaxed)
                && let Ok(next) = asks.try_recv()
            {
                if let (Snapshot::Now, true, Some(store)) = (next.snapshot, is_reading, &self.store) {
                    store.end_read();
                    is_reading = store.begin_read().is_ok();
                }
                self.answer(next);
                looks += 1;
            }
            if let (true, Some(store)) = (is_reading, &self.store) {
                store.end_read();
            }
        }
    }

    /// The store as it is now: opened when first asked for, and anew when the file was replaced.
    fn open(&mut self) -> Option<&Store> {
        if !self.shared.is_open.load(Ordering::Acquire) {
            self.store = None;
            return None;
        }
        let generation = self.shared.generation.load(Ordering::Acquire);
        if self.generation != generation {
            self.store = None;
            self.generation = generation;
        }
        if self.store.is_none() {
            let settings = &self.shared.settings;
            match Store::open(&settings.dir, settings.file_above_bytes) {
                Ok(store) => self.store = Some(store),
                Err(failing) => self.report(failing),
            }
        }
        self.store.as_ref()
    }

    fn answer(&mut self, ask: Ask) {
        // Whoever asked may have gone: then nobody is served by looking.
        if ask.answer.is_closed() {
            return;
        }
        let found = self.look(&ask.key);
        drop(ask.answer.send(found));
    }

    fn look(&mut self, key: &Key) -> Option<Box<Found>> {
        let store = self.store.as_ref()?;
        let hash = store.hash(key);
        match store.look(key) {
            Ok(Sight::Found(found)) => {
                if found.is_use_news(self.shared.clock.now_ms()) {
                    self.shared.queue.note_used(hash);
                }
                Some(found)
            }
            Ok(Sight::Nothing) => None,
            Ok(Sight::Torn) => {
                self.shared.counters.torn.fetch_add(1, Ordering::Relaxed);
                self.shared.queue.note_torn(hash);
                None
            }
            Err(failing) => {
                self.report(failing);
                self.store = None;
                None
            }
        }
    }

    fn report(&self, failing: Failing) {
        tracing::debug!(%failing, "a look failed");
        if matches!(failing.trouble, Trouble::Damaged | Trouble::Gone) {
            self.shared.raise(failing, self.generation);
        }
    }
}
