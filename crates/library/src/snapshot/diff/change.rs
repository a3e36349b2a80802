//! Differences between two states of one item.

use serde::Serialize;

use crate::item::{Item, MediaFile};

/// Fields that are compared. The time of the server's last change is not, because it moves without any other
/// change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemField {
    /// Its title.
    Title,
    /// The credited artists.
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
    /// Its duration.
    Duration,
    /// Its external ids.
    Guids,
}

/// A changed field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// The field.
    pub field: ItemField,
    /// The old value; empty if unknown.
    pub from: String,
    /// The new value.
    pub to: String,
}

impl ItemField {
    /// Name used in the API.
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

/// All changed fields.
pub(super) fn retags(was: &Item, is: &Item) -> Vec<FieldChange> {
    let fields: [(ItemField, String, String); 9] = [
        both(ItemField::Title, was, is, |item| item.title.to_string()),
        both(ItemField::Artists, was, is, |item| item.artists.join(", ")),
        both(ItemField::Parent, was, is, |item| text(item.parent_title.as_deref())),
        both(ItemField::Grandparent, was, is, |item| text(item.grandparent_title.as_deref())),
        both(ItemField::Index, was, is, |item| number(item.index)),
        both(ItemField::ParentIndex, was, is, |item| number(item.parent_index)),
        both(ItemField::Year, was, is, |item| number(item.year)),
        both(ItemField::Duration, was, is, |item| number(item.duration_ms)),
        both(ItemField::Guids, was, is, |item| item.guids.join(" ")),
    ];
    let different = fields.into_iter().filter(|(_, from, to)| from != to);
    different.map(|(field, from, to)| FieldChange { field, from, to }).collect()
}

/// Old and new path of a file; `None` for an added or a removed file.
pub(super) type PathChange = (Option<Box<str>>, Option<Box<str>>);

/// The change of a file's path, if there is one. Of several, the first.
pub(super) fn moved(was: &Item, is: &Item) -> Option<PathChange> {
    let only = |these: &[MediaFile], others: &[MediaFile]| {
        let missing = |file: &&MediaFile| !others.iter().any(|other| other.path == file.path);
        these.iter().find(missing).map(|file| file.path.clone())
    };
    let (from, to) = (only(&was.files, &is.files), only(&is.files, &was.files));
    (from.is_some() || to.is_some()).then_some((from, to))
}

fn both(field: ItemField, was: &Item, is: &Item, value: impl Fn(&Item) -> String) -> (ItemField, String, String) {
    (field, value(was), value(is))
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn number<N: ToString>(number: Option<N>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}
