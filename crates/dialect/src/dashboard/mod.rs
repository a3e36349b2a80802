//! The data dashboards show of a server: sessions, activities, recently added items, playback history, counts
//! and users. For each: the target to request and the parser of the response.
//!
//! Targets are paths with a query, to be requested with `Accept: application/json`. Rows without their
//! required fields are skipped; a field in an unknown form counts as missing.
//!
//! Modules: `plex` and `jellyfin`, each with its targets and its rows; `item_details`: details of items by their
//! keys; `json_value`: lenient access to fields; `strip_secrets`: raw rows without secrets; [`timestamp`]: timestamps
//! as text.

mod item_details;
mod jellyfin;
mod json_value;
mod plex;
mod strip_secrets;
#[cfg(test)]
mod tests;

pub use crate::crawl::timestamp;
pub use item_details::ItemDetails;

use serde_json::Value;

use crate::crawl::LibraryInfo;
use crate::request::ServerKind;
use crate::response_facts::UnusableResponse;

/// A current playback session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DashboardSession {
    /// The server's id of the session.
    pub id: String,
    /// The playing user.
    pub user: DashboardUser,
    /// The playing item.
    pub item: DashboardItem,
    /// `playing`, `paused`, `buffering`.
    pub state: String,
    /// Playback position in milliseconds.
    pub offset_ms: u64,
    /// The playing device and app.
    pub player: DashboardPlayer,
    /// The transcode; `None` for direct play.
    pub transcode: Option<TranscodeInfo>,
    /// The stream sent to the player.
    pub stream: StreamInfo,
    /// The row as the server wrote it, without secrets.
    pub raw: Value,
}

/// A user of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DashboardUser {
    /// The server's id of the user.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Path on the server or address of the user's picture.
    pub thumb: Option<String>,
}

/// An item as dashboards show it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DashboardItem {
    /// The server's key of it.
    pub key: String,
    /// `movie`, `episode`, `track`, in the words of Plex for both.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// The season, or the album.
    pub parent_title: Option<String>,
    /// The show, or the artist.
    pub grandparent_title: Option<String>,
    /// Number within the parent (track, episode).
    pub index: Option<u64>,
    /// Number of the parent (disc, season).
    pub parent_index: Option<u64>,
    /// When it was added to its library, in seconds since 1970.
    pub added_s: Option<u64>,
    /// Release year.
    pub year: Option<u64>,
    /// Rating.
    pub rating: Option<f64>,
    /// Duration in milliseconds.
    pub duration_ms: Option<u64>,
    /// Path of its picture on the server.
    pub thumb: Option<String>,
    /// The path of the show's or the artist's picture.
    pub grandparent_thumb: Option<String>,
    /// Path of its background image on the server.
    pub art: Option<String>,
}

/// The playing device and app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DashboardPlayer {
    /// Name of the device.
    pub device: Option<String>,
    /// Name of the app.
    pub product: Option<String>,
    /// Operating system or platform.
    pub platform: Option<String>,
}

/// The transcode of a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TranscodeInfo {
    /// Transcode speed as a multiple of playback speed.
    pub speed: Option<f64>,
    /// Video: `copy`, `transcode`, `directplay`.
    pub video: String,
    /// Audio: the same values.
    pub audio: String,
}

impl TranscodeInfo {
    /// Whether video or audio is transcoded, not just the container.
    pub fn is_active(&self) -> bool {
        self.video == "transcode" || self.audio == "transcode"
    }
}

/// The stream sent to a player.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamInfo {
    /// `1080`, `4k`.
    pub resolution: Option<String>,
    /// Video codec.
    pub video_codec: Option<String>,
    /// Audio codec.
    pub audio_codec: Option<String>,
    /// Container format of the file.
    pub container: Option<String>,
    /// Bit rate of the file in kbit/s.
    pub bitrate_kbps: Option<u64>,
    /// `lan` or `wan`.
    pub location: Option<String>,
    /// Bandwidth reserved for the stream, in kbit/s.
    pub bandwidth_kbps: Option<u64>,
}

/// Current work of the server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DashboardActivity {
    /// The server's id of it.
    pub id: String,
    /// Kind of work, as the server names it.
    pub kind: String,
    /// Title of the work.
    pub title: String,
    /// Its object, such as a library.
    pub subtitle: String,
    /// Progress in percent.
    pub percent: f64,
    /// The row as the server wrote it, without secrets.
    pub raw: Value,
}

/// A kind of item that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ItemCountKind {
    /// Films.
    Films,
    /// Shows.
    Shows,
    /// Seasons of shows.
    Seasons,
    /// Episodes of shows.
    Episodes,
    /// Artists.
    Artists,
    /// Albums.
    Albums,
    /// Tracks.
    Tracks,
}

/// A finished playback.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlayHistoryEntry {
    /// The server's id of the playback.
    pub id: String,
    /// Time of the playback, in seconds since 1970.
    pub at_s: u64,
    /// The server's id of the user.
    pub user: String,
    /// The played item, as far as it is still known.
    pub item: DashboardItem,
    /// The player's name.
    pub player: Option<String>,
}

