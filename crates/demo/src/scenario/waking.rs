//! Whether the apps are awake. Greenroom answers in an outage to whom the servers knew when they were last heard of: an
//! app that has not asked for some minutes, because nobody looked or the servers were gone, is a stranger to it, as it
//! is meant to be. So the plug may be pulled once every app has asked again.

use std::time::Duration;

/// Apps that have not asked for so long are asleep. With the round that follows it is less than a server's yes to a
/// token holds.
const ASLEEP_AFTER: Duration = Duration::from_secs(120);
/// After the servers are back it may take so long until they are asked again.
const SETTLING: Duration = Duration::from_secs(30);

/// The apps that read on after the evening, round by round. Moments are counted from when the demo began.
#[derive(Debug, Default)]
pub(super) struct Waking {
    is_awake: bool,
    /// When the last round began in which all servers were there.
    asked: Duration,
    /// When the last round ended.
    ended: Duration,
}

impl Waking {
    /// Whether every app has asked lately.
    pub(super) fn is_awake(&self) -> bool {
        self.is_awake
    }

    /// The apps begin to ask once more.
    pub(super) fn begin_round(&mut self, now: Duration) {
        self.is_awake &= now.saturating_sub(self.ended) <= ASLEEP_AFTER;
    }

    /// All of them have, since `began`; the servers are there since `servers_since`, if they are.
    pub(super) fn end_round(&mut self, (began, now): (Duration, Duration), servers_since: Option<Duration>) {
        self.ended = now;
        if servers_since.is_some_and(|since| began >= since + SETTLING) {
            (self.is_awake, self.asked) = (true, began);
        }
    }

    /// The servers are back.
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

    fn awake() -> Waking {
        let mut apps = Waking::default();
        assert!(!apps.is_awake());
        apps.begin_round(s(1_000));
        apps.end_round((s(1_000), s(1_060)), Some(s(0)));
        assert!(apps.is_awake());
        apps
    }

    #[test]
    fn a_round_counts_only_if_the_servers_were_there_all_the_time_and_settled() {
        for servers_since in [None, Some(s(1_010)), Some(s(971))] {
            let mut apps = Waking::default();
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
        // Rounds went by without them.
        apps.begin_round(s(1_120));
        apps.end_round((s(1_120), s(1_180)), None);
        apps.servers_return(s(1_190));
        assert!(!apps.is_awake());
    }
}
