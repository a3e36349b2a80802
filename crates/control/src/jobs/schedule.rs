//! When a job is due. Pure: the time is an argument.

/// What is known of a job when that is decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    /// How often it runs by itself; `None` if never.
    pub(super) every_ms: Option<u64>,
    /// It runs or waits in line.
    pub(super) is_under_way: bool,
    /// What fell due while nobody was there is made up for.
    pub(super) catches_up: bool,
    /// When it became known to this process.
    pub(super) known_ms: u64,
    /// When it ended last, also in an earlier process; never in the future.
    pub(super) ended_ms: Option<u64>,
    /// Since when the machine is awake and the process there: what fell due before was missed.
    pub(super) awake_ms: u64,
}

/// Why a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Somebody asked for it.
    Asked,
    /// Its time has come.
    Schedule,
    /// Its time came while nobody was there.
    Missed,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// It runs now.
    Now(Why),
    /// It runs at this time.
    At(u64),
    /// It does not run by itself, or it is under way.
    Never,
}

/// Decides. A run is due one period after the last one ended, so that one that takes long never chases itself, and all
/// that were missed are one.
pub(super) fn due(sight: &Sight, now_ms: u64) -> Due {
    let Some(every_ms) = sight.every_ms.filter(|_| !sight.is_under_way) else { return Due::Never };
    if !sight.catches_up {
        // What an earlier process did says nothing: it begins to count when it becomes known.
        let since_ms = sight.ended_ms.map_or(sight.known_ms, |ended_ms| ended_ms.max(sight.known_ms));
        return at(since_ms.saturating_add(every_ms), now_ms, Why::Schedule);
    }
    let Some(ended_ms) = sight.ended_ms else { return Due::Now(Why::Schedule) };
    let at_ms = ended_ms.saturating_add(every_ms);
    at(at_ms, now_ms, if at_ms < sight.awake_ms { Why::Missed } else { Why::Schedule })
}

