//! Phase of the demo.

use serde::Serialize;

/// Phase of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DemoPhase {
    /// The servers are starting.
    Preparing,
    /// The evening with the apps pointed at the servers.
    DirectEvening,
    /// The apps read on there.
    DirectReadsOn,
    /// They read on there without servers.
    DirectOutage,
    /// The same evening with the apps pointed at Greenroom.
    ThroughEvening,
    /// Greenroom restarts, and the apps read on there.
    ThroughRestart,
    /// They read on there without servers.
    ThroughOutage,
    /// The apps of both targets read on while the page has viewers.
    Afterwards,
}

impl DemoPhase {
    /// Text for the page.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Preparing => "One moment: the simulated servers are started",
            Self::DirectEvening => "An evening of companion apps that ask the servers directly",
            Self::DirectReadsOn => "Directly, after the evening: the apps read on for a minute",
            Self::DirectOutage => "Directly: the apps read on, and the servers are down for a minute",
            Self::ThroughEvening => "The same evening, and the apps ask Greenroom",
            Self::ThroughRestart => "Greenroom is started again, and the apps read on",
            Self::ThroughOutage => "Through Greenroom: the apps read on, and the servers are down for a minute",
            Self::Afterwards => "The evenings are over, and both sides' apps read on as long as you look",
        }
    }
}
