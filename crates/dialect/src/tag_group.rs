//! Groups that narrow invalidations of lists: fields of user state, and groups of items.

/// A field of user state by which a list can be filtered or sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UserState {
    /// Whether it was played, how often and when.
    Played,
    /// The position at which playback resumes.
    Position,
    /// Whether it is a favourite.
    Favorite,
    /// The user's rating, likes and dislikes.
    Rating,
    /// Whether it is left out of what is continued (Plex).
    Continued,
}

impl UserState {
    /// All that an unknown change may concern.
    pub const EVERY: [Self; 4] = [Self::Played, Self::Position, Self::Favorite, Self::Rating];
}

/// Items that a list can hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TagGroup {
    /// Items of one group: a kind of media (Jellyfin), a section (Plex).
    Of(String),
    /// Whatever this folder holds.
    In(String),
    /// The members of a set that this user sees.
    Members {
        /// The set.
        set: String,
        /// The user.
        user: String,
    },
    /// Any items.
    Any,
}
