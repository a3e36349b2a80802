//! System events: a closed list, each with its subject and the subject's new state; and their listener.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use greenroom_config::NotificationEvent;

/// The listener's function.
type EventListenerFn = dyn Fn(&SystemEvent) + Send + Sync;

/// Passes events to the notifier, if there is one. Clones share it.
#[derive(Clone, Default)]
pub struct SystemEventListener(Option<Arc<EventListenerFn>>);

impl SystemEventListener {
    /// Calls `listener` with every event, on the thread that reports it: it must not block.
    pub fn new(listener: impl Fn(&SystemEvent) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// Reports an event.
    pub fn notify(&self, event: &SystemEvent) {
        if let Some(listener) = &self.0 {
            listener(event);
        }
    }
}

impl fmt::Debug for SystemEventListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "SystemEventListener(…)" } else { "SystemEventListener(none)" })
    }
}

/// A system event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemEvent {
    /// A server went down.
    ServerDown {
        /// Its name.
        server: String,
    },
    /// It is back.
    ServerUp {
        /// Its name.
        server: String,
        /// Duration of the outage.
        after_ms: Duration,
    },
    /// A build failed.
    BuildFailed {
        /// The library.
        library: String,
        /// The reason, in our words.
        reason: String,
    },
    /// A library was read completely; sends no notification.
    BuildDone {
        /// The library.
        library: String,
    },
    /// A library lost more than half of its items.
    LibraryShrank {
        /// The library.
        library: String,
        /// Items before.
        was: u64,
        /// Items after.
        came: u64,
        /// Whether the new library was accepted.
        is_believed: bool,
    },
    /// A server refuses the configured token.
    TokenRejected {
        /// Its name.
        server: String,
    },
    /// It accepts the token; sends no notification.
    TokenAccepted {
        /// Its name.
        server: String,
    },
    /// The disk tier is restricted.
    DiskOff {
        /// The reason, in our words.
        reason: String,
    },
    /// The disk tier is fully available again.
    DiskBack,
}

/// Subject of an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventSubject {
    /// A server's availability.
    Server(String),
    /// A library index.
    Library(String),
    /// A server's configured token.
    Token(String),
    /// The disk tier.
    Disk,
}

/// State of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventSubjectState {
    /// As it should be.
    Healthy,
    /// Down, failed, rejected, off.
    Failing,
    /// A library that seems to have lost most of its items.
    Suspect,
    /// A library that has lost most of its items.
    Shrunk,
}

impl SystemEvent {
    /// Its notification, if it has one.
    pub fn notification(&self) -> Option<NotificationEvent> {
        match self {
            Self::ServerDown { .. } => Some(NotificationEvent::ServerDown),
            Self::ServerUp { .. } => Some(NotificationEvent::ServerUp),
            Self::BuildFailed { .. } => Some(NotificationEvent::BuildFailed),
            Self::LibraryShrank { .. } => Some(NotificationEvent::LibraryShrank),
            Self::TokenRejected { .. } => Some(NotificationEvent::TokenRejected),
            Self::DiskOff { .. } => Some(NotificationEvent::DiskOff),
            Self::DiskBack => Some(NotificationEvent::DiskBack),
            Self::BuildDone { .. } | Self::TokenAccepted { .. } => None,
        }
    }

    /// Its subject.
    pub fn subject(&self) -> EventSubject {
        match self {
            Self::ServerDown { server } | Self::ServerUp { server, .. } => EventSubject::Server(server.clone()),
            Self::BuildFailed { library, .. } | Self::BuildDone { library } | Self::LibraryShrank { library, .. } => {
                EventSubject::Library(library.clone())
            }
            Self::TokenRejected { server } | Self::TokenAccepted { server } => EventSubject::Token(server.clone()),
            Self::DiskOff { .. } | Self::DiskBack => EventSubject::Disk,
        }
    }

    /// The subject's new state.
    pub fn state(&self) -> EventSubjectState {
        match self {
            Self::ServerUp { .. } | Self::BuildDone { .. } | Self::TokenAccepted { .. } | Self::DiskBack => {
                EventSubjectState::Healthy
            }
            Self::LibraryShrank { is_believed: false, .. } => EventSubjectState::Suspect,
            Self::LibraryShrank { is_believed: true, .. } => EventSubjectState::Shrunk,
            Self::ServerDown { .. } | Self::BuildFailed { .. } | Self::TokenRejected { .. } | Self::DiskOff { .. } => {
                EventSubjectState::Failing
            }
        }
    }

    /// Its server, if it is about one.
    pub fn server(&self) -> Option<&str> {
        match self {
            Self::ServerDown { server }
            | Self::ServerUp { server, .. }
            | Self::TokenRejected { server }
            | Self::TokenAccepted { server } => Some(server),
            Self::BuildFailed { library, .. } | Self::BuildDone { library } | Self::LibraryShrank { library, .. } => {
                library.split(':').next()
            }
            Self::DiskOff { .. } | Self::DiskBack => None,
        }
    }

    /// Its library, if it is about one.
    pub fn library(&self) -> Option<&str> {
        match self {
            Self::BuildFailed { library, .. } | Self::BuildDone { library } | Self::LibraryShrank { library, .. } => {
                Some(library)
            }
            _ => None,
        }
    }
}
