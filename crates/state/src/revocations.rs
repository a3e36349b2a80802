//! Tokens that a server refused, on their way to the disk. A refusal is what must not be lost: after a crash the
//! proofs from before it would count again.

use std::collections::HashSet;
use std::mem;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use greenroom_cache::Cache;
use parking_lot::Mutex;

use crate::flush_signal::Bell;

/// So many wait while nothing can be written; of more, everybody counts as refused.
const MAX_WAITING: usize = 16_384;

/// What waits, of one server.
#[derive(Debug, Default)]
pub struct Refusals {
    waiting: Mutex<Refused>,
    attended: OnceLock<Attended>,
}

/// Who writes it down, and where that lies which was kept for who is refused.
#[derive(Debug)]
struct Attended {
    bell: Arc<Bell>,
    cache: Cache,
    settle: Duration,
}

/// Whose proofs are to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    /// By partition.
    pub partitions: HashSet<String>,
    /// Everybody's: there were too many to name them, or nobody knows all of them.
    pub everybody: bool,
}

impl Refusals {
    /// From now on somebody writes them down, and is woken by this bell. It is waited for him for `settle` at most.
    pub fn attend(&self, bell: &Arc<Bell>, cache: &Cache, settle: Duration) {
        drop(self.attended.set(Attended { bell: Arc::clone(bell), cache: cache.clone(), settle }));
    }

    /// A token was refused.
    pub fn note(&self, partition: &str) {
        self.waiting.lock().add(partition);
        self.hurry();
    }

    /// Every token was refused, those that are known only on disk among them.
    pub fn note_everybody(&self) {
        self.waiting.lock().everybody = true;
        self.hurry();
    }

    /// Whether this token was refused, and that is not written yet.
    pub fn is_waiting(&self, partition: &str) -> bool {
        let waiting = self.waiting.lock();
        waiting.everybody || waiting.partitions.contains(partition)
    }

    /// Something must not be lost.
    pub fn hurry(&self) {
        if let Some(attended) = self.attended.get() {
            attended.bell.ring();
        }
    }

    /// There is something else to write, which bears waiting.
    pub fn note_news(&self) {
        if let Some(attended) = self.attended.get() {
            attended.bell.note_news();
        }
    }

    /// Whether some of it is not durable yet.
    pub fn is_behind(&self) -> bool {
        self.attended.get().is_some_and(|attended| attended.bell.is_behind())
    }

    /// Waits until all of it so far is durable, and what it purged is too; for `SETTLE` at most, where nothing else
    /// is set.
    pub async fn settled(&self) {
        if let Some(Attended { bell, cache, settle }) = self.attended.get() {
            let written = cache.clock().timeout(*settle, bell.is_done(bell.last_ticket()));
            drop(tokio::join!(written, cache.settled()));
        }
    }

    /// Takes all that waits.
    pub fn take(&self) -> Refused {
        mem::take(&mut *self.waiting.lock())
    }

    /// It could not be written: it waits on.
    pub fn put_back(&self, refused: &Refused) {
        let mut waiting = self.waiting.lock();
        refused.partitions.iter().for_each(|partition| waiting.add(partition));
        waiting.everybody |= refused.everybody;
    }
}

impl Refused {
    fn add(&mut self, partition: &str) {
        if self.partitions.len() < MAX_WAITING {
            self.partitions.insert(partition.to_owned());
        } else {
            self.everybody = true;
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty() && !self.everybody
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_refusals_none_is_lost() {
        let refusals = Refusals::default();
        for index in 0..=MAX_WAITING {
            refusals.note(&index.to_string());
        }
        let taken = refusals.take();
        assert!(taken.everybody && taken.partitions.len() == MAX_WAITING);
        assert!(refusals.take().is_empty());
        refusals.put_back(&taken);
        assert_eq!(refusals.take(), taken);
    }
}
