//! Circuit breaker of one server.
//!
//! [`state_machine`] makes the decisions. This module applies it to one server: it records the result of every request,
//! says when a probe is due, and wakes the tasks that wait for the server. The crate's `prober` sends the probes.
//!
//! After a successful probe the server is *returning* for a moment: interrupted event sockets reattach first, then
//! reads are let through. In the other order, reads made meanwhile would have to be repeated, because no event tells
//! what changed before the socket was attached.

pub mod state_machine;

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

pub use state_machine::{BreakerState, BreakerStateMachine, Outage, ProbeTransition, UpstreamOutcome};

/// Max wait for event sockets to reattach before reads are let through.
const REATTACH_TIMEOUT: Duration = Duration::from_secs(2);

/// Availability of a server for the tasks that wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AvailabilityPhase {
    /// Requests may be sent.
    Available,
    /// It is down.
    Down,
    /// It is back: sockets reattach, reads wait a moment.
    Returning,
}

/// The circuit breaker of one server.
#[derive(Debug)]
pub struct Breaker {
    state_machine: Mutex<BreakerStateMachine>,
    /// The outage before a recovery, until sockets have reattached.
    last_outage: Mutex<Option<Outage>>,
    /// A copy for the fast path: true unless [`AvailabilityPhase::Available`].
    is_closed_to_requests: AtomicBool,
    phase: watch::Sender<AvailabilityPhase>,
    /// Interrupted event sockets that have not reattached.
    detached_sockets: watch::Sender<usize>,
    probe_wanted: Notify,
    /// Number of completed probes.
    probes_evaluated: watch::Sender<u64>,
    opened: AtomicU64,
    probes: AtomicU64,
    unattached: AtomicU64,
    /// Time of the last failure that suggests a restart, in milliseconds.
    last_restart_sign_ms: AtomicTimestamp,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state_machine: Mutex::default(),
            last_outage: Mutex::default(),
            is_closed_to_requests: AtomicBool::new(false),
            phase: watch::Sender::new(AvailabilityPhase::Available),
            detached_sockets: watch::Sender::new(0),
            probe_wanted: Notify::new(),
            probes_evaluated: watch::Sender::new(0),
            opened: AtomicU64::new(0),
            probes: AtomicU64::new(0),
            unattached: AtomicU64::new(0),
            last_restart_sign_ms: AtomicTimestamp::new(Timestamp::UNIX_EPOCH),
        }
    }
}

/// Counters since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BreakerCounters {
    /// Outages.
    pub opened: u64,
    /// Probes sent.
    pub probes: u64,
    /// Recoveries in which reads were let through before every event socket had reattached.
    pub unattached: u64,
}

/// An interrupted event socket, until this is dropped.
#[derive(Debug)]
pub struct ReattachGuard<'a>(&'a Breaker);

