//! Watch states, playback history and sessions. All times are in seconds since 1970 unless a field says otherwise.

use crate::catalogue::ItemId;
use crate::users::UserId;

/// The state of one user on one item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WatchState {
    /// Number of complete plays.
    pub views: u32,
    /// Playback position in milliseconds, 0 if none.
    pub offset_ms: u64,
    /// Time of the last play.
    pub last_viewed_at: Option<u64>,
    /// The user's rating in tenths of a point, from 0 to 100.
    pub rating: Option<u16>,
    /// Time of the rating.
    pub rated_at: Option<u64>,
    /// Whether it is a favourite.
    pub favourite: bool,
    /// Number of skips.
    pub skips: u32,
    /// Whether the user removed it from the list of items to resume.
    pub hidden_from_resume: bool,
    /// Whether it counts as not played in spite of its plays, as after a start.
    pub not_played: bool,
}

impl WatchState {
    /// Whether it was played completely at least once.
    pub fn played(&self) -> bool {
        self.views > 0 && !self.not_played
    }
}

/// An entry of the playback history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayRecord {
    /// Its id.
    pub id: u64,
    /// Played item.
    pub item: ItemId,
    /// The user who played it.
    pub user: UserId,
    /// Time of the play.
    pub viewed_at: u64,
    /// Number of the device ([`PlayerDevice::id`]).
    pub device: u32,
}

/// State of a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayerState {
    /// It plays.
    Playing,
    /// It fills its buffer.
    Buffering,
    /// It is paused.
    Paused,
    /// It stopped.
    Stopped,
}

impl PlayerState {
    /// Name of the state.
    pub fn word(self) -> &'static str {
        match self {
            Self::Playing => "playing",
            Self::Buffering => "buffering",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }

    /// Parses a state's name.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Playing, Self::Buffering, Self::Paused, Self::Stopped].into_iter().find(|it| it.word() == word)
    }
}

/// A device with a player, as it reported itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlayerDevice {
    /// Its number, from 1.
    pub id: u32,
    /// The identifier that it reports.
    pub client: String,
    /// Its name.
    pub name: String,
    /// The product that runs on it.
    pub product: String,
    /// The product's version.
    pub version: String,
    /// Its platform.
    pub platform: String,
    /// The address it reported from.
    pub address: String,
    /// Time of the first report.
    pub created_at: u64,
}

/// A player's report about its playback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybackUpdate {
    /// Played item.
    pub item: ItemId,
    /// State of the player.
    pub progress: PlayerState,
    /// Position in milliseconds.
    pub offset_ms: u64,
    /// Device.
    pub device: PlayerDevice,
}

/// A running playback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedSession {
    /// Its session key: a number as text.
    pub key: String,
    /// Its session id.
    pub id: String,
    /// The user.
    pub user: UserId,
    /// Played item.
    pub item: ItemId,
    /// State of the player.
    pub progress: PlayerState,
    /// Position in milliseconds.
    pub offset_ms: u64,
    /// Device.
    pub device: PlayerDevice,
    /// Time of the start.
    pub started_at: u64,
}
