//! When a job is due. Pure: the time is an argument.

use greenroom_cache::Timestamp;
use std::time::Duration;

/// Input of the decision for one job.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScheduleInput {
    /// Interval; `None` if it is not scheduled.
    pub(super) every_ms: Option<Duration>,
    /// Running or queued.
    pub(super) is_active: bool,
    /// Missed runs are made up for.
    pub(super) catches_up: bool,
    /// When this process first knew the job.
    pub(super) added_ms: Timestamp,
    /// When it last ended, including earlier processes; never in the future.
    pub(super) ended_ms: Option<Timestamp>,
    /// Since when the machine is awake and the process runs: runs due earlier were missed.
    pub(super) awake_ms: Timestamp,
}

/// Reason for a run of a job.
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
pub(super) fn decide(input: &ScheduleInput, now_ms: Timestamp) -> ScheduleDecision {
    let Some(every_ms) = input.every_ms.filter(|_| !input.is_active) else {
        return ScheduleDecision::Never;
    };
    if !input.catches_up {
        // Without catch-up, runs of earlier processes are ignored: the interval begins when the job becomes known.
        let since_ms = input.ended_ms.map_or(input.added_ms, |ended_ms| ended_ms.max(input.added_ms));
        return run_at(since_ms.saturating_add(every_ms), now_ms, RunReason::Schedule);
    }
    let Some(ended_ms) = input.ended_ms else { return ScheduleDecision::Now(RunReason::Schedule) };
    let at_ms = ended_ms.saturating_add(every_ms);
    run_at(at_ms, now_ms, if at_ms < input.awake_ms { RunReason::Missed } else { RunReason::Schedule })
}

fn run_at(at_ms: Timestamp, now_ms: Timestamp, reason: RunReason) -> ScheduleDecision {
    if at_ms <= now_ms { ScheduleDecision::Now(reason) } else { ScheduleDecision::At(at_ms.as_millis()) }
}

#[cfg(test)]
mod tests {
    use greenroom_cache::clock::millis;
    use proptest::prelude::*;

    use super::*;

    const HISTORY: ScheduleInput = ScheduleInput {
        every_ms: Some(Duration::from_millis(900)),
        is_active: false,
        catches_up: true,
        added_ms: Timestamp::from_millis(10_000),
        ended_ms: Some(Timestamp::from_millis(9_500)),
        awake_ms: Timestamp::from_millis(10_000),
    };
    const DASHBOARD: ScheduleInput = ScheduleInput { catches_up: false, ended_ms: None, ..HISTORY };

    #[test]
    fn a_job_is_due_one_interval_after_its_last_run() {
        for (case, input, expected) in [
            ("not yet due", HISTORY, ScheduleDecision::At(10_400)),
            (
                "due",
                ScheduleInput { ended_ms: Some(Timestamp::from_millis(9_100)), ..HISTORY },
                ScheduleDecision::Now(RunReason::Schedule),
            ),
            (
                "missed",
                ScheduleInput { ended_ms: Some(Timestamp::from_millis(9_099)), ..HISTORY },
                ScheduleDecision::Now(RunReason::Missed),
            ),
            (
                "missed long ago",
                ScheduleInput { ended_ms: Some(Timestamp::from_millis(1)), ..HISTORY },
                ScheduleDecision::Now(RunReason::Missed),
            ),
            ("never ran", ScheduleInput { ended_ms: None, ..HISTORY }, ScheduleDecision::Now(RunReason::Schedule)),
            (
                "missed during a suspension",
                ScheduleInput {
                    added_ms: Timestamp::from_millis(1),
                    ended_ms: Some(Timestamp::from_millis(9_099)),
                    ..HISTORY
                },
                ScheduleDecision::Now(RunReason::Missed),
            ),
            (
                "due on resume",
                ScheduleInput {
                    added_ms: Timestamp::from_millis(1),
                    ended_ms: Some(Timestamp::from_millis(9_100)),
                    ..HISTORY
                },
                ScheduleDecision::Now(RunReason::Schedule),
            ),
            (
                "short suspension",
                ScheduleInput { added_ms: Timestamp::from_millis(1), ..HISTORY },
                ScheduleDecision::At(10_400),
            ),
            ("does not catch up", DASHBOARD, ScheduleDecision::At(10_900)),
            (
                "ran in an earlier process",
                ScheduleInput { ended_ms: Some(Timestamp::from_millis(1)), ..DASHBOARD },
                ScheduleDecision::At(10_900),
            ),
            (
                "ran in this process",
                ScheduleInput { ended_ms: Some(Timestamp::from_millis(10_050)), ..DASHBOARD },
                ScheduleDecision::At(10_950),
            ),
            (
                "suspended, and does not catch up",
                ScheduleInput { added_ms: Timestamp::from_millis(1), ..DASHBOARD },
                ScheduleDecision::Now(RunReason::Schedule),
            ),
            ("active", ScheduleInput { is_active: true, ended_ms: None, ..HISTORY }, ScheduleDecision::Never),
            ("on request only", ScheduleInput { every_ms: None, ended_ms: None, ..HISTORY }, ScheduleDecision::Never),
        ] {
            assert_eq!(decide(&input, Timestamp::from_millis(10_000)), expected, "{case}");
        }
    }

