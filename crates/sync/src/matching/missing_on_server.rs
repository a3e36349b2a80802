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
        let entries = self.entries.lock();
        if entries.until.is_empty() {
            return false;
        }
        entries.until.get(&(library.clone(), key.to_owned())).is_some_and(|until| number <= *until)
    }

    /// Records that the server lacks this item, which this generation lists.
    pub(super) fn insert(&self, library: &LibraryId, key: &str, number: u64) {
        let mut entries = self.entries.lock();
        let entry = (library.clone(), key.to_owned());
        if entries.until.insert(entry.clone(), number).is_none() {
            entries.order.push_back(entry);
        }
        while entries.order.len() > MAX_ENTRIES {
            let Some(oldest) = entries.order.pop_front() else { return };
            entries.until.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_offered_again_in_the_next_generation_and_the_oldest_entries_are_evicted() {
        let missing = MissingOnServer::default();
        let library: LibraryId = "home:3".parse().expect("parse the library id");
        missing.insert(&library, "7", 4);
        assert!(missing.contains(&library, "7", 4) && missing.contains(&library, "7", 3));
        assert!(!missing.contains(&library, "7", 5) && !missing.contains(&library, "8", 4));
        for key in 0..MAX_ENTRIES {
            missing.insert(&library, &format!("k{key}"), 4);
        }
        assert!(!missing.contains(&library, "7", 4) && missing.contains(&library, "k0", 4));
    }
}
