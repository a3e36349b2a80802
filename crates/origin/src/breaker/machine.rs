//! The decision whether a server is down: pure, time is an argument.
//!
//! ```text
//! closed ──5 failures on 3 keys──▶ suspecting ──probe fails──▶ open ──2 s──▶ half-open
//!    ▲  ◀──an answer, or the probe succeeds──┘                  ▲ ◀──probe fails──┤
//!    └──────────────────────────probe succeeds──────────────────┼──────────────────┘
//! ```

/// So many requests must fail without an answer between …
pub const FAILURES: u32 = 5;
/// … for at least so many different things, before the server is suspected. One thing that fails is that thing's
/// affair.
pub const KEYS: usize = 3;
/// The server is probed at most once in so many milliseconds.
pub const PROBE_EVERY_MS: u64 = 2_000;
/// The next probe comes later by up to so many milliseconds, so that several gateways do not knock together.
pub const PROBE_JITTER_MS: u64 = 500;

/// What came of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server answered, in whatever mood: an error 500 is an answer too.
    Answered,
    /// The connection failed, or ended before the first byte.
    Unreachable,
    /// 502, 503 or 504: somebody answers in the server's place, or it is starting.
    Unwilling,
    /// The first byte did not come in time.
    Silent,
}

impl Outcome {
    /// The word for a failure; none for an answer.
    pub fn failure(self) -> Option<&'static str> {
        match self {
            Self::Answered => None,
            Self::Unreachable => Some("unreachable"),
            Self::Unwilling => Some("unwilling"),
            Self::Silent => Some("silent"),
        }
    }
}

/// Where the breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Requests go to the server.
    Closed,
    /// They still do, but so many failed that the server is probed.
    Suspecting,
    /// The server is down.
    Open,
    /// It is down, and a probe is under way.
    HalfOpen,
}

impl State {
    /// Every state, in the order they are met.
    pub const EVERY: [Self; 4] = [Self::Closed, Self::Suspecting, Self::Open, Self::HalfOpen];

    /// The word used in metrics and on the page.
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

/// What a probe changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing that anybody has to know.
    None,
    /// The server is down from now on.
    Opened,
    /// It is back.
    Closed,
}

/// An outage under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// When the first request failed that nothing followed but failures.
    pub since_ms: u64,
    /// When the server answered last; 0 if it never did.
    pub heard_ms: u64,
    /// When it is probed next.
    pub next_probe_ms: u64,
    /// How the last request before it failed; `None` if an earlier process found it down.
    pub why: Option<Outcome>,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    state: State,
    failures: u32,
    /// The first few different things that failed.
    keys: Vec<u64>,
    since_ms: u64,
    heard_ms: u64,
    next_probe_ms: u64,
    why: Option<Outcome>,
}

impl Default for Machine {
    fn default() -> Self {
        let keys = Vec::with_capacity(KEYS);
        Self {
            state: State::Closed,
            failures: 0,
            keys,
            since_ms: 0,
            heard_ms: 0,
            next_probe_ms: 0,
            why: None,
        }
    }
}

impl Machine {
    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The outage, while there is one.
    pub fn outage(&self) -> Option<Outage> {
        let Self { since_ms, heard_ms, next_probe_ms, why, .. } = *self;
        self.state.is_down().then_some(Outage { since_ms, heard_ms, next_probe_ms, why })
    }

    /// When the server answered last; 0 if it never did.
    pub fn heard_ms(&self) -> u64 {
        self.heard_ms
    }

    /// Takes over how an earlier process left the server: heard of last then, and down since, or not (0). One that
    /// was down is so until it is probed, which is at once.
    pub fn restore(&mut self, heard_ms: u64, down_since_ms: u64) {
        self.heard_ms = heard_ms;
        if down_since_ms > 0 {
            self.state = State::Open;
            self.since_ms = down_since_ms;
            self.next_probe_ms = 0;
        }
    }

    /// Notes what came of a request for `key`. Returns whether a probe is wanted that was not wanted before.
    pub fn note(&mut self, key: u64, outcome: Outcome, now_ms: u64) -> bool {
        if self.state.is_down() {
            // A late answer to what was asked before: the probe decides.
            return false;
        }
        if outcome == Outcome::Answered {
            self.close(now_ms);
            return false;
        }
        if self.failures == 0 {
            self.since_ms = now_ms;
        }
        self.why = Some(outcome);
        self.failures = self.failures.saturating_add(1);
        if self.keys.len() < KEYS && !self.keys.contains(&key) {
            self.keys.push(key);
        }
        let suspicious = self.failures >= FAILURES && self.keys.len() >= KEYS;
        if suspicious && self.state == State::Closed {
            self.state = State::Suspecting;
            return true;
        }
        false
    }

