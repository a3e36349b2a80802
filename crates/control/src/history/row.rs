//! One playback as it is kept and shown.

use greenroom_dialect::dashboard::Played;
use serde::Serialize;
use utoipa::ToSchema;

/// A playback, as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct View {
    /// On which server.
    pub server: String,
    /// The server's id of it.
    pub id: String,
    /// When it ended, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who played it: their name, or the server's id of them.
    pub user: String,
    /// What was played: the show, the artist, the film.
    pub title: String,
    /// The episode or the track.
    pub subtitle: Option<String>,
    /// `movie`, `episode`, `track`.
    pub kind: String,
    /// What it was played on, where the server says so.
    pub player: Option<String>,
    /// How long it is, where the server says so.
    pub duration_s: Option<u64>,
    /// What else is known of it.
    #[serde(skip)]
    pub more: More,
}

/// What only the shapes of other dashboards show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct More {
    /// The server's id of who played it.
    pub user_id: String,
    /// The server's key of what was played.
    pub item_key: String,
    /// The title of the item itself.
    pub own_title: String,
    /// The show or the artist.
    pub grandparent_title: Option<String>,
    /// Its number in what it lies in.
    pub index: Option<u64>,
    /// The number of that.
    pub parent_index: Option<u64>,
    /// The year it is from.
    pub year: Option<u64>,
    /// The path of its picture.
    pub thumb: Option<String>,
}

/// A text longer than this is cut: nobody calls a thing so.
const MAX_TEXT_BYTES: usize = 512;

/// A text as it is kept.
pub(super) fn kept(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The picture of the show, or of the item itself.
pub(super) fn picture(played: &Played) -> Option<&str> {
    played.item.grandparent_thumb.as_deref().or(played.item.thumb.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_letters() {
        let long = "ä".repeat(MAX_TEXT_BYTES);
        assert_eq!(kept(&long).len(), MAX_TEXT_BYTES);
        assert_eq!(kept("short"), "short");
        assert_eq!(kept(&format!("x{long}")).len(), MAX_TEXT_BYTES - 1);
    }
}
