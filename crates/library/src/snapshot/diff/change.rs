//! What is different about one item.

use serde::Serialize;

use crate::item::{File, Item};

/// What of an item is compared. When the server touched it is not: it does so without changing anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Its title.
    Title,
    /// Who it is credited to.
    Artists,
    /// The album, the season, or the show of a season.
    Parent,
    /// The album's artist, the show.
    Grandparent,
    /// Its number.
    Index,
    /// The number of its disc or season.
    ParentIndex,
    /// Its year.
    Year,
    /// Its length.
    Duration,
    /// The names others know it by.
    Guids,
}

/// One thing that is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retag {
    /// What.
    pub field: Field,
    /// What it was; empty if it was not known.
    pub from: String,
    /// What it is.
    pub to: String,
}

impl Field {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Artists => "artists",
            Self::Parent => "parent",
            Self::Grandparent => "grandparent",
            Self::Index => "index",
            Self::ParentIndex => "parent index",
            Self::Year => "year",
            Self::Duration => "duration",
            Self::Guids => "guids",
        }
    }
}

/// Everything that is called otherwise.
pub(super) fn retags(was: &Item, is: &Item) -> Vec<Retag> {
    let fields: [(Field, String, String); 9] = [
        both(Field::Title, was, is, |item| item.title.to_string()),
        both(Field::Artists, was, is, |item| item.artists.join(", ")),
        both(Field::Parent, was, is, |item| text(item.parent_title.as_deref())),
        both(Field::Grandparent, was, is, |item| text(item.grandparent_title.as_deref())),
        both(Field::Index, was, is, |item| number(item.index)),
        both(Field::ParentIndex, was, is, |item| number(item.parent_index)),
        both(Field::Year, was, is, |item| number(item.year)),
        both(Field::Duration, was, is, |item| number(item.duration_ms)),
        both(Field::Guids, was, is, |item| item.guids.join(" ")),
    ];
    let different = fields.into_iter().filter(|(_, from, to)| from != to);
    different.map(|(field, from, to)| Retag { field, from, to }).collect()
}

/// Where a file was and where it is; `None` if there is one more or one less.
pub(super) type Way = (Option<Box<str>>, Option<Box<str>>);

/// The way a file went, if one did. Of several the first that differ are told.
pub(super) fn moved(was: &Item, is: &Item) -> Option<Way> {
    let only = |these: &[File], others: &[File]| {
        let missing = |file: &&File| !others.iter().any(|other| other.path == file.path);
        these.iter().find(missing).map(|file| file.path.clone())
    };
    let (from, to) = (only(&was.files, &is.files), only(&is.files, &was.files));
    (from.is_some() || to.is_some()).then_some((from, to))
}

fn both(field: Field, was: &Item, is: &Item, value: impl Fn(&Item) -> String) -> (Field, String, String) {
    (field, value(was), value(is))
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn number<N: ToString>(number: Option<N>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}
