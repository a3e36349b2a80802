//! Counters of the requests of one server since start.

use greenroom_cache::AtomicTimestamp;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_cache::LoadErrorKind;
use greenroom_request_log::{CacheResult, DecisionOutcome, DecisionReason, PassReason};

/// Counters of one server.
#[derive(Debug, Default)]
pub struct ApiCounters {
    /// Requests of apps.
    pub requests: AtomicU64,
    /// Of them, those answered before they were parsed.
    pub fast_path: AtomicU64,
    /// Requests answered without asking the server.
    pub saved: AtomicU64,
    /// Requests to the server that no app waited for.
    pub own: AtomicU64,
    /// Writes forwarded.
    pub writes: AtomicU64,
    /// Reads that the server answered because they may not be stored.
    pub passed: AtomicU64,
    /// Reads that the server answered because of a bypass or of observe mode.
    pub bypassed: AtomicU64,
    /// Requests that were not forwarded.
    pub refused: AtomicU64,
    /// Requests that failed because the server was down.
    pub offline: AtomicU64,
    /// Time of the last request of an app; 0 before the first.
    pub last_request_ms: AtomicTimestamp,
    /// Time of the last good response of the server; 0 before the first.
    pub last_success_ms: AtomicTimestamp,
    /// Time of the last failure of the server; 0 before the first.
    pub last_failure_ms: AtomicTimestamp,
}

impl ApiCounters {
    /// Counts the result of a request.
    pub(crate) fn record(&self, outcome: DecisionOutcome) {
        let add = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        if outcome.is_saved {
            add(&self.saved);
        }
        match (outcome.result, outcome.reason) {
            (CacheResult::Write, _) => add(&self.writes),
            (CacheResult::Refused, _) => add(&self.refused),
            (CacheResult::Passed, Some(DecisionReason::Passed(PassReason::Bypassed))) => add(&self.bypassed),
            (CacheResult::Passed, _) => add(&self.passed),
            (CacheResult::Failed, Some(DecisionReason::Failed(LoadErrorKind::Offline))) => add(&self.offline),
            _ => 0,
        };
    }
}
