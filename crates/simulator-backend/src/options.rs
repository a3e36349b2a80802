//! What a simulated server is made of.

use crate::catalogue::CatalogueSize;
use crate::latency::Latency;
use crate::users::Users;

/// The newest item of a library was added then (October 2025), unless the options say otherwise.
pub const NEWEST_AT: u64 = 1_760_000_000;

/// How a server is set up. `S` are the switches of its dialect.
#[derive(Debug, Clone)]
pub struct Options<S> {
    /// The seed of everything.
    pub seed: u64,
    /// How large the library is.
    pub size: CatalogueSize,
    /// Who may ask; the dialect's standard users if absent.
    pub users: Option<Users>,
    /// How long answers take, before `time_factor`.
    pub latency: Latency,
    /// By how much simulated time (latency and clock) runs faster than real time.
    pub time_factor: f64,
    /// When the newest item was added, in seconds since 1970.
    pub newest_at: u64,
    /// What time it is at the start, in seconds since 1970; the system's time if absent.
    pub now: Option<u64>,
    /// Plays in each user's past.
    pub plays_per_user: u32,
    /// Points on which real servers differ, or are not known.
    pub switches: S,
}

impl<S: Default> Default for Options<S> {
    fn default() -> Self {
        Self {
            seed: 1,
            size: CatalogueSize::default(),
            users: None,
            latency: Latency::default(),
            time_factor: 1.0,
            newest_at: NEWEST_AT,
            now: None,
            plays_per_user: 200,
            switches: S::default(),
        }
    }
}

impl<S: Default> Options<S> {
    /// For tests: a tiny library, no latency, a clock that starts an hour after the newest addition.
    pub fn quick() -> Self {
        Self {
            size: CatalogueSize::tiny(),
            latency: Latency::none(),
            now: Some(NEWEST_AT + 3_600),
            plays_per_user: 40,
            ..Self::default()
        }
    }
}
