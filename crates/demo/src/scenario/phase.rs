//! How far the demo is.

use serde::Serialize;

/// How far the demo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    /// Servers are started.
    Preparing,
    /// The apps do what they do in an evening, and ask the servers.
    DirectEvening,
    /// They read on there.
    DirectReadsOn,
    /// They read on there without servers.
    DirectOutage,
    /// The same evening, in which they ask Greenroom.
    ThroughEvening,
    /// Greenroom is started again, and they read on there.
    ThroughRestart,
    /// They read on there without servers.
    ThroughOutage,
    /// Both sides' apps read on as long as somebody looks.
    Afterwards,
}

impl Phase {
    /// What is said of it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Preparing => "One moment: the simulated servers are started",
            Self::DirectEvening => "An evening of companion apps that ask the servers directly",
            Self::DirectReadsOn => "Directly, after the evening: the apps read on for a minute",
            Self::DirectOutage => "Directly: the apps read on, and the servers are down for a minute",
            Self::ThroughEvening => "The same evening, and the apps ask Greenroom",
            Self::ThroughRestart => "Greenroom is started again, and the apps read on",
            Self::ThroughOutage => {
                "Through Greenroom: the apps read on, and the servers are down for a minute"
            }
            Self::Afterwards => "The evenings are over, and both sides' apps read on as long as you look",
        }
    }
}
