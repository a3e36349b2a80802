//! State machine of the circuit breaker. Pure: time is an argument.
//!
//! ```text
//! closed ──5 failures on 3 keys──▶ suspecting ──probe fails──▶ open ──2 s──▶ half-open
//!    ▲  ◀──a response, or the probe succeeds─┘                  ▲ ◀──probe fails──┤
//!    └──────────────────────────probe succeeds──────────────────┼──────────────────┘
//! ```

use greenroom_cache::Timestamp;
use std::time::Duration;

/// Consecutive failed requests …
pub const FAILURES: u32 = 5;
/// … for at least this many different keys before the server is suspected. A single failing resource says nothing about
/// the server.
pub const KEYS: usize = 3;
/// Min milliseconds between probes.
pub const PROBE_EVERY: Duration = Duration::from_secs(2);
/// Max random delay of the next probe, in milliseconds, so that several gateways do not probe together.
pub const PROBE_JITTER_MS: u64 = 500;

/// Result of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamOutcome {
    /// The server responded, with any status: a 500 is a response too.
    Answered,
    /// The connection failed, or ended before the first byte.
    Unreachable,
    /// 502, 503 or 504: a proxy answers for the server, or it is starting.
    Unavailable,
    /// The first byte timed out.
    TimedOut,
}

impl UpstreamOutcome {
    /// Name of the failure; `None` for a response.
    pub fn failure(self) -> Option<&'static str> {
        match self {
            Self::Answered => None,
            Self::Unreachable => Some("unreachable"),
            Self::Unavailable => Some("unwilling"),
            Self::TimedOut => Some("silent"),
        }
    }
}

/// State of the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Requests are sent to the server.
    Closed,
    /// Requests are sent, but enough failed to probe the server.
    Suspecting,
    /// The server is down.
    Open,
    /// The server is down, and a probe is running.
    HalfOpen,
}

impl BreakerState {
    /// Every state, in the usual order.
    pub const EVERY: [Self; 4] = [Self::Closed, Self::Suspecting, Self::Open, Self::HalfOpen];

    /// Its name in metrics and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Suspecting => "suspecting",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }

    /// Whether the server counts as down.
    pub fn is_down(self) -> bool {
        matches!(self, Self::Open | Self::HalfOpen)
    }
}

/// State change by a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeTransition {
    /// None worth reporting.
    None,
    /// The server is down.
    Opened,
    /// The server is back.
    Closed,
}

/// A current outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Time of the first failure after the last response.
    pub since_ms: Timestamp,
    /// Time of the last response; 0 if there was none.
    pub last_response_ms: Timestamp,
    /// Time of the next probe.
    pub next_probe_ms: Timestamp,
    /// Failure of the last request before it; `None` if restored from an earlier process.
    pub cause: Option<UpstreamOutcome>,
}

/// State machine of the breaker.
#[derive(Debug)]
pub struct BreakerStateMachine {
    state: BreakerState,
    failures: u32,
    /// The first few different keys that failed.
    keys: Vec<u64>,
    since_ms: Timestamp,
    last_response_ms: Timestamp,
    next_probe_ms: Timestamp,
    cause: Option<UpstreamOutcome>,
}

impl Default for BreakerStateMachine {
    fn default() -> Self {
        let keys = Vec::with_capacity(KEYS);
        Self {
            state: BreakerState::Closed,
            failures: 0,
            keys,
            since_ms: Timestamp::UNIX_EPOCH,
            last_response_ms: Timestamp::UNIX_EPOCH,
            next_probe_ms: Timestamp::UNIX_EPOCH,
            cause: None,
        }
    }
}

impl BreakerStateMachine {
    /// The state.
    pub fn state(&self) -> BreakerState {
        self.state
    }

    /// The current outage.
    pub fn outage(&self) -> Option<Outage> {
        let Self { since_ms, last_response_ms, next_probe_ms, cause, .. } = *self;
        self.state.is_down().then_some(Outage { since_ms, last_response_ms, next_probe_ms, cause })
    }

    /// Time of the last response; 0 if there was none.
    pub fn last_response_ms(&self) -> Timestamp {
        self.last_response_ms
    }

