//! What the rows of an answer say, gathered while its body is read once: which items are in it, what lies under
//! what, from which sections they come.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::class::Class;
use crate::facts::{Facts, MAX_TAGGED_ROWS, tells_how_much};
use crate::tag::Tag;
use crate::verdict::Read;

/// Links of the lineage beyond this many are not reported; what is not known there is treated as the worst.
const MAX_PARENTS: usize = 10_000;

/// Sections beyond this many are not tagged one by one.
const MAX_SECTIONS: usize = 32;

/// An id longer than this is foreign and is not tagged.
const MAX_ID_BYTES: usize = 64;

/// The fresh time of a list of sections while one of them is being scanned.
const SCANNING_FRESH_S: u32 = 30;

/// The attributes (or members) that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Item,
    Parent,
    Grandparent,
    Section,
    Kind,
    Leaves,
    Smart,
    Refreshing,
    StartState,
    Total,
    Size,
}

impl Field {
    /// The field of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ratingKey" => Self::Item,
            "parentRatingKey" => Self::Parent,
            "grandparentRatingKey" => Self::Grandparent,
            "librarySectionID" => Self::Section,
            "type" => Self::Kind,
            "leafCount" | "childCount" => Self::Leaves,
            "smart" => Self::Smart,
            "refreshing" => Self::Refreshing,
            "startState" => Self::StartState,
            "totalSize" => Self::Total,
            "size" => Self::Size,
            _ => return None,
        })
    }

    /// Whether it means something only on the container itself; elsewhere the same name is that of something else.
    pub(super) fn is_of_the_container(self) -> bool {
        matches!(self, Self::Total | Self::Size)
    }
}

/// One element or object.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    item: Option<Cow<'a, str>>,
    parent: Option<Cow<'a, str>>,
    grandparent: Option<Cow<'a, str>>,
    section: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    leaves: bool,
    smart: Option<bool>,
    refreshing: bool,
    starting: bool,
    total: Option<u64>,
    size: Option<u64>,
}

impl<'a> Row<'a> {
    /// Notes one field.
    pub(super) fn note(&mut self, field: Field, value: Cow<'a, str>) {
        match field {
            Field::Item => self.item = Some(value),
            Field::Parent => self.parent = Some(value),
            Field::Grandparent => self.grandparent = Some(value),
            Field::Section => self.section = Some(value),
            Field::Kind => self.kind = Some(value),
            Field::Leaves => self.leaves = true,
            Field::Smart => self.smart = Some(is_true(&value)),
            Field::Refreshing => self.refreshing = is_true(&value),
            Field::StartState => self.starting = true,
            Field::Total => self.total = value.parse().ok(),
            Field::Size => self.size = value.parse().ok(),
        }
    }

    /// Whether the server says it is starting.
    pub(super) fn is_starting(&self) -> bool {
        self.starting
    }

    fn is_branch(&self) -> bool {
        let kind = self.kind.as_deref().unwrap_or("");
        matches!(kind, "show" | "season" | "artist" | "album" | "collection" | "photoalbum")
            || (self.leaves && !matches!(kind, "" | "playlist"))
    }
}

/// Gathers rows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    items: HashSet<Tag>,
    too_many: bool,
    sections: HashSet<Box<str>>,
    parents: Vec<(String, Option<String>)>,
    branch: bool,
    /// Whether a rule chooses what is in a playlist or collection, if the answer says so.
    by_rule: Option<bool>,
    refreshing: bool,
    /// How many rows the container says there are.
    total: Option<u64>,
}

impl Rows {
    /// Takes the container itself.
    pub(super) fn take_container(&mut self, container: &Row<'_>) {
        self.total = container.total.or(container.size);
        self.take(container);
    }

