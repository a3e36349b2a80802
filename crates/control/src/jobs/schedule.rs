//! When a job is due. Pure: the time is an argument.

/// Input of the decision for one job.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScheduleInput {
    /// Interval; `None` if it is not scheduled.
    pub(super) every_ms: Option<u64>,
    /// Running or queued.
    pub(super) is_under_way: bool,
    /// Missed runs are made up for.
    pub(super) catches_up: bool,
    /// When this process first knew the job.
    pub(super) known_ms: u64,
    /// When it last ended, including earlier processes; never in the future.
    pub(super) ended_ms: Option<u64>,
    /// Since when the machine is awake and the process runs: runs due earlier were missed.
    pub(super) awake_ms: u64,
}

/// Why a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunReason {
    /// Requested by a caller.
    Requested,
    /// Due by schedule.
    Schedule,
    /// Was due while the process was off or the machine suspended.
    Missed,
}

/// When to run the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScheduleDecision {
    /// Run now.
    Now(RunReason),
    /// Run at this time.
    At(u64),
    /// Not scheduled, or already under way.
    Never,
}

/// Decides. A run is due one interval after the last one ended, so that a long run never chases itself; all missed runs
/// count as one.
pub(super) fn decide(sight: &ScheduleInput, now_ms: u64) -> ScheduleDecision {
    let Some(every_ms) = sight.every_ms.filter(|_| !sight.is_under_way) else {
        return ScheduleDecision::Never;
    };
    if !sight.catches_up {
        // Without catch-up, runs of earlier processes are ignored: the interval begins when the job becomes known.
        let since_ms = sight.ended_ms.map_or(sight.known_ms, |ended_ms| ended_ms.max(sight.known_ms));
        return at(since_ms.saturating_add(every_ms), now_ms, RunReason::Schedule);
    }
    let Some(ended_ms) = sight.ended_ms else { return ScheduleDecision::Now(RunReason::Schedule) };
    let at_ms = ended_ms.saturating_add(every_ms);
    at(at_ms, now_ms, if at_ms < sight.awake_ms { RunReason::Missed } else { RunReason::Schedule })
}

