//! What is different between two snapshots of one library, as people would say it: what came, what went, what is called
//! otherwise, what lies elsewhere, and what is the same thing under another key.
//!
//! Rooms: `change`: what is different about one item; `identity`: which of what went is which of what came; `telling`:
//! how it is written for people.

mod change;
mod identity;
mod telling;

use std::cmp::Ordering;

use serde::Serialize;

pub use change::{Field, Retag};

use super::Snapshot;
use super::row;
use crate::item::{Item, ItemKind};
use identity::Identities;

/// So many of each sort are told one by one; the others are counted.
pub const MAX_TOLD: usize = 100;

/// What is different.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// How many of each sort there are.
    pub counts: Counts,
    /// The first that came.
    pub added: Vec<Thing>,
    /// The first that went.
    pub removed: Vec<Thing>,
    /// The first that are called otherwise.
    pub retagged: Vec<Retagged>,
    /// The first whose file lies elsewhere.
    pub moved: Vec<Moved>,
    /// The first that are known under another key.
    pub rekeyed: Vec<Rekeyed>,
    /// Rows of the newer snapshot that came or are different in any way, also those that are not told.
    #[serde(skip)]
    pub changed_rows: Vec<u32>,
}

/// How many of each sort there are. One item may be retagged and moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Came.
    pub added: u64,
    /// Went.
    pub removed: u64,
    /// Are called otherwise.
    pub retagged: u64,
    /// Lie elsewhere.
    pub moved: u64,
    /// Have another key.
    pub rekeyed: u64,
}

/// An item, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Thing {
    /// What it is.
    pub kind: &'static str,
    /// Its key.
    pub key: Box<str>,
    /// Its title.
    pub title: Box<str>,
    /// Who it is by, or of what it is a part.
    pub of: Option<Box<str>>,
}

/// An item that is called otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retagged {
    /// The item, as it is called now.
    pub thing: Thing,
    /// What is different about it.
    pub fields: Vec<Retag>,
}

/// An item whose file lies elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The item.
    pub thing: Thing,
    /// Where its file was; `None` if it is one more.
    pub from: Option<Box<str>>,
    /// Where it is; `None` if it is one less.
    pub to: Option<Box<str>>,
}

/// An item that is known under another key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rekeyed {
    /// The item, with the key it has now.
    pub thing: Thing,
    /// The key it had.
    pub from: Box<str>,
}

impl Diff {
    /// Whether nothing is different that could be told.
    pub fn is_empty(&self) -> bool {
        self.counts == Counts::default()
    }
}

/// What is different in `new`.
pub fn between(old: &Snapshot, new: &Snapshot) -> Diff {
    let mut looking = Looking { compares: !old.is_empty() && !new.is_empty(), ..Looking::default() };
    let (mut before, mut after) = (old.rows.walk(), new.rows.walk());
    let (mut from, mut to) = (0, 0);
    loop {
        let order = match (old.rows.key_at(from), new.rows.key_at(to)) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.cmp(&new),
        };
        // Rows were read when their snapshot was made, so none is missing or broken.
        let was = if order == Ordering::Greater { None } else { before.next() };
        let is = if order == Ordering::Less { None } else { after.next() };
        if was != is {
            let read = |bytes: Option<&[u8]>| bytes.and_then(|bytes| row::read(bytes).ok());
            looking.take((from, read(was)), (to, read(is)));
        }
        from += u32::from(order != Ordering::Greater);
        to += u32::from(order != Ordering::Less);
    }
    looking.finish(old, new)
}

#[derive(Default)]
struct Looking {
    diff: Diff,
    /// Whether what went can have come back: not if one of the two is empty.
    compares: bool,
    gone: Identities,
    came: Identities,
}

impl Looking {
    fn take(&mut self, (from, was): (u32, Option<Item>), (to, is): (u32, Option<Item>)) {
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
            self.gone.take(from, &was, self.compares);
        }
        if let Some(is) = is {
            self.came.take(to, &is, self.compares);
        }
    }

    fn compare(&mut self, was: &Item, is: &Item) {
        let fields = change::retags(was, is);
        if !fields.is_empty() {
            self.diff.counts.retagged += 1;
            told(&mut self.diff.retagged, || Retagged { thing: Thing::of(is), fields });
        }
        if let Some((from, to)) = change::moved(was, is) {
            self.diff.counts.moved += 1;
            told(&mut self.diff.moved, || Moved { thing: Thing::of(is), from, to });
        }
    }

    /// Tells apart what only has another key. What is told is read again, which is little.
    fn finish(self, old: &Snapshot, new: &Snapshot) -> Diff {
        let Self { mut diff, gone, came, .. } = self;
        let pairs = identity::pairs(&gone, &came);
        for (from, to) in &pairs.found {
            diff.counts.rekeyed += 1;
            told(&mut diff.rekeyed, || {
                let from = old.key_of(*from).unwrap_or_default().into();
                Some(Rekeyed { thing: Thing::of(&new.item(*to)?), from })
            });
        }
        for row in came.rows.iter().filter(|row| !pairs.came.contains(row)) {
            diff.counts.added += 1;
            told(&mut diff.added, || new.item(*row).as_ref().map(Thing::of));
        }
        for row in gone.rows.iter().filter(|row| !pairs.gone.contains(row)) {
            diff.counts.removed += 1;
            told(&mut diff.removed, || old.item(*row).as_ref().map(Thing::of));
        }
        diff
    }
}

/// Adds one to those that are told, if there is room.
fn told<T, O: Into<Option<T>>>(list: &mut Vec<T>, one: impl FnOnce() -> O) {
    if list.len() < MAX_TOLD {
        list.extend(one().into());
    }
}

impl Thing {
    fn of(item: &Item) -> Self {
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
