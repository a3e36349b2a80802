//! How a server's reads are answered, and the switch for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::observe::{Observation, Report};

/// How reads are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// From the cache where that is allowed.
    #[default]
    Cache,
    /// By the server, every one; what the cache would have answered is only judged.
    Observe,
    /// By the server, every one.
    Bypass,
}

impl Mode {
    /// Every mode.
    pub const EVERY: [Self; 3] = [Self::Cache, Self::Observe, Self::Bypass];

    /// The word for it in the configuration, the API and `Cache-Status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Observe => "observe",
            Self::Bypass => "bypass",
        }
    }

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|mode| mode.name() == name)
    }
}

/// The mode a server is in now. Turned while requests are under way: each is answered in the mode it found.
#[derive(Debug, Default)]
pub struct Switch {
    /// The place in [`Mode::EVERY`], so that a hit takes no lock.
    mode: AtomicU8,
    observed: RwLock<Observed>,
}

/// What is and was observed.
#[derive(Debug, Default)]
struct Observed {
    now: Option<Arc<Observation>>,
    /// The outcome of the last observation that has ended.
    last: Option<Report>,
}

impl Switch {
    /// The mode now.
    pub fn mode(&self) -> Mode {
        Mode::EVERY.get(usize::from(self.mode.load(Ordering::Acquire))).copied().unwrap_or_default()
    }

    /// What is observed now, if the mode is to observe.
    pub fn observation(&self) -> Option<Arc<Observation>> {
        if self.mode() == Mode::Observe { self.observed.read().now.clone() } else { None }
    }

    /// The outcome so far; of the last observation, if none runs.
    pub fn report(&self, own: u64, now_ms: u64) -> Option<Report> {
        let observed = self.observed.read();
        observed.now.as_ref().map(|now| now.report(own, now_ms)).or_else(|| observed.last.clone())
    }

    /// Turns to a mode. `begin` makes an observation, where one begins; `own` are the requests Greenroom asked for
    /// itself until now. Returns whether anything changed.
    pub fn turn(&self, mode: Mode, own: u64, now_ms: u64, begin: impl FnOnce() -> Observation) -> bool {
        let mut observed = self.observed.write();
        if self.mode() == mode {
            return false;
        }
        if let Some(ended) = observed.now.take() {
            observed.last = Some(ended.report(own, now_ms));
            ended.end();
        }
        if mode == Mode::Observe {
            observed.now = Some(Arc::new(begin()));
        }
        let place = Mode::EVERY.iter().position(|other| *other == mode).unwrap_or_default();
        self.mode.store(u8::try_from(place).unwrap_or_default(), Ordering::Release);
        true
    }

    /// Ends what is observed, because the process ends. What was seen can still be read.
    pub fn rest(&self) {
        if let Some(now) = &self.observed.read().now {
            now.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_mode() {
        for mode in Mode::EVERY {
            assert_eq!(Mode::named(mode.name()), Some(mode));
            assert_eq!(serde_json::to_value(mode).expect("a word"), mode.name());
        }
        assert_eq!(Mode::named("off"), None);
    }
}
