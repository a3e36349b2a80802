//! Facts from the rows of a response, collected while its body is parsed: items, their parents, their
//! sections.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use crate::class::Class;
use crate::classification::Read;
use crate::plex::page::{RequestedPage, ReturnedPage};
use crate::response_facts::{ItemFacts, MAX_TAGGED_ROWS, ResponseFacts, UnsharedReason, has_meaningful_total};
use crate::tag::{Tag, TagGroup, UserState};

/// Max parent links reported; missing links are treated as the worst case.
const MAX_PARENTS: usize = 10_000;

/// Max sections tagged one by one.
const MAX_SECTIONS: usize = 32;

/// Longest id in bytes; longer ones are not tagged.
const MAX_ID_BYTES: usize = 64;

/// Fresh time of a list of sections during a scan, in seconds.
const SCANNING_FRESH_S: u32 = 30;

/// The relevant attributes (or members).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowField {
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
    Offset,
}

impl RowField {
    /// The field with this name.
    pub(super) fn parse(name: &str) -> Option<Self> {
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
            "offset" => Self::Offset,
            _ => return None,
        })
    }

    /// Whether the name is meaningful only on the container itself.
    pub(super) fn is_of_the_container(self) -> bool {
        matches!(self, Self::Total | Self::Size | Self::Offset)
    }
}

/// One element or object.
#[derive(Debug, Default)]
pub(super) struct PlexRow<'a> {
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
    offset: Option<u64>,
}

impl<'a> PlexRow<'a> {
    /// Sets one field.
    pub(super) fn set(&mut self, field: RowField, value: Cow<'a, str>) {
        match field {
            RowField::Item => self.item = Some(value),
            RowField::Parent => self.parent = Some(value),
            RowField::Grandparent => self.grandparent = Some(value),
            RowField::Section => self.section = Some(value),
            RowField::Kind => self.kind = Some(value),
            RowField::Leaves => self.leaves = true,
            RowField::Smart => self.smart = Some(is_true(&value)),
            RowField::Refreshing => self.refreshing = is_true(&value),
            RowField::StartState => self.starting = true,
            RowField::Total => self.total = value.parse().ok(),
            RowField::Size => self.size = value.parse().ok(),
            RowField::Offset => self.offset = value.parse().ok(),
        }
    }

    /// Whether the server reports that it is starting.
    pub(super) fn is_starting(&self) -> bool {
        self.starting
    }

    fn is_branch(&self) -> bool {
        let kind = self.kind.as_deref().unwrap_or("");
        matches!(kind, "show" | "season" | "artist" | "album" | "collection" | "photoalbum")
            || (self.leaves && !matches!(kind, "" | "playlist"))
    }
}

/// Collector of rows.
#[derive(Debug, Default)]
pub(super) struct PlexRows {
    items: HashSet<Tag>,
    has_too_many: bool,
    sections: BTreeSet<Box<str>>,
    /// Items, and the sections that their rows name.
    placed: Vec<(String, Option<String>)>,
    /// The section of all rows, if the container states it.
    section: Option<String>,
    parents: Vec<(String, Option<String>)>,
    has_branch: bool,
    /// Whether a playlist or collection is smart, if stated.
    smart: Option<bool>,
    refreshing: bool,
    /// Total number of rows, if the container states it.
    total: Option<u64>,
    /// The container's statement about its own rows.
    page: ReturnedPage,
}

impl PlexRows {
    /// Sets the facts of the container itself.
    pub(super) fn set_container(&mut self, container: &PlexRow<'_>) {
        self.total = container.total.or(container.size);
        self.section = id(container.section.as_deref()).map(str::to_owned);
        self.page = ReturnedPage { offset: container.offset, rows: container.size };
        self.add(container);
    }

    /// Sets the first row that the response's head states, where the container states none.
    pub(super) fn set_head_offset(&mut self, offset: Option<u64>) {
        self.page.offset = self.page.offset.or(offset);
    }

    /// Adds one element or object, whether it is a row or not.
    pub(super) fn add(&mut self, row: &PlexRow<'_>) {
        self.refreshing |= row.refreshing;
        if let Some(smart) = row.smart {
            self.smart = Some(self.smart == Some(true) || smart);
        }
        if let Some(section) = id(row.section.as_deref())
            && !self.sections.contains(section)
        {
            if self.sections.len() < MAX_SECTIONS {
                self.sections.insert(section.into());
            } else {
                self.has_too_many = true;
            }
        }
        let Some(item) = row.item.as_deref() else { return };
        self.has_branch |= row.is_branch();
        let (parent, grandparent) = (id(row.parent.as_deref()), id(row.grandparent.as_deref()));
        match id(Some(item)) {
            Some(item) => {
                if self.placed.len() < MAX_PARENTS {
                    self.placed.push((item.to_owned(), id(row.section.as_deref()).map(str::to_owned)));
                }
                self.tag(Tag::item(item));
                self.link(item, parent, grandparent, row.kind.as_deref().unwrap_or(""));
            }
            None => self.has_too_many = true,
        }
        for ancestor in [parent, grandparent].into_iter().flatten() {
            self.tag(Tag::under(ancestor));
        }
    }