fn at(at_ms: u64, now_ms: u64, why: Why) -> Due {
    if at_ms <= now_ms { Due::Now(why) } else { Due::At(at_ms) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HISTORY: Sight = Sight {
        every_ms: Some(900),
        is_under_way: false,
        catches_up: true,
        known_ms: 10_000,
        ended_ms: Some(9_500),
        awake_ms: 10_000,
    };
    const FIGURES: Sight = Sight { catches_up: false, ended_ms: None, ..HISTORY };

    #[test]
    fn a_job_is_due_a_period_after_its_last_run() {
        for (what, sight, wanted) in [
            ("soon", HISTORY, Due::At(10_400)),
            ("due", Sight { ended_ms: Some(9_100), ..HISTORY }, Due::Now(Why::Schedule)),
            ("missed", Sight { ended_ms: Some(9_099), ..HISTORY }, Due::Now(Why::Missed)),
            ("missed long ago", Sight { ended_ms: Some(1), ..HISTORY }, Due::Now(Why::Missed)),
            ("never ran", Sight { ended_ms: None, ..HISTORY }, Due::Now(Why::Schedule)),
            ("slept over", Sight { known_ms: 1, ended_ms: Some(9_099), ..HISTORY }, Due::Now(Why::Missed)),
            (
                "due on waking",
                Sight { known_ms: 1, ended_ms: Some(9_100), ..HISTORY },
                Due::Now(Why::Schedule),
            ),
            ("slept a little", Sight { known_ms: 1, ..HISTORY }, Due::At(10_400)),
            ("does not catch up", FIGURES, Due::At(10_900)),
            ("ran in an earlier process", Sight { ended_ms: Some(1), ..FIGURES }, Due::At(10_900)),
            ("ran in this process", Sight { ended_ms: Some(10_050), ..FIGURES }, Due::At(10_950)),
            ("slept, and does not catch up", Sight { known_ms: 1, ..FIGURES }, Due::Now(Why::Schedule)),
            ("under way", Sight { is_under_way: true, ended_ms: None, ..HISTORY }, Due::Never),
            ("only when asked", Sight { every_ms: None, ended_ms: None, ..HISTORY }, Due::Never),
        ] {
            assert_eq!(due(&sight, 10_000), wanted, "{what}");
        }
    }

    /// What happens to a machine: the process runs for a while, the machine sleeps meanwhile, then it is off.
    #[derive(Debug, Clone, Copy)]
    struct Stretch {
        up_ms: u64,
        slept_ms: u64,
        /// Negative: the clock is set back by so much before the next start.
        off_ms: i64,
    }

    /// The same by the clock, which leaps over the sleep.
    #[derive(Debug, Clone, Copy)]
    struct Times {
        asleep_ms: u64,
        awake_ms: u64,
        end_ms: u64,
    }

    impl Times {
        fn of(stretch: &Stretch, start_ms: u64) -> Self {
            let asleep_ms = start_ms + stretch.up_ms / 2;
            let awake_ms = asleep_ms + stretch.slept_ms;
            Self { asleep_ms, awake_ms, end_ms: start_ms + stretch.up_ms + stretch.slept_ms }
        }

        fn next_start_ms(&self, stretch: &Stretch) -> u64 {
            self.end_ms.saturating_add_signed(stretch.off_ms).max(1)
        }
    }

    fn stretches() -> impl Strategy<Value = Vec<Stretch>> {
        let stretch = (0..300_u64, prop_oneof![Just(0), 1..200_u64], -200..400_i64);
        let stretch = stretch.prop_map(|(up_ms, slept_ms, off_ms)| Stretch { up_ms, slept_ms, off_ms });
        proptest::collection::vec(stretch, 1..8)
    }

    /// Runs by jumping from one due moment to the next, as the keeper does.
    fn scheduled(every_ms: u64, took_ms: u64, catches_up: bool, stretches: &[Stretch]) -> Vec<(u64, bool)> {
        let (mut runs, mut start_ms, mut ended_ms) = (Vec::new(), 1_000, None);
        for stretch in stretches {
            let times = Times::of(stretch, start_ms);
            let mut now_ms = start_ms;
            ended_ms = ended_ms.map(|ended_ms: u64| ended_ms.min(start_ms));
            loop {
                if (times.asleep_ms..times.awake_ms).contains(&now_ms) {
                    now_ms = times.awake_ms;
                }
                if now_ms >= times.end_ms {
                    break;
                }
                let has_slept = now_ms >= times.awake_ms && stretch.slept_ms > 0;
                let sight = Sight {
                    every_ms: Some(every_ms),
                    is_under_way: false,
                    catches_up,
                    known_ms: start_ms,
                    ended_ms,
                    awake_ms: if has_slept { times.awake_ms } else { start_ms },
                };
                now_ms = match due(&sight, now_ms) {
                    Due::Now(why) => {
                        runs.push((now_ms, why == Why::Missed));
                        let done_ms = now_ms + took_ms;
                        let is_broken = now_ms < times.asleep_ms && done_ms > times.asleep_ms;
                        let done_ms = done_ms + if is_broken { stretch.slept_ms } else { 0 };
                        if done_ms <= times.end_ms {
                            ended_ms = Some(done_ms);
                        }
                        done_ms
                    }
                    Due::At(at_ms) => at_ms,
                    Due::Never => times.end_ms,
                };
            }
            start_ms = times.next_start_ms(stretch);
        }
        runs
    }

    /// The same by looking at every millisecond in which somebody is awake whether as much time has passed as is to.
    fn ticked(every_ms: u64, took_ms: u64, catches_up: bool, stretches: &[Stretch]) -> Vec<(u64, bool)> {
        let (mut runs, mut start_ms) = (Vec::new(), 1_000);
        // Since the last run, or since ever.
        let mut last_ms: Option<u64> = None;
        for stretch in stretches {
            let Times { asleep_ms, awake_ms, end_ms } = Times::of(stretch, start_ms);
            let is_awake = |at_ms: u64| (start_ms..asleep_ms).contains(&at_ms) || at_ms >= awake_ms;
            last_ms = last_ms.map(|last_ms| last_ms.min(start_ms));
            let mut since_ms = if catches_up { last_ms } else { Some(start_ms) };
            let mut busy_ms = 0;
            for now_ms in (start_ms..asleep_ms).chain(awake_ms..end_ms) {
                let due_ms = since_ms.map(|since_ms| since_ms + every_ms);
                if busy_ms == 0 && due_ms.is_none_or(|due_ms| now_ms >= due_ms) {
                    runs.push((now_ms, catches_up && due_ms.is_some_and(|due_ms| !is_awake(due_ms))));
                    busy_ms = took_ms;
                }
                if busy_ms == 1 {
                    (since_ms, last_ms) = (Some(now_ms + 1), Some(now_ms + 1));
                }
                busy_ms = busy_ms.saturating_sub(1);
            }
            start_ms = Times::of(stretch, start_ms).next_start_ms(stretch);
        }
        runs
    }

    proptest! {
        #[test]
        fn it_runs_when_as_much_time_has_passed_as_is_to_pass(
            every_ms in 1..120_u64,
            took_ms in 1..60_u64,
            catches_up: bool,
            stretches in stretches(),
        ) {
            let runs = scheduled(every_ms, took_ms, catches_up, &stretches);
            prop_assert_eq!(&runs, &ticked(every_ms, took_ms, catches_up, &stretches));
        }

        #[test]
        fn however_long_nobody_was_there_it_is_one_run_that_is_made_up_for(
            every_ms in 1..120_u64,
            off_ms in 0..1_000_000_u64,
        ) {
            let known_ms = 10_000 + every_ms + off_ms;
            let awake_ms = known_ms;
            let sight = Sight { every_ms: Some(every_ms), ended_ms: Some(10_000), known_ms, awake_ms, ..HISTORY };
            let first = due(&sight, known_ms);
            prop_assert_eq!(first, Due::Now(if off_ms == 0 { Why::Schedule } else { Why::Missed }));
            let after = Sight { ended_ms: Some(known_ms + 1), ..sight };
            prop_assert_eq!(due(&after, known_ms + 1), Due::At(known_ms + 1 + every_ms));
        }
    }
}
