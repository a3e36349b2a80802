//! Events of notifications, as named in `events` of a target.

use serde::Serialize;

/// An event to be notified of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotificationEvent {
    /// A server went down.
    ServerDown,
    /// A server is back.
    ServerUp,
    /// An index build failed.
    BuildFailed,
    /// A library lost more than half of its items.
    LibraryShrank,
    /// A server refuses the configured token.
    TokenRejected,
    /// The disk tier is off.
    DiskOff,
    /// The disk tier is on again.
    DiskBack,
}

impl NotificationEvent {
    /// Every event.
    pub const EVERY: [Self; 7] = [
        Self::ServerDown,
        Self::ServerUp,
        Self::BuildFailed,
        Self::LibraryShrank,
        Self::TokenRejected,
        Self::DiskOff,
        Self::DiskBack,
    ];

    /// Its name in the configuration and in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::ServerDown => "server-down",
            Self::ServerUp => "server-up",
            Self::BuildFailed => "build-failed",
            Self::LibraryShrank => "library-shrank",
            Self::TokenRejected => "token-rejected",
            Self::DiskOff => "disk-off",
            Self::DiskBack => "disk-back",
        }
    }

    /// The event with this name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|event| event.word() == word)
    }

    /// Whether it reports a recovery.
    pub fn is_recovery(self) -> bool {
        matches!(self, Self::ServerUp | Self::DiskBack)
    }
}
