//! One incremental round: reads the items that events name and those the server lists as added or changed since the
//! last round, and patches the snapshot. Then it compares counts: deletions that no event reported show there, and lead
//! to a full comparison.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use greenroom_dialect::crawl::{CrawlPage, ItemContainer, LibraryInfo};
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::snapshot::diff::SnapshotDiff;
use greenroom_library::snapshot::{Snapshot, SnapshotBuilder};

use super::build::OVERLAP_S;
use super::crawl::is_complete;
use super::publish::PreparedGeneration;
use super::report::kind_name;
use super::store::SnapshotMetadata;
use super::{Generation, IndexError, ItemChanges};
use crate::index::client::LibraryRequest;
use crate::index::scheduler::{AttemptKind, LibraryWorker};
use crate::index::status::BuildHandle;

/// Rows of a page of changes.
const PAGE_ROWS: u64 = 1_000;
/// Items requested by key at once.
const KEYS_PER_REQUEST: usize = 100;
/// This many changes are always read one by one.
const MIN_CHANGES_LIMIT: u64 = 2_000;
/// Beyond, at most this percentage of the library; above it, a full crawl is as cheap.
const MAX_CHANGED_PERCENT: u64 = 20;
/// Max albums and artists opened in one round.
const MAX_BRANCHES: usize = 300;

/// The items read in one round.
#[derive(Debug, Default)]
pub(super) struct ItemDelta {
    /// Current state of items.
    pub(super) items: HashMap<Box<str>, Item>,
    /// Requested keys that the server does not have.
    pub(super) removed: HashSet<String>,
    /// Number of items by kind.
    pub(super) totals: BTreeMap<ItemKind, u64>,
}

/// Result of a patch.
enum PatchResult {
    /// Nothing differs.
    Unchanged,
    Changed(Box<SnapshotBuilder>),
}

impl LibraryWorker {
    /// Runs one incremental round.
    pub(super) async fn follow_changes(&self, handle: BuildHandle) {
        let library = &self.library;
        let requests_before = self.source.request_count();
        let changes = library.pending.lock().take_changes();
        let outcome = tokio::select! {
            biased;
            () = handle.cancel.cancelled() => Err(IndexError::Cancelled),
            outcome = self.follow_once(&changes, &handle) => outcome,
        };
        {
            let mut status = library.status.lock();
            (status.cancel, status.building_bytes) = (None, 0);
            status.cost.following_requests = self.source.request_count() - requests_before;
            status.cost.following_rounds += 1;
            status.cost.requests = self.source.request_count();
            if let Ok(items) = outcome {
                status.cost.following_items = items;
            }
        }
        match outcome {
            // The library was turned off, so its state does not change.
            Ok(_) | Err(IndexError::Cancelled) => {}
            Err(failure) => {
                // The next round reads again what changed since the last good one.
                let mut pending = library.pending.lock();
                pending.changes.removed.extend(changes.removed);
                pending.changes.has_unnamed_changes = true;
                pending.changes.mark_changed(library.server.origin.clock.now());
                drop(pending);
                self.fail(failure, AttemptKind::Follow);
            }
        }
        library.pending.lock().has_taken_changes = false;
        library.update_progress(|_| {});
        self.merge_index().await;
    }

