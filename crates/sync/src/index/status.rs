//! Status of a library beside its items, and its pending work.

use greenroom_cache::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::crawl::LibraryInfo;
use greenroom_library::snapshot::diff::SnapshotDiff;
use tokio_util::sync::CancellationToken;

use super::crawl::Crawl;
use super::store::SnapshotMetadata;
use super::{IndexError, LibraryCost};
use crate::index::scan_state::ScanState;
use crate::index::scheduler::AttemptKind;
use greenroom_origin::shrink_guard::SuspectList;

/// Generations whose changes are remembered.
const MAX_CHANGES: usize = 64;
/// Keys of changed items remembered for that, some 40 bytes each.
const MAX_CHANGED_KEYS: usize = 200_000;

/// Status of a library beside its items.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
#[derive(Debug, Default)]
pub(super) struct LibraryStatus {
    /// The server's last listing.
    pub(super) info: Option<LibraryInfo>,
    pub(super) metadata: SnapshotMetadata,
    /// Whether the server scans its files.
    pub(super) scan: ScanState,
    /// The user's choice whether to index it.
    pub(super) enabled_override: Option<bool>,
    /// It is indexed without a request.
    pub(super) is_auto_indexed: bool,
    pub(super) is_confirmed: bool,
    /// Error of the last attempt, and since when it stands.
    pub(super) failure: Option<(IndexError, u64)>,
    /// The snapshot has this many shows and no episode of them, and since when.
    pub(super) without_episodes: Option<(u64, u64)>,
    /// Consecutive failed attempts.
    pub(super) attempts: u32,
    /// No automatic build before this time.
    pub(super) build_at_ms: Timestamp,
    /// No incremental round before this time.
    pub(super) follow_at_ms: Timestamp,
    /// Time of a full comparison after a mismatch.
    pub(super) compare_at_ms: Option<Timestamp>,
    /// A shorter library that was rejected.
    pub(super) suspect: Option<SuspectList>,
    /// Items when the server was last stable: many small losses add up to a large one.
    pub(super) stable_items: u64,
    /// When it was first listed.
    pub(super) known_ms: Timestamp,
    /// Time and duration of the last index rebuild.
    pub(super) indexed: (Timestamp, Duration),
    /// An interrupted crawl to be continued.
    pub(super) unfinished: Option<Box<Crawl>>,
    pub(super) cost: LibraryCost,
    pub(super) diff: Option<Arc<SnapshotDiff>>,
    /// Keys added or changed by each generation since the oldest known one.
    pub(super) changes: VecDeque<(u64, Vec<Box<str>>)>,
    /// Number of builds by outcome.
    pub(super) builds: BTreeMap<&'static str, u64>,
    /// The running work and its cancellation.
    pub(super) cancel: Option<(AttemptKind, CancellationToken)>,
    /// A requester of the running build wants the result accepted.
    pub(super) has_force: bool,
    /// Number of times that it was turned off: work begun before is discarded.
    pub(super) turned_off: u64,
    /// Bytes that the running build will need.
    pub(super) building_bytes: u64,
    /// A lookup was made while it is turned off.
    pub(super) was_requested_while_off: bool,
}

/// Requested work.
#[derive(Debug, Default)]
pub(super) struct PendingWork {
    pub(super) build: Option<BuildRequest>,
    pub(super) changes: ItemChanges,
    /// Whether running work has taken changes that no generation contains yet.
    pub(super) has_taken_changes: bool,
}

impl PendingWork {
    /// Takes the changes for a build or a round.
    pub(super) fn take_changes(&mut self) -> ItemChanges {
        self.has_taken_changes |= !self.changes.is_empty();
        std::mem::take(&mut self.changes)
    }

    /// Whether the server announced changes that no generation contains yet.
    pub(super) fn has_waiting_changes(&self) -> bool {
        self.has_taken_changes || !self.changes.is_empty()
    }
}

/// A requested build.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct BuildRequest {
    /// The interrupted crawl is discarded, and the result is accepted however short it is.
    pub(super) has_force: bool,
}

/// Running work; its result may be published unless it is cancelled.
#[derive(Debug)]
pub(super) struct BuildHandle {
    pub(super) cancel: CancellationToken,
    /// [`LibraryStatus::turned_off`] at its start.
    pub(super) turned_off: u64,
}

/// Changes reported by events and counters since the last round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ItemChanges {
    pub(super) changed: BTreeSet<String>,
    pub(super) removed: BTreeSet<String>,
    /// Something changed that no event named.
    pub(super) has_unnamed_changes: bool,
    /// Times of the first and the last one, in milliseconds.
    pub(super) since: Option<(Timestamp, Timestamp)>,
}

impl LibraryStatus {
    /// Records the keys that this generation added or changed.
    pub(super) fn record_changes(&mut self, number: u64, keys: Vec<Box<str>>) {
        self.changes.push_back((number, keys));
        let mut total: usize = self.changes.iter().map(|(_, keys)| keys.len()).sum();
        while self.changes.len() > MAX_CHANGES || total > MAX_CHANGED_KEYS {
            total -= self.changes.pop_front().map_or(total, |(_, keys)| keys.len());
        }
    }
}

impl ItemChanges {
    pub(super) fn is_empty(&self) -> bool {
        self.since.is_none()
    }

    /// Merges newer changes into these: the last one about a key counts.
    pub(super) fn merge(mut self, newer: Self) -> Self {
        for key in newer.changed {
            self.removed.remove(&key);
            self.changed.insert(key);
        }
        for key in newer.removed {
            self.changed.remove(&key);
            self.removed.insert(key);
        }
        self.has_unnamed_changes |= newer.has_unnamed_changes;
        self.since = match (self.since, newer.since) {
            (Some((first, _)), Some((_, last))) => Some((first, last)),
            (older, newer) => older.or(newer),
        };
        self
    }

    pub(super) fn mark_changed(&mut self, now_ms: Timestamp) {
        let first = self.since.map_or(now_ms, |(first, _)| first);
        self.since = Some((first, now_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_of_a_key_counts() {
        let changes = |changed: &[&str], removed: &[&str], at_ms| ItemChanges {
            changed: changed.iter().map(ToString::to_string).collect(),
            removed: removed.iter().map(ToString::to_string).collect(),
            has_unnamed_changes: false,
            since: Some((at_ms, at_ms)),
        };
        let both = changes(&["1", "2"], &["3", "4"], Timestamp::from_millis(5)).merge(changes(
            &["3"],
            &["1"],
            Timestamp::from_millis(9),
        ));
        assert_eq!(
            both,
            ItemChanges {
                since: Some((Timestamp::from_millis(5), Timestamp::from_millis(9))),
                ..changes(&["2", "3"], &["1", "4"], Timestamp::UNIX_EPOCH)
            }
        );
        assert_eq!(both.clone().merge(ItemChanges::default()), both);
        assert_eq!(ItemChanges::default().merge(both.clone()), both);
    }
}