    /// One stretch of a machine: the process runs, the machine is suspended during it, then it is off.
    #[derive(Debug, Clone, Copy)]
    struct UptimePeriod {
        up: Duration,
        slept: Duration,
        /// Negative: the clock is set back by this much before the next start.
        off_ms: i64,
    }

    /// The same stretch in clock time, which jumps over the suspension.
    #[derive(Debug, Clone, Copy)]
    struct UptimeTimes {
        asleep_ms: Timestamp,
        awake_ms: Timestamp,
        end_ms: Timestamp,
    }

    impl UptimeTimes {
        fn new(period: &UptimePeriod, start_ms: Timestamp) -> Self {
            let asleep_ms = start_ms + Duration::from_millis(millis(period.up) / 2);
            let awake_ms = asleep_ms + period.slept;
            Self { asleep_ms, awake_ms, end_ms: start_ms + period.up + period.slept }
        }

        fn next_start_ms(&self, period: &UptimePeriod) -> Timestamp {
            Timestamp::from_millis(self.end_ms.as_millis().saturating_add_signed(period.off_ms).max(1))
        }
    }

    fn periods() -> impl Strategy<Value = Vec<UptimePeriod>> {
        let period = (0..300_u64, prop_oneof![Just(0), 1..200_u64], -200..400_i64);
        let period = period.prop_map(|(up_ms, slept_ms, off_ms)| UptimePeriod {
            up: Duration::from_millis(up_ms),
            slept: Duration::from_millis(slept_ms),
            off_ms,
        });
        proptest::collection::vec(period, 1..8)
    }

    /// Due times found by jumping from one to the next, as the scheduler does.
    fn due_by_jumping(
        every_ms: Duration,
        took: Duration,
        catches_up: bool,
        periods: &[UptimePeriod],
    ) -> Vec<(u64, bool)> {
        let (mut runs, mut start_ms, mut ended_ms) = (Vec::new(), 1_000, None);
        for period in periods {
            let times = UptimeTimes::new(period, Timestamp::from_millis(start_ms));
            let mut now_ms = start_ms;
            ended_ms = ended_ms.map(|ended_ms: Timestamp| ended_ms.min(Timestamp::from_millis(start_ms)));
            loop {
                if (times.asleep_ms..times.awake_ms).contains(&Timestamp::from_millis(now_ms)) {
                    now_ms = times.awake_ms.as_millis();
                }
                if now_ms >= times.end_ms.as_millis() {
                    break;
                }
                let has_slept = now_ms >= times.awake_ms.as_millis() && !period.slept.is_zero();
                let input = ScheduleInput {
                    every_ms: Some(every_ms),
                    is_active: false,
                    catches_up,
                    added_ms: Timestamp::from_millis(start_ms),
                    ended_ms,
                    awake_ms: if has_slept { times.awake_ms } else { Timestamp::from_millis(start_ms) },
                };
                now_ms = match decide(&input, Timestamp::from_millis(now_ms)) {
                    ScheduleDecision::Now(reason) => {
                        runs.push((now_ms, reason == RunReason::Missed));
                        let done_ms = Timestamp::from_millis(now_ms) + took;
                        let is_interrupted = now_ms < times.asleep_ms.as_millis() && done_ms > times.asleep_ms;
                        let done_ms = done_ms + if is_interrupted { period.slept } else { Duration::ZERO };
                        if done_ms <= times.end_ms {
                            ended_ms = Some(done_ms);
                        }
                        done_ms.as_millis()
                    }
                    ScheduleDecision::At(at_ms) => at_ms,
                    ScheduleDecision::Never => times.end_ms.as_millis(),
                };
            }
            start_ms = times.next_start_ms(period).as_millis();
        }
        runs
    }

