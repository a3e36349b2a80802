//! Greenroom's own reads and writes of a server's playlists: requests, and parsers for their responses.
//!
//! Bodies are JSON (`Accept: application/json`). Tokens are never in a target.

mod jellyfin;
mod plex;

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::request::ServerKind;
use crate::response_facts::UnusableResponse;

/// Longest item list in one target, in bytes: some servers and proxies reject lines of 8 KiB, a few of 4 KiB.
pub const MAX_QUERY_BYTES: usize = 2000;
/// Max items in one request.
pub const MAX_ITEMS: usize = 500;

/// Characters left plain in a parameter.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Server and user that playlist requests refer to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountContext {
    /// Plex: the server's own id, with which item addresses begin.
    pub machine: String,
    /// Jellyfin: the user's id.
    pub user: String,
}

/// A request that changes a playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteRequest {
    /// HTTP method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// A JSON body, or empty.
    pub body: Vec<u8>,
}

/// A playlist in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaylistInfo {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Number of items, if stated.
    pub length: Option<u64>,
    /// A smart playlist: the result of a query, which cannot be written.
    pub is_smart: bool,
    /// Its owner's summary of it.
    pub summary: Option<String>,
    /// Whether the requesting user may delete it, if stated.
    pub may_delete: Option<bool>,
}

/// An item in a playlist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaylistEntry {
    /// The entry's id in the list; smart playlists have none.
    pub entry: Option<String>,
    /// Key of the item.
    pub key: String,
    /// Its title.
    pub title: String,
    /// Credited artists, one by one as far as the server separates them.
    pub artists: Vec<String>,
    /// Its album.
    pub album: String,
    /// Duration in seconds.
    pub duration_s: Option<u32>,
    /// External ids.
    pub ids: Vec<String>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaylistPage<T> {
    /// The valid rows.
    pub rows: Vec<T>,
    /// Number of rows received, including invalid ones.
    pub sent: u64,
    /// Number of rows of the whole list, if stated.
    pub total: Option<u64>,
}

/// Number of items of a write that the server accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptedCount {
    /// Items in the request.
    pub requested: u64,
    /// Items added.
    pub added: u64,
}