    /// Takes one element or object, whether it is a row or not.
    pub(super) fn take(&mut self, row: &Row<'_>) {
        self.refreshing |= row.refreshing;
        if let Some(smart) = row.smart {
            self.by_rule = Some(self.by_rule == Some(true) || smart);
        }
        if let Some(section) = id(row.section.as_deref())
            && !self.sections.contains(section)
        {
            if self.sections.len() < MAX_SECTIONS {
                self.sections.insert(section.into());
            } else {
                self.too_many = true;
            }
        }
        let Some(item) = row.item.as_deref() else { return };
        self.branch |= row.is_branch();
        let (parent, grandparent) = (id(row.parent.as_deref()), id(row.grandparent.as_deref()));
        match id(Some(item)) {
            Some(item) => {
                self.tag(Tag::item(item));
                self.link(item, parent, grandparent, row.kind.as_deref().unwrap_or(""));
            }
            None => self.too_many = true,
        }
        for above in [parent, grandparent].into_iter().flatten() {
            self.tag(Tag::under(above));
        }
    }

    /// What all rows together say about an answer to `read`.
    pub(super) fn facts(self, read: &Read) -> Facts {
        let mut tags = Vec::new();
        if shows_items(read.class) {
            if self.too_many || (read.class == Class::Item && self.sections.is_empty()) {
                tags.push(Tag::many_items());
            }
            if !self.too_many {
                tags.extend(self.items);
                tags.sort();
            }
            if self.branch {
                tags.push(Tag::branch());
            }
            let mut sections: Vec<_> = self.sections.iter().map(|id| Tag::inside(id)).collect();
            sections.sort();
            tags.extend(sections);
            let by_rule = self.by_rule.unwrap_or(true);
            if matches!(read.class, Class::Playlists | Class::Collections) && by_rule {
                tags.extend([Tag::watch_lists(), Tag::across()]);
            }
        }
        tags.retain(|tag| !read.tags.contains(tag));
        let max_fresh_s = (read.class == Class::Sections && self.refreshing).then_some(SCANNING_FRESH_S);
        let total = self.total.filter(|_| tells_how_much(read.class));
        let scanning = (read.class == Class::Sections).then_some(self.refreshing);
        Facts { tags, parents: self.parents, own_user: None, max_fresh_s, total, scanning }
    }

    fn tag(&mut self, tag: Tag) {
        if self.too_many || self.items.contains(&tag) {
            return;
        }
        if self.items.len() == MAX_TAGGED_ROWS {
            self.too_many = true;
            self.items = HashSet::new();
        } else {
            self.items.insert(tag);
        }
    }

    /// Notes what lies under what. A row without a parent lies under nothing only if its kind never has one.
    fn link(&mut self, item: &str, parent: Option<&str>, grandparent: Option<&str>, kind: &str) {
        if let Some(parent) = parent {
            self.push(item, Some(parent));
            if let Some(grandparent) = grandparent {
                self.push(parent, Some(grandparent));
                self.push(grandparent, None);
            } else if matches!(kind, "season" | "album") {
                self.push(parent, None);
            }
        } else if matches!(kind, "movie" | "show" | "artist" | "collection" | "playlist") {
            self.push(item, None);
        }
    }

    fn push(&mut self, item: &str, parent: Option<&str>) {
        // Rows come in order, so what was just said about the levels above stands in the last three links.
        let known = |(one, above): &(String, Option<String>)| one == item && above.as_deref() == parent;
        let from = self.parents.len().saturating_sub(3);
        if parent != Some(item) && self.parents.len() < MAX_PARENTS && !self.parents[from..].iter().any(known)
        {
            self.parents.push((item.to_owned(), parent.map(str::to_owned)));
        }
    }
}

/// Classes whose rows are items of the library.
fn shows_items(class: Class) -> bool {
    matches!(
        class,
        Class::Recent
            | Class::Hubs
            | Class::Resume
            | Class::Lists
            | Class::Item
            | Class::Search
            | Class::Playlists
            | Class::Collections
    )
}

fn id(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty() && text.len() <= MAX_ID_BYTES)
}

fn is_true(text: &str) -> bool {
    matches!(text, "1" | "true")
}
