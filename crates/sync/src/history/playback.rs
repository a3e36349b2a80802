//! One playback as it is stored and shown.

use greenroom_dialect::dashboard::{ItemDetails, PlayHistoryEntry};
use serde::Serialize;
use utoipa::ToSchema;

/// A playback, as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Playback {
    /// Name of the server.
    pub server: String,
    /// The server's id of the playback.
    pub id: String,
    /// When it ended, in milliseconds since 1970.
    pub at_ms: u64,
    /// The user's name, or the server's id of the user.
    pub user: String,
    /// The show, the artist or the film.
    pub title: String,
    /// The episode or the track.
    pub subtitle: Option<String>,
    /// `movie`, `episode`, `track`.
    pub kind: String,
    /// The player, where the server reports it.
    pub player: Option<String>,
    /// Length in seconds, where the server reports it.
    pub duration_s: Option<u64>,
    /// A signed link to its picture, for our own page; `null` without one.
    pub picture: Option<String>,
    /// Further details.
    #[serde(skip)]
    pub details: PlaybackDetails,
}

/// Details that only the formats of other dashboards show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlaybackDetails {
    /// The server's id of the user.
    pub user_id: String,
    /// The server's key of the item.
    pub item_key: String,
    /// The item's own title.
    pub own_title: String,
    /// The show or the artist.
    pub grandparent_title: Option<String>,
    /// The number within its parent.
    pub index: Option<u64>,
    /// The number of the parent.
    pub parent_index: Option<u64>,
    /// Release year.
    pub year: Option<u64>,
    /// The path of the image.
    pub thumb: Option<String>,
    /// Rating, age rating, studio, summary and genres, as far as the server has them.
    pub item: ItemDetails,
}

/// Longer texts are cut: no real title is longer.
const MAX_TEXT_BYTES: usize = 512;

/// Cuts a text to the stored length.
pub(super) fn truncate(text: &str) -> &str {
    truncate_to(text, MAX_TEXT_BYTES)
}

/// Cuts a text to this many bytes at most.
pub(super) fn truncate_to(text: &str, max_bytes: usize) -> &str {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The image of the show, or of the item itself.
pub(super) fn picture(played: &PlayHistoryEntry) -> Option<&str> {
    played.item.grandparent_thumb.as_deref().or(played.item.thumb.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "ä".repeat(MAX_TEXT_BYTES);
        assert_eq!(truncate(&text).len(), MAX_TEXT_BYTES);
        assert_eq!(truncate("short"), "short");
        assert_eq!(truncate(&format!("x{text}")).len(), MAX_TEXT_BYTES - 1);
    }
}