    /// When the next probe is due; `None` if none is wanted.
    pub fn probe_due_ms(&self) -> Option<u64> {
        matches!(self.state, State::Suspecting | State::Open).then_some(self.next_probe_ms)
    }

    /// A probe begins. `jitter_ms` is any number.
    pub fn begin_probe(&mut self, now_ms: u64, jitter_ms: u64) {
        self.next_probe_ms = now_ms.saturating_add(PROBE_EVERY_MS + jitter_ms % (PROBE_JITTER_MS + 1));
        if self.state == State::Open {
            self.state = State::HalfOpen;
        }
    }

    /// A probe ended.
    pub fn probed(&mut self, is_well: bool, now_ms: u64) -> Change {
        match (self.state, is_well) {
            // Something was answered while the probe was under way: that settles it.
            (State::Closed, _) => Change::None,
            (State::Suspecting, true) => {
                self.close(now_ms);
                Change::None
            }
            (State::Suspecting, false) => {
                self.state = State::Open;
                Change::Opened
            }
            (State::Open | State::HalfOpen, true) => {
                self.close(now_ms);
                Change::Closed
            }
            (State::Open | State::HalfOpen, false) => {
                self.state = State::Open;
                Change::None
            }
        }
    }

    fn close(&mut self, now_ms: u64) {
        self.state = State::Closed;
        self.failures = 0;
        self.why = None;
        self.keys.clear();
        self.heard_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fail(machine: &mut Machine, keys: &[u64]) -> bool {
        keys.iter().fold(false, |_, key| machine.note(*key, Outcome::Unreachable, 1_000))
    }

    fn opened() -> Machine {
        let mut machine = Machine::default();
        machine.note(0, Outcome::Answered, 500);
        assert!(fail(&mut machine, &[1, 2, 3, 1, 1]));
        machine.begin_probe(1_000, 0);
        assert_eq!(machine.probed(false, 1_001), Change::Opened);
        machine
    }

    #[test]
    fn five_failures_on_three_keys_without_an_answer_between_are_a_suspicion() {
        for (keys, suspicious) in [
            (&[1, 2, 3, 1][..], false),
            (&[1, 2, 3, 4, 5][..], true),
            (&[1, 1, 1, 1, 1, 1, 1][..], false),
            (&[1, 2, 1, 2, 1, 2][..], false),
            (&[1, 1, 1, 1, 1, 2, 3][..], true),
        ] {
            assert_eq!(fail(&mut Machine::default(), keys), suspicious, "{keys:?}");
        }
        let mut machine = Machine::default();
        fail(&mut machine, &[1, 2, 3, 4]);
        machine.note(9, Outcome::Answered, 1_000);
        assert!(!fail(&mut machine, &[1, 2, 3, 4]), "an answer between starts the count again");
        assert!(fail(&mut machine, &[5]));
    }

    #[test]
    fn one_that_was_down_when_the_process_ended_is_probed_at_once_and_down_until_then() {
        let mut machine = Machine::default();
        machine.restore(700, 800);
        assert_eq!(
            machine.outage(),
            Some(Outage { since_ms: 800, heard_ms: 700, next_probe_ms: 0, why: None })
        );
        assert_eq!(machine.probe_due_ms(), Some(0));
        machine.begin_probe(5_000, 0);
        assert_eq!(machine.probed(false, 5_001), Change::None);
        assert_eq!(machine.outage().map(|outage| outage.heard_ms), Some(700));
        machine.begin_probe(7_000, 0);
        assert_eq!(machine.probed(true, 7_001), Change::Closed);
        let mut well = Machine::default();
        well.restore(700, 0);
        assert_eq!((well.state(), well.heard_ms()), (State::Closed, 700));
    }

    #[test]
    fn every_kind_of_failure_counts() {
        for outcome in [Outcome::Unreachable, Outcome::Unwilling, Outcome::Silent] {
            let mut machine = Machine::default();
            let suspicious = (0..5).fold(false, |_, key| machine.note(key, outcome, 1));
            assert!(suspicious, "{outcome:?}");
        }
    }

    #[test]
    fn a_suspicion_ends_with_the_first_answer_or_a_probe_that_succeeds() {
        let mut machine = Machine::default();
        fail(&mut machine, &[1, 2, 3, 4, 5]);
        machine.begin_probe(1_000, 0);
        assert_eq!(machine.probed(true, 1_100), Change::None);
        assert_eq!(machine.state(), State::Closed);
        fail(&mut machine, &[1, 2, 3, 4, 5]);
        machine.begin_probe(3_000, 0);
        machine.note(1, Outcome::Answered, 3_001);
        assert_eq!(machine.probed(false, 3_002), Change::None, "the answer settles it");
        assert_eq!(machine.state(), State::Closed);
    }

    #[test]
    fn an_outage_knows_its_beginning_and_when_the_server_was_heard_last() {
        let machine = opened();
        let outage = machine.outage().expect("it is open");
        let why = Some(Outcome::Unreachable);
        assert_eq!(outage, Outage { since_ms: 1_000, heard_ms: 500, next_probe_ms: 3_000, why });
        assert_eq!(Machine::default().outage(), None);
    }

    #[test]
    fn an_outage_is_explained_by_the_last_failure_before_it() {
        let mut machine = Machine::default();
        fail(&mut machine, &[1, 2, 3, 4]);
        machine.note(5, Outcome::Silent, 1_000);
        machine.begin_probe(1_000, 0);
        machine.probed(false, 1_001);
        let why = |machine: &Machine| machine.outage().and_then(|outage| outage.why);
        assert_eq!(why(&machine), Some(Outcome::Silent));
        machine.note(6, Outcome::Unwilling, 1_002);
        assert_eq!(why(&machine), Some(Outcome::Silent), "what comes late explains nothing");
    }

    #[test]
    fn while_it_is_open_only_a_probe_changes_anything() {
        let mut machine = opened();
        machine.note(1, Outcome::Answered, 1_500);
        assert_eq!(machine.state(), State::Open);
        assert_eq!(machine.probe_due_ms(), Some(3_000));
        machine.begin_probe(3_000, 700);
        assert_eq!(machine.state(), State::HalfOpen);
        assert_eq!(machine.probe_due_ms(), None, "one probe at a time");
        assert_eq!(machine.probed(false, 3_001), Change::None);
        assert_eq!(machine.probe_due_ms(), Some(3_000 + PROBE_EVERY_MS + 700 % (PROBE_JITTER_MS + 1)));
        machine.begin_probe(6_000, 0);
        assert_eq!(machine.probed(true, 6_001), Change::Closed);
        assert_eq!(machine.outage(), None);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Note(u64, Outcome),
        Pass(u64),
        Probe(bool, u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let outcome = prop_oneof![
            1 => Just(Outcome::Answered),
            3 => Just(Outcome::Unreachable),
            2 => Just(Outcome::Unwilling),
            2 => Just(Outcome::Silent),
        ];
        prop_oneof![
            6 => (0..5_u64, outcome).prop_map(|(key, outcome)| Step::Note(key, outcome)),
            2 => (0..3_000_u64).prop_map(Step::Pass),
            2 => (any::<bool>(), any::<u64>()).prop_map(|(is_well, jitter)| Step::Probe(is_well, jitter)),
        ]
    }

    proptest! {
        /// Against the rule in plain words: it opens only by a failed probe after five failures in a row on three
        /// keys, closes only by a probe that succeeds, and probes begin at least two seconds apart.
        #[test]
        fn any_history_keeps_the_rule(steps in proptest::collection::vec(step(), 1..200)) {
            let mut machine = Machine::default();
            let (mut now_ms, mut last_probe_ms) = (1_000_000, None::<u64>);
            let mut row: Vec<u64> = Vec::new();
            for step in steps {
                let was_down = machine.state().is_down();
                match step {
                    Step::Pass(millis) => now_ms += millis,
                    Step::Note(key, outcome) => {
                        machine.note(key, outcome, now_ms);
                        if outcome == Outcome::Answered { row.clear() } else { row.push(key) }
                        prop_assert_eq!(machine.state().is_down(), was_down, "requests decide nothing alone");
                    }
                    Step::Probe(is_well, jitter) => {
                        if machine.probe_due_ms().is_none_or(|due_ms| due_ms > now_ms) {
                            continue;
                        }
                        prop_assert!(last_probe_ms.is_none_or(|last_ms| now_ms - last_ms >= PROBE_EVERY_MS));
                        last_probe_ms = Some(now_ms);
                        machine.begin_probe(now_ms, jitter);
                        let change = machine.probed(is_well, now_ms);
                        let different: std::collections::HashSet<_> = row.iter().collect();
                        match change {
                            Change::Opened => {
                                prop_assert!(!is_well && !was_down && row.len() >= 5 && different.len() >= 3);
                            }
                            Change::Closed => prop_assert!(is_well && was_down),
                            Change::None => prop_assert_eq!(machine.state().is_down(), was_down),
                        }
                        if is_well { row.clear() }
                    }
                }
            }
        }
    }
}