fn at(at_ms: u64, now_ms: u64, why: RunReason) -> ScheduleDecision {
    if at_ms <= now_ms { ScheduleDecision::Now(why) } else { ScheduleDecision::At(at_ms) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HISTORY: ScheduleInput = ScheduleInput {
        every_ms: Some(900),
        is_under_way: false,
        catches_up: true,
        known_ms: 10_000,
        ended_ms: Some(9_500),
        awake_ms: 10_000,
    };
    const FIGURES: ScheduleInput = ScheduleInput { catches_up: false, ended_ms: None, ..HISTORY };

    #[test]
    fn a_job_is_due_a_period_after_its_last_run() {
        for (what, sight, wanted) in [
            ("soon", HISTORY, ScheduleDecision::At(10_400)),
            ("due", ScheduleInput { ended_ms: Some(9_100), ..HISTORY }, ScheduleDecision::Now(RunReason::Schedule)),
            ("missed", ScheduleInput { ended_ms: Some(9_099), ..HISTORY }, ScheduleDecision::Now(RunReason::Missed)),
            (
                "missed long ago",
                ScheduleInput { ended_ms: Some(1), ..HISTORY },
                ScheduleDecision::Now(RunReason::Missed),
            ),
            ("never ran", ScheduleInput { ended_ms: None, ..HISTORY }, ScheduleDecision::Now(RunReason::Schedule)),
            (
                "slept over",
                ScheduleInput { known_ms: 1, ended_ms: Some(9_099), ..HISTORY },
                ScheduleDecision::Now(RunReason::Missed),
            ),
            (
                "due on waking",
                ScheduleInput { known_ms: 1, ended_ms: Some(9_100), ..HISTORY },
                ScheduleDecision::Now(RunReason::Schedule),
            ),
            ("slept a little", ScheduleInput { known_ms: 1, ..HISTORY }, ScheduleDecision::At(10_400)),
            ("does not catch up", FIGURES, ScheduleDecision::At(10_900)),
            ("ran in an earlier process", ScheduleInput { ended_ms: Some(1), ..FIGURES }, ScheduleDecision::At(10_900)),
            ("ran in this process", ScheduleInput { ended_ms: Some(10_050), ..FIGURES }, ScheduleDecision::At(10_950)),
            (
                "slept, and does not catch up",
                ScheduleInput { known_ms: 1, ..FIGURES },
                ScheduleDecision::Now(RunReason::Schedule),
            ),
            ("under way", ScheduleInput { is_under_way: true, ended_ms: None, ..HISTORY }, ScheduleDecision::Never),
            ("only when asked", ScheduleInput { every_ms: None, ended_ms: None, ..HISTORY }, ScheduleDecision::Never),
        ] {
            assert_eq!(decide(&sight, 10_000), wanted, "{what}");
        }
    }

    /// One stretch of a machine: the process runs, the machine is suspended during it, then it is off.
    #[derive(Debug, Clone, Copy)]
    struct UptimePeriod {
        up_ms: u64,
        slept_ms: u64,
        /// Negative: the clock is set back by this much before the next start.
        off_ms: i64,
    }

    /// The same stretch in clock time, which jumps over the suspension.
    #[derive(Debug, Clone, Copy)]
    struct UptimeTimes {
        asleep_ms: u64,
        awake_ms: u64,
        end_ms: u64,
    }

    impl UptimeTimes {
        fn new(stretch: &UptimePeriod, start_ms: u64) -> Self {
            let asleep_ms = start_ms + stretch.up_ms / 2;
            let awake_ms = asleep_ms + stretch.slept_ms;
            Self { asleep_ms, awake_ms, end_ms: start_ms + stretch.up_ms + stretch.slept_ms }
        }

        fn next_start_ms(&self, stretch: &UptimePeriod) -> u64 {
            self.end_ms.saturating_add_signed(stretch.off_ms).max(1)
        }
    }

    fn stretches() -> impl Strategy<Value = Vec<UptimePeriod>> {
        let stretch = (0..300_u64, prop_oneof![Just(0), 1..200_u64], -200..400_i64);
        let stretch = stretch.prop_map(|(up_ms, slept_ms, off_ms)| UptimePeriod { up_ms, slept_ms, off_ms });
        proptest::collection::vec(stretch, 1..8)
    }

    /// Due times found by jumping from one to the next, as the scheduler does.
    fn scheduled(every_ms: u64, took_ms: u64, catches_up: bool, stretches: &[UptimePeriod]) -> Vec<(u64, bool)> {
        let (mut runs, mut start_ms, mut ended_ms) = (Vec::new(), 1_000, None);
        for stretch in stretches {
            let times = UptimeTimes::new(stretch, start_ms);
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
                let sight = ScheduleInput {
                    every_ms: Some(every_ms),
                    is_under_way: false,
                    catches_up,
                    known_ms: start_ms,
                    ended_ms,
                    awake_ms: if has_slept { times.awake_ms } else { start_ms },
                };
                now_ms = match decide(&sight, now_ms) {
                    ScheduleDecision::Now(why) => {
                        runs.push((now_ms, why == RunReason::Missed));
                        let done_ms = now_ms + took_ms;
                        let is_broken = now_ms < times.asleep_ms && done_ms > times.asleep_ms;
                        let done_ms = done_ms + if is_broken { stretch.slept_ms } else { 0 };
                        if done_ms <= times.end_ms {
                            ended_ms = Some(done_ms);
                        }
                        done_ms
                    }
                    ScheduleDecision::At(at_ms) => at_ms,
                    ScheduleDecision::Never => times.end_ms,
                };
            }
            start_ms = times.next_start_ms(stretch);
        }
        runs
    }

    /// Due times found by checking every millisecond of uptime whether the interval has passed.
    fn ticked(every_ms: u64, took_ms: u64, catches_up: bool, stretches: &[UptimePeriod]) -> Vec<(u64, bool)> {
        let (mut runs, mut start_ms) = (Vec::new(), 1_000);
        // Since the last run, or always.
        let mut last_ms: Option<u64> = None;
        for stretch in stretches {
            let UptimeTimes { asleep_ms, awake_ms, end_ms } = UptimeTimes::new(stretch, start_ms);
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
            start_ms = UptimeTimes::new(stretch, start_ms).next_start_ms(stretch);
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
            let sight = ScheduleInput { every_ms: Some(every_ms), ended_ms: Some(10_000), known_ms, awake_ms, ..HISTORY };
            let first = decide(&sight, known_ms);
            prop_assert_eq!(first, ScheduleDecision::Now(if off_ms == 0 { RunReason::Schedule } else { RunReason::Missed }));
            let after = ScheduleInput { ended_ms: Some(known_ms + 1), ..sight };
            prop_assert_eq!(decide(&after, known_ms + 1), ScheduleDecision::At(known_ms + 1 + every_ms));
        }
    }
}
