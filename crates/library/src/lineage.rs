//! Parents of items, learnt from the rows of responses.
//!
//! A write names one item ("episode 583 was watched") but also invalidates the responses about its ancestors
//! (the season's and the show's count of unwatched episodes). The server does not name the ancestors, but the
//! rows of earlier lists name their parents. The map is bounded; for an unknown item it returns `None`, and
//! the caller must assume the worst.

use std::collections::{HashMap, VecDeque};

/// Max length of a chain: track → album → artist, or episode → season → show → folder, with room to spare. It
/// also ends loops in untrusted data.
const MAX_DEPTH: usize = 8;

/// A bounded map from an item's id to its parent's id.
#[derive(Debug)]
pub struct Lineage {
    parents: HashMap<Box<str>, Option<Box<str>>>,
    order: VecDeque<Box<str>>,
    max_items: usize,
}

impl Lineage {
    /// Creates a map of at most `max_items` items (at least one) that evicts the oldest first.
    pub fn new(max_items: usize) -> Self {
        Self { parents: HashMap::new(), order: VecDeque::new(), max_items: max_items.max(1) }
    }

    /// Records the parent of `item`; `None` means that it is known to have none.
    pub fn record_parent(&mut self, item: &str, parent: Option<&str>) {
        if let Some(known) = self.parents.get_mut(item) {
            if parent.is_some() && known.as_deref() != parent {
                *known = parent.map(Into::into);
            }
            return;
        }
        if self.order.len() >= self.max_items
            && let Some(oldest) = self.order.pop_front()
        {
            self.parents.remove(&oldest);
        }
        self.parents.insert(item.into(), parent.map(Into::into));
        self.order.push_back(item.into());
    }

    /// The ids above `item`, nearest first; `None` if a link of the chain is unknown.
    pub fn ancestors(&self, item: &str) -> Option<Vec<Box<str>>> {
        let mut above = Vec::new();
        let mut at = self.parents.get(item)?;
        while let Some(parent) = at {
            if above.len() == MAX_DEPTH {
                return None;
            }
            above.push(parent.clone());
            at = self.parents.get(parent)?;
        }
        Some(above)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_knows_its_season_and_show() {
        let mut lineage = Lineage::new(10);
        lineage.record_parent("583", Some("582"));
        lineage.record_parent("582", Some("581"));
        lineage.record_parent("581", None);
        assert_eq!(lineage.ancestors("583"), Some(vec!["582".into(), "581".into()]));
        assert_eq!(lineage.ancestors("581"), Some(vec![]));
    }

    #[test]
    fn a_chain_with_an_unknown_parent_is_unknown() {
        let mut lineage = Lineage::new(10);
        lineage.record_parent("583", Some("582"));
        assert_eq!(lineage.ancestors("583"), None);
        assert_eq!(lineage.ancestors("7"), None);
    }

    #[test]
    fn a_row_without_a_parent_does_not_remove_a_known_parent() {
        let mut lineage = Lineage::new(10);
        lineage.record_parent("582", Some("581"));
        lineage.record_parent("581", None);
        lineage.record_parent("582", None);
        assert_eq!(lineage.ancestors("582"), Some(vec!["581".into()]));
    }

    #[test]
    fn a_loop_in_the_lineage_ends() {
        let mut lineage = Lineage::new(10);
        lineage.record_parent("a", Some("b"));
        lineage.record_parent("b", Some("a"));
        assert_eq!(lineage.ancestors("a"), None);
    }

    #[test]
    fn the_oldest_entry_is_evicted_at_the_limit() {
        let mut lineage = Lineage::new(2);
        lineage.record_parent("1", None);
        lineage.record_parent("2", None);
        lineage.record_parent("3", None);
        assert_eq!(lineage.len(), 2);
        assert_eq!(lineage.ancestors("1"), None);
        assert_eq!(lineage.ancestors("3"), Some(vec![]));
    }
}
