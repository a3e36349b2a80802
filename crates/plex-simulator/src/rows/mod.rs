//! Rows of responses: items, sections, playlists, sessions, plays.

pub(super) mod item;
pub(super) mod media;
pub(super) mod play;
pub(super) mod playlist;
pub(super) mod section;
pub(super) mod session;
pub(super) mod tag;
