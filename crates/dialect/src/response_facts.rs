//! Facts from the body of a response.

use greenroom_library::lineage::Lineage;

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
    /// Facts about items beside their parents.
    pub items: ItemFacts,
    /// The client's own user, if the response names it (Jellyfin's `/Users/Me`).
    pub own_user: Option<String>,
    /// Max fresh time in seconds, if the body shortens it (a running task).
    pub max_fresh_s: Option<u32>,
    /// Length of the whole list, of which this may be a page; only for lists over a library, for the shrink
    /// guard.
    pub total: Option<u64>,
    /// Reason for which the response is for the one client that asked, and is not stored.
    pub unshared: Option<UnsharedReason>,
    /// Whether the server is scanning for changed files; `None` if the body does not tell.
    pub scanning: Option<bool>,
}

/// Facts about items in a body, for the lineage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemFacts {
    /// Groups of items: (item, group).
    pub groups: Vec<(String, String)>,
    /// Groups of everything in a folder: (folder, group).
    pub contents: Vec<(String, String)>,
    /// Running times in the server's unit: (item, time).
    pub run_times: Vec<(String, u64)>,
    /// Items that are versions of one another.
    pub versions: Vec<Vec<String>>,
    /// Users who share the session of another user's player.
    pub companions: Vec<String>,
    /// All members of a set, if the body is a whole list of them.
    pub members: Option<SetMembers>,
    /// A document that writes replace: its name in the lineage, and its fields with hashes of their values.
    pub document: Option<(String, Vec<(String, u64)>)>,
}

/// All members of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetMembers {
    /// The set.
    pub set: String,
    /// The user to whom the server shows these; without one, the set has no other members.
    pub user: Option<String>,
    /// Their ids.
    pub members: Vec<String>,
}

impl ResponseFacts {
    /// Whether the body tells anything of items.
    pub fn tells_of_items(&self) -> bool {
        !self.parents.is_empty() || self.items != ItemFacts::default()
    }

    /// Records what the body tells of items. `sets_generation` is the lineage's at the time of the request.
    pub fn record(&self, lineage: &mut Lineage, sets_generation: u64) {
        for (item, parent) in &self.parents {
            lineage.record_parent(item, parent.as_deref());
        }
        for (item, group) in &self.items.groups {
            lineage.record_group(item, group);
        }
        for (folder, group) in &self.items.contents {
            lineage.record_contents(folder, group);
        }
        for (item, run_time) in &self.items.run_times {
            lineage.record_run_time(item, *run_time);
        }
        self.items.versions.iter().for_each(|versions| lineage.record_versions(versions));
        self.items.companions.iter().for_each(|user| lineage.record_companion(user));
        if let Some(SetMembers { set, user, members }) = &self.items.members {
            lineage.record_members(set, user.as_deref(), members, sets_generation);
        }
        if let Some((name, fields)) = &self.items.document {
            lineage.record_document(name, fields.clone(), sets_generation);
        }
    }
}

/// Reason for which a complete response is for the one client that asked, and is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnsharedReason {
    /// Its rows are not the requested page.
    OtherPage,
    /// It holds a token.
    HoldsToken,
    /// Its token belongs to another account than the one it was requested for, or that is not certain now.
    UncertainAccount,
}

/// Reason for which a response must not be cached although its status was 200.
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
