//! Differences between two snapshots of one library: items that were added, removed, retagged, moved, or got
//! a new key.
//!
//! Modules: `change`: differences of one item; `identity`: items that got a new key; `display`: formatting
//! for people.

mod change;
mod display;
mod identity;

use std::cmp::Ordering;

use serde::Serialize;

pub use change::{FieldChange, ItemField};

use super::Snapshot;
use super::row;
use super::rows;
use crate::item::{Item, ItemKind};
use identity::ItemFingerprints;

/// Max items listed per category; further ones are only counted.
pub const MAX_LISTED: usize = 100;

/// The differences.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SnapshotDiff {
    /// Number of items per category.
    pub counts: DiffCounts,
    /// The first added items.
    pub added: Vec<ItemSummary>,
    /// The first removed items.
    pub removed: Vec<ItemSummary>,
    /// The first retagged items.
    pub retagged: Vec<RetaggedItem>,
    /// The first items whose file moved.
    pub moved: Vec<MovedItem>,
    /// The first items with a new key.
    pub rekeyed: Vec<RekeyedItem>,
    /// Rows of the newer snapshot that were added or changed in any way, including unlisted ones.
    #[serde(skip)]
    pub changed_rows: Vec<u32>,
}

/// Number of items per category. One item may be both retagged and moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DiffCounts {
    /// Added.
    pub added: u64,
    /// Removed.
    pub removed: u64,
    /// Retagged.
    pub retagged: u64,
    /// Moved.
    pub moved: u64,
    /// Got a new key.
    pub rekeyed: u64,
}

/// An item as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemSummary {
    /// Kind of the item.
    pub kind: &'static str,
    /// Its key.
    pub key: Box<str>,
    /// Its title.
    pub title: Box<str>,
    /// Its artist, show or other parent.
    pub of: Option<Box<str>>,
}

/// An item with changed fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetaggedItem {
    /// The item in its new state.
    pub thing: ItemSummary,
    /// The changed fields.
    pub fields: Vec<FieldChange>,
}

/// An item whose file moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedItem {
    /// The item.
    pub thing: ItemSummary,
    /// The old path; `None` for an added file.
    pub from: Option<Box<str>>,
    /// The new path; `None` for a removed file.
    pub to: Option<Box<str>>,
}

/// An item with a new key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RekeyedItem {
    /// The item with its new key.
    pub thing: ItemSummary,
    /// The old key.
    pub from: Box<str>,
}

impl SnapshotDiff {
    /// Whether there is no difference to list.
    pub fn is_empty(&self) -> bool {
        self.counts == DiffCounts::default()
    }
}

/// Compares `new` with `old`.
pub fn between(old: &Snapshot, new: &Snapshot) -> SnapshotDiff {
    let mut looking = DiffBuilder { compares: !old.is_empty() && !new.is_empty(), ..DiffBuilder::default() };
    let (mut before, mut after) = (old.rows.iter_rows(), new.rows.iter_rows());
    let (mut from, mut to) = (0, 0);
    loop {
        // Blocks that both share hold the same rows.
        if let Some(rows) = rows::skip_shared(&mut before, &mut after) {
            from += rows;
            to += rows;
            continue;
        }
        let order = match (old.rows.key_at(from), new.rows.key_at(to)) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.cmp(&new),
        };
        // Rows were validated when their snapshot was built, so none is missing or corrupt.
        let was = if order == Ordering::Greater { None } else { before.next() };
        let is = if order == Ordering::Less { None } else { after.next() };
        if was != is {
            let read = |bytes: Option<&[u8]>| bytes.and_then(|bytes| row::read(bytes).ok());
            looking.compare_rows((from, read(was)), (to, read(is)));
        }
        from += u32::from(order != Ordering::Greater);
        to += u32::from(order != Ordering::Less);
    }
    looking.finish(old, new)
}

#[derive(Default)]
struct DiffBuilder {
    diff: SnapshotDiff,
    /// Whether to look for items with a new key: not if one side is empty.
    compares: bool,
    gone: ItemFingerprints,
    came: ItemFingerprints,
}

impl DiffBuilder {
    fn compare_rows(&mut self, (from, was): (u32, Option<Item>), (to, is): (u32, Option<Item>)) {
        if is.is_some() {
            self.diff.changed_rows.push(to);
        }
        if let (Some(was), Some(is)) = (&was, &is)
            && !identity::is_reused(was, is)
        {
            self.compare(was, is);
            return;
        }
        if let Some(was) = was {
            self.gone.push(from, &was, self.compares);
        }
        if let Some(is) = is {
            self.came.push(to, &is, self.compares);
        }
    }

    fn compare(&mut self, was: &Item, is: &Item) {
        let fields = change::retags(was, is);
        if !fields.is_empty() {
            self.diff.counts.retagged += 1;
            push_listed(&mut self.diff.retagged, || RetaggedItem { thing: ItemSummary::from_item(is), fields });
        }
        if let Some((from, to)) = change::moved(was, is) {
            self.diff.counts.moved += 1;
            push_listed(&mut self.diff.moved, || MovedItem { thing: ItemSummary::from_item(is), from, to });
        }
    }

    /// Separates items with a new key. Listed items are read again, which is cheap.
    fn finish(self, old: &Snapshot, new: &Snapshot) -> SnapshotDiff {
        let Self { mut diff, gone, came, .. } = self;
        let pairs = identity::pairs(&gone, &came);
        for (from, to) in &pairs.found {
            diff.counts.rekeyed += 1;
            push_listed(&mut diff.rekeyed, || {
                let from = old.key_of(*from).unwrap_or_default().into();
                Some(RekeyedItem { thing: ItemSummary::from_item(&new.item(*to)?), from })
            });
        }
        for row in came.rows.iter().filter(|row| !pairs.came.contains(row)) {
            diff.counts.added += 1;
            push_listed(&mut diff.added, || new.item(*row).as_ref().map(ItemSummary::from_item));
        }
        for row in gone.rows.iter().filter(|row| !pairs.gone.contains(row)) {
            diff.counts.removed += 1;
            push_listed(&mut diff.removed, || old.item(*row).as_ref().map(ItemSummary::from_item));
        }
        diff
    }
}

/// Appends an item to a list that is not full.
fn push_listed<T, O: Into<Option<T>>>(list: &mut Vec<T>, one: impl FnOnce() -> O) {
    if list.len() < MAX_LISTED {
        list.extend(one().into());
    }
}

impl ItemSummary {
    fn from_item(item: &Item) -> Self {
        let credit = (!item.artists.is_empty()).then(|| item.artists.join(", ").into());
        Self {
            kind: word(item.kind),
            key: item.key.clone(),
            title: item.title.clone(),
            of: credit.or_else(|| item.grandparent_title.clone()).or_else(|| item.parent_title.clone()),
        }
    }
}

fn word(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Film => "film",
        ItemKind::Show => "show",
        ItemKind::Season => "season",
        ItemKind::Episode => "episode",
        ItemKind::Track => "track",
    }
}
