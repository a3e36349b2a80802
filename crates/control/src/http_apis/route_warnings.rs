//! Warnings of HTTP APIs: a route that would be worth a lifetime, and a budget that is used up.

use std::time::Duration;

use greenroom_config::http_api::{BudgetSettings, OverBudget};
use greenroom_http_api::route_traffic::{TRIED_LIFETIME_MS, UnstoredRoute};
use greenroom_http_caching::storage::StorageRefusal;
use greenroom_state::warnings::Warning;

/// Max routes of one server that are named.
pub(super) const MAX_ROUTES: usize = 5;

/// The warning that responses of a route are never stored although they are read repeatedly.
pub(super) fn never_fresh(route: &UnstoredRoute) -> Warning {
    let reason = match route.refusal {
        StorageRefusal::NoStore => "the server says no-store",
        StorageRefusal::Private => "the server says private, and its requests have no credentials",
        StorageRefusal::VaryStar => "the server says Vary: *",
        StorageRefusal::SetCookie => "the server sets a cookie each time",
        StorageRefusal::NotUnderstood => "the server says must-understand of an unknown status",
        StorageRefusal::Method | StorageRefusal::Status | StorageRefusal::NotCacheable => {
            "the server says nothing of how long its responses may be used"
        }
    };
    let fresh_s = TRIED_LIFETIME_MS / 1000;
    Warning::notice(
        "route-never-fresh",
        format!(
            "Responses of {} are never fresh: {reason}. A route with fresh_s = {fresh_s} would save {} requests a day.",
            route.name, route.saved_per_day
        ),
        "If they may be that old, add a [[server.route]] with this path, or fresh_s to the one that it has; see docs/http-apis.md.",
    )
    .about(route.name.clone())
}

/// The warning that the server gets no more requests today.
pub(super) fn budget_used_up(budget: BudgetSettings, wait: Duration) -> Warning {
    let consequence = match budget.over {
        OverBudget::Stale => "Apps get older responses where there are any, else 429",
        OverBudget::Reject => "Apps get 429 for what is not cached",
    };
    let minutes = wait.as_secs().div_ceil(60);
    Warning::notice(
        "budget-used-up",
        format!(
            "The budget of {} requests a day is used up. {consequence}, for {minutes} more minutes.",
            budget.per_day
        ),
        "Wait, raise requests_per_day if the API allows more, or give its routes longer lifetimes.",
    )
    .urgent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_without_a_lifetime_is_named_with_the_reason_and_what_it_would_save() {
        let route = |refusal| UnstoredRoute { name: "/films".into(), refusal, saved_per_day: 340 };
        let warning = never_fresh(&route(StorageRefusal::NoStore));
        assert_eq!(
            warning.text,
            "Responses of /films are never fresh: the server says no-store. A route with fresh_s = 3600 would save 340 requests a day."
        );
        assert_eq!(warning.name(), "route-never-fresh//films");
        assert!(never_fresh(&route(StorageRefusal::NotCacheable)).text.contains("says nothing"));
    }

    #[test]
    fn a_used_up_budget_is_named_with_what_apps_get() {
        let budget = |over| BudgetSettings { per_second: 1, per_day: 500, over };
        let stale = budget_used_up(budget(OverBudget::Stale), Duration::from_secs(90));
        assert!(stale.text.contains("500 requests a day") && stale.text.contains("2 more minutes"), "{}", stale.text);
        assert!(budget_used_up(budget(OverBudget::Reject), Duration::from_secs(1)).text.contains("429"));
    }
}
