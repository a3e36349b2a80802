//! How a server's reads are answered, and the switch for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use greenroom_dialect::class::Class;
use parking_lot::RwLock;

use crate::bypass::Bypasses;
use crate::shadow::{Observation, Report};
use greenroom_config::Mode;

/// How a server's reads are answered, and what is bypassed all the same.
#[derive(Debug, Default)]
pub struct Modes {
    /// How its reads are answered.
    pub switch: Switch,
    /// What is bypassed, for all servers.
    pub bypasses: Arc<Bypasses>,
}

impl Modes {
    /// How a read of this class and app is answered now by the server of this name.
    pub fn manner(&self, server: &str, class: Class, app: &str) -> Mode {
        if self.bypasses.covers(server, class.name(), app) { Mode::Bypass } else { self.switch.mode() }
    }

    /// How its reads are answered, those aside that are bypassed one by one.
    pub fn mode(&self, server: &str) -> Mode {
        if self.bypasses.covers_all_of(server) { Mode::Bypass } else { self.switch.mode() }
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
