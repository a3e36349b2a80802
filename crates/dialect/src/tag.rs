//! The words by which a write or an event names the answers it makes stale.
//!
//! Tags are short texts; both dialects use the same vocabulary, so the gateway needs no `match` on them.

use std::fmt;

/// One tag. Two answers with the same tag go stale together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// Everything that was kept for a server.
    pub fn all() -> Self {
        Self("all".into())
    }

    /// An answer about one item, or with that item among its rows.
    pub fn item(id: &str) -> Self {
        Self(format!("item:{id}"))
    }

    /// An answer whose rows are too many to be tagged one by one: every item write of the server concerns it.
    pub fn many_items() -> Self {
        Self("items".into())
    }

    /// An answer about containers (shows, seasons, artists, albums), which carries counts of what lies below.
    pub fn branch() -> Self {
        Self("branch".into())
    }

    /// A list that is filtered, ordered or chosen by user state (on deck, continue watching, unwatched, hubs).
    pub fn watch_lists() -> Self {
        Self("watch-lists".into())
    }

    /// Any answer whose body carries user state at all.
    pub fn user_state() -> Self {
        Self("user-state".into())
    }

    /// A list of a library section (lists, filters, counts).
    pub fn section(id: &str) -> Self {
        Self(format!("section:{id}"))
    }

    /// Any list over a library, of whatever section.
    pub fn libraries() -> Self {
        Self("libraries".into())
    }

    /// A list over several sections at once (the whole library, a global search, home hubs): a change in any
    /// section concerns it.
    pub fn across() -> Self {
        Self("across".into())
    }

    /// Anything that comes from a section, single items too: what changes the whole section (a bulk edit, emptied
    /// trash, its removal) concerns it.
    pub fn inside(section: &str) -> Self {
        Self(format!("inside:{section}"))
    }

    /// An answer about something that lies below this item: marking a show watched concerns its episodes.
    pub fn under(item: &str) -> Self {
        Self(format!("under:{item}"))
    }

    /// The list of sections itself (libraries, views).
    pub fn sections() -> Self {
        Self("sections".into())
    }

    /// What stands in any playlist: a write that does not name the playlist concerns them all.
    pub fn every_playlist() -> Self {
        Self("every-playlist".into())
    }

    /// One playlist.
    pub fn playlist(id: &str) -> Self {
        Self(format!("playlist:{id}"))
    }

    /// Lists of playlists.
    pub fn playlists() -> Self {
        Self("playlists".into())
    }

    /// Collections and what manages them.
    pub fn collections() -> Self {
        Self("collections".into())
    }

    /// Who plays what now.
    pub fn sessions() -> Self {
        Self("sessions".into())
    }

    /// What was played.
    pub fn history() -> Self {
        Self("history".into())
    }

    /// What the server is busy with.
    pub fn activities() -> Self {
        Self("activities".into())
    }

    /// The server itself: its info, settings, devices, users.
    pub fn server() -> Self {
        Self("server".into())
    }

    /// Users, their rights, devices and display settings.
    pub fn users() -> Self {
        Self("users".into())
    }

    /// Images of one item.
    pub fn image(item: &str) -> Self {
        Self(format!("image:{item}"))
    }

    /// The tag's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// That a tag's answers are stale, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Staling {
    /// Which answers.
    pub tag: Tag,
    /// In whose partitions.
    pub whose: Whose,
    /// If the tag names an item: the answers about the items above it as well.
    pub with_ancestors: bool,
}

/// In whose partitions something went stale.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Whose {
    /// The writer's, and all that are not proven to be another account's. For an event: the identity that owns the
    /// socket it came over.
    Account,
    /// The named user's (Jellyfin), and all that are not proven to be another's.
    User(String),
    /// Everybody's.
    Everyone,
}

impl Staling {
    /// Stale for the account that wrote.
    pub fn account(tag: Tag) -> Self {
        Self { tag, whose: Whose::Account, with_ancestors: false }
    }

    /// Stale for everybody.
    pub fn everyone(tag: Tag) -> Self {
        Self { tag, whose: Whose::Everyone, with_ancestors: false }
    }

    /// Stale for a named user.
    pub fn user(tag: Tag, user: &str) -> Self {
        Self { tag, whose: Whose::User(user.into()), with_ancestors: false }
    }

    /// The same, with the items above.
    #[must_use]
    pub fn and_ancestors(mut self) -> Self {
        self.with_ancestors = true;
        self
    }
}
