//! What happened: a closed list, each with what it is about and how that stands since.

use serde::Serialize;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A server went down.
    ServerDown {
        /// Its name.
        server: String,
    },
    /// It is back.
    ServerUp {
        /// Its name.
        server: String,
        /// How long it was down.
        after_ms: u64,
    },
    /// A build came to nothing.
    BuildFailed {
        /// Of this library.
        library: String,
        /// Why, in our words.
        reason: String,
    },
    /// A library was read whole; nobody is told.
    BuildDone {
        /// This one.
        library: String,
    },
    /// A library has lost more than half of its items.
    LibraryShrank {
        /// This one.
        library: String,
        /// Items that were kept.
        was: u64,
        /// Items that came.
        came: u64,
        /// Whether that is believed.
        is_believed: bool,
    },
    /// A server does not accept the configured token.
    TokenRejected {
        /// Its name.
        server: String,
    },
    /// It accepts it; nobody is told.
    TokenAccepted {
        /// Its name.
        server: String,
    },
    /// The disk tier does less than it should.
    DiskOff {
        /// Why, in our words.
        reason: String,
    },
    /// It does all of it again.
    DiskBack,
}

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

/// What a fact is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// Whether a server is there.
    Server(String),
    /// How a library does.
    Library(String),
    /// What a server thinks of the configured token.
    Token(String),
    /// The disk tier.
    Disk,
}

/// How the subject stands since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As it should.
    Well,
    /// Down, failed, rejected, off.
    Ill,
    /// A library that seems to have lost most of its items.
    Doubted,
    /// A library that has.
    Shrunk,
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

impl Fact {
    /// What it is told as, if it is.
    pub fn event(&self) -> Option<Event> {
        match self {
            Self::ServerDown { .. } => Some(Event::ServerDown),
            Self::ServerUp { .. } => Some(Event::ServerUp),
            Self::BuildFailed { .. } => Some(Event::BuildFailed),
            Self::LibraryShrank { .. } => Some(Event::LibraryShrank),
            Self::TokenRejected { .. } => Some(Event::TokenRejected),
            Self::DiskOff { .. } => Some(Event::DiskOff),
            Self::DiskBack => Some(Event::DiskBack),
            Self::BuildDone { .. } | Self::TokenAccepted { .. } => None,
        }
    }

    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::ServerDown { server } | Self::ServerUp { server, .. } => Subject::Server(server.clone()),
            Self::BuildFailed { library, .. }
            | Self::BuildDone { library }
            | Self::LibraryShrank { library, .. } => Subject::Library(library.clone()),
            Self::TokenRejected { server } | Self::TokenAccepted { server } => Subject::Token(server.clone()),
            Self::DiskOff { .. } | Self::DiskBack => Subject::Disk,
        }
    }

    /// How that stands since.
    pub fn standing(&self) -> Standing {
        match self {
            Self::ServerUp { .. } | Self::BuildDone { .. } | Self::TokenAccepted { .. } | Self::DiskBack => {
                Standing::Well
            }
            Self::LibraryShrank { is_believed: false, .. } => Standing::Doubted,
            Self::LibraryShrank { is_believed: true, .. } => Standing::Shrunk,
            Self::ServerDown { .. }
            | Self::BuildFailed { .. }
            | Self::TokenRejected { .. }
            | Self::DiskOff { .. } => Standing::Ill,
        }
    }

    /// The server it is about, if it is about one.
    pub fn server(&self) -> Option<&str> {
        match self {
            Self::ServerDown { server }
            | Self::ServerUp { server, .. }
            | Self::TokenRejected { server }
            | Self::TokenAccepted { server } => Some(server),
            Self::BuildFailed { library, .. }
            | Self::BuildDone { library }
            | Self::LibraryShrank { library, .. } => library.split(':').next(),
            Self::DiskOff { .. } | Self::DiskBack => None,
        }
    }

    /// The library it is about, if it is about one.
    pub fn library(&self) -> Option<&str> {
        match self {
            Self::BuildFailed { library, .. }
            | Self::BuildDone { library }
            | Self::LibraryShrank { library, .. } => Some(library),
            _ => None,
        }
    }
}