    /// Restores the state from an earlier process: last response, and start of the outage (0 for none). A server that
    /// was down stays so until it is probed, which is at once.
    pub fn restore(&mut self, last_response_ms: Timestamp, down_since_ms: Timestamp) {
        self.last_response_ms = last_response_ms;
        if down_since_ms > Timestamp::UNIX_EPOCH {
            self.state = BreakerState::Open;
            self.since_ms = down_since_ms;
            self.next_probe_ms = Timestamp::UNIX_EPOCH;
        }
    }

    /// Records the result of a request for `key`. Returns whether it newly requests a probe.
    pub fn record(&mut self, key: u64, outcome: UpstreamOutcome, now_ms: Timestamp) -> bool {
        if self.state.is_down() {
            // A late response to an earlier request: the probe decides.
            return false;
        }
        if outcome == UpstreamOutcome::Answered {
            self.close(now_ms);
            return false;
        }
        if self.failures == 0 {
            self.since_ms = now_ms;
        }
        self.cause = Some(outcome);
        self.failures = self.failures.saturating_add(1);
        if self.keys.len() < KEYS && !self.keys.contains(&key) {
            self.keys.push(key);
        }
        let is_suspicious = self.failures >= FAILURES && self.keys.len() >= KEYS;
        if is_suspicious && self.state == BreakerState::Closed {
            self.state = BreakerState::Suspecting;
            return true;
        }
        false
    }

    /// Time of the next probe; `None` if none is requested.
    pub fn probe_due_ms(&self) -> Option<Timestamp> {
        matches!(self.state, BreakerState::Suspecting | BreakerState::Open).then_some(self.next_probe_ms)
    }

    /// Records the start of a probe. `jitter` is any number.
    pub fn begin_probe(&mut self, now_ms: Timestamp, jitter: u64) {
        self.next_probe_ms = now_ms.saturating_add(PROBE_EVERY + Duration::from_millis(jitter % (PROBE_JITTER_MS + 1)));
        if self.state == BreakerState::Open {
            self.state = BreakerState::HalfOpen;
        }
    }

    /// Records the result of a probe.
    pub fn record_probe(&mut self, is_up: bool, now_ms: Timestamp) -> ProbeTransition {
        match (self.state, is_up) {
            // A response during the probe settles it.
            (BreakerState::Closed, _) => ProbeTransition::None,
            (BreakerState::Suspecting, true) => {
                self.close(now_ms);
                ProbeTransition::None
            }
            (BreakerState::Suspecting, false) => {
                self.state = BreakerState::Open;
                ProbeTransition::Opened
            }
            (BreakerState::Open | BreakerState::HalfOpen, true) => {
                self.close(now_ms);
                ProbeTransition::Closed
            }
            (BreakerState::Open | BreakerState::HalfOpen, false) => {
                self.state = BreakerState::Open;
                ProbeTransition::None
            }
        }
    }