    /// Due times found by checking every millisecond of uptime whether the interval has passed.
    fn due_by_ticking(
        every_ms: Duration,
        took: Duration,
        catches_up: bool,
        periods: &[UptimePeriod],
    ) -> Vec<(u64, bool)> {
        let (mut runs, mut start_ms) = (Vec::new(), 1_000);
        // Since the last run, or always.
        let mut last_ms: Option<Timestamp> = None;
        for period in periods {
            let UptimeTimes { asleep_ms, awake_ms, end_ms } =
                UptimeTimes::new(period, Timestamp::from_millis(start_ms));
            let is_awake =
                |at_ms: Timestamp| (start_ms..asleep_ms.as_millis()).contains(&at_ms.as_millis()) || at_ms >= awake_ms;
            last_ms = last_ms.map(|last_ms| last_ms.min(Timestamp::from_millis(start_ms)));
            let mut since_ms = if catches_up { last_ms } else { Some(Timestamp::from_millis(start_ms)) };
            let mut busy_ms = 0;
            for now_ms in (start_ms..asleep_ms.as_millis()).chain(awake_ms.as_millis()..end_ms.as_millis()) {
                let due_ms = since_ms.map(|since_ms| since_ms + every_ms);
                if busy_ms == 0 && due_ms.is_none_or(|due_ms| now_ms >= due_ms.as_millis()) {
                    runs.push((now_ms, catches_up && due_ms.is_some_and(|due_ms| !is_awake(due_ms))));
                    busy_ms = millis(took);
                }
                if busy_ms == 1 {
                    let next_ms = Some(Timestamp::from_millis(now_ms + 1));
                    (since_ms, last_ms) = (next_ms, next_ms);
                }
                busy_ms = busy_ms.saturating_sub(1);
            }
            start_ms = UptimeTimes::new(period, Timestamp::from_millis(start_ms)).next_start_ms(period).as_millis();
        }
        runs
    }

    proptest! {
        #[test]
        fn runs_are_due_exactly_when_the_interval_has_passed(
            every_ms in 1..120_u64,
            took_ms in 1..60_u64,
            catches_up: bool,
            periods in periods(),
        ) {
            let runs = due_by_jumping(Duration::from_millis(every_ms), Duration::from_millis(took_ms), catches_up, &periods);
            prop_assert_eq!(&runs, &due_by_ticking(Duration::from_millis(every_ms), Duration::from_millis(took_ms), catches_up, &periods));
        }

        #[test]
        fn all_missed_runs_are_made_up_for_by_one(
            every_ms in 1..120_u64,
            off_ms in 0..1_000_000_u64,
        ) {
            let added_ms = 10_000 + every_ms + off_ms;
            let awake_ms = added_ms;
            let input = ScheduleInput { every_ms: Some(Duration::from_millis(every_ms)), ended_ms: Some(Timestamp::from_millis(10_000)), added_ms: Timestamp::from_millis(added_ms), awake_ms: Timestamp::from_millis(awake_ms), ..HISTORY };
            let first = decide(&input, Timestamp::from_millis(added_ms));
            prop_assert_eq!(first, ScheduleDecision::Now(if off_ms == 0 { RunReason::Schedule } else { RunReason::Missed }));
            let after = ScheduleInput { ended_ms: Some(Timestamp::from_millis(added_ms + 1)), ..input };
            prop_assert_eq!(decide(&after, Timestamp::from_millis(added_ms + 1)), ScheduleDecision::At(added_ms + 1 + every_ms));
        }
    }
}