    async fn follow_once(&self, changes: &ItemChanges, handle: &BuildHandle) -> Result<u64, IndexError> {
        let library = &self.library;
        let Some(current) = library.generation() else { return Ok(0) };
        let now_ms = library.server.origin.clock.now();
        let (info, server_s) = self.fetch_library().await?;
        let (before, is_confirmed) = {
            let mut status = library.status.lock();
            status.info = Some(info.clone());
            (status.metadata.clone(), status.is_confirmed)
        };
        let is_named_only = !changes.has_unnamed_changes && is_confirmed && changes.changed.is_empty();
        let since_s = before.synced_s.saturating_sub(OVERLAP_S);
        let known = current.snapshot.len() as u64;
        let delta = self.fetch_delta(&info, changes, !is_named_only, since_s, known).await?;
        let delta = match delta {
            Some(delta) => self.fetch_children(&info, &current, changes, delta).await?,
            None => None,
        };
        let Some(delta) = delta else {
            self.schedule_compare();
            self.succeed(&mut library.status.lock(), AttemptKind::Follow);
            return Ok(0);
        };
        let totals = delta.totals.clone();
        let removed: Vec<String> = delta.removed.iter().chain(&changes.removed).cloned().collect();
        let items: Vec<Item> = delta.items.into_values().collect();
        let snapshot = Arc::clone(&current);
        let work = move || patch(&snapshot.snapshot, items, &removed);
        let patched = library.server.origin.tasks.spawn_blocking(work).await.map_err(|_| IndexError::Unfit)?;
        let own_s = now_ms.as_secs();
        let synced_s = server_s.map_or(own_s, |server_s| server_s.min(own_s));
        let metadata = if is_named_only {
            // This round did not ask for other changes: they are still to come.
            SnapshotMetadata { stamp: before.stamp.clone(), ..self.metadata(&info) }
        } else {
            SnapshotMetadata { synced_s, ..self.metadata(&info) }
        };
        let patched = match patched {
            PatchResult::Unchanged => None,
            PatchResult::Changed(builder) => {
                self.check_shrink(builder.len() as u64, info.is_scanning)?;
                self.check_patch(&current.snapshot)?;
                Some(self.index(*builder).await?)
            }
        };
        let snapshot = patched.as_ref().map_or(&current.snapshot, |built| &built.snapshot);
        let (metadata, is_complete) = with_counts(metadata, snapshot, &totals);
        let changed = patched.as_ref().and_then(|built| built.diff.as_ref()).map_or(0, changed_items);
        if !is_complete {
            // Before publishing: the snapshot never appears as confirmed.
            self.schedule_compare();
        }
        if let Some(built) = patched {
            if self.publish(PreparedGeneration { metadata, built, taken_at_ms: now_ms }, handle).await {
                self.succeed(&mut library.status.lock(), AttemptKind::Follow);
            }
            return Ok(changed);
        }
        if !is_confirmed {
            self.save(metadata.clone(), current).await;
        }
        let mut status = library.status.lock();
        if status.turned_off == handle.turned_off {
            status.metadata = metadata;
            self.succeed(&mut status, AttemptKind::Follow);
        }
        Ok(changed)
    }

    /// Reads the items `changes` names, with `asks_since` also those added or changed since then, and counts. `None` if so
    /// much changed that a full crawl is as cheap.
    pub(super) async fn fetch_delta(
        &self,
        info: &LibraryInfo,
        changes: &ItemChanges,
        asks_since: bool,
        since_s: u64,
        known: u64,
    ) -> Result<Option<ItemDelta>, IndexError> {
        let limit = max_changes(known);
        let mut delta = ItemDelta::default();
        if asks_since {
            for kind in info.contents.kinds() {
                let mut start = 0;
                loop {
                    let request = LibraryRequest::Changed { of: *kind, since_s, start, size: PAGE_ROWS };
                    let page = self.ask_with_retry(info, request).await?;
                    let total = page.total.unwrap_or(page.rows);
                    if total > limit {
                        return Ok(None);
                    }
                    start += page.rows;
                    let is_last = page.rows == 0 || start >= total;
                    delta.add_page(page);
                    if is_last {
                        break;
                    }
                }
            }
        }
        let named: Vec<&str> = changes.changed.iter().map(String::as_str).collect();
        let left: Vec<&str> = named.into_iter().filter(|key| !delta.items.contains_key(*key)).collect();
        if left.len() as u64 > limit {
            return Ok(None);
        }
        let mut branches = VecDeque::new();
        for keys in left.chunks(KEYS_PER_REQUEST) {
            let page = self.ask_with_retry(info, LibraryRequest::Items(keys)).await?;
            delta.record_missing(keys, &page);
            branches.extend(page.containers.iter().cloned());
            delta.add_page(page);
        }
        if !self.fetch_branches(info, branches, &mut delta).await? {
            return Ok(None);
        }
        delta.items.retain(|_, item| info.contents.kinds().contains(&item.kind));
        for kind in info.contents.kinds() {
            delta.totals.insert(*kind, self.count(info, *kind).await?);
        }
        Ok(Some(delta))
    }

