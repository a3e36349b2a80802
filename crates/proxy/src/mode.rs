//! Cache mode of a server.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use greenroom_dialect::class::Class;
use parking_lot::RwLock;

use crate::shadow::{ShadowReport, ShadowRun};
use greenroom_config::CacheMode;
use greenroom_state::bypass::Bypasses;

/// Cache mode of a server, with the bypasses that override it.
#[derive(Debug, Default)]
pub struct ModeState {
    /// The server's own mode.
    pub switch: ModeSwitch,
    /// Bypasses, for all servers.
    pub bypasses: Arc<Bypasses>,
}

impl ModeState {
    /// Mode of a read of this class and app on the server with this name.
    pub fn read_mode(&self, server: &str, class: Class, app: &str) -> CacheMode {
        if self.bypasses.covers(server, class.name(), app) { CacheMode::Bypass } else { self.switch.mode() }
    }

    /// Mode of the server, without bypasses of single classes or apps.
    pub fn mode(&self, server: &str) -> CacheMode {
        if self.bypasses.covers_all_of(server) { CacheMode::Bypass } else { self.switch.mode() }
    }
}

/// Current mode of a server. A request in flight finishes in the mode it started in.
#[derive(Debug, Default)]
pub struct ModeSwitch {
    /// Index in [`CacheMode::EVERY`], so that a hit takes no lock.
    mode: AtomicU8,
    shadow_runs: RwLock<ShadowRuns>,
}

/// The current and the last observation.
#[derive(Debug, Default)]
struct ShadowRuns {
    current: Option<Arc<ShadowRun>>,
    /// Report of the last observation that ended.
    last: Option<ShadowReport>,
}

impl ModeSwitch {
    /// Current mode.
    pub fn mode(&self) -> CacheMode {
        CacheMode::EVERY.get(usize::from(self.mode.load(Ordering::Acquire))).copied().unwrap_or_default()
    }

    /// The current observation, in observe mode.
    pub fn shadow_run(&self) -> Option<Arc<ShadowRun>> {
        if self.mode() == CacheMode::Observe { self.shadow_runs.read().current.clone() } else { None }
    }

    /// Report so far; that of the last observation if none runs.
    pub fn report(&self, own: u64, now_ms: Timestamp) -> Option<ShadowReport> {
        let runs = self.shadow_runs.read();
        runs.current.as_ref().map(|run| run.report(own, now_ms)).or_else(|| runs.last.clone())
    }

    /// Sets the mode. `start` starts an observation where one begins; `own` is the number of own requests until now.
    /// Returns whether the mode changed.
    pub fn set_mode(&self, mode: CacheMode, own: u64, now_ms: Timestamp, start: impl FnOnce() -> ShadowRun) -> bool {
        let mut runs = self.shadow_runs.write();
        if self.mode() == mode {
            return false;
        }
        if let Some(run) = runs.current.take() {
            runs.last = Some(run.report(own, now_ms));
            run.stop();
        }
        if mode == CacheMode::Observe {
            runs.current = Some(Arc::new(start()));
        }
        let index = CacheMode::EVERY.iter().position(|other| *other == mode).unwrap_or_default();
        self.mode.store(u8::try_from(index).unwrap_or_default(), Ordering::Release);
        true
    }

    /// Ends the observation at shutdown. Its report stays readable.
    pub fn stop_shadow_run(&self) {
        if let Some(run) = &self.shadow_runs.read().current {
            run.stop();
        }
    }
}