    /// The facts of all rows together for a response to `read`.
    pub(super) fn facts(self, read: &Read) -> ResponseFacts {
        let mut tags = Vec::new();
        let groups = self.groups(read);
        if shows_items(read.class) {
            if self.has_too_many || (read.class == Class::Item && self.sections.is_empty()) {
                tags.push(Tag::many_items());
                tags.extend(self.in_sections(&Tag::many_items()));
            }
            if !self.has_too_many {
                tags.extend(self.items.iter().cloned());
                tags.sort();
            }
            if self.has_branch {
                tags.push(Tag::branch());
                tags.extend(self.in_sections(&Tag::branch()));
            }
            let mut sections: Vec<_> = self.sections.iter().map(|id| Tag::inside(id)).collect();
            sections.sort();
            tags.extend(sections);
            let smart = self.smart.unwrap_or(true);
            if matches!(read.class, Class::Playlists | Class::Collections) && smart {
                tags.extend([Tag::watch_lists(), Tag::across()]);
                tags.extend([UserState::Rating, UserState::Continued].map(Tag::selected_by));
            }
        }
        tags.retain(|tag| !read.tags.contains(tag));
        let max_fresh_s = (read.class == Class::Sections && self.refreshing).then_some(SCANNING_FRESH_S);
        let total = self.total.filter(|_| has_meaningful_total(read.class));
        let scanning = (read.class == Class::Sections).then_some(self.refreshing);
        let items = ItemFacts { groups, ..ItemFacts::default() };
        let is_page = RequestedPage::from_read(read).matches(self.page);
        let unshared = (!is_page).then_some(UnsharedReason::OtherPage);
        ResponseFacts {
            tags,
            parents: self.parents,
            max_fresh_s,
            total,
            scanning,
            unshared,
            items,
            ..ResponseFacts::default()
        }
    }

    /// The sections of items, as far as the response tells them.
    fn groups(&self, read: &Read) -> Vec<(String, String)> {
        let of_path = read.target.strip_prefix("/library/sections/").and_then(|rest| rest.split(['/', '?']).next());
        let of_all = self.section.as_deref().or(of_path);
        let place = |(item, section): &(String, Option<String>)| {
            Some((item.clone(), section.as_deref().or(of_all)?.to_owned()))
        };
        self.placed.iter().filter_map(place).collect()
    }

    /// `tag` narrowed to the sections of all rows, if each is known.
    fn in_sections(&self, tag: &Tag) -> Vec<Tag> {
        let is_placed = self.section.is_some() || self.placed.iter().all(|(_, section)| section.is_some());
        let is_whole = self.sections.len() < MAX_SECTIONS && self.placed.len() < MAX_PARENTS;
        if !is_placed || !is_whole || self.sections.is_empty() {
            return Vec::new();
        }
        self.sections.iter().map(|section| tag.narrowed(&TagGroup::Of(section.to_string()))).collect()
    }

    fn tag(&mut self, tag: Tag) {
        if self.has_too_many || self.items.contains(&tag) {
            return;
        }
        if self.items.len() == MAX_TAGGED_ROWS {
            self.has_too_many = true;
            self.items = HashSet::new();
        } else {
            self.items.insert(tag);
        }
    }

    /// Records an item's parent. Marking a collection or a playlist concerns items that nothing leads to, so their
    /// place counts as unknown. A row without a parent counts as a root only if its kind never has a parent.
    fn link(&mut self, item: &str, parent: Option<&str>, grandparent: Option<&str>, kind: &str) {
        if let Some(parent) = parent {
            self.push(item, Some(parent));
            if let Some(grandparent) = grandparent {
                self.push(parent, Some(grandparent));
                self.push(grandparent, None);
            } else if matches!(kind, "season" | "album") {
                self.push(parent, None);
            }
        } else if matches!(kind, "movie" | "show" | "artist") {
            self.push(item, None);
        }
    }

    fn push(&mut self, item: &str, parent: Option<&str>) {
        // Rows come in order, so a repeated link is among the last three.
        let known = |(one, ancestor): &(String, Option<String>)| one == item && ancestor.as_deref() == parent;
        let from = self.parents.len().saturating_sub(3);
        if parent != Some(item) && self.parents.len() < MAX_PARENTS && !self.parents[from..].iter().any(known) {
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
