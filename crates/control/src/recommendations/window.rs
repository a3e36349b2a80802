//! What was counted in the last hour, by server and class.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use greenroom_cache::{LoadReason, Stats};
use greenroom_dialect::class::Class;

use greenroom_proxy::server::Server;

/// How far back it reaches.
const REACH_MS: u64 = 3_600_000;
/// How often it is noted at most.
const STEP_MS: u64 = 55_000;

/// What the engine counted of one class since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) asked: u64,
    /// Answered without a load of their own: fresh, stale, or by somebody else's load.
    pub(super) spared: u64,
    /// Found too old.
    pub(super) expired: u64,
    pub(super) useful: u64,
    pub(super) useless: u64,
    /// Made room although they were fresh, and were asked for again.
    pub(super) regrets: u64,
    /// How long answers were fresh then.
    pub(super) fresh_s: u32,
}

/// What was counted of one class of one server lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lately {
    pub(super) server: String,
    pub(super) class: Class,
    pub(super) counts: Counts,
    /// How long answers are fresh unless somebody says otherwise.
    pub(super) usual_fresh_s: u32,
    /// How long they are as it is configured.
    pub(super) configured_fresh_s: u32,
}

/// By server and class: what was counted, and how long answers are fresh as usual and as configured.
type Frame = BTreeMap<(String, Class), (Counts, (u32, u32))>;

/// Frames of the last hour: one a minute.
#[derive(Debug, Default)]
pub(super) struct Window(VecDeque<(u64, Frame)>);

/// What the engine counted until now.
pub(super) fn counted(stats: &Stats, servers: &[Arc<Server>]) -> Frame {
    let of = |class: &greenroom_cache::ClassStats| {
        let server = servers.iter().find(|server| server.name() == class.namespace)?;
        let named = Class::named(class.class)?;
        let usual = named.lifetime(server.origin.settings.kind);
        let configured = server.origin.settings.lifetime(named, usual);
        let counts = Counts {
            asked: class.asked(),
            spared: class.hits + class.stale + class.joins,
            expired: class.missed_for(LoadReason::Expired),
            useful: class.refreshes_useful + class.warm_useful,
            useless: class.refreshes_useless + class.warm_useless,
            regrets: class.regrets,
            fresh_s: server.lifetime(named, usual).fresh_s,
        };
        Some(((class.namespace.clone(), named), (counts, (usual.fresh_s, configured.fresh_s))))
    };
    stats.classes.iter().filter_map(of).collect()
}

impl Window {
    /// This is what was counted until now.
    pub(super) fn note(&mut self, now_ms: u64, frame: Frame) {
        // What comes soon after the last takes its place, unless that is the beginning.
        if self.0.len() > 1 && self.0.back().is_some_and(|(at_ms, _)| now_ms < at_ms.saturating_add(STEP_MS))
        {
            let at_ms = self.0.pop_back().map_or(now_ms, |(at_ms, _)| at_ms);
            self.0.push_back((at_ms, frame));
            return;
        }
        self.0.push_back((now_ms, frame));
        while self.0.len() > 2 && self.0.front().is_some_and(|(at_ms, _)| at_ms + REACH_MS < now_ms) {
            self.0.pop_front();
        }
    }

    /// What was counted within it. Of a class whose lifetime was changed, only what came since.
    pub(super) fn counted(&self) -> Vec<Lately> {
        let Some((_, newest)) = self.0.back() else { return Vec::new() };
        let lately = |(key, (now, usual_and_configured)): (&(String, Class), &(Counts, _))| {
            let (usual_fresh_s, configured_fresh_s): &(u32, u32) = usual_and_configured;
            let alike = self.0.iter().rev().map_while(|(_, frame)| {
                let before =
                    frame.get(key).map_or(Counts { fresh_s: now.fresh_s, ..Counts::default() }, |it| it.0);
                (before.fresh_s == now.fresh_s).then_some(before)
            });
            let before = alike.last().unwrap_or(*now);
            let less = |pick: fn(&Counts) -> u64| pick(now).saturating_sub(pick(&before));
            let counts = Counts {
                asked: less(|it| it.asked),
                spared: less(|it| it.spared),
                expired: less(|it| it.expired),
                useful: less(|it| it.useful),
                useless: less(|it| it.useless),
                regrets: less(|it| it.regrets),
                fresh_s: now.fresh_s,
            };
            Lately {
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

    fn frame(asked: u64, fresh_s: u32) -> Frame {
        let counts = Counts { asked, fresh_s, ..Counts::default() };
        Frame::from([(("home".to_owned(), Class::Sessions), (counts, (10, 10)))])
    }

    #[test]
    fn what_is_older_than_an_hour_does_not_count() {
        let mut window = Window::default();
        for minute in 0..200 {
            window.note(minute * 60_000, frame(minute * 10, 10));
        }
        let lately = window.counted();
        assert_eq!(lately[0].counts.asked, 600);
        assert!(window.0.len() <= 62, "and is not kept");
    }

    #[test]
    fn after_a_lifetime_was_changed_it_counts_from_there() {
        let mut window = Window::default();
        window.note(0, frame(0, 10));
        window.note(60_000, frame(500, 10));
        assert_eq!(window.counted()[0].counts.asked, 500);
        window.note(120_000, frame(510, 20));
        assert_eq!(window.counted()[0].counts.asked, 0);
        window.note(180_000, frame(530, 20));
        assert_eq!(window.counted()[0].counts.asked, 20);
    }

    #[test]
    fn whoever_looks_often_changes_nothing() {
        let mut window = Window::default();
        for second in 0..600 {
            window.note(second * 1_000, frame(second, 10));
        }
        assert!(window.0.len() < 13, "{}", window.0.len());
        assert_eq!(window.counted()[0].counts.asked, 599);
    }
}
