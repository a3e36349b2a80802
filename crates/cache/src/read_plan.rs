//! Decision table of a read before any load; pure. After a failed or slow load, `read::waiting` decides.

use crate::cache_response::{CacheDirective, CacheStatus, CacheStatusReason};
use crate::load_reason::LoadReason;
use crate::policy::Freshness;

/// What a read does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadPlan {
    /// Serve the entry.
    Serve { served: CacheStatus, reason: Option<CacheStatusReason>, refresh: bool },
    /// Load, or join the load in progress. With `soft`, wait only for the soft timeout, then serve the entry.
    Load { why: LoadReason, soft: bool },
    /// Load unshared.
    LoadAlone { why: LoadReason },
    /// Nothing to serve.
    NotCached,
}

/// State of the entry a caller found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryState {
    pub(crate) freshness: Freshness,
    /// It was loaded a moment ago.
    pub(crate) just_loaded: bool,
}

/// Decides. `sight` is `None` without an entry.
pub(crate) fn plan(demand: CacheDirective, sight: Option<EntryState>) -> ReadPlan {
    let verdict = sight.map_or(Freshness::Unusable, |sight| sight.freshness);
    let serve = |served, reason, refresh| ReadPlan::Serve { served, reason, refresh };
    match (demand, verdict) {
        (CacheDirective::LoadUnshared, _) => ReadPlan::LoadAlone { why: LoadReason::Demanded },
        (CacheDirective::Any | CacheDirective::OnlyIfCached, Freshness::Fresh { refresh_due }) => {
            serve(CacheStatus::Hit, None, refresh_due)
        }
        (CacheDirective::Any | CacheDirective::OnlyIfCached, Freshness::Stale) => {
            serve(CacheStatus::Stale, Some(CacheStatusReason::Age), true)
        }
        (CacheDirective::Offline, Freshness::Fresh { .. }) => {
            serve(CacheStatus::Hit, Some(CacheStatusReason::Offline), false)
        }
        (
            CacheDirective::Offline,
            Freshness::Stale | Freshness::Expired | Freshness::Invalidated { fallback: true },
        ) => serve(CacheStatus::StaleOnError, Some(CacheStatusReason::Offline), false),
        (CacheDirective::OnlyIfCached | CacheDirective::Offline, _) => ReadPlan::NotCached,
        (CacheDirective::Reload | CacheDirective::ReloadStrict, Freshness::Fresh { .. })
            if sight.is_some_and(|sight| sight.just_loaded) =>
        {
            serve(CacheStatus::Hit, None, false)
        }
        (
            CacheDirective::Reload | CacheDirective::ReloadStrict,
            Freshness::Fresh { .. } | Freshness::Stale | Freshness::Expired,
        ) => ReadPlan::Load { why: LoadReason::Demanded, soft: false },
        (CacheDirective::Any, Freshness::Expired) => ReadPlan::Load { why: LoadReason::Expired, soft: true },
        (
            CacheDirective::Any | CacheDirective::Reload | CacheDirective::ReloadStrict,
            Freshness::Invalidated { .. },
        ) => ReadPlan::Load { why: LoadReason::Invalidated, soft: false },
        (CacheDirective::Any | CacheDirective::Reload | CacheDirective::ReloadStrict, Freshness::Unusable) => {
            let why = if sight.is_some() { LoadReason::Expired } else { LoadReason::Absent };
            ReadPlan::Load { why, soft: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(demand: CacheDirective, verdict: Freshness, just_loaded: bool) -> ReadPlan {
        plan(demand, Some(EntryState { freshness: verdict, just_loaded }))
    }

    fn load(why: LoadReason, soft: bool) -> ReadPlan {
        ReadPlan::Load { why, soft }
    }

    #[test]
    fn whoever_takes_anything_gets_the_five_cases() {
        let fresh = |refresh_due| Freshness::Fresh { refresh_due };
        let hit = |refresh| ReadPlan::Serve { served: CacheStatus::Hit, reason: None, refresh };
        let stale = ReadPlan::Serve { served: CacheStatus::Stale, reason: Some(CacheStatusReason::Age), refresh: true };
        for (verdict, wanted) in [
            (fresh(false), hit(false)),
            (fresh(true), hit(true)),
            (Freshness::Stale, stale),
            (Freshness::Expired, load(LoadReason::Expired, true)),
            (Freshness::Invalidated { fallback: true }, load(LoadReason::Invalidated, false)),
            (Freshness::Invalidated { fallback: false }, load(LoadReason::Invalidated, false)),
            (Freshness::Unusable, load(LoadReason::Expired, false)),
        ] {
            assert_eq!(planned(CacheDirective::Any, verdict, false), wanted, "{verdict:?}");
        }
        assert_eq!(plan(CacheDirective::Any, None), load(LoadReason::Absent, false));
    }

    #[test]
    fn a_reload_takes_only_what_was_loaded_a_moment_ago() {
        let fresh = Freshness::Fresh { refresh_due: true };
        assert_eq!(
            planned(CacheDirective::Reload, fresh, true),
            ReadPlan::Serve { served: CacheStatus::Hit, reason: None, refresh: false }
        );
        assert_eq!(planned(CacheDirective::Reload, fresh, false), load(LoadReason::Demanded, false));
        assert_eq!(planned(CacheDirective::Reload, Freshness::Stale, true), load(LoadReason::Demanded, false));
        let marked = Freshness::Invalidated { fallback: true };
        assert_eq!(planned(CacheDirective::Reload, marked, true), load(LoadReason::Invalidated, false));
    }

    #[test]
    fn an_own_load_ignores_all_that_is_kept() {
        let alone = ReadPlan::LoadAlone { why: LoadReason::Demanded };
        assert_eq!(planned(CacheDirective::LoadUnshared, Freshness::Fresh { refresh_due: false }, true), alone);
        assert_eq!(plan(CacheDirective::LoadUnshared, None), alone);
    }

    #[test]
    fn offline_everything_that_may_stand_in_is_served_at_once_and_nothing_is_loaded() {
        let serve = |served| ReadPlan::Serve { served, reason: Some(CacheStatusReason::Offline), refresh: false };
        for (verdict, wanted) in [
            (Freshness::Fresh { refresh_due: true }, serve(CacheStatus::Hit)),
            (Freshness::Stale, serve(CacheStatus::StaleOnError)),
            (Freshness::Expired, serve(CacheStatus::StaleOnError)),
            (Freshness::Invalidated { fallback: true }, serve(CacheStatus::StaleOnError)),
            (Freshness::Invalidated { fallback: false }, ReadPlan::NotCached),
            (Freshness::Unusable, ReadPlan::NotCached),
        ] {
            assert_eq!(planned(CacheDirective::Offline, verdict, true), wanted, "{verdict:?}");
        }
        assert_eq!(plan(CacheDirective::Offline, None), ReadPlan::NotCached);
    }

    #[test]
    fn only_if_cached_never_loads_in_front() {
        for verdict in [Freshness::Expired, Freshness::Unusable, Freshness::Invalidated { fallback: true }] {
            assert_eq!(planned(CacheDirective::OnlyIfCached, verdict, true), ReadPlan::NotCached);
        }
        assert_eq!(plan(CacheDirective::OnlyIfCached, None), ReadPlan::NotCached);
    }
}
