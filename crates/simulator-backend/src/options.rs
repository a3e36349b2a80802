//! Options of a simulated server.

use crate::catalogue::CatalogueSize;
use crate::latency::LatencyProfile;
use crate::users::UserRegistry;

/// Default time of the newest addition to a library (October 2025), in seconds since 1970.
pub const NEWEST_AT: u64 = 1_760_000_000;

/// Options of a server. `S` are the switches of its dialect.
#[derive(Debug, Clone)]
pub struct SimulatorOptions<S> {
    /// Seed of all random choices.
    pub seed: u64,
    /// Size of the library.
    pub size: CatalogueSize,
    /// Users and tokens; the dialect's standard users if absent.
    pub users: Option<UserRegistry>,
    /// Response latency, before `time_factor`.
    pub latency: LatencyProfile,
    /// Ratio of simulated time (latency and clock) to real time.
    pub time_factor: f64,
    /// Time of the newest addition, in seconds since 1970.
    pub newest_at: u64,
    /// Current time at the start, in seconds since 1970; the system's time if absent.
    pub now: Option<u64>,
    /// Plays in each user's history.
    pub plays_per_user: u32,
    /// Behaviour on which real servers differ, or that is not known.
    pub switches: S,
}

impl<S: Default> Default for SimulatorOptions<S> {
    fn default() -> Self {
        Self {
            seed: 1,
            size: CatalogueSize::default(),
            users: None,
            latency: LatencyProfile::default(),
            time_factor: 1.0,
            newest_at: NEWEST_AT,
            now: None,
            plays_per_user: 200,
            switches: S::default(),
        }
    }
}

/// Switches of a dialect.
pub trait DialectSwitches: Default {
    /// The defaults, but nothing is told late: for tests that wait for notices.
    fn quick() -> Self {
        Self::default()
    }
}

impl<S: DialectSwitches> SimulatorOptions<S> {
    /// For tests: a tiny library, no latency, notices at once, a clock that starts an hour after the newest addition.
    pub fn quick() -> Self {
        Self {
            switches: S::quick(),
            size: CatalogueSize::tiny(),
            latency: LatencyProfile::none(),
            now: Some(NEWEST_AT + 3_600),
            plays_per_user: 40,
            ..Self::default()
        }
    }
}
