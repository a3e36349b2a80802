//! Tags of responses, by which a write or an event invalidates them.
//!
//! Tags are short texts; both dialects use the same vocabulary, so the gateway needs no `match` on them.

use std::fmt;

/// Begins the tag of an item's members.
const MEMBERS: &str = "members:";

/// One tag. An invalidation of a tag concerns all responses that carry it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// All cached responses of a server.
    pub fn all() -> Self {
        Self("all".into())
    }

    /// A response about one item, or with that item among its rows.
    pub fn item(id: &str) -> Self {
        Self(format!("item:{id}"))
    }

    /// A response with too many rows to tag one by one: every write to an item concerns it.
    pub fn many_items() -> Self {
        Self("items".into())
    }

    /// A response about containers (shows, seasons, artists, albums), which shows counts of their
    /// descendants.
    pub fn branch() -> Self {
        Self("branch".into())
    }

    /// A list filtered, sorted or selected by user state (on deck, continue watching, unwatched, hubs).
    pub fn watch_lists() -> Self {
        Self("watch-lists".into())
    }

    /// Any response with user state in its body.
    pub fn user_state() -> Self {
        Self("user-state".into())
    }

    /// A list of a library section (lists, filters, counts).
    pub fn section(id: &str) -> Self {
        Self(format!("section:{id}"))
    }

    /// Any list over a library, of any section.
    pub fn libraries() -> Self {
        Self("libraries".into())
    }

    /// A list over several sections at once (the whole library, a global search, home hubs): a change in any
    /// section concerns it.
    pub fn across() -> Self {
        Self("across".into())
    }

    /// Anything from a section, including single items: a change of the whole section (a bulk edit, emptied
    /// trash, its removal) concerns it.
    pub fn inside(section: &str) -> Self {
        Self(format!("inside:{section}"))
    }

    /// A response about a descendant of this item: marking a show watched concerns its episodes.
    pub fn under(item: &str) -> Self {
        Self(format!("under:{item}"))
    }

    /// The members of a collection, a playlist or a library folder: marking it played marks them, and no response tells
    /// where they belong. No response has this tag. It stands for all with user state, unless the item is known to be
    /// none of these because its place is known.
    pub fn members(item: &str) -> Self {
        Self(format!("{MEMBERS}{item}"))
    }

    /// The item of a [`members`](Self::members) tag.
    pub fn members_of(&self) -> Option<&str> {
        self.0.strip_prefix(MEMBERS)
    }

    /// The list of sections itself (libraries, views).
    pub fn sections() -> Self {
        Self("sections".into())
    }

    /// The contents of any playlist: a write that does not name its playlist concerns all of them.
    pub fn every_playlist() -> Self {
        Self("every-playlist".into())
    }

    /// One playlist.
    pub fn playlist(id: &str) -> Self {
        Self(format!("playlist:{id}"))
    }

    /// Lists of playlists, and searches that find them.
    pub fn playlists() -> Self {
        Self("playlists".into())
    }

    /// Responses in which a playlist counts or shows among other items: its contents do not matter to them, its
    /// addition, name and removal do.
    pub fn playlist_names() -> Self {
        Self("playlist-names".into())
    }

    /// Collections and their management.
    pub fn collections() -> Self {
        Self("collections".into())
    }

    /// Current sessions.
    pub fn sessions() -> Self {
        Self("sessions".into())
    }

    /// Players that the server knows, and statistics by player.
    pub fn players() -> Self {
        Self("players".into())
    }

    /// Playback history.
    pub fn history() -> Self {
        Self("history".into())
    }

    /// Current work of the server.
    pub fn activities() -> Self {
        Self("activities".into())
    }

    /// Media segments (intros, outros) of any item (Jellyfin): a task makes them anew and names no item.
    pub fn segments() -> Self {
        Self("segments".into())
    }

    /// The server itself: its information, settings, devices, users.
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

    /// Images of one item at URLs that name no version: another image may appear at the same URL. An event that tells
    /// only that the item changed concerns these; at a URL with a version nothing ever changes.
    pub fn unversioned_image(item: &str) -> Self {
        Self(format!("unversioned-image:{item}"))
    }

    /// Images found by the name of a genre, studio, person or artist. Writes name the item by its id, so any write to
    /// an image concerns them.
    pub fn images_by_name() -> Self {
        Self("images-by-name".into())
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

/// Invalidation of one tag for an audience.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TagInvalidation {
    /// The invalidated tag.
    pub tag: Tag,
    /// The affected partitions.
    pub audience: Audience,
    /// For an item's tag: whether responses about its ancestors are invalidated too.
    pub with_ancestors: bool,
}

/// Partitions that an invalidation affects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The writer's, and all that are not proven to belong to another account. For an event: those of the
    /// token whose socket it came over.
    Account,
    /// The named user's (Jellyfin), and all that are not proven to belong to another user.
    User(String),
    /// All partitions.
    Everyone,
}

impl TagInvalidation {
    /// Invalidation for the writer's account.
    pub fn account(tag: Tag) -> Self {
        Self { tag, audience: Audience::Account, with_ancestors: false }
    }

    /// Invalidation for everyone.
    pub fn everyone(tag: Tag) -> Self {
        Self { tag, audience: Audience::Everyone, with_ancestors: false }
    }

    /// Invalidation for a named user.
    pub fn user(tag: Tag, user: &str) -> Self {
        Self { tag, audience: Audience::User(user.into()), with_ancestors: false }
    }

    /// The same, including the item's ancestors.
    #[must_use]
    pub fn with_ancestors(mut self) -> Self {
        self.with_ancestors = true;
        self
    }
}