impl Drop for ReattachGuard<'_> {
    fn drop(&mut self) {
        self.0.detached_sockets.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Breaker {
    /// Whether requests may be sent to the server.
    pub fn allows_requests(&self) -> bool {
        !self.is_closed_to_requests.load(Ordering::Acquire)
    }

    /// Records the result of a request for `key`.
    pub fn record(&self, key: u64, outcome: UpstreamOutcome, now_ms: Timestamp) {
        if matches!(outcome, UpstreamOutcome::Unreachable | UpstreamOutcome::Unavailable) {
            self.record_restart_sign(now_ms);
        }
        if self.state_machine.lock().record(key, outcome, now_ms) {
            self.probe_wanted.notify_one();
        }
    }

    /// Records that the server starts, restarted, or lost its sockets.
    pub fn record_restart_sign(&self, now_ms: Timestamp) {
        self.last_restart_sign_ms.store(now_ms, Ordering::Release);
    }

    /// Time of the last sign of a restart; 0 if there was none.
    pub fn last_restart_sign_ms(&self) -> Timestamp {
        self.last_restart_sign_ms.load(Ordering::Acquire)
    }

    /// Its state.
    pub fn state(&self) -> BreakerState {
        self.state_machine.lock().state()
    }

    /// The outage, while requests are held back.
    #[inline]
    pub fn outage(&self) -> Option<Outage> {
        if self.allows_requests() {
            return None;
        }
        self.state_machine.lock().outage().or(*self.last_outage.lock())
    }

    /// Time of the last response, and start of the outage; 0 for none.
    pub fn last_response_and_outage_ms(&self) -> (u64, u64) {
        let state_machine = self.state_machine.lock();
        (
            state_machine.last_response_ms().as_millis(),
            state_machine.outage().map_or(0, |outage| outage.since_ms.as_millis()),
        )
    }

    /// Restores the server's state from an earlier process: see [`BreakerStateMachine::restore`].
    pub fn restore(&self, last_response_ms: Timestamp, down_since_ms: Timestamp) {
        self.state_machine.lock().restore(last_response_ms, down_since_ms);
        if down_since_ms > Timestamp::UNIX_EPOCH {
            self.enter(AvailabilityPhase::Down);
        }
    }

    /// Waits until a probe has judged a server that was down before this process began.
    pub async fn wait_probed(&self) {
        if !self.allows_requests() {
            // The sender lives as long as `self`.
            let _ = self.probes_evaluated.subscribe().wait_for(|count| *count > 0).await;
        }
    }

    /// Counters since start.
    pub fn counters(&self) -> BreakerCounters {
        BreakerCounters {
            opened: self.opened.load(Ordering::Relaxed),
            probes: self.probes.load(Ordering::Relaxed),
            unattached: self.unattached.load(Ordering::Relaxed),
        }
    }

    /// Waits until the server is down.
    pub async fn wait_down(&self) {
        self.wait_phase(|phase| phase == AvailabilityPhase::Down).await;
    }

    /// Waits until the server is not down; sockets may reattach from here on.
    pub async fn wait_back(&self) {
        self.wait_phase(|phase| phase != AvailabilityPhase::Down).await;
    }

    /// Waits until requests may be sent to the server.
    pub async fn wait_available(&self) {
        self.wait_phase(|phase| phase == AvailabilityPhase::Available).await;
    }

    /// Number of interrupted event sockets that have not reattached.
    pub fn detached_sockets(&self) -> usize {
        *self.detached_sockets.borrow()
    }

    /// Records an interrupted event socket.
    pub fn begin_reattach(&self) -> ReattachGuard<'_> {
        self.detached_sockets.send_modify(|count| *count += 1);
        ReattachGuard(self)
    }

    /// Time of the next probe, in milliseconds; `None` while the server is not suspected.
    pub fn probe_due_ms(&self) -> Option<Timestamp> {
        self.state_machine.lock().probe_due_ms()
    }

    /// Waits until a failure requests a probe.
    pub async fn probe_wanted(&self) {
        self.probe_wanted.notified().await;
    }

    /// Records that a probe is sent; `jitter` spreads the next one.
    pub fn begin_probe(&self, now_ms: Timestamp, jitter: u64) {
        self.state_machine.lock().begin_probe(now_ms, millis(Duration::from_millis(jitter)));
        self.probes.fetch_add(1, Ordering::Relaxed);
    }

    /// Records the result of a probe. Returns the outage before it, and what it changed.
    pub fn probed(&self, is_up: bool, now_ms: Timestamp) -> (Option<Outage>, ProbeTransition) {
        let mut state_machine = self.state_machine.lock();
        (state_machine.outage(), state_machine.record_probe(is_up, now_ms))
    }

    /// Wakes the tasks that wait for the first probe, after its result was applied.
    pub fn publish_probe(&self) {
        self.probes_evaluated.send_modify(|probes_evaluated| *probes_evaluated += 1);
    }

    /// Holds requests back.
    pub fn open(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.enter(AvailabilityPhase::Down);
    }

    /// Ends the outage: lets event sockets reattach, and reads through once all have, or after a moment.
    pub async fn close(&self, outage: Option<Outage>, clock: &Clock) {
        *self.last_outage.lock() = outage;
        self.record_restart_sign(clock.now());
        self.enter(AvailabilityPhase::Returning);
        let mut detached_sockets = self.detached_sockets.subscribe();
        let reattached = detached_sockets.wait_for(|count| *count == 0);
        if clock.timeout(REATTACH_TIMEOUT, reattached).await.is_err() {
            // The other sockets reattach while reads already pass.
            self.unattached.fetch_add(1, Ordering::Relaxed);
        }
        self.enter(AvailabilityPhase::Available);
    }

    async fn wait_phase(&self, matches: impl Fn(AvailabilityPhase) -> bool) {
        let mut phase = self.phase.subscribe();
        // The sender lives as long as `self`.
        let _ = phase.wait_for(|phase| matches(*phase)).await;
    }

    fn enter(&self, phase: AvailabilityPhase) {
        self.is_closed_to_requests.store(phase != AvailabilityPhase::Available, Ordering::Release);
        self.phase.send_replace(phase);
    }
}

/// The breaker's key of a resource.
pub fn key_of(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn after_an_outage_requests_wait_until_sockets_have_reattached() {
        let breaker = Breaker::default();
        for (phase, is_back, is_there) in [
            (AvailabilityPhase::Available, true, true),
            (AvailabilityPhase::Down, false, false),
            (AvailabilityPhase::Returning, true, false),
        ] {
            breaker.enter(phase);
            assert_eq!(breaker.wait_back().now_or_never().is_some(), is_back, "{phase:?}");
            assert_eq!(breaker.wait_available().now_or_never().is_some(), is_there, "{phase:?}");
            assert_eq!(breaker.allows_requests(), is_there, "{phase:?}");
        }
    }
}