    /// Reads again the known children of removed containers, and of renamed shows and seasons: children may have moved,
    /// and episodes carry the name of their show. `None` if there are too many.
    async fn fetch_children(
        &self,
        info: &LibraryInfo,
        current: &Arc<Generation>,
        changes: &ItemChanges,
        mut delta: ItemDelta,
    ) -> Result<Option<ItemDelta>, IndexError> {
        let mut ancestors: HashSet<String> = delta.removed.iter().chain(&changes.removed).cloned().collect();
        ancestors.extend(
            delta.items.values().filter(|item| is_renamed(&current.snapshot, item)).map(|item| item.key.to_string()),
        );
        if ancestors.is_empty() {
            return Ok(Some(delta));
        }
        let (snapshot, keys) = (Arc::clone(current), ancestors.clone());
        let work = move || {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            snapshot.snapshot.keys_below(&keys)
        };
        let children = self.library.server.origin.tasks.spawn_blocking(work).await.map_err(|_| IndexError::Unfit)?;
        let is_open = |key: &&str| {
            !delta.items.contains_key(*key) && !delta.removed.contains(*key) && !changes.removed.contains(*key)
        };
        let children: Vec<&str> = children.iter().map(|key| &**key).filter(is_open).collect();
        if children.len() as u64 > max_changes(current.snapshot.len() as u64) {
            return Ok(None);
        }
        for keys in children.chunks(KEYS_PER_REQUEST) {
            let page = self.ask_with_retry(info, LibraryRequest::Items(keys)).await?;
            delta.record_missing(keys, &page);
            delta.add_page(page);
        }
        delta.items.retain(|_, item| info.contents.kinds().contains(&item.kind));
        Ok(Some(delta))
    }

    /// Reads the children of albums and artists. False if there are too many.
    async fn fetch_branches(
        &self,
        info: &LibraryInfo,
        mut branches: VecDeque<ItemContainer>,
        delta: &mut ItemDelta,
    ) -> Result<bool, IndexError> {
        let mut visited: HashSet<Box<str>> = HashSet::new();
        while let Some(branch) = branches.pop_front() {
            if !visited.insert(branch.key.clone()) {
                continue;
            }
            if visited.len() > MAX_BRANCHES {
                return Ok(false);
            }
            let mut start = 0;
            loop {
                let request = LibraryRequest::Branch { branch: &branch, start, size: PAGE_ROWS };
                let page = self.ask_with_retry(info, request).await?;
                start += page.rows;
                let is_last = page.rows == 0 || page.total.is_none_or(|total| start >= total);
                branches.extend(page.containers.iter().cloned());
                delta.add_page(page);
                if is_last {
                    break;
                }
            }
        }
        Ok(true)
    }
}

impl ItemDelta {
    /// Records which of the requested keys are missing.
    fn record_missing(&mut self, keys: &[&str], page: &CrawlPage) {
        let mut there: BTreeSet<&str> = page.items.iter().map(|item| &*item.key).collect();
        there.extend(page.containers.iter().map(|branch| &*branch.key));
        // A row that cannot be indexed does not say which key it has.
        if page.skipped == 0 {
            self.removed.extend(keys.iter().filter(|key| !there.contains(*key)).map(ToString::to_string));
        }
    }

    fn add_page(&mut self, page: CrawlPage) {
        self.items.extend(page.items.into_iter().map(|item| (item.key.clone(), item)));
    }
}

/// Max changes read one by one in a library of this many items.
fn max_changes(known: u64) -> u64 {
    MIN_CHANGES_LIMIT.max(known.saturating_mul(MAX_CHANGED_PERCENT) / 100)
}

/// Whether the item has a new name that other items carry.
fn is_renamed(current: &Snapshot, item: &Item) -> bool {
    let before = || current.item(current.row_of(&item.key)?);
    matches!(item.kind, ItemKind::Show | ItemKind::Season) && before().is_some_and(|before| before.title != item.title)
}

