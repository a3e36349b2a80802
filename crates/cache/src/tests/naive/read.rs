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
        key: KeyIndex,
        directive: CacheDirective,
        refresh_at_ms: Option<u64>,
    ) -> ExpectedResponse {
        let caller = Caller { key, directive, order: self.next(), arrived_ms: self.now_ms };
        for _ in 0..MAX_ROUNDS {
            let seen = self.cached(key);
            if let Some((entry, NaiveValidity::Purged)) = &seen {
                let order = entry.order;
                self.entries.retain(|entry| entry.order != order);
            }
            if let Some(answer) = self.round(&caller, seen.as_ref(), refresh_at_ms) {
                return answer;
            }
        }
        self.load_alone(&caller, false)
    }

    fn round(
        &mut self,
        caller: &Caller,
        seen: Option<&(NaiveEntry, NaiveValidity)>,
        refresh_at_ms: Option<u64>,
    ) -> Option<ExpectedResponse> {
        let (key, directive, now_ms) = (caller.key, caller.directive, self.now_ms);
        if directive == CacheDirective::LoadUnshared {
            return Some(self.load_alone(caller, false));
        }
        if directive == CacheDirective::Offline {
            return Some(self.offline(seen));
        }
        let is_invalidated = seen.is_some_and(|(_, validity)| *validity != NaiveValidity::Clear);
        let mut soft = false;
        if let Some((entry, NaiveValidity::Clear)) = seen
            && !self.is_unconfirmed(entry)
        {
            let (fresh, stale) = (now_ms < entry.fresh_until_ms, now_ms < entry.stale_until_ms);
            if directive == CacheDirective::Reload && fresh && now_ms - entry.began_ms <= 2000 {
                return Some(ExpectedResponse::Value(CacheStatus::Hit, Self::text(entry)));
            }
            if directive != CacheDirective::Reload && stale {
                let due = !fresh || refresh_at_ms.is_some_and(|at_ms| now_ms >= at_ms);
                if due {
                    self.refresh(entry);
                }
                return Some(ExpectedResponse::Value(
                    if fresh { CacheStatus::Hit } else { CacheStatus::Stale },
                    Self::text(entry),
                ));
            }
            soft = directive == CacheDirective::Any && now_ms < entry.error_until_ms;
        }
        if directive == CacheDirective::OnlyIfCached {
            return Some(ExpectedResponse::Failed(LoadErrorKind::NotCached));
        }
        match self.negative(key) {
            Some(NaiveNegativeEntry::Failed { kind, .. }) => return Some(self.failed(caller, kind)),
            Some(NaiveNegativeEntry::Absent { .. }) if directive != CacheDirective::Reload => {
                return Some(ExpectedResponse::Value(CacheStatus::Hit, "absent".into()));
            }
            Some(NaiveNegativeEntry::Absent { .. }) => self.negatives.retain(|negative| negative.who() != key),
            Some(NaiveNegativeEntry::Uncacheable { .. }) => return Some(self.load_alone(caller, is_invalidated)),
            None => {}
        }
        let entry = seen.map(|(entry, _)| entry);
        let joined = self.joinable(key, entry);
        let replaces = seen.is_some_and(|(entry, validity)| self.is_usable(entry, *validity));
        let own = joined.is_none();
        let old = entry.filter(|_| !is_invalidated).cloned();
        let flight = joined.unwrap_or_else(|| self.start(key, true, None, old));
        self.wait(caller, &flight, (soft, is_invalidated), own, replaces)
    }

    /// Any usable entry, at once.
    fn offline(&self, seen: Option<&(NaiveEntry, NaiveValidity)>) -> ExpectedResponse {
        match seen.filter(|(entry, validity)| self.is_usable(entry, *validity)) {
            Some((entry, validity)) => {
                let is_clear = *validity == NaiveValidity::Clear && !self.is_unconfirmed(entry);
                let fresh = is_clear && self.now_ms < entry.fresh_until_ms;
                let served = if fresh { CacheStatus::Hit } else { CacheStatus::StaleOnError };
                ExpectedResponse::Value(served, Self::text(entry))
            }
            None => ExpectedResponse::Failed(LoadErrorKind::NotCached),
        }
    }

    fn refresh(&mut self, entry: &NaiveEntry) {
        let running = self.flights.iter().any(|flight| flight.refreshes == Some(entry.order));
        if !running && self.negative(entry.key).is_none() && self.joinable(entry.key, Some(entry)).is_none() {
            self.start(entry.key, true, Some(entry.order), Some(entry.clone()));
        }
    }

    /// `is_invalidated`: its entry is known to be invalid, so that the load does not try to confirm it.
    fn load_alone(&mut self, caller: &Caller, is_invalidated: bool) -> ExpectedResponse {
        let seen = self.cached(caller.key).filter(|(_, validity)| *validity != NaiveValidity::Purged);
        let replaces = seen.as_ref().is_some_and(|(entry, _)| self.is_usable(entry, NaiveValidity::Clear));
        let old = seen.filter(|_| !is_invalidated).map(|(entry, _)| entry);
        let flight = self.start(caller.key, false, None, old);
        self.wait(caller, &flight, (false, is_invalidated), true, replaces).expect("his own load is for him")
    }

    fn wait(
        &mut self,
        caller: &Caller,
        flight: &NaiveFlight,
        (soft, is_invalidated): (bool, bool),
        own: bool,
        replaces: bool,
    ) -> Option<ExpectedResponse> {
        let (began_ms, hard_timeout_ms) = (self.now_ms, u64::try_from(POLICY.hard_timeout.as_millis()).unwrap());
        let mut finished = None;
        if soft {
            let soft_timeout_ms = u64::try_from(POLICY.soft_timeout.as_millis()).unwrap();
            finished = self.run((flight.began_ms + soft_timeout_ms).max(began_ms), Some(flight.order));
            if finished.is_none()
                && let Some((entry, NaiveValidity::Clear)) = self.cached(caller.key)
                && self.now_ms < entry.error_until_ms
            {
                return Some(ExpectedResponse::Value(CacheStatus::StaleOnError, Self::text(&entry)));
            }
        }
        let finished = finished.or_else(|| self.run(began_ms + hard_timeout_ms, Some(flight.order)));
        let Some(finished) = finished else { return Some(self.failed(caller, LoadErrorKind::TimedOut)) };
        if !self.serves(&finished, caller) {
            return None;
        }
        let served = match (own, replaces) {
            (false, _) => CacheStatus::Joined,
            (true, true) => CacheStatus::Refreshed,
            (true, false) => CacheStatus::Loaded,
        };
        if let Some(old) = &finished.confirms {
            return Some(ExpectedResponse::Value(CacheStatus::Hit, Self::text(old)));
        }
        let version = finished.script.version;
        Some(match finished.script.response {
            LoadScript::Value | LoadScript::Confirm | LoadScript::Share => {
                ExpectedResponse::Value(served, format!("{} v{version}", PARTITIONS[caller.key.0]))
            }
            LoadScript::Gone => ExpectedResponse::Value(served, "gone".into()),
            LoadScript::Absent => ExpectedResponse::Value(served, "absent".into()),
            LoadScript::Pass if own => ExpectedResponse::Passed(version),
            LoadScript::Pass => self.load_alone(caller, is_invalidated),
            LoadScript::Fail(kind) => self.failed(caller, kind),
            LoadScript::Panic => self.failed(caller, LoadErrorKind::Panicked),
        })
    }

    fn failed(&self, caller: &Caller, kind: LoadErrorKind) -> ExpectedResponse {
        let seen = self.cached(caller.key).filter(|(entry, validity)| self.is_usable(entry, *validity));
        match seen {
            Some((entry, validity)) if kind.allows_stale() && caller.directive != CacheDirective::LoadUnshared => {
                let is_clear = validity == NaiveValidity::Clear && !self.is_unconfirmed(&entry);
                let fresh = is_clear && self.now_ms < entry.fresh_until_ms;
                let hit = fresh && caller.directive == CacheDirective::Any;
                let served = if hit { CacheStatus::Hit } else { CacheStatus::StaleOnError };
                ExpectedResponse::Value(served, Self::text(&entry))
            }
            _ => ExpectedResponse::Failed(kind),
        }
    }
}
