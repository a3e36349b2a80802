//! Tags of responses, by which a write or an event invalidates them.
//!
//! Tags are short texts; both dialects use the same vocabulary, so the gateway needs no `match` on them.

mod tag_invalidation;

pub use self::tag_invalidation::{Audience, TagInvalidation};
pub use crate::tag_group::{TagGroup, UserState};

use std::fmt;

/// Begins the tag of an item's members.
const MEMBERS: &str = "members:";

/// Begins the tag of a response about an item's own state, which any mark of an ancestor may change.
const ABOVE: &str = "above:";

/// Begins the tag of an item whose response counts what is in it.
const COUNTED: &str = "counted:";

/// Prefix of the tag of a user in another user's playback session.
const COMPANION: &str = "companion:";

/// Separates a tag from the group it is narrowed to.
const NARROWED: char = '~';

/// The group of a response that may hold items of any group.
const ANY: &str = "*";

/// Begins a folder in the place of a group: that of its contents, once known.
const PLACE: char = '@';

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

    /// A response about one item, or with it among its rows, without user state: no mark concerns it.
    pub fn about(id: &str) -> Self {
        Self(format!("about:{id}"))
    }

    /// A response that shows how much of what is in this item was played.
    pub fn counted(id: &str) -> Self {
        Self(format!("{COUNTED}{id}"))
    }

    /// The item of a [`counted`](Self::counted) tag.
    pub(crate) fn counted_of(&self) -> Option<&str> {
        self.0.strip_prefix(COUNTED)
    }

    /// A response with too many rows to tag one by one: every write to an item concerns it.
    pub fn many_items() -> Self {
        Self("items".into())
    }

    /// The same of a response that shows user state: every mark of an item concerns it, and no edit.
    pub fn many_states() -> Self {
        Self("states".into())
    }

    /// A response with rows whose ancestors are unknown: a change of any item that can be one concerns it.
    pub fn unplaced() -> Self {
        Self("unplaced".into())
    }

    /// A response about what belongs to this item (its extras, segments, collections) and nothing of its own document: an
    /// edit of that does not concern it.
    pub fn belonging(id: &str) -> Self {
        Self(format!("belonging:{id}"))
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

    /// A list filtered, sorted or selected by this field of user state.
    pub fn selected_by(state: UserState) -> Self {
        let field = match state {
            UserState::Played => "played",
            UserState::Position => "position",
            UserState::Favorite => "favorite",
            UserState::Rating => "rating",
            UserState::Continued => "continued",
        };
        Self(format!("by-{field}"))
    }

    /// A list filtered, sorted or limited by this field of items' metadata. A list that only shows the field follows
    /// the tags of its rows.
    pub fn listed_by(field: &str) -> Self {
        Self(format!("listed-by-{field}"))
    }

    /// Rows that show counts of items which no chain of parents leads to (collections, folders): any mark may change
    /// them.
    pub fn counts() -> Self {
        Self("counts".into())
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

    /// Any list of items over a library: a change of an item's metadata may concern it. Counts and lists of libraries
    /// have it not.
    pub fn listings() -> Self {
        Self("listings".into())
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

    /// Responses that show only the state of this item, and none of its ancestors: marking one of them marks the item.
    /// [`crate::reach::resolved`] replaces it.
    pub fn above(item: &str) -> Self {
        Self(format!("{ABOVE}{item}"))
    }

    /// The item of an [`above`](Self::above) tag.
    pub(crate) fn above_of(&self) -> Option<&str> {
        self.0.strip_prefix(ABOVE)
    }

    /// This tag for responses that hold items of this group only. Such a response has the tag itself, too.
    #[must_use]
    pub fn narrowed(&self, group: &TagGroup) -> Self {
        let text = &self.0;
        Self(match group {
            TagGroup::Of(group) => format!("{text}{NARROWED}{group}"),
            TagGroup::In(folder) => format!("{text}{NARROWED}{PLACE}{folder}"),
            TagGroup::Members { set, user } => format!("{text}{NARROWED}{PLACE}{set}{PLACE}{user}"),
            TagGroup::Any => format!("{text}{NARROWED}{ANY}"),
        })
    }

    /// The tag without its group.
    pub(crate) fn broad(&self) -> Self {
        Self(self.0.split(NARROWED).next().unwrap_or_default().to_owned())
    }

    /// Whether invalidations narrow this tag to a group.
    pub(crate) fn is_narrowable(&self) -> bool {
        const NAMES: [&str; 9] =
            ["libraries", "listings", "items", "states", "unplaced", "counts", "branch", "playlists", "watch-lists"];
        const FAMILIES: [&str; 3] = ["by-", "listed-by-", "section:"];
        NAMES.contains(&self.as_str())
            || FAMILIES.iter().any(|family| self.0.starts_with(family)) && !self.0.contains(NARROWED)
    }

    /// The tag and the folder of a tag narrowed to [`TagGroup::In`]; or the set of [`TagGroup::Members`], and its user.
    pub(crate) fn place(&self) -> Option<(Self, &str, Option<&str>)> {
        let (tag, group) = self.0.split_once(NARROWED)?;
        let place = group.strip_prefix(PLACE)?;
        let (place, user) = place.split_once(PLACE).map_or((place, None), |(set, user)| (set, Some(user)));
        Some((Self(tag.to_owned()), place, user))
    }

    /// The item of an [`item`](Self::item) tag.
    pub fn item_of(&self) -> Option<&str> {
        self.0.strip_prefix("item:")
    }

    /// The set whose membership an invalidation of this tag may change.
    pub fn set_of(&self) -> Option<&str> {
        ["item:", "playlist:", "section:"].iter().find_map(|prefix| self.0.strip_prefix(prefix))
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

    /// The invalidations beside this one concern users who share the session of a player, too. No response has this
    /// tag.
    pub fn companions() -> Self {
        Self("companions".into())
    }

    /// This user shares the session of a player from now on. No response has this tag.
    pub fn companion(user: &str) -> Self {
        Self(format!("{COMPANION}{user}"))
    }

    /// The user of a [`companion`](Self::companion) tag.
    pub(crate) fn companion_of(&self) -> Option<&str> {
        self.0.strip_prefix(COMPANION)
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

    /// Display settings of a user.
    pub fn display() -> Self {
        Self("display".into())
    }

    /// Users, their rights and devices.
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
