//! Playlists of a server as we ourselves read and write them: which requests that takes, and what the answers say.
//!
//! Bodies are JSON (`Accept: application/json`). Tokens are never in a target.

mod jellyfin;
mod plex;

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::ask::Kind;
use crate::facts::Unfit;

/// Longest list of items in one target, in bytes: some servers and proxies refuse lines of 8 KiB, a few of 4.
pub const MAX_QUERY_BYTES: usize = 2000;
/// Most items in one request.
pub const MAX_ITEMS: usize = 500;

/// What stays as it is within a parameter.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// On whose behalf playlists are read and written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// Plex: the server's own id, which addresses of items begin with.
    pub machine: String,
    /// Jellyfin: the user.
    pub user: String,
}

/// A request that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// A JSON body, or nothing.
    pub body: Vec<u8>,
}

/// A playlist in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// How many items it has, where the server says so.
    pub length: Option<u64>,
    /// It is made of a query, and cannot be written.
    pub is_smart: bool,
    /// Whether the user who is named may delete it, where the server says so.
    pub may_delete: Option<bool>,
}

/// An item in a playlist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The id of its place in the list; smart playlists have none.
    pub entry: Option<String>,
    /// The item.
    pub key: String,
    /// Its title.
    pub title: String,
    /// Who is credited, one by one as far as the server says.
    pub artists: Vec<String>,
    /// Its album.
    pub album: String,
    /// Length in seconds.
    pub duration_s: Option<u32>,
    /// Names by which others know it.
    pub ids: Vec<String>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub rows: Vec<T>,
    /// How many rows were sent, also those that cannot be understood.
    pub sent: u64,
    /// How many there are in all, where the server says so.
    pub total: Option<u64>,
}

/// How many items of a write the server says it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// So many were asked for.
    pub requested: u64,
    /// So many were added.
    pub added: u64,
}

