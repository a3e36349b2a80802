//! What happened: a closed list, each with what it is about and how that stands since; and where it is told.

use std::fmt;
use std::sync::Arc;

use greenroom_config::Event;

/// What a fact is told to.
type Listener = dyn Fn(&Fact) + Send + Sync;

/// Tells facts to the notifier, where there is one. Clones tell the same one.
#[derive(Clone, Default)]
pub struct FactListener(Option<Arc<Listener>>);

impl FactListener {
    /// Calls `listener` with every fact, on the thread that tells it: it must not wait.
    pub fn new(listener: impl Fn(&Fact) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// Something happened.
    pub fn tell(&self, fact: &Fact) {
        if let Some(listener) = &self.0 {
            listener(fact);
        }
    }
}

impl fmt::Debug for FactListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "FactListener(…)" } else { "FactListener(none)" })
    }
}

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
