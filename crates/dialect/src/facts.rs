//! What an answer's body says.

use crate::class::Class;
use crate::tag::Tag;

/// More rows than this are not tagged one by one: the answer gets [`Tag::many_items`] instead.
pub const MAX_TAGGED_ROWS: usize = 256;

/// Whether answers of this class are lists over a library, whose length tells whether the library is there.
pub(crate) fn tells_how_much(class: Class) -> bool {
    matches!(
        class,
        Class::Lists
            | Class::Sections
            | Class::Counts
            | Class::Recent
            | Class::Hubs
            | Class::Playlists
            | Class::Collections
    )
}

/// What is known of an answer that may be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Tags beyond those the request told.
    pub tags: Vec<Tag>,
    /// Which item lies under which, for the lineage: (item, parent).
    pub parents: Vec<(String, Option<String>)>,
    /// The user the answer says the caller is (Jellyfin's `/Users/Me`).
    pub own_user: Option<String>,
    /// How long it may be fresh at the most, in seconds, where the body shortens it (a running task).
    pub max_fresh_s: Option<u32>,
    /// How many rows the whole list has, of which this may be a window: only where it is a library's, so that it does
    /// not halve without a reason.
    pub total: Option<u64>,
    /// Whether the server says that it is looking for changed files at this moment; `None` where it says nothing.
    pub scanning: Option<bool>,
}

/// Why an answer must not be kept although its status was 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unfit {
    /// It does not parse as what the class promises: truncated, or somebody else's page.
    Malformed,
    /// Not the content type of the class.
    ContentType,
    /// The server says it is still starting.
    Starting,
}

impl Unfit {
    /// The word used in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::ContentType => "content-type",
            Self::Starting => "starting",
        }
    }
}