/// A page of the playback history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlayHistoryPage {
    /// The valid rows.
    pub rows: Vec<PlayHistoryEntry>,
    /// Number of rows received, including skipped ones.
    pub received: u64,
    /// Number of rows of the whole history.
    pub total: u64,
}

impl ServerKind {
    /// Target of the current sessions.
    pub fn sessions_target(self) -> &'static str {
        match self {
            Self::Plex => "/status/sessions",
            Self::Jellyfin => "/Sessions",
        }
    }

    /// Parses the current sessions; connections that play nothing are skipped.
    ///
    /// # Errors
    /// If the body is no list of sessions.
    pub fn sessions(self, body: &[u8]) -> Result<Vec<DashboardSession>, UnusableResponse> {
        match self {
            Self::Plex => plex::sessions(&parsed(body)?),
            Self::Jellyfin => jellyfin::sessions(&parsed(body)?),
        }
    }

    /// Target of the server's current work.
    pub fn activities_target(self) -> &'static str {
        match self {
            Self::Plex => "/activities",
            Self::Jellyfin => "/ScheduledTasks",
        }
    }

    /// Parses the server's current work.
    ///
    /// # Errors
    /// If the body is no list of activities.
    pub fn activities(self, body: &[u8]) -> Result<Vec<DashboardActivity>, UnusableResponse> {
        match self {
            Self::Plex => plex::activities(&parsed(body)?),
            Self::Jellyfin => jellyfin::activities(&parsed(body)?),
        }
    }

    /// Target of a library's recently added items; `user` is the token's user, if it has one.
    pub fn recent_target(self, library: &LibraryInfo, most: u32, user: Option<&str>) -> String {
        match self {
            Self::Plex => plex::recent_target(library, most),
            Self::Jellyfin => jellyfin::recent_target(library, most, user),
        }
    }

    /// Parses recently added items, newest first.
    ///
    /// # Errors
    /// If the body is no list of items.
    pub fn recent(self, body: &[u8]) -> Result<Vec<DashboardItem>, UnusableResponse> {
        match self {
            Self::Plex => plex::recent(&parsed(body)?),
            Self::Jellyfin => jellyfin::recent(&parsed(body)?),
        }
    }

    /// Target of the list of users.
    pub fn accounts_target(self) -> &'static str {
        match self {
            Self::Plex => "/accounts",
            Self::Jellyfin => "/Users",
        }
    }

    /// Parses the list of users.
    ///
    /// # Errors
    /// If the body is no list of users.
    pub fn accounts(self, body: &[u8]) -> Result<Vec<DashboardUser>, UnusableResponse> {
        match self {
            Self::Plex => plex::users(&parsed(body)?),
            Self::Jellyfin => jellyfin::users(&parsed(body)?),
        }
    }

    /// Id of an administrator in the list of users. Needed where a request must name a user, because an API
    /// key of Jellyfin has none.
    pub fn administrator(self, body: &[u8]) -> Option<String> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => jellyfin::administrator(&parsed(body).ok()?),
        }
    }

    /// Target that counts the items of a kind in a library, without rows.
    pub fn item_count_target(self, library: &LibraryInfo, of: ItemCountKind) -> String {
        match self {
            Self::Plex => plex::item_count_target(library, of),
            Self::Jellyfin => jellyfin::item_count_target(library, of),
        }
    }

    /// Parses a count.
    ///
    /// # Errors
    /// If the body has no count.
    pub fn item_count(self, body: &[u8]) -> Result<u64, UnusableResponse> {
        match self {
            Self::Plex => plex::item_count(&parsed(body)?),
            Self::Jellyfin => jellyfin::item_count(&parsed(body)?),
        }
    }

    /// Target of a page of the playback history since `since_s` (seconds since 1970). Plex sorts the oldest
    /// first, Jellyfin the newest.
    pub fn play_history_target(self, since_s: u64, start: u64, size: u64) -> String {
        match self {
            Self::Plex => plex::play_history_target(since_s, start, size),
            Self::Jellyfin => jellyfin::play_history_target(since_s, start, size),
        }
    }

    /// Parses a page of the playback history.
    ///
    /// # Errors
    /// If the body is no such page.
    pub fn play_history(self, body: &[u8]) -> Result<PlayHistoryPage, UnusableResponse> {
        match self {
            Self::Plex => plex::play_history(&parsed(body)?),
            Self::Jellyfin => jellyfin::play_history(&parsed(body)?),
        }
    }

    /// Target of the details of several items, for history rows that give only a key; `None` where rows are
    /// complete.
    pub fn items_by_key_target(self, keys: &[&str]) -> Option<String> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => Some(jellyfin::items_by_key_target(keys)),
        }
    }

    /// Whether a path is the picture of one item. Anything outside this grammar is never linked to.
    pub fn is_item_picture(self, path: &str) -> bool {
        match self {
            Self::Plex => plex::is_item_picture(path),
            Self::Jellyfin => jellyfin::is_item_picture(path),
        }
    }
}

fn parsed(body: &[u8]) -> Result<Value, UnusableResponse> {
    serde_json::from_slice(body).map_err(|_| UnusableResponse::Malformed)
}
