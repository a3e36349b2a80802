//! Decision table of a read before any load; pure. After a failed or slow load, `read::waiting` decides.

use crate::cache_response::{CacheDirective, CacheStatus, CacheStatusReason};
use crate::load_reason::LoadReason;
use crate::policy::Freshness;

/// The next step of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadPlan {
    /// Serve the entry.
    Serve { served: CacheStatus, reason: Option<CacheStatusReason>, refresh: bool },
    /// Load, or join the load in progress. With `soft`, wait only for the soft timeout, then serve the entry.
    Load { load_reason: LoadReason, soft: bool },
    /// Load unshared.
    LoadAlone { load_reason: LoadReason },
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

/// Decides. `state` is `None` without an entry.
pub(crate) fn plan(directive: CacheDirective, state: Option<EntryState>) -> ReadPlan {
    let freshness = state.map_or(Freshness::Unusable, |state| state.freshness);
    let serve = |served, reason, refresh| ReadPlan::Serve { served, reason, refresh };
    match (directive, freshness) {
        (CacheDirective::LoadUnshared, _) => ReadPlan::LoadAlone { load_reason: LoadReason::Demanded },
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
            Freshness::Stale | Freshness::Expired | Freshness::Unconfirmed | Freshness::Invalidated { fallback: true },
        ) => serve(CacheStatus::StaleOnError, Some(CacheStatusReason::Offline), false),
        (CacheDirective::OnlyIfCached | CacheDirective::Offline, _) => ReadPlan::NotCached,
        (CacheDirective::Reload | CacheDirective::ReloadStrict, Freshness::Fresh { .. })
            if state.is_some_and(|state| state.just_loaded) =>
        {
            serve(CacheStatus::Hit, None, false)
        }
        (
            CacheDirective::Reload | CacheDirective::ReloadStrict,
            Freshness::Fresh { .. } | Freshness::Stale | Freshness::Expired | Freshness::Unconfirmed,
        ) => ReadPlan::Load { load_reason: LoadReason::Demanded, soft: false },
        (CacheDirective::Any, Freshness::Unconfirmed) => {
            ReadPlan::Load { load_reason: LoadReason::Unconfirmed, soft: false }
        }
        (CacheDirective::Any, Freshness::Expired) => ReadPlan::Load { load_reason: LoadReason::Expired, soft: true },
        (
            CacheDirective::Any | CacheDirective::Reload | CacheDirective::ReloadStrict,
            Freshness::Invalidated { .. },
        ) => ReadPlan::Load { load_reason: LoadReason::Invalidated, soft: false },
        (CacheDirective::Reload | CacheDirective::ReloadStrict, Freshness::Unusable) if state.is_some() => {
            ReadPlan::Load { load_reason: LoadReason::Demanded, soft: false }
        }
        (CacheDirective::Any | CacheDirective::Reload | CacheDirective::ReloadStrict, Freshness::Unusable) => {
            let load_reason = if state.is_some() { LoadReason::Expired } else { LoadReason::Absent };
            ReadPlan::Load { load_reason, soft: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(directive: CacheDirective, freshness: Freshness, just_loaded: bool) -> ReadPlan {
        plan(directive, Some(EntryState { freshness, just_loaded }))
    }

    fn load(load_reason: LoadReason, soft: bool) -> ReadPlan {
        ReadPlan::Load { load_reason, soft }
    }

    #[test]
    fn a_read_that_accepts_anything_has_six_cases() {
        let fresh = |refresh_due| Freshness::Fresh { refresh_due };
        let hit = |refresh| ReadPlan::Serve { served: CacheStatus::Hit, reason: None, refresh };
        let stale = ReadPlan::Serve { served: CacheStatus::Stale, reason: Some(CacheStatusReason::Age), refresh: true };
        for (freshness, wanted) in [
            (fresh(false), hit(false)),
            (fresh(true), hit(true)),
            (Freshness::Stale, stale),
            (Freshness::Expired, load(LoadReason::Expired, true)),
            (Freshness::Unconfirmed, load(LoadReason::Unconfirmed, false)),
            (Freshness::Invalidated { fallback: true }, load(LoadReason::Invalidated, false)),
            (Freshness::Invalidated { fallback: false }, load(LoadReason::Invalidated, false)),
            (Freshness::Unusable, load(LoadReason::Expired, false)),
        ] {
            assert_eq!(planned(CacheDirective::Any, freshness, false), wanted, "{freshness:?}");
        }
        assert_eq!(plan(CacheDirective::Any, None), load(LoadReason::Absent, false));
    }

    #[test]
    fn a_reload_accepts_only_an_entry_that_was_just_loaded() {
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
    fn an_unshared_load_ignores_the_cache() {
        let alone = ReadPlan::LoadAlone { load_reason: LoadReason::Demanded };
        assert_eq!(planned(CacheDirective::LoadUnshared, Freshness::Fresh { refresh_due: false }, true), alone);
        assert_eq!(plan(CacheDirective::LoadUnshared, None), alone);
    }

    #[test]
    fn offline_every_usable_entry_is_served_at_once_and_nothing_is_loaded() {
        let serve = |served| ReadPlan::Serve { served, reason: Some(CacheStatusReason::Offline), refresh: false };
        for (freshness, wanted) in [
            (Freshness::Fresh { refresh_due: true }, serve(CacheStatus::Hit)),
            (Freshness::Stale, serve(CacheStatus::StaleOnError)),
            (Freshness::Expired, serve(CacheStatus::StaleOnError)),
            (Freshness::Unconfirmed, serve(CacheStatus::StaleOnError)),
            (Freshness::Invalidated { fallback: true }, serve(CacheStatus::StaleOnError)),
            (Freshness::Invalidated { fallback: false }, ReadPlan::NotCached),
            (Freshness::Unusable, ReadPlan::NotCached),
        ] {
            assert_eq!(planned(CacheDirective::Offline, freshness, true), wanted, "{freshness:?}");
        }
        assert_eq!(plan(CacheDirective::Offline, None), ReadPlan::NotCached);
    }

    #[test]
    fn only_if_cached_never_waits_for_a_load() {
        let invalidated = Freshness::Invalidated { fallback: true };
        for freshness in [Freshness::Expired, Freshness::Unconfirmed, Freshness::Unusable, invalidated] {
            assert_eq!(planned(CacheDirective::OnlyIfCached, freshness, true), ReadPlan::NotCached);
        }
        assert_eq!(plan(CacheDirective::OnlyIfCached, None), ReadPlan::NotCached);
    }
}
