//! Items that the server lacks although the snapshot lists them: not offered again before the next snapshot.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use crate::index::LibraryId;

/// Max entries.
const MAX_ENTRIES: usize = 10_000;

#[derive(Debug, Default)]
struct MissingEntries {
    until: HashMap<(LibraryId, String), u64>,
    order: VecDeque<(LibraryId, String)>,
}

/// Items missing on the server.
#[derive(Debug, Default)]
pub(super) struct MissingOnServer {
    entries: Mutex<MissingEntries>,
}

impl MissingOnServer {
    /// Whether the item was missing at this generation or a newer one.
    pub(super) fn contains(&self, library: &LibraryId, key: &str, number: u64) -> bool {
        let held = self.entries.lock();
        if held.until.is_empty() {
            return false;
        }
        held.until.get(&(library.clone(), key.to_owned())).is_some_and(|until| number <= *until)
    }

    /// Records that the server lacks this item, which this generation lists.
    pub(super) fn insert(&self, library: &LibraryId, key: &str, number: u64) {
        let mut held = self.entries.lock();
        let entry = (library.clone(), key.to_owned());
        if held.until.insert(entry.clone(), number).is_none() {
            held.order.push_back(entry);
        }
        while held.order.len() > MAX_ENTRIES {
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
        let disowned = MissingOnServer::default();
        let library: LibraryId = "home:3".parse().expect("an id");
        disowned.insert(&library, "7", 4);
        assert!(disowned.contains(&library, "7", 4) && disowned.contains(&library, "7", 3));
        assert!(!disowned.contains(&library, "7", 5) && !disowned.contains(&library, "8", 4));
        for key in 0..MAX_ENTRIES {
            disowned.insert(&library, &format!("k{key}"), 4);
        }
        assert!(!disowned.contains(&library, "7", 4) && disowned.contains(&library, "k0", 4));
    }
}
