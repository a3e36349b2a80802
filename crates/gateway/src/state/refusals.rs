//! Tokens that a server refused, on their way to the disk. A refusal is what must not be lost: after a crash the
//! proofs from before it would count again.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;

use super::bell::Bell;

/// So many wait while nothing can be written; of more, everybody counts as refused.
const MAX_WAITING: usize = 16_384;

/// What waits, of one server.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    refused: Refused,
    bell: Option<Arc<Bell>>,
}

/// Whose proofs are to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    /// By partition.
    pub partitions: HashSet<String>,
    /// Everybody's: there were too many to name them.
    pub everybody: bool,
}

impl Refusals {
    /// From now on somebody writes them down, and is woken by this bell.
    pub fn attend(&self, bell: &Arc<Bell>) {
        self.0.lock().bell = Some(Arc::clone(bell));
    }

    /// A token was refused.
    pub fn note(&self, partition: &str) {
        let mut waiting = self.0.lock();
        waiting.refused.add(partition);
        waiting.ring();
    }

    /// Something else must not be lost.
    pub fn hurry(&self) {
        self.0.lock().ring();
    }

    /// Takes all that waits.
    pub fn take(&self) -> Refused {
        mem::take(&mut self.0.lock().refused)
    }

    /// It could not be written: it waits on.
    pub fn put_back(&self, refused: &Refused) {
        let mut waiting = self.0.lock();
        refused.partitions.iter().for_each(|partition| waiting.refused.add(partition));
        waiting.refused.everybody |= refused.everybody;
    }
}

impl Waiting {
    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.ring();
        }
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
