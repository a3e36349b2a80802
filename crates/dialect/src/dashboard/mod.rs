//! What dashboards show of a server: who plays what, what it is busy with, what was added lately, what was played, how
//! much of everything there is, and who its users are. How each is asked for, and what the answer says.
//!
//! Targets are paths with a query, to be asked with `Accept: application/json`. A row without what makes it one is passed
//! over; a field in a form nobody sends is as good as missing.
//!
//! Rooms: `plex` and `jellyfin`, each with its targets and its rows; `value`: fields as servers write them; `clean`: rows
//! as they came, without secrets; [`instant`]: times as programs read them.

mod clean;
mod jellyfin;
mod plex;
#[cfg(test)]
mod tests;
mod value;

pub use crate::crawl::instant;

use serde_json::Value;

use crate::ask::Kind;
use crate::crawl::Shelf;
use crate::facts::Unfit;

/// One who plays something now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Session {
    /// The server's id of it.
    pub id: String,
    /// Who plays.
    pub user: User,
    /// What plays.
    pub item: Item,
    /// `playing`, `paused`, `buffering`.
    pub state: String,
    /// How far it is, in milliseconds.
    pub offset_ms: u64,
    /// What it plays on.
    pub player: Player,
    /// How it is changed on its way; `None` if it is sent as it is.
    pub transcode: Option<Transcode>,
    /// What is sent.
    pub stream: Stream,
    /// The row as the server wrote it, without secrets.
    pub raw: Value,
}

/// Somebody known to the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The server's id of them.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Where their picture is: an address, or a path on the server.
    pub thumb: Option<String>,
}

/// What of an item dashboards show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Item {
    /// The server's key of it.
    pub key: String,
    /// `movie`, `episode`, `track`, in the words of Plex for both.
    pub kind: String,
    /// What it is called.
    pub title: String,
    /// The season, or the album.
    pub parent_title: Option<String>,
    /// The show, or the artist.
    pub grandparent_title: Option<String>,
    /// Its number in what it lies in.
    pub index: Option<u64>,
    /// The number of that.
    pub parent_index: Option<u64>,
    /// When it was added to its library, in seconds since 1970.
    pub added_s: Option<u64>,
    /// The year it is from.
    pub year: Option<u64>,
    /// How it is rated.
    pub rating: Option<f64>,
    /// How long it is, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The path of its picture on the server.
    pub thumb: Option<String>,
    /// The path of the show's or the artist's picture.
    pub grandparent_thumb: Option<String>,
    /// The path of its background.
    pub art: Option<String>,
}

/// What something plays on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Player {
    /// What it is called.
    pub device: Option<String>,
    /// Which app it is.
    pub product: Option<String>,
    /// What it runs on.
    pub platform: Option<String>,
}

/// How a stream is changed on its way.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transcode {
    /// How much faster than it plays.
    pub speed: Option<f64>,
    /// `copy`, `transcode`, `directplay`.
    pub video: String,
    /// The same for what is heard.
    pub audio: String,
}

impl Transcode {
    /// Whether anything is changed but the container.
    pub fn changes_something(&self) -> bool {
        self.video == "transcode" || self.audio == "transcode"
    }
}

/// What is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// `1080`, `4k`.
    pub resolution: Option<String>,
    /// Codec of the pictures.
    pub video_codec: Option<String>,
    /// Codec of the sound.
    pub audio_codec: Option<String>,
    /// The file's form.
    pub container: Option<String>,
    /// Kilobits a second of the file.
    pub bitrate_kbps: Option<u64>,
    /// `lan` or `wan`.
    pub location: Option<String>,
    /// Kilobits a second that were set aside for it.
    pub bandwidth_kbps: Option<u64>,
}

/// Something the server is busy with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Activity {
    /// The server's id of it.
    pub id: String,
    /// What kind of work it is, in the server's word.
    pub kind: String,
    /// What it does.
    pub title: String,
    /// With what.
    pub subtitle: String,
    /// How much of it is done, in percent.
    pub percent: f64,
    /// The row as the server wrote it, without secrets.
    pub raw: Value,
}

/// A kind of thing that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counted {
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

/// One playback that came to an end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Played {
    /// The server's id of the playback.
    pub id: String,
    /// When, in seconds since 1970.
    pub at_s: u64,
    /// The server's id of who played it.
    pub user: String,
    /// What was played, as far as it is still known.
    pub item: Item,
    /// What it was played on.
    pub player: Option<String>,
}

/// A page of what was played.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlayedPage {
    /// Those that can be kept.
    pub rows: Vec<Played>,
    /// How many rows came, also those that were passed over.
    pub came: u64,
    /// How many there are in all.
    pub total: u64,
}

