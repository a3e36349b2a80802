//! Tracks whether an outage may begin. During an outage Greenroom answers only tokens with a recent grant. An app that
//! sent no requests for some minutes, because the page had no viewers or the servers were down, has none and is
//! rejected, as designed. So the demo begins an outage only after every app has sent requests again.

use std::time::Duration;

/// After this time without requests the apps count as asleep. Together with the next round it is shorter than the
/// lifetime of a grant.
const ASLEEP_AFTER: Duration = Duration::from_secs(120);
/// Max time from the end of an outage until the servers receive requests again.
const SETTLING: Duration = Duration::from_secs(10);

/// State of the apps, which keep reading in rounds after the race. Times count from the start of the demo.
#[derive(Debug, Default)]
pub(super) struct AppWarmup {
    is_awake: bool,
    /// Start of the last round during which all servers were up.
    asked: Duration,
    /// End of the last round.
    ended: Duration,
}

impl AppWarmup {
    /// Whether every app has sent requests recently.
    pub(super) fn is_awake(&self) -> bool {
        self.is_awake
    }

    /// Records the start of a round of reads by all apps.
    pub(super) fn begin_round(&mut self, now: Duration) {
        self.is_awake &= now.saturating_sub(self.ended) <= ASLEEP_AFTER;
    }

    /// Records the end of the round that began at `began`. All servers are up since `servers_since`; `None` if they are
    /// down.
    pub(super) fn end_round(&mut self, (began, now): (Duration, Duration), servers_since: Option<Duration>) {
        self.ended = now;
        if servers_since.is_some_and(|since| began >= since + SETTLING) {
            (self.is_awake, self.asked) = (true, began);
        }
    }

    /// Records that the servers are up again.
    pub(super) fn servers_return(&mut self, now: Duration) {
        self.is_awake &= now.saturating_sub(self.asked) <= ASLEEP_AFTER;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn awake() -> AppWarmup {
        let mut apps = AppWarmup::default();
        assert!(!apps.is_awake());
        apps.begin_round(s(1_000));
        apps.end_round((s(1_000), s(1_060)), Some(s(0)));
        assert!(apps.is_awake());
        apps
    }

    #[test]
    fn a_round_counts_only_if_the_servers_were_there_all_the_time_and_settled() {
        for servers_since in [None, Some(s(1_010)), Some(s(991))] {
            let mut apps = AppWarmup::default();
            apps.end_round((s(1_000), s(1_060)), servers_since);
            assert!(!apps.is_awake(), "{servers_since:?}");
        }
    }

    #[test]
    fn who_was_idle_for_long_is_asleep() {
        let mut apps = awake();
        apps.begin_round(s(1_060) + ASLEEP_AFTER);
        assert!(apps.is_awake());
        apps.begin_round(s(1_061) + ASLEEP_AFTER);
        assert!(!apps.is_awake());
        apps.end_round((s(1_200), s(1_260)), Some(s(0)));
        assert!(apps.is_awake());
    }

    #[test]
    fn a_slow_machine_wakes_them_too() {
        let mut apps = awake();
        apps.begin_round(s(1_060));
        apps.end_round((s(1_060), s(2_000)), Some(s(0)));
        apps.begin_round(s(2_000));
        assert!(apps.is_awake());
    }

    #[test]
    fn servers_that_were_away_for_long_are_asked_first_and_those_that_were_not_are_known() {
        let mut apps = awake();
        apps.servers_return(s(1_000) + ASLEEP_AFTER);
        assert!(apps.is_awake());
        // Rounds during the outage.
        apps.begin_round(s(1_120));
        apps.end_round((s(1_120), s(1_180)), None);
        apps.servers_return(s(1_190));
        assert!(!apps.is_awake());
    }
}