/// The snapshot without the removed items and their children, and with these items as they are now.
fn patch(current: &Snapshot, items: Vec<Item>, removed: &[String]) -> PatchResult {
    let mut builder = SnapshotBuilder::from(current);
    let mut is_same = true;
    if !removed.is_empty() {
        let keys: Vec<&str> = removed.iter().map(String::as_str).collect();
        for key in current.keys_below(&keys).iter().map(|key| &**key).chain(keys.iter().copied()) {
            is_same &= !builder.remove(key);
        }
    }
    for item in items {
        let row = current.row_of(&item.key);
        if row.and_then(|row| current.item(row)).is_some_and(|before| before == item) && builder.contains(&item.key) {
            continue;
        }
        builder.remove(&item.key);
        is_same &= !builder.push(item);
    }
    if is_same { PatchResult::Unchanged } else { PatchResult::Changed(Box::new(builder)) }
}

/// The snapshot's metadata with the server's counts, and whether they match.
fn with_counts(
    mut metadata: SnapshotMetadata,
    snapshot: &Snapshot,
    totals: &BTreeMap<ItemKind, u64>,
) -> (SnapshotMetadata, bool) {
    let mut is_complete_all = true;
    for (kind, total) in totals {
        let stored = snapshot.count(*kind) as u64;
        let count = metadata.counts.entry(kind_name(*kind).to_owned()).or_default();
        *count = (stored, *total, count.2);
        is_complete_all &= is_complete(stored, *total, count.2);
    }
    (metadata, is_complete_all)
}

/// Number of items that differ in any way.
fn changed_items(diff: &SnapshotDiff) -> u64 {
    diff.changed_rows.len() as u64 + diff.counts.removed
}

/// Keys of items that are new or differ in any way.
pub(super) fn changed_keys(diff: &SnapshotDiff, snapshot: &Snapshot) -> Vec<Box<str>> {
    diff.changed_rows.iter().filter_map(|row| snapshot.key_of(*row)).map(Into::into).collect()
}

/// A diff as the API shows it.
pub(super) fn diff_json(diff: &SnapshotDiff) -> serde_json::Value {
    serde_json::to_value(diff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(key: &str, title: &str, album: &str) -> Item {
        Item { parent_key: Some(album.into()), ..Item::new(ItemKind::Track, key, title) }
    }

    fn snapshot() -> Snapshot {
        let mut builder = SnapshotBuilder::default();
        for key in 0..10 {
            builder.push(track(&key.to_string(), "Zombie", if key < 5 { "old" } else { "new" }));
        }
        builder.build()
    }

    fn patched(items: Vec<Item>, removed: &[&str]) -> Option<Snapshot> {
        let removed: Vec<String> = removed.iter().map(ToString::to_string).collect();
        match patch(&snapshot(), items, &removed) {
            PatchResult::Unchanged => None,
            PatchResult::Changed(builder) => Some(builder.build()),
        }
    }

    #[test]
    fn unchanged_items_make_no_new_snapshot() {
        assert!(patched(vec![track("3", "Zombie", "old")], &["unknown"]).is_none());
    }

    #[test]
    fn changed_items_replace_the_previous_ones() {
        let new = patched(vec![track("3", "Zombie Christmas", "old"), track("11", "Ash", "new")], &[]);
        let new = new.expect("the snapshot changes");
        assert_eq!(new.len(), 11);
        let row = new.row_of("3").expect("read what was written");
        assert_eq!(&*new.item(row).expect("read what was written").title, "Zombie Christmas");
    }

    #[test]
    fn removing_an_album_removes_its_tracks_except_those_that_moved() {
        let new = patched(vec![track("2", "Zombie", "new")], &["old"]).expect("the snapshot changes");
        let keys: Vec<String> = new.items().map(|item| item.key.to_string()).collect();
        assert_eq!(keys.len(), 6);
        assert!(keys.contains(&"2".to_owned()) && !keys.contains(&"1".to_owned()));
    }

    #[test]
    fn counts_that_do_not_match_are_noticed() {
        let of = |total| {
            with_counts(SnapshotMetadata::default(), &snapshot(), &BTreeMap::from([(ItemKind::Track, total)])).1
        };
        assert!(of(10) && !of(9) && !of(11));
    }
}
