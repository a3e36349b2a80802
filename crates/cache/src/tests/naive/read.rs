//! The naive cache's read: the five cases, one after the other.

use super::super::fixture::{LoadScript, POLICY};
use super::{
    Caller, ExpectedResponse, KeyIndex, NaiveCache, NaiveEntry, NaiveFlight, NaiveNegativeEntry, NaiveValidity,
    PARTITIONS,
};
use crate::{CacheDirective, CacheStatus, LoadErrorKind};

const MAX_ROUNDS: usize = 8;

impl NaiveCache {
    /// Reads. `refresh_at_ms` is when the entry's refresh is due: the only random input.
    pub(crate) fn read(
        &mut self,
        who: KeyIndex,
        demand: CacheDirective,
        refresh_at_ms: Option<u64>,
    ) -> ExpectedResponse {
        let caller = Caller { who, demand, order: self.next(), arrived_ms: self.now_ms };
        for _ in 0..MAX_ROUNDS {
            let seen = self.look(who);
            if let Some((kept, NaiveValidity::Purged)) = &seen {
                let order = kept.order;
                self.kept.retain(|kept| kept.order != order);
            }
            if let Some(answer) = self.round(&caller, seen.as_ref(), refresh_at_ms) {
                return answer;
            }
        }
        self.alone(&caller)
    }

    fn round(
        &mut self,
        caller: &Caller,
        seen: Option<&(NaiveEntry, NaiveValidity)>,
        refresh_at_ms: Option<u64>,
    ) -> Option<ExpectedResponse> {
        let (who, demand, now_ms) = (caller.who, caller.demand, self.now_ms);
        if demand == CacheDirective::LoadUnshared {
            return Some(self.alone(caller));
        }
        if demand == CacheDirective::Offline {
            return Some(self.offline(seen));
        }
        let mut soft = false;
        if let Some((kept, NaiveValidity::Clear)) = seen {
            let (fresh, stale) = (now_ms < kept.fresh_until_ms, now_ms < kept.stale_until_ms);
            if demand == CacheDirective::Reload && fresh && now_ms - kept.began_ms <= 2000 {
                return Some(ExpectedResponse::Value(CacheStatus::Hit, Self::text(kept)));
            }
            if demand != CacheDirective::Reload && stale {
                let due = !fresh || refresh_at_ms.is_some_and(|at_ms| now_ms >= at_ms);
                if due {
                    self.refresh(kept);
                }
                return Some(ExpectedResponse::Value(
                    if fresh { CacheStatus::Hit } else { CacheStatus::Stale },
                    Self::text(kept),
                ));
            }
            soft = demand == CacheDirective::Any && now_ms < kept.error_until_ms;
        }
        if demand == CacheDirective::OnlyIfCached {
            return Some(ExpectedResponse::Failed(LoadErrorKind::NotCached));
        }
        match self.recall(who) {
            Some(NaiveNegativeEntry::Failed { kind, .. }) => return Some(self.failed(caller, kind)),
            Some(NaiveNegativeEntry::Uncacheable { .. }) => return Some(self.alone(caller)),
            None => {}
        }
        let kept = seen.map(|(kept, _)| kept);
        let joined = self.joinable(who, kept);
        let replaces = seen.is_some_and(|(kept, mark)| self.good_for_anything(kept, *mark));
        let own = joined.is_none();
        let flight = joined.unwrap_or_else(|| self.start(who, true, None));
        self.wait(caller, &flight, soft, own, replaces)
    }

    /// Any usable entry, at once.
    fn offline(&self, seen: Option<&(NaiveEntry, NaiveValidity)>) -> ExpectedResponse {
        match seen.filter(|(kept, mark)| self.good_for_anything(kept, *mark)) {
            Some((kept, mark)) => {
                let fresh = *mark == NaiveValidity::Clear && self.now_ms < kept.fresh_until_ms;
                let served = if fresh { CacheStatus::Hit } else { CacheStatus::StaleOnError };
                ExpectedResponse::Value(served, Self::text(kept))
            }
            None => ExpectedResponse::Failed(LoadErrorKind::NotCached),
        }
    }

    fn refresh(&mut self, kept: &NaiveEntry) {
        let running = self.flights.iter().any(|flight| flight.refreshes == Some(kept.order));
        if !running && self.recall(kept.who).is_none() && self.joinable(kept.who, Some(kept)).is_none() {
            self.start(kept.who, true, Some(kept.order));
        }
    }

    fn alone(&mut self, caller: &Caller) -> ExpectedResponse {
        let seen = self.look(caller.who).filter(|(_, mark)| *mark != NaiveValidity::Purged);
        let replaces = seen.is_some_and(|(kept, _)| self.good_for_anything(&kept, NaiveValidity::Clear));
        let flight = self.start(caller.who, false, None);
        self.wait(caller, &flight, false, true, replaces).expect("his own load is for him")
    }

    fn wait(
        &mut self,
        caller: &Caller,
        flight: &NaiveFlight,
        soft: bool,
        own: bool,
        replaces: bool,
    ) -> Option<ExpectedResponse> {
        let (began_ms, hard_ms) = (self.now_ms, u64::try_from(POLICY.hard_timeout.as_millis()).unwrap());
        let mut landed = None;
        if soft {
            let soft_ms = u64::try_from(POLICY.soft_timeout.as_millis()).unwrap();
            landed = self.run((flight.began_ms + soft_ms).max(began_ms), Some(flight.order));
            if landed.is_none()
                && let Some((kept, NaiveValidity::Clear)) = self.look(caller.who)
                && self.now_ms < kept.error_until_ms
            {
                return Some(ExpectedResponse::Value(CacheStatus::StaleOnError, Self::text(&kept)));
            }
        }
        let landed = landed.or_else(|| self.run(began_ms + hard_ms, Some(flight.order)));
        let Some(landed) = landed else { return Some(self.failed(caller, LoadErrorKind::TimedOut)) };
        if !self.serves(&landed, caller) {
            return None;
        }
        let served = match (own, replaces) {
            (false, _) => CacheStatus::Joined,
            (true, true) => CacheStatus::Refreshed,
            (true, false) => CacheStatus::Loaded,
        };
        let version = landed.script.version;
        Some(match landed.script.says {
            LoadScript::Value | LoadScript::Share => {
                ExpectedResponse::Value(served, format!("{} v{version}", PARTITIONS[caller.who.0]))
            }
            LoadScript::Gone => ExpectedResponse::Value(served, "gone".into()),
            LoadScript::Pass if own => ExpectedResponse::Passed(version),
            LoadScript::Pass => self.alone(caller),
            LoadScript::Fail(kind) => self.failed(caller, kind),
            LoadScript::Panic => self.failed(caller, LoadErrorKind::Panicked),
        })
    }

    fn failed(&self, caller: &Caller, kind: LoadErrorKind) -> ExpectedResponse {
        let seen = self.look(caller.who).filter(|(kept, mark)| self.good_for_anything(kept, *mark));
        match seen {
            Some((kept, mark)) if kind.allows_stale() && caller.demand != CacheDirective::LoadUnshared => {
                let fresh = mark == NaiveValidity::Clear && self.now_ms < kept.fresh_until_ms;
                let hit = fresh && caller.demand == CacheDirective::Any;
                let served = if hit { CacheStatus::Hit } else { CacheStatus::StaleOnError };
                ExpectedResponse::Value(served, Self::text(&kept))
            }
            _ => ExpectedResponse::Failed(kind),
        }
    }
}
