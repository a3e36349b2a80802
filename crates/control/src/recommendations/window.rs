//! Counters of the last hour, by server and request type.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{CacheStats, LoadReason};
use greenroom_dialect::class::Class;

use crate::counters::since;
use greenroom_proxy::server::Server;

/// Length of the window.
const WINDOW_MS: u64 = 3_600_000;
/// Minimum interval between samples.
const MIN_INTERVAL: Duration = Duration::from_secs(55);

/// Engine counters of one request type since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ClassCounts {
    pub(super) asked: u64,
    /// Served without a load of their own: fresh, stale, or joined.
    pub(super) saved: u64,
    /// Found expired.
    pub(super) expired: u64,
    pub(super) useful: u64,
    pub(super) useless: u64,
    /// Evicted while fresh, then requested again.
    pub(super) early_evictions: u64,
    /// Fresh time at that moment.
    pub(super) fresh_s: u32,
}

impl ClassCounts {
    fn since(&self, before: &Self) -> Self {
        since!(self, before; asked saved expired useful useless early_evictions)
    }
}

/// Recent counters of one request type on one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecentClassCounts {
    pub(super) server: String,
    pub(super) class: Class,
    pub(super) counts: ClassCounts,
    /// Default fresh time.
    pub(super) default_fresh_s: u32,
    /// Configured fresh time.
    pub(super) configured_fresh_s: u32,
}

/// By server and request type: counters, and the default and configured fresh times.
type CountsByClass = BTreeMap<(String, Class), (ClassCounts, (u32, u32))>;

/// Samples of the last hour: one a minute.
#[derive(Debug, Default)]
pub(super) struct SlidingWindow(VecDeque<(u64, CountsByClass)>);

/// The engine's current counters.
pub(super) fn recent_counts(stats: &CacheStats, servers: &[Arc<Server>]) -> CountsByClass {
    let class_counts = |class: &greenroom_cache::ClassStats| {
        let server = servers.iter().find(|server| server.name() == class.namespace)?;
        let class_id = Class::parse(class.class)?;
        let default = class_id.lifetime(server.origin.settings.kind);
        let configured = server.origin.settings.lifetime(class_id, default);
        let counts = ClassCounts {
            asked: class.requests(),
            saved: class.hits + class.stale + class.joins,
            expired: class.misses_for(LoadReason::Expired),
            useful: class.refreshes_useful + class.warm_useful,
            useless: class.refreshes_useless + class.warm_useless,
            early_evictions: class.eviction_misses,
            fresh_s: server.lifetime(class_id, default).fresh_s,
        };
        Some(((class.namespace.clone(), class_id), (counts, (default.fresh_s, configured.fresh_s))))
    };
    stats.classes.iter().filter_map(class_counts).collect()
}

impl SlidingWindow {
    /// Adds a sample.
    pub(super) fn record(&mut self, now_ms: Timestamp, sample: CountsByClass) {
        // A sample shortly after the last one replaces it, unless that is the first.
        if self.0.len() > 1
            && self
                .0
                .back()
                .is_some_and(|(at_ms, _)| now_ms < Timestamp::from_millis(at_ms.saturating_add(millis(MIN_INTERVAL))))
        {
            let at_ms = self.0.pop_back().map_or(now_ms, |(at_ms, _)| Timestamp::from_millis(at_ms));
            self.0.push_back((at_ms.as_millis(), sample));
            return;
        }
        self.0.push_back((now_ms.as_millis(), sample));
        while self.0.len() > 2 && self.0.front().is_some_and(|(at_ms, _)| at_ms + WINDOW_MS < now_ms.as_millis()) {
            self.0.pop_front();
        }
    }

    /// Counts within the window. For a request type whose TTL policy changed, only those since the change.
    pub(super) fn counts(&self) -> Vec<RecentClassCounts> {
        let Some((_, newest)) = self.0.back() else { return Vec::new() };
        let recent = |(key, (now, fresh_times)): (&(String, Class), &(ClassCounts, _))| {
            let (default_fresh_s, configured_fresh_s): &(u32, u32) = fresh_times;
            let unchanged = self.0.iter().rev().map_while(|(_, sample)| {
                let before = sample
                    .get(key)
                    .map_or(ClassCounts { fresh_s: now.fresh_s, ..ClassCounts::default() }, |entry| entry.0);
                (before.fresh_s == now.fresh_s).then_some(before)
            });
            let before = unchanged.last().unwrap_or(*now);
            let counts = now.since(&before);
            RecentClassCounts {
                server: key.0.clone(),
                class: key.1,
                counts,
                default_fresh_s: *default_fresh_s,
                configured_fresh_s: *configured_fresh_s,
            }
        };
        newest.iter().map(recent).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(asked: u64, fresh_s: u32) -> CountsByClass {
        let counts = ClassCounts { asked, fresh_s, ..ClassCounts::default() };
        CountsByClass::from([(("home".to_owned(), Class::Sessions), (counts, (10, 10)))])
    }

    #[test]
    fn counts_older_than_an_hour_are_ignored() {
        let mut window = SlidingWindow::default();
        for minute in 0..200 {
            window.record(Timestamp::from_millis(minute * 60_000), sample(minute * 10, 10));
        }
        let recent = window.counts();
        assert_eq!(recent[0].counts.asked, 600);
        assert!(window.0.len() <= 62, "old samples are dropped");
    }

    #[test]
    fn counts_restart_when_a_ttl_policy_changes() {
        let mut window = SlidingWindow::default();
        window.record(Timestamp::UNIX_EPOCH, sample(0, 10));
        window.record(Timestamp::from_millis(60_000), sample(500, 10));
        assert_eq!(window.counts()[0].counts.asked, 500);
        window.record(Timestamp::from_millis(120_000), sample(510, 20));
        assert_eq!(window.counts()[0].counts.asked, 0);
        window.record(Timestamp::from_millis(180_000), sample(530, 20));
        assert_eq!(window.counts()[0].counts.asked, 20);
    }

    #[test]
    fn frequent_samples_do_not_shorten_the_window() {
        let mut window = SlidingWindow::default();
        for second in 0..600 {
            window.record(Timestamp::from_millis(second * 1_000), sample(second, 10));
        }
        assert!(window.0.len() < 13, "{}", window.0.len());
        assert_eq!(window.counts()[0].counts.asked, 599);
    }
}
