//! Facts from the body of a response.

use crate::class::Class;
use crate::tag::Tag;

/// Max rows tagged one by one; a longer response gets [`Tag::many_items`] instead.
pub const MAX_TAGGED_ROWS: usize = 256;

/// Whether responses of this class are lists over a library, whose length shows whether the library is there.
pub(crate) fn has_meaningful_total(class: Class) -> bool {
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

/// Facts about a cacheable response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseFacts {
    /// Tags beyond those derived from the request.
    pub tags: Vec<Tag>,
    /// Parents of items, for the lineage: (item, parent).
    pub parents: Vec<(String, Option<String>)>,
    /// The client's own user, if the response names it (Jellyfin's `/Users/Me`).
    pub own_user: Option<String>,
    /// Max fresh time in seconds, if the body shortens it (a running task).
    pub max_fresh_s: Option<u32>,
    /// Length of the whole list, of which this may be a page; only for lists over a library, for the shrink
    /// guard.
    pub total: Option<u64>,
    /// Why the response is for the one client that asked, and is not stored.
    pub unshared: Option<UnsharedReason>,
    /// Whether the server is scanning for changed files; `None` if the body does not tell.
    pub scanning: Option<bool>,
}

/// Why a complete response is for the one client that asked, and is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnsharedReason {
    /// Its rows are not the requested page.
    OtherPage,
    /// It holds a token.
    HoldsToken,
}

/// Why a response must not be cached although its status was 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnusableResponse {
    /// It does not parse as its class requires: truncated, or another program's page.
    Malformed,
    /// Not the content type of the class.
    ContentType,
    /// The server reports that it is starting.
    Starting,
}

impl UnusableResponse {
    /// Name used in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::ContentType => "content-type",
            Self::Starting => "starting",
        }
    }
}
