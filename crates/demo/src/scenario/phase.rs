//! Phase of the race that the demo's page shows.

use serde::Serialize;

/// Phase of the race.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DemoPhase {
    /// The servers are starting.
    Preparing,
    /// The apps of both targets send requests.
    Race,
    /// The same, without servers: the outage that is part of every race.
    Outage,
    /// The race is over; the apps of both targets read on while a page is open.
    Afterwards,
}

impl DemoPhase {
    /// Text for the page.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Preparing => "Starting the simulated servers and Greenroom",
            Self::Race => "The same apps on both sides, in real time",
            Self::Outage => "The media servers are down: see which side still answers",
            Self::Afterwards => "The race is over; the apps go on while you look",
        }
    }
}
