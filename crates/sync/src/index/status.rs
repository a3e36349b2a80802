//! What is known of a library beside its items, and what is to be done about it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use greenroom_dialect::crawl::Shelf;
use greenroom_library::snapshot::diff::Diff;
use tokio_util::sync::CancellationToken;

use super::crawl::Crawl;
use super::store::About;
use super::{Cost, Failure};
use crate::index::scheduler::Attempt;
use greenroom_proxy::shrink_guard::Doubt;

/// So many generations back it is known what changed.
const MAX_CHANGES: usize = 64;
/// Keys of changed items that are remembered for that, some 40 bytes each.
const MAX_CHANGED_KEYS: usize = 200_000;

/// What is known of a library beside its items.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// As the server showed it last.
    pub(super) shelf: Option<Shelf>,
    pub(super) about: About,
    /// What the user said of it.
    pub(super) choice: Option<bool>,
    /// It is to be indexed without being asked for.
    pub(super) is_wanted: bool,
    pub(super) is_confirmed: bool,
    /// Why the last attempt came to nothing, and since when it is so.
    pub(super) failure: Option<(Failure, u64)>,
    /// How many attempts came to nothing in a row.
    pub(super) attempts: u32,
    /// No build is tried again by itself before.
    pub(super) build_at_ms: u64,
    /// No round of following before.
    pub(super) follow_at_ms: u64,
    /// It is to be compared as a whole at this time, because something does not fit.
    pub(super) doubted_at_ms: Option<u64>,
    /// A shorter library that was not believed.
    pub(super) shrunk: Option<Doubt>,
    /// Items when the server was last at rest: many small losses are one large one.
    pub(super) settled_items: u64,
    /// When it became known here.
    pub(super) known_ms: u64,
    /// When indexes were built last, and how long that took.
    pub(super) indexed: (u64, u64),
    /// A build that was broken off, to be gone on with.
    pub(super) unfinished: Option<Box<Crawl>>,
    pub(super) cost: Cost,
    pub(super) diff: Option<Arc<Diff>>,
    /// For each generation since the oldest known one, which items came or changed with it.
    pub(super) changes: VecDeque<(u64, Vec<Box<str>>)>,
    /// By outcome, how many builds there were.
    pub(super) builds: BTreeMap<&'static str, u64>,
    /// What is under way, and what ends it.
    pub(super) cancel: Option<(Attempt, CancellationToken)>,
    /// Somebody who asked for the build under way wants what comes believed.
    pub(super) has_force: bool,
    /// How often it was turned off: what began before is of no use.
    pub(super) turned_off: u64,
    /// Bytes that what is being built will take.
    pub(super) building_bytes: u64,
    /// Somebody looked something up while it is turned off.
    pub(super) is_missed: bool,
}

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    pub(super) build: Option<Wish>,
    pub(super) news: News,
}

/// A build that was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// What was broken off is not gone on with, and what comes is believed however short it is.
    pub(super) has_force: bool,
}

/// What was begun: as long as nobody ends it, it may be published.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) cancel: CancellationToken,
    /// [`Facts::turned_off`] when it began.
    pub(super) turned_off: u64,
}

/// What the server's events and counters say about a library since it was followed last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct News {
    pub(super) changed: BTreeSet<String>,
    pub(super) removed: BTreeSet<String>,
    /// Something changed, and nobody said what.
    pub(super) has_moved: bool,
    /// When the first and the last of it came, in milliseconds.
    pub(super) since: Option<(u64, u64)>,
}

impl Facts {
    /// These items came or changed with the generation of this number.
    pub(super) fn note_changes(&mut self, number: u64, keys: Vec<Box<str>>) {
        self.changes.push_back((number, keys));
        let mut total: usize = self.changes.iter().map(|(_, keys)| keys.len()).sum();
        while self.changes.len() > MAX_CHANGES || total > MAX_CHANGED_KEYS {
            total -= self.changes.pop_front().map_or(total, |(_, keys)| keys.len());
        }
    }
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.since.is_none()
    }

    /// This, and what came after it: the last word about a key counts.
    pub(super) fn followed_by(mut self, newer: Self) -> Self {
        for key in newer.changed {
            self.removed.remove(&key);
            self.changed.insert(key);
        }
        for key in newer.removed {
            self.changed.remove(&key);
            self.removed.insert(key);
        }
        self.has_moved |= newer.has_moved;
        self.since = match (self.since, newer.since) {
            (Some((first, _)), Some((_, last))) => Some((first, last)),
            (older, newer) => older.or(newer),
        };
        self
    }

    pub(super) fn note(&mut self, now_ms: u64) {
        let first = self.since.map_or(now_ms, |(first, _)| first);
        self.since = Some((first, now_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_news_the_last_word_about_a_key_counts() {
        let news = |changed: &[&str], removed: &[&str], at_ms| News {
            changed: changed.iter().map(ToString::to_string).collect(),
            removed: removed.iter().map(ToString::to_string).collect(),
            has_moved: false,
            since: Some((at_ms, at_ms)),
        };
        let both = news(&["1", "2"], &["3", "4"], 5).followed_by(news(&["3"], &["1"], 9));
        assert_eq!(both, News { since: Some((5, 9)), ..news(&["2", "3"], &["1", "4"], 0) });
        assert_eq!(both.clone().followed_by(News::default()), both);
        assert_eq!(News::default().followed_by(both.clone()), both);
    }
}