    fn close(&mut self, now_ms: Timestamp) {
        self.state = BreakerState::Closed;
        self.failures = 0;
        self.cause = None;
        self.keys.clear();
        self.last_response_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use greenroom_cache::clock::millis;
    use proptest::prelude::*;

    use super::*;

    fn fail(state_machine: &mut BreakerStateMachine, keys: &[u64]) -> bool {
        keys.iter().fold(false, |_, key| {
            state_machine.record(*key, UpstreamOutcome::Unreachable, Timestamp::from_millis(1_000))
        })
    }

    fn opened() -> BreakerStateMachine {
        let mut state_machine = BreakerStateMachine::default();
        state_machine.record(0, UpstreamOutcome::Answered, Timestamp::from_millis(500));
        assert!(fail(&mut state_machine, &[1, 2, 3, 1, 1]));
        state_machine.begin_probe(Timestamp::from_millis(1_000), 0);
        assert_eq!(state_machine.record_probe(false, Timestamp::from_millis(1_001)), ProbeTransition::Opened);
        state_machine
    }

    #[test]
    fn five_failures_in_a_row_on_three_keys_raise_suspicion() {
        for (keys, is_suspicious) in [
            (&[1, 2, 3, 1][..], false),
            (&[1, 2, 3, 4, 5][..], true),
            (&[1, 1, 1, 1, 1, 1, 1][..], false),
            (&[1, 2, 1, 2, 1, 2][..], false),
            (&[1, 1, 1, 1, 1, 2, 3][..], true),
        ] {
            assert_eq!(fail(&mut BreakerStateMachine::default(), keys), is_suspicious, "{keys:?}");
        }
        let mut state_machine = BreakerStateMachine::default();
        fail(&mut state_machine, &[1, 2, 3, 4]);
        state_machine.record(9, UpstreamOutcome::Answered, Timestamp::from_millis(1_000));
        assert!(!fail(&mut state_machine, &[1, 2, 3, 4]), "an answer between starts the count again");
        assert!(fail(&mut state_machine, &[5]));
    }

    #[test]
    fn a_server_down_at_the_last_shutdown_is_down_until_the_first_probe() {
        let mut state_machine = BreakerStateMachine::default();
        state_machine.restore(Timestamp::from_millis(700), Timestamp::from_millis(800));
        assert_eq!(
            state_machine.outage(),
            Some(Outage {
                since_ms: Timestamp::from_millis(800),
                last_response_ms: Timestamp::from_millis(700),
                next_probe_ms: Timestamp::UNIX_EPOCH,
                cause: None
            })
        );
        assert_eq!(state_machine.probe_due_ms(), Some(Timestamp::UNIX_EPOCH));
        state_machine.begin_probe(Timestamp::from_millis(5_000), 0);
        assert_eq!(state_machine.record_probe(false, Timestamp::from_millis(5_001)), ProbeTransition::None);
        assert_eq!(state_machine.outage().map(|outage| outage.last_response_ms), Some(Timestamp::from_millis(700)));
        state_machine.begin_probe(Timestamp::from_millis(7_000), 0);
        assert_eq!(state_machine.record_probe(true, Timestamp::from_millis(7_001)), ProbeTransition::Closed);
        let mut well = BreakerStateMachine::default();
        well.restore(Timestamp::from_millis(700), Timestamp::UNIX_EPOCH);
        assert_eq!((well.state(), well.last_response_ms()), (BreakerState::Closed, Timestamp::from_millis(700)));
    }

    #[test]
    fn every_kind_of_failure_counts() {
        for outcome in [UpstreamOutcome::Unreachable, UpstreamOutcome::Unavailable, UpstreamOutcome::TimedOut] {
            let mut state_machine = BreakerStateMachine::default();
            let is_suspicious =
                (0..5).fold(false, |_, key| state_machine.record(key, outcome, Timestamp::from_millis(1)));
            assert!(is_suspicious, "{outcome:?}");
        }
    }

    #[test]
    fn suspecting_ends_with_the_first_response_or_a_successful_probe() {
        let mut state_machine = BreakerStateMachine::default();
        fail(&mut state_machine, &[1, 2, 3, 4, 5]);
        state_machine.begin_probe(Timestamp::from_millis(1_000), 0);
        assert_eq!(state_machine.record_probe(true, Timestamp::from_millis(1_100)), ProbeTransition::None);
        assert_eq!(state_machine.state(), BreakerState::Closed);
        fail(&mut state_machine, &[1, 2, 3, 4, 5]);
        state_machine.begin_probe(Timestamp::from_millis(3_000), 0);
        state_machine.record(1, UpstreamOutcome::Answered, Timestamp::from_millis(3_001));
        assert_eq!(
            state_machine.record_probe(false, Timestamp::from_millis(3_002)),
            ProbeTransition::None,
            "the answer settles it"
        );
        assert_eq!(state_machine.state(), BreakerState::Closed);
    }

    #[test]
    fn an_outage_has_its_start_and_the_time_of_the_last_response() {
        let state_machine = opened();
        let outage = state_machine.outage().expect("it is open");
        let cause = Some(UpstreamOutcome::Unreachable);
        assert_eq!(
            outage,
            Outage {
                since_ms: Timestamp::from_millis(1_000),
                last_response_ms: Timestamp::from_millis(500),
                next_probe_ms: Timestamp::from_millis(3_000),
                cause
            }
        );
        assert_eq!(BreakerStateMachine::default().outage(), None);
    }

    #[test]
    fn an_outage_is_explained_by_the_last_failure_before_it() {
        let mut state_machine = BreakerStateMachine::default();
        fail(&mut state_machine, &[1, 2, 3, 4]);
        state_machine.record(5, UpstreamOutcome::TimedOut, Timestamp::from_millis(1_000));
        state_machine.begin_probe(Timestamp::from_millis(1_000), 0);
        state_machine.record_probe(false, Timestamp::from_millis(1_001));
        let cause = |state_machine: &BreakerStateMachine| state_machine.outage().and_then(|outage| outage.cause);
        assert_eq!(cause(&state_machine), Some(UpstreamOutcome::TimedOut));
        state_machine.record(6, UpstreamOutcome::Unavailable, Timestamp::from_millis(1_002));
        assert_eq!(cause(&state_machine), Some(UpstreamOutcome::TimedOut), "what comes late explains nothing");
    }

    #[test]
    fn while_it_is_open_only_a_probe_changes_anything() {
        let mut state_machine = opened();
        state_machine.record(1, UpstreamOutcome::Answered, Timestamp::from_millis(1_500));
        assert_eq!(state_machine.state(), BreakerState::Open);
        assert_eq!(state_machine.probe_due_ms(), Some(Timestamp::from_millis(3_000)));
        state_machine.begin_probe(Timestamp::from_millis(3_000), 700);
        assert_eq!(state_machine.state(), BreakerState::HalfOpen);
        assert_eq!(state_machine.probe_due_ms(), None, "one probe at a time");
        assert_eq!(state_machine.record_probe(false, Timestamp::from_millis(3_001)), ProbeTransition::None);
        assert_eq!(
            state_machine.probe_due_ms(),
            Some(Timestamp::from_millis(3_000 + 700 % (PROBE_JITTER_MS + 1)) + PROBE_EVERY)
        );
        state_machine.begin_probe(Timestamp::from_millis(6_000), 0);
        assert_eq!(state_machine.record_probe(true, Timestamp::from_millis(6_001)), ProbeTransition::Closed);
        assert_eq!(state_machine.outage(), None);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Note(u64, UpstreamOutcome),
        Pass(u64),
        Probe(bool, u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let outcome = prop_oneof![
            1 => Just(UpstreamOutcome::Answered),
            3 => Just(UpstreamOutcome::Unreachable),
            2 => Just(UpstreamOutcome::Unavailable),
            2 => Just(UpstreamOutcome::TimedOut),
        ];
        prop_oneof![
            6 => (0..5_u64, outcome).prop_map(|(key, outcome)| Step::Note(key, outcome)),
            2 => (0..3_000_u64).prop_map(Step::Pass),
            2 => (any::<bool>(), any::<u64>()).prop_map(|(is_up, jitter)| Step::Probe(is_up, jitter)),
        ]
    }

    proptest! {
        /// Against the rules in plain words: it opens only by a failed probe after five consecutive failures on three
        /// keys, closes only by a successful probe, and probes begin at least two seconds apart.
        #[test]
        fn any_history_matches_the_model(steps in proptest::collection::vec(step(), 1..200)) {
            let mut state_machine = BreakerStateMachine::default();
            let (mut now_ms, mut last_probe_ms) = (1_000_000, None::<u64>);
            let mut row: Vec<u64> = Vec::new();
            for step in steps {
                let was_down = state_machine.state().is_down();
                match step {
                    Step::Pass(millis) => now_ms += millis,
                    Step::Note(key, outcome) => {
                        state_machine.record(key, outcome, Timestamp::from_millis(now_ms));
                        if outcome == UpstreamOutcome::Answered { row.clear() } else { row.push(key) }
                        prop_assert_eq!(state_machine.state().is_down(), was_down, "requests decide nothing alone");
                    }
                    Step::Probe(is_up, jitter) => {
                        if state_machine.probe_due_ms().is_none_or(|due_ms| due_ms > Timestamp::from_millis(now_ms)) {
                            continue;
                        }
                        prop_assert!(last_probe_ms.is_none_or(|last_ms| now_ms - last_ms >= millis(PROBE_EVERY)));
                        last_probe_ms = Some(now_ms);
                        state_machine.begin_probe(Timestamp::from_millis(now_ms), jitter);
                        let change = state_machine.record_probe(is_up, Timestamp::from_millis(now_ms));
                        let different: std::collections::HashSet<_> = row.iter().collect();
                        match change {
                            ProbeTransition::Opened => {
                                prop_assert!(!is_up && !was_down && row.len() >= 5 && different.len() >= 3);
                            }
                            ProbeTransition::Closed => prop_assert!(is_up && was_down),
                            ProbeTransition::None => prop_assert_eq!(state_machine.state().is_down(), was_down),
                        }
                        if is_up { row.clear() }
                    }
                }
            }
        }
    }
}