impl ServerKind {
    /// Target of the server's own id, which Plex's item addresses need; `None` for Jellyfin.
    pub fn machine_id_target(self) -> Option<&'static str> {
        match self {
            Self::Plex => Some("/identity"),
            Self::Jellyfin => None,
        }
    }

    /// Parses that id.
    pub fn machine_id(self, body: &[u8]) -> Option<String> {
        let body: Value = serde_json::from_slice(body).ok()?;
        body["MediaContainer"]["machineIdentifier"].as_str().map(str::to_owned)
    }

    /// Target of the token's user, which Jellyfin's requests need; `None` for Plex.
    pub fn user_target(self) -> Option<&'static str> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => Some("/Users/Me"),
        }
    }

    /// Target of the list of all users, readable by administrators only.
    pub fn users_target(self) -> &'static str {
        "/Users"
    }

    /// Whether the user with this name is an administrator, who may change all playlists.
    pub fn is_admin_named(self, name: &str, body: &[u8]) -> bool {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let is_named =
            |user: &&Value| user["Name"].as_str().is_some_and(|user_name| user_name.eq_ignore_ascii_case(name));
        let user = body.as_array().and_then(|users| users.iter().find(is_named));
        // A user without that field may be an administrator.
        user.is_some_and(|user| user["Policy"]["IsAdministrator"].as_bool() != Some(false))
    }

    /// Id of the user with this name.
    pub fn user_named(self, name: &str, body: &[u8]) -> Option<String> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let is_named =
            |user: &&Value| user["Name"].as_str().is_some_and(|user_name| user_name.eq_ignore_ascii_case(name));
        let id = body.as_array()?.iter().find(is_named)?["Id"].as_str()?;
        Some(id.replace('-', "").to_ascii_lowercase())
    }

    /// Target of a page of the music playlists.
    pub fn playlists_target(self, account: &AccountContext, start: u64, size: u64) -> String {
        match self {
            Self::Plex => plex::playlists_target(start, size),
            Self::Jellyfin => jellyfin::playlists_target(account, start, size),
        }
    }

    /// Parses a page of playlists.
    ///
    /// # Errors
    /// If the body is not such a page.
    pub fn playlists(self, body: &[u8]) -> Result<PlaylistPage<PlaylistInfo>, UnusableResponse> {
        match self {
            Self::Plex => plex::playlists(body),
            Self::Jellyfin => jellyfin::playlists(body),
        }
    }

    /// Target that tells whether a playlist may be written (200) or not (403), on servers that list other
    /// users' playlists too.
    pub fn ownership_target(self, playlist: &str) -> Option<String> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => Some(jellyfin::ownership_target(playlist)),
        }
    }

    /// Target of a page of a playlist's entries.
    pub fn entries_target(self, account: &AccountContext, playlist: &str, start: u64, size: u64) -> String {
        match self {
            Self::Plex => plex::entries_target(playlist, start, size),
            Self::Jellyfin => jellyfin::entries_target(account, playlist, start, size),
        }
    }

    /// Parses a page of entries.
    ///
    /// # Errors
    /// If the body is not such a page.
    pub fn entries(self, body: &[u8]) -> Result<PlaylistPage<PlaylistEntry>, UnusableResponse> {
        match self {
            Self::Plex => plex::entries(body),
            Self::Jellyfin => jellyfin::entries(body),
        }
    }

    /// Target that lists which of these items the token can see.
    pub fn visible_items_target(self, account: &AccountContext, keys: &[String]) -> String {
        match self {
            Self::Plex => plex::visible_items_target(keys),
            Self::Jellyfin => jellyfin::visible_items_target(account, keys),
        }
    }

    /// Parses the keys of the visible items.
    ///
    /// # Errors
    /// If the body is not such a list.
    pub fn visible_items(self, body: &[u8]) -> Result<Vec<String>, UnusableResponse> {
        Ok(self.entries(body)?.rows.into_iter().map(|entry| entry.key).collect())
    }

    /// Number of the first of these items that fit into one request that adds them: at least one.
    pub fn max_add_batch(self, keys: &[String], max_bytes: usize, max_items: usize) -> usize {
        let separator = match self {
            Self::Plex => 3,
            Self::Jellyfin => 1,
        };
        let mut bytes = 0;
        let fits = |key: &&String| {
            bytes += key.len() + separator;
            bytes <= max_bytes
        };
        keys.iter().take(max_items).take_while(fits).count().max(1).min(keys.len())
    }

    /// Number of the first of these items that fit into the request that creates a playlist.
    pub fn max_create_batch(self, keys: &[String], max_bytes: usize, max_items: usize) -> usize {
        match self {
            Self::Plex => self.max_add_batch(keys, max_bytes, max_items),
            // The ids are in the body.
            Self::Jellyfin => keys.len().min(max_items),
        }
    }

    /// Creates a playlist with these items.
    pub fn create_playlist(self, account: &AccountContext, title: &str, keys: &[String]) -> WriteRequest {
        match self {
            Self::Plex => plex::create(account, title, keys),
            Self::Jellyfin => jellyfin::create(account, title, keys),
        }
    }

    /// Parses the id of the created playlist.
    ///
    /// # Errors
    /// If the body has no id.
    pub fn created_playlist(self, body: &[u8]) -> Result<String, UnusableResponse> {
        match self {
            Self::Plex => plex::created(body),
            Self::Jellyfin => jellyfin::created(body),
        }
    }

    /// Appends these items to a playlist.
    pub fn add_to_playlist(self, account: &AccountContext, playlist: &str, keys: &[String]) -> WriteRequest {
        match self {
            Self::Plex => plex::add(account, playlist, keys),
            Self::Jellyfin => jellyfin::add(account, playlist, keys),
        }
    }

    /// Parses the number of accepted items, if stated.
    pub fn accepted_count(self, body: &[u8]) -> Option<AcceptedCount> {
        match self {
            Self::Plex => plex::accepted_count(body),
            Self::Jellyfin => None,
        }
    }

    /// Number of the first of these entries that one request can remove.
    pub fn max_remove_batch(self, entries: &[String], max_bytes: usize, max_items: usize) -> usize {
        match self {
            Self::Plex => entries.len().min(1),
            Self::Jellyfin => self.max_add_batch(entries, max_bytes, max_items),
        }
    }

    /// Removes these entries from a playlist: at most [`ServerKind::max_remove_batch`].
    pub fn remove_from_playlist(self, playlist: &str, entries: &[String]) -> WriteRequest {
        match self {
            Self::Plex => plex::remove(playlist, entries),
            Self::Jellyfin => jellyfin::remove(playlist, entries),
        }
    }

    /// Moves an entry behind another (`None`: to the top). `index` is its new position, counted from 0.
    pub fn move_in_playlist(self, playlist: &str, entry: &str, after: Option<&str>, index: usize) -> WriteRequest {
        match self {
            Self::Plex => plex::relocate(playlist, entry, after),
            Self::Jellyfin => jellyfin::relocate(playlist, entry, index),
        }
    }

    /// Replaces the contents of a playlist in one request, if the server supports it.
    pub fn set_playlist(self, playlist: &str, keys: &[String]) -> Option<WriteRequest> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => Some(jellyfin::set(playlist, keys)),
        }
    }
}

impl ServerKind {
    /// Whether a new playlist can take the place of an old one: where entries are removed and moved one by one, that
    /// may need fewer requests than editing it.
    pub fn can_swap_playlists(self) -> bool {
        self == Self::Plex
    }

    /// Deletes a playlist, where one can take another's place.
    pub fn delete_playlist(self, playlist: &str) -> Option<WriteRequest> {
        self.can_swap_playlists().then(|| plex::delete(playlist))
    }

    /// Gives a playlist the title and summary of the one whose place it takes.
    pub fn rename_playlist(self, playlist: &str, title: &str, summary: Option<&str>) -> Option<WriteRequest> {
        self.can_swap_playlists().then(|| plex::rename(playlist, title, summary))
    }
}

impl WriteRequest {
    fn without_body(method: Method, target: String) -> Self {
        Self { method, target, body: Vec::new() }
    }
}

/// Percent-encodes a text for a parameter or a path segment.
fn escaped(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// A text, or a number written as one.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn whole_seconds(ms: Option<u64>) -> Option<u32> {
    ms.and_then(|ms| u32::try_from((ms + 500) / 1000).ok()).filter(|seconds| *seconds > 0)
}
