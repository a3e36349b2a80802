//! What users watched, and what they are watching.

use crate::catalogue::ItemId;
use crate::users::UserId;

/// The state of one user on one item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watch {
    /// How often it was played to the end.
    pub views: u32,
    /// Where playback was left, 0 if nowhere.
    pub offset_ms: u64,
    /// When it was last played.
    pub last_viewed_at: Option<u64>,
    /// The user's rating in tenths, from 0 to 100.
    pub rating: Option<u16>,
    /// When it was rated.
    pub rated_at: Option<u64>,
    /// Whether it is a favourite.
    pub favourite: bool,
    /// How often it was skipped.
    pub skips: u32,
    /// Whether the user took it off the list of what to continue with.
    pub hidden_from_resume: bool,
}

impl Watch {
    /// Whether it was played to the end at least once.
    pub fn played(&self) -> bool {
        self.views > 0
    }
}

/// A play in a user's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Play {
    /// Its id.
    pub id: u64,
    /// What was played.
    pub item: ItemId,
    /// By whom.
    pub user: UserId,
    /// When, in seconds since 1970.
    pub viewed_at: u64,
    /// On which device.
    pub device: u32,
}

/// What a player does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It plays.
    Playing,
    /// It fills its buffer.
    Buffering,
    /// It is paused.
    Paused,
    /// It stopped.
    Stopped,
}

impl Progress {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Playing => "playing",
            Self::Buffering => "buffering",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }

    /// What the word means.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Playing, Self::Buffering, Self::Paused, Self::Stopped].into_iter().find(|it| it.word() == word)
    }
}

/// A device that reported itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// Its number, from 1.
    pub id: u32,
    /// Its own identifier.
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
    /// When it was first seen.
    pub created_at: u64,
}

/// What a player reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playing {
    /// What it plays.
    pub item: ItemId,
    /// What it does.
    pub progress: Progress,
    /// Where it is.
    pub offset_ms: u64,
    /// On which device.
    pub device: Device,
}

/// A playback that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its key: a number as text.
    pub key: String,
    /// Its identifier.
    pub id: String,
    /// Who plays.
    pub user: UserId,
    /// What plays.
    pub item: ItemId,
    /// What the player does.
    pub progress: Progress,
    /// Where it is.
    pub offset_ms: u64,
    /// On which device.
    pub device: Device,
    /// Since when.
    pub started_at: u64,
}
