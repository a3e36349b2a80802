//! What a notification can be about: the words `events` of a target are made of.

use serde::Serialize;

/// What can be asked to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A server went down.
    ServerDown,
    /// A server is back.
    ServerUp,
    /// A build came to nothing.
    BuildFailed,
    /// A library has lost more than half of its items.
    LibraryShrank,
    /// A server does not accept the configured token.
    TokenRejected,
    /// The disk tier is off.
    DiskOff,
    /// The disk tier is on again.
    DiskBack,
}

impl Event {
    /// Every one of them.
    pub const EVERY: [Self; 7] = [
        Self::ServerDown,
        Self::ServerUp,
        Self::BuildFailed,
        Self::LibraryShrank,
        Self::TokenRejected,
        Self::DiskOff,
        Self::DiskBack,
    ];

    /// The word for it.
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

    /// The one of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|event| event.word() == word)
    }

    /// Whether it says that something is well again.
    pub fn is_recovery(self) -> bool {
        matches!(self, Self::ServerUp | Self::DiskBack)
    }
}