impl Kind {
    /// Who plays what now.
    pub fn sessions_target(self) -> &'static str {
        match self {
            Self::Plex => "/status/sessions",
            Self::Jellyfin => "/Sessions",
        }
    }

    /// Reads who plays what. Who is only connected plays nothing.
    ///
    /// # Errors
    /// If it is no list of sessions.
    pub fn sessions(self, body: &[u8]) -> Result<Vec<Session>, Unfit> {
        match self {
            Self::Plex => plex::sessions(&parsed(body)?),
            Self::Jellyfin => jellyfin::sessions(&parsed(body)?),
        }
    }

    /// What the server is busy with.
    pub fn activities_target(self) -> &'static str {
        match self {
            Self::Plex => "/activities",
            Self::Jellyfin => "/ScheduledTasks",
        }
    }

    /// Reads what the server is busy with.
    ///
    /// # Errors
    /// If it is no list of activities.
    pub fn activities(self, body: &[u8]) -> Result<Vec<Activity>, Unfit> {
        match self {
            Self::Plex => plex::activities(&parsed(body)?),
            Self::Jellyfin => jellyfin::activities(&parsed(body)?),
        }
    }

    /// What was added lately to a library; `user` is whose view it is, where the token has one.
    pub fn recent_target(self, library: &Shelf, most: u32, user: Option<&str>) -> String {
        match self {
            Self::Plex => plex::recent_target(library, most),
            Self::Jellyfin => jellyfin::recent_target(library, most, user),
        }
    }

    /// Reads what was added lately, the newest first.
    ///
    /// # Errors
    /// If it is no list of items.
    pub fn recent(self, body: &[u8]) -> Result<Vec<Item>, Unfit> {
        match self {
            Self::Plex => plex::recent(&parsed(body)?),
            Self::Jellyfin => jellyfin::recent(&parsed(body)?),
        }
    }

    /// Who there is.
    pub fn accounts_target(self) -> &'static str {
        match self {
            Self::Plex => "/accounts",
            Self::Jellyfin => "/Users",
        }
    }

    /// Reads who there is.
    ///
    /// # Errors
    /// If it is no list of users.
    pub fn accounts(self, body: &[u8]) -> Result<Vec<User>, Unfit> {
        match self {
            Self::Plex => plex::users(&parsed(body)?),
            Self::Jellyfin => jellyfin::users(&parsed(body)?),
        }
    }

    /// The id of an administrator among them, where whoever asks has to name a user: an API key of Jellyfin is nobody.
    pub fn administrator(self, body: &[u8]) -> Option<String> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => jellyfin::administrator(&parsed(body).ok()?),
        }
    }

    /// How many of a kind there are in a library, without one of them.
    pub fn tally_target(self, library: &Shelf, of: Counted) -> String {
        match self {
            Self::Plex => plex::tally_target(library, of),
            Self::Jellyfin => jellyfin::tally_target(library, of),
        }
    }

    /// Reads how many there are.
    ///
    /// # Errors
    /// If it does not say.
    pub fn tally(self, body: &[u8]) -> Result<u64, Unfit> {
        match self {
            Self::Plex => plex::tally(&parsed(body)?),
            Self::Jellyfin => jellyfin::tally(&parsed(body)?),
        }
    }

    /// What was played since a moment (in seconds since 1970), a page of it. Plex tells the oldest first, Jellyfin the
    /// newest.
    pub fn played_target(self, since_s: u64, start: u64, size: u64) -> String {
        match self {
            Self::Plex => plex::played_target(since_s, start, size),
            Self::Jellyfin => jellyfin::played_target(since_s, start, size),
        }
    }

    /// Reads a page of what was played.
    ///
    /// # Errors
    /// If it is no such page.
    pub fn played(self, body: &[u8]) -> Result<PlayedPage, Unfit> {
        match self {
            Self::Plex => plex::played(&parsed(body)?),
            Self::Jellyfin => jellyfin::played(&parsed(body)?),
        }
    }

    /// What is known of some items, for playbacks that name nothing but a key; `None` where playbacks say it themselves.
    pub fn named_target(self, keys: &[&str]) -> Option<String> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => Some(jellyfin::named_target(keys)),
        }
    }

    /// Whether a path is the picture of one item, and nothing else. What is not in this grammar is never linked to.
    pub fn is_item_picture(self, path: &str) -> bool {
        match self {
            Self::Plex => plex::is_item_picture(path),
            Self::Jellyfin => jellyfin::is_item_picture(path),
        }
    }
}

fn parsed(body: &[u8]) -> Result<Value, Unfit> {
    serde_json::from_slice(body).map_err(|_| Unfit::Malformed)
}