impl Kind {
    /// Where the server says by which id its items are addressed; only Plex's items are.
    pub fn machine_target(self) -> Option<&'static str> {
        match self {
            Self::Plex => Some("/identity"),
            Self::Jellyfin => None,
        }
    }

    /// That id.
    pub fn machine(self, body: &[u8]) -> Option<String> {
        let said: Value = serde_json::from_slice(body).ok()?;
        said["MediaContainer"]["machineIdentifier"].as_str().map(str::to_owned)
    }

    /// Where the server says whose token this is; only Jellyfin's requests name a user.
    pub fn user_target(self) -> Option<&'static str> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => Some("/Users/Me"),
        }
    }

    /// The user of this name, out of all users, which only an administrator may list.
    pub fn users_target(self) -> &'static str {
        "/Users"
    }

    /// Whether the user of this name is an administrator, who may change everybody's playlists.
    pub fn is_admin_named(self, name: &str, body: &[u8]) -> bool {
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let is_meant =
            |user: &&Value| user["Name"].as_str().is_some_and(|held| held.eq_ignore_ascii_case(name));
        let user = said.as_array().and_then(|users| users.iter().find(is_meant));
        // Who is not said to be none may be one.
        user.is_some_and(|user| user["Policy"]["IsAdministrator"].as_bool() != Some(false))
    }

    /// The id of the user of this name.
    pub fn user_named(self, name: &str, body: &[u8]) -> Option<String> {
        let said: Value = serde_json::from_slice(body).ok()?;
        let is_meant =
            |user: &&Value| user["Name"].as_str().is_some_and(|held| held.eq_ignore_ascii_case(name));
        let id = said.as_array()?.iter().find(is_meant)?["Id"].as_str()?;
        Some(id.replace('-', "").to_ascii_lowercase())
    }

    /// A page of the playlists of music.
    pub fn playlists_target(self, holder: &Holder, start: u64, size: u64) -> String {
        match self {
            Self::Plex => plex::playlists_target(start, size),
            Self::Jellyfin => jellyfin::playlists_target(holder, start, size),
        }
    }

    /// The playlists on a page.
    ///
    /// # Errors
    /// If the body is not such a page.
    pub fn playlists(self, body: &[u8]) -> Result<Page<Listed>, Unfit> {
        match self {
            Self::Plex => plex::playlists(body),
            Self::Jellyfin => jellyfin::playlists(body),
        }
    }

    /// Where a server that lists others' playlists too says whether one may be written (200) or not (403).
    pub fn ownership_target(self, playlist: &str) -> Option<String> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => Some(jellyfin::ownership_target(playlist)),
        }
    }

    /// A page of what is in a playlist.
    pub fn entries_target(self, holder: &Holder, playlist: &str, start: u64, size: u64) -> String {
        match self {
            Self::Plex => plex::entries_target(playlist, start, size),
            Self::Jellyfin => jellyfin::entries_target(holder, playlist, start, size),
        }
    }

    /// What is on that page.
    ///
    /// # Errors
    /// If the body is not such a page.
    pub fn entries(self, body: &[u8]) -> Result<Page<Entry>, Unfit> {
        match self {
            Self::Plex => plex::entries(body),
            Self::Jellyfin => jellyfin::entries(body),
        }
    }

    /// Which of these items there are for whoever asks.
    pub fn seen_target(self, holder: &Holder, keys: &[String]) -> String {
        match self {
            Self::Plex => plex::seen_target(keys),
            Self::Jellyfin => jellyfin::seen_target(holder, keys),
        }
    }

    /// Their keys.
    ///
    /// # Errors
    /// If the body is not such a list.
    pub fn seen(self, body: &[u8]) -> Result<Vec<String>, Unfit> {
        Ok(self.entries(body)?.rows.into_iter().map(|entry| entry.key).collect())
    }

    /// How many of the first of these items fit into one request that adds them: at least one.
    pub fn fitting(self, keys: &[String], max_bytes: usize, max_items: usize) -> usize {
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

    /// How many of the first of these items fit into the request that makes a playlist.
    pub fn fitting_at_first(self, keys: &[String], max_bytes: usize, max_items: usize) -> usize {
        match self {
            Self::Plex => self.fitting(keys, max_bytes, max_items),
            // They are in the body.
            Self::Jellyfin => keys.len().min(max_items),
        }
    }

    /// Makes a playlist with these items.
    pub fn create_playlist(self, holder: &Holder, title: &str, keys: &[String]) -> Order {
        match self {
            Self::Plex => plex::create(holder, title, keys),
            Self::Jellyfin => jellyfin::create(holder, title, keys),
        }
    }

    /// The id of the playlist that was made.
    ///
    /// # Errors
    /// If the body does not say it.
    pub fn created_playlist(self, body: &[u8]) -> Result<String, Unfit> {
        match self {
            Self::Plex => plex::created(body),
            Self::Jellyfin => jellyfin::created(body),
        }
    }

    /// Adds these items at the end of a playlist.
    pub fn add_to_playlist(self, holder: &Holder, playlist: &str, keys: &[String]) -> Order {
        match self {
            Self::Plex => plex::add(holder, playlist, keys),
            Self::Jellyfin => jellyfin::add(holder, playlist, keys),
        }
    }

    /// How many were taken, where the server says so.
    pub fn taken(self, body: &[u8]) -> Option<Taken> {
        match self {
            Self::Plex => plex::taken(body),
            Self::Jellyfin => None,
        }
    }

    /// How many of the first of these entries one request takes out.
    pub fn fitting_out(self, entries: &[String], max_bytes: usize, max_items: usize) -> usize {
        match self {
            Self::Plex => entries.len().min(1),
            Self::Jellyfin => self.fitting(entries, max_bytes, max_items),
        }
    }

    /// Takes these entries out of a playlist: as many as [`Kind::fitting_out`] allows.
    pub fn remove_from_playlist(self, playlist: &str, entries: &[String]) -> Order {
        match self {
            Self::Plex => plex::remove(playlist, entries),
            Self::Jellyfin => jellyfin::remove(playlist, entries),
        }
    }

    /// Moves an entry behind another (`None`: to the top). `index` is where it is then, counted from 0.
    pub fn move_in_playlist(self, playlist: &str, entry: &str, after: Option<&str>, index: usize) -> Order {
        match self {
            Self::Plex => plex::relocate(playlist, entry, after),
            Self::Jellyfin => jellyfin::relocate(playlist, entry, index),
        }
    }

    /// Makes a playlist hold these items and no others, in one request, where the server can.
    pub fn set_playlist(self, playlist: &str, keys: &[String]) -> Option<Order> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => Some(jellyfin::set(playlist, keys)),
        }
    }

    /// Renames a playlist.
    pub fn rename_playlist(self, playlist: &str, title: &str) -> Order {
        match self {
            Self::Plex => plex::rename(playlist, title),
            Self::Jellyfin => jellyfin::rename(playlist, title),
        }
    }
}

impl Order {
    fn bare(method: Method, target: String) -> Self {
        Self { method, target, body: Vec::new() }
    }
}

/// As it may stand within a parameter or a part of a path.
fn escaped(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
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
