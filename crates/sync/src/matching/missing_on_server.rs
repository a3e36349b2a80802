//! What the server said it does not have, although the snapshot still lists it: not offered again before the next one.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use crate::index::LibraryId;

/// So many are remembered.
const MAX_DISOWNED: usize = 10_000;

#[derive(Debug, Default)]
struct Held {
    until: HashMap<(LibraryId, String), u64>,
    order: VecDeque<(LibraryId, String)>,
}

/// What the server does not have.
#[derive(Debug, Default)]
pub(super) struct Disowned {
    held: Mutex<Held>,
}

impl Disowned {
    /// Whether an item was disowned at the time of this generation, or of a newer one.
    pub(super) fn is(&self, library: &LibraryId, key: &str, number: u64) -> bool {
        let held = self.held.lock();
        if held.until.is_empty() {
            return false;
        }
        held.until.get(&(library.clone(), key.to_owned())).is_some_and(|until| number <= *until)
    }

    /// The server does not have this item, which the generation of this number lists.
    pub(super) fn note(&self, library: &LibraryId, key: &str, number: u64) {
        let mut held = self.held.lock();
        let entry = (library.clone(), key.to_owned());
        if held.until.insert(entry.clone(), number).is_none() {
            held.order.push_back(entry);
        }
        while held.order.len() > MAX_DISOWNED {
            let Some(oldest) = held.order.pop_front() else { return };
            held.until.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_generation_is_believed_again_and_the_oldest_are_forgotten() {
        let disowned = Disowned::default();
        let library: LibraryId = "home:3".parse().expect("an id");
        disowned.note(&library, "7", 4);
        assert!(disowned.is(&library, "7", 4) && disowned.is(&library, "7", 3));
        assert!(!disowned.is(&library, "7", 5) && !disowned.is(&library, "8", 4));
        for key in 0..MAX_DISOWNED {
            disowned.note(&library, &format!("k{key}"), 4);
        }
        assert!(!disowned.is(&library, "7", 4) && disowned.is(&library, "k0", 4));
    }
}
