//! The threads that read. Each has a connection of its own and answers looks in the order they come; a read
//! transaction is held over several looks, and ended as soon as nobody asks.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::oneshot;

use super::Shared;
use super::row::Found;
use super::sight::{Looks, Sight};
use super::store::Store;
use super::trouble::{Failing, Trouble};
use crate::key::Key;

/// Looks in one read transaction: more would keep the log from being cut.
const LOOKS_PER_READ: usize = 64;

type Answer = oneshot::Receiver<Option<Box<Found>>>;

/// One look, and where its answer is waited for.
struct Ask {
    key: Key,
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
    pub(crate) fn ask(&self, key: &Key) -> Option<Answer> {
        let doors = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let at = usize::try_from(key.hash64() >> 32).unwrap_or(0).checked_rem(doors.len())?;
        let (answer, answered) = oneshot::channel();
        doors[at].try_send(Ask { key: key.clone(), answer }).ok()?;
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
            self.open();
            if let Err(failing) = self.serve(first, asks) {
                self.report(failing);
                self.store = None;
            }
        }
    }

    /// Answers a look and those that come meanwhile. Who is not answered finds nothing.
    fn serve(&self, first: Ask, asks: &Receiver<Ask>) -> Result<(), Failing> {
        let Some(store) = &self.store else { return Ok(()) };
        let mut known = self.shared.commits.load(Ordering::Acquire);
        let mut looks = store.looks()?;
        let (mut next, mut count) = (Some(first), 0);
        while let Some(ask) = next {
            self.keep_up(&mut looks, &mut known)?;
            // Whoever asked may have gone: then nobody is served by looking.
            if !ask.answer.is_closed() {
                let found = self.look(store, &mut looks, &ask.key)?;
                drop(ask.answer.send(found));
            }
            count += 1;
            let is_enough = count >= LOOKS_PER_READ || self.shared.cutting.load(Ordering::Relaxed);
            next = if is_enough { None } else { asks.try_recv().ok() };
        }
        Ok(())
    }

    /// What has left the queue since a read began is to be seen in it: `known` is what was committed then.
    fn keep_up(&self, looks: &mut Looks<'_>, known: &mut u64) -> Result<(), Failing> {
        let commits = self.shared.commits.load(Ordering::Acquire);
        if commits != *known {
            looks.renew()?;
            *known = commits;
        }
        Ok(())
    }

    /// The store as it is now: opened when first asked for, and anew when the file was replaced.
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
            match Store::open(&settings.dir, settings.file_above_bytes).and_then(Store::only_read) {
                Ok(store) => self.store = Some(store),
                Err(failing) => self.report(failing),
            }
        }
    }

    fn look(&self, store: &Store, looks: &mut Looks<'_>, key: &Key) -> Result<Option<Box<Found>>, Failing> {
        let mut sight = looks.look(key)?;
        if matches!(sight, Sight::Torn(_)) {
            // Its file goes when a newer row is written, which this state does not show yet.
            looks.renew()?;
            sight = looks.look(key)?;
        }
        match sight {
            Sight::Found(found) => {
                if found.is_use_news(self.shared.clock.now_ms()) {
                    self.shared.queue.note_used(store.hash(key));
                }
                Ok(Some(found))
            }
            Sight::Nothing => Ok(None),
            Sight::Torn(torn) => {
                self.shared.counters.torn.fetch_add(1, Ordering::Relaxed);
                self.shared.queue.note_torn(torn);
                Ok(None)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::disk::DiskSettings;
    use crate::disk::batch::{Batch, Offer};
    use crate::disk::tests::markers::entry_of;
    use crate::key::Partition;
    use crate::stamp::Stamp;

    #[test]
    fn a_read_that_goes_on_sees_what_was_committed_since_it_began() {
        let dir = tempfile::tempdir().expect("a folder");
        let shared = Arc::new(Shared::new(DiskSettings::new(dir.path()), Clock::system()));
        shared.is_open.store(true, Ordering::Release);
        let mut store = Store::open(dir.path(), 65_536).expect("it opens");
        let mut write = |key: &Key| {
            let entry = entry_of(key, Vec::new(), Stamp::end_of(1), b"value");
            let batch =
                Batch { offers: vec![Offer { key: key.clone(), entry, seen: 0 }], ..Batch::default() };
            store.write(&batch, 7, 1).expect("written");
            shared.commits.fetch_add(1, Ordering::Release);
        };
        let reader = Reader { shared: Arc::clone(&shared), store: None, generation: 0 };
        let opened = Store::open(dir.path(), 65_536).expect("it opens");
        let (mut looks, mut known) = (opened.looks().expect("a read begins"), 0);
        let mut finds = |key: &Key| {
            reader.keep_up(&mut looks, &mut known).expect("it goes on");
            reader.look(&opened, &mut looks, key).expect("answered").is_some()
        };
        let key = |text| Key::new("home", &Partition::new("anna"), text);
        write(&key("/a"));
        assert!(finds(&key("/a")));
        assert!(!finds(&key("/b")));
        write(&key("/b"));
        assert!(finds(&key("/b")), "it has left the queue, so it must be here");
    }
}
