//! What to do for a caller: the pure table behind a read.

use crate::answer::{Demand, Reason, Served};
use crate::load_reason::LoadReason;
use crate::policy::Verdict;

/// What to do for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Answer what is kept.
    Serve { served: Served, reason: Option<Reason>, refresh: bool },
    /// Load, or wait for who loads already. With `soft`, only as long as the soft timeout: then what is kept is
    /// answered.
    Load { why: LoadReason, soft: bool },
    /// Load for oneself.
    LoadAlone { why: LoadReason },
    /// There is nothing for him.
    NotCached,
}

/// What a caller finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) verdict: Verdict,
    /// It was loaded a moment ago.
    pub(crate) just_loaded: bool,
}

/// Decides. `sight` is `None` when nothing is kept.
pub(crate) fn plan(demand: Demand, sight: Option<Sight>) -> Plan {
    let verdict = sight.map_or(Verdict::Dead, |sight| sight.verdict);
    let serve = |served, reason, refresh| Plan::Serve { served, reason, refresh };
    match (demand, verdict) {
        (Demand::Own, _) => Plan::LoadAlone { why: LoadReason::Demanded },
        (Demand::Any | Demand::OnlyIfCached, Verdict::Fresh { refresh_due }) => {
            serve(Served::Hit, None, refresh_due)
        }
        (Demand::Any | Demand::OnlyIfCached, Verdict::Stale) => serve(Served::Stale, Some(Reason::Age), true),
        (Demand::Offline, Verdict::Fresh { .. }) => serve(Served::Hit, Some(Reason::Offline), false),
        (Demand::Offline, Verdict::Stale | Verdict::Expired | Verdict::Invalidated { fallback: true }) => {
            serve(Served::StaleOnError, Some(Reason::Offline), false)
        }
        (Demand::OnlyIfCached | Demand::Offline, _) => Plan::NotCached,
        (Demand::Reload | Demand::Ask, Verdict::Fresh { .. })
            if sight.is_some_and(|sight| sight.just_loaded) =>
        {
            serve(Served::Hit, None, false)
        }
        (Demand::Reload | Demand::Ask, Verdict::Fresh { .. } | Verdict::Stale | Verdict::Expired) => {
            Plan::Load { why: LoadReason::Demanded, soft: false }
        }
        (Demand::Any, Verdict::Expired) => Plan::Load { why: LoadReason::Expired, soft: true },
        (Demand::Any | Demand::Reload | Demand::Ask, Verdict::Invalidated { .. }) => {
            Plan::Load { why: LoadReason::Invalidated, soft: false }
        }
        (Demand::Any | Demand::Reload | Demand::Ask, Verdict::Dead) => {
            let why = if sight.is_some() { LoadReason::Expired } else { LoadReason::Absent };
            Plan::Load { why, soft: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(demand: Demand, verdict: Verdict, just_loaded: bool) -> Plan {
        plan(demand, Some(Sight { verdict, just_loaded }))
    }

    fn load(why: LoadReason, soft: bool) -> Plan {
        Plan::Load { why, soft }
    }

    #[test]
    fn whoever_takes_anything_gets_the_five_cases() {
        let fresh = |refresh_due| Verdict::Fresh { refresh_due };
        let hit = |refresh| Plan::Serve { served: Served::Hit, reason: None, refresh };
        let stale = Plan::Serve { served: Served::Stale, reason: Some(Reason::Age), refresh: true };
        for (verdict, wanted) in [
            (fresh(false), hit(false)),
            (fresh(true), hit(true)),
            (Verdict::Stale, stale),
            (Verdict::Expired, load(LoadReason::Expired, true)),
            (Verdict::Invalidated { fallback: true }, load(LoadReason::Invalidated, false)),
            (Verdict::Invalidated { fallback: false }, load(LoadReason::Invalidated, false)),
            (Verdict::Dead, load(LoadReason::Expired, false)),
        ] {
            assert_eq!(planned(Demand::Any, verdict, false), wanted, "{verdict:?}");
        }
        assert_eq!(plan(Demand::Any, None), load(LoadReason::Absent, false));
    }

    #[test]
    fn a_reload_takes_only_what_was_loaded_a_moment_ago() {
        let fresh = Verdict::Fresh { refresh_due: true };
        assert_eq!(
            planned(Demand::Reload, fresh, true),
            Plan::Serve { served: Served::Hit, reason: None, refresh: false }
        );
        assert_eq!(planned(Demand::Reload, fresh, false), load(LoadReason::Demanded, false));
        assert_eq!(planned(Demand::Reload, Verdict::Stale, true), load(LoadReason::Demanded, false));
        let marked = Verdict::Invalidated { fallback: true };
        assert_eq!(planned(Demand::Reload, marked, true), load(LoadReason::Invalidated, false));
    }

    #[test]
    fn an_own_load_ignores_all_that_is_kept() {
        let alone = Plan::LoadAlone { why: LoadReason::Demanded };
        assert_eq!(planned(Demand::Own, Verdict::Fresh { refresh_due: false }, true), alone);
        assert_eq!(plan(Demand::Own, None), alone);
    }

    #[test]
    fn offline_everything_that_may_stand_in_is_served_at_once_and_nothing_is_loaded() {
        let serve = |served| Plan::Serve { served, reason: Some(Reason::Offline), refresh: false };
        for (verdict, wanted) in [
            (Verdict::Fresh { refresh_due: true }, serve(Served::Hit)),
            (Verdict::Stale, serve(Served::StaleOnError)),
            (Verdict::Expired, serve(Served::StaleOnError)),
            (Verdict::Invalidated { fallback: true }, serve(Served::StaleOnError)),
            (Verdict::Invalidated { fallback: false }, Plan::NotCached),
            (Verdict::Dead, Plan::NotCached),
        ] {
            assert_eq!(planned(Demand::Offline, verdict, true), wanted, "{verdict:?}");
        }
        assert_eq!(plan(Demand::Offline, None), Plan::NotCached);
    }

    #[test]
    fn only_if_cached_never_loads_in_front() {
        for verdict in [Verdict::Expired, Verdict::Dead, Verdict::Invalidated { fallback: true }] {
            assert_eq!(planned(Demand::OnlyIfCached, verdict, true), Plan::NotCached);
        }
        assert_eq!(plan(Demand::OnlyIfCached, None), Plan::NotCached);
    }
}
