//! Counters of the last hour, by server and request type.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use greenroom_cache::{CacheStats, LoadReason};
use greenroom_dialect::class::Class;

use crate::counters::since;
use greenroom_proxy::server::Server;

/// Length of the window.
const REACH_MS: u64 = 3_600_000;
/// Minimum interval between samples.
const STEP_MS: u64 = 55_000;

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
    pub(super) regrets: u64,
    /// Fresh time at that moment.
    pub(super) fresh_s: u32,
}

impl ClassCounts {
    fn since(&self, before: &Self) -> Self {
        since!(self, before; asked saved expired useful useless regrets)
    }
}

/// Recent counters of one request type on one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecentClassCounts {
    pub(super) server: String,
    pub(super) class: Class,
    pub(super) counts: ClassCounts,
    /// Default fresh time.
    pub(super) usual_fresh_s: u32,
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
    let of = |class: &greenroom_cache::ClassStats| {
        let server = servers.iter().find(|server| server.name() == class.namespace)?;
        let named = Class::parse(class.class)?;
        let usual = named.lifetime(server.origin.settings.kind);
        let configured = server.origin.settings.lifetime(named, usual);
        let counts = ClassCounts {
            asked: class.requests(),
            saved: class.hits + class.stale + class.joins,
            expired: class.misses_for(LoadReason::Expired),
            useful: class.refreshes_useful + class.warm_useful,
            useless: class.refreshes_useless + class.warm_useless,
            regrets: class.eviction_misses,
            fresh_s: server.lifetime(named, usual).fresh_s,
        };
        Some(((class.namespace.clone(), named), (counts, (usual.fresh_s, configured.fresh_s))))
    };
    stats.classes.iter().filter_map(of).collect()
}

impl SlidingWindow {
    /// Adds a sample.
    pub(super) fn record(&mut self, now_ms: u64, frame: CountsByClass) {
        // A sample shortly after the last one replaces it, unless that is the first.
        if self.0.len() > 1 && self.0.back().is_some_and(|(at_ms, _)| now_ms < at_ms.saturating_add(STEP_MS)) {
            let at_ms = self.0.pop_back().map_or(now_ms, |(at_ms, _)| at_ms);
            self.0.push_back((at_ms, frame));
            return;
        }
        self.0.push_back((now_ms, frame));
        while self.0.len() > 2 && self.0.front().is_some_and(|(at_ms, _)| at_ms + REACH_MS < now_ms) {
            self.0.pop_front();
        }
    }

    /// Counts within the window. For a request type whose TTL policy changed, only those since the change.
    pub(super) fn counted(&self) -> Vec<RecentClassCounts> {
        let Some((_, newest)) = self.0.back() else { return Vec::new() };
        let lately = |(key, (now, usual_and_configured)): (&(String, Class), &(ClassCounts, _))| {
            let (usual_fresh_s, configured_fresh_s): &(u32, u32) = usual_and_configured;
            let alike = self.0.iter().rev().map_while(|(_, frame)| {
                let before =
                    frame.get(key).map_or(ClassCounts { fresh_s: now.fresh_s, ..ClassCounts::default() }, |it| it.0);
                (before.fresh_s == now.fresh_s).then_some(before)
            });
            let before = alike.last().unwrap_or(*now);
            let counts = now.since(&before);
            RecentClassCounts {
                server: key.0.clone(),
                class: key.1,
                counts,
                usual_fresh_s: *usual_fresh_s,
                configured_fresh_s: *configured_fresh_s,
            }
        };
        newest.iter().map(lately).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(asked: u64, fresh_s: u32) -> CountsByClass {
        let counts = ClassCounts { asked, fresh_s, ..ClassCounts::default() };
        CountsByClass::from([(("home".to_owned(), Class::Sessions), (counts, (10, 10)))])
    }

    #[test]
    fn what_is_older_than_an_hour_does_not_count() {
        let mut window = SlidingWindow::default();
        for minute in 0..200 {
            window.record(minute * 60_000, frame(minute * 10, 10));
        }
        let lately = window.counted();
        assert_eq!(lately[0].counts.asked, 600);
        assert!(window.0.len() <= 62, "and is not kept");
    }

    #[test]
    fn after_a_lifetime_was_changed_it_counts_from_there() {
        let mut window = SlidingWindow::default();
        window.record(0, frame(0, 10));
        window.record(60_000, frame(500, 10));
        assert_eq!(window.counted()[0].counts.asked, 500);
        window.record(120_000, frame(510, 20));
        assert_eq!(window.counted()[0].counts.asked, 0);
        window.record(180_000, frame(530, 20));
        assert_eq!(window.counted()[0].counts.asked, 20);
    }

    #[test]
    fn whoever_looks_often_changes_nothing() {
        let mut window = SlidingWindow::default();
        for second in 0..600 {
            window.record(second * 1_000, frame(second, 10));
        }
        assert!(window.0.len() < 13, "{}", window.0.len());
        assert_eq!(window.counted()[0].counts.asked, 599);
    }
}
