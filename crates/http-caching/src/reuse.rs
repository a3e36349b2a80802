//! May a stored response be used for a request now (RFC 9111, section 4)?

use crate::request_directives::RequestDirectives;
use crate::stored_head::{StaleOnErrorRule, StoredHead};

/// Permitted use of a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// At once.
    Now,
    /// At once, although it is not fresh: the request accepts that.
    Stale,
    /// Only after validation.
    Validate,
}

/// Decides whether a stored response satisfies a request at this time. Windows in which it is used while it is
/// validated are the caller's: here they count as stale.
pub fn reuse(head: &StoredHead, request: &RequestDirectives, now_ms: u64) -> Reuse {
    let left_ms = head.fresh_left_ms(now_ms);
    let millis = |seconds: u64| i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    let is_too_old = request.max_age_s.is_some_and(|max_age_s| head.age_ms(now_ms) > max_age_s.saturating_mul(1000));
    let is_nearly_stale = request.min_fresh_s.is_some_and(|min_fresh_s| left_ms < millis(min_fresh_s));
    if request.no_cache || head.needs_validation || is_too_old || is_nearly_stale {
        return Reuse::Validate;
    }
    if left_ms > 0 {
        return Reuse::Now;
    }
    let accepts_stale = request.max_stale_s.is_some_and(|max_stale_s| left_ms.saturating_neg() <= millis(max_stale_s));
    if accepts_stale && head.stale_on_error != StaleOnErrorRule::Forbidden { Reuse::Stale } else { Reuse::Validate }
}

/// Whether a stored response may be used because the server cannot be asked.
pub fn is_usable_on_error(head: &StoredHead, now_ms: u64) -> bool {
    let left_ms = head.fresh_left_ms(now_ms);
    match head.stale_on_error {
        _ if left_ms > 0 && !head.needs_validation => true,
        StaleOnErrorRule::Forbidden => false,
        StaleOnErrorRule::Within(time) => {
            let past_ms = u128::try_from(left_ms.saturating_neg()).unwrap_or_default();
            past_ms <= time.as_millis()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::stored_head::tests::head;

    const STORED_MS: u64 = 1_000_000;

    #[test]
    fn a_request_can_ask_for_less_age_and_more_freshness() {
        let now_ms = STORED_MS + 4000;
        let decide = |request: RequestDirectives| reuse(&head(), &request, now_ms);
        let none = RequestDirectives::default();
        assert_eq!(decide(none.clone()), Reuse::Now);
        assert_eq!(decide(RequestDirectives { no_cache: true, ..none.clone() }), Reuse::Validate);
        assert_eq!(decide(RequestDirectives { max_age_s: Some(4), ..none.clone() }), Reuse::Now);
        assert_eq!(decide(RequestDirectives { max_age_s: Some(3), ..none.clone() }), Reuse::Validate);
        assert_eq!(decide(RequestDirectives { min_fresh_s: Some(6), ..none.clone() }), Reuse::Now);
        assert_eq!(decide(RequestDirectives { min_fresh_s: Some(7), ..none }), Reuse::Validate);
    }

    #[test]
    fn freshness_ends_exactly_and_a_request_may_accept_more() {
        let within = StoredHead { stale_on_error: StaleOnErrorRule::Within(Duration::from_secs(5)), ..head() };
        let accepts = RequestDirectives { max_stale_s: Some(2), ..RequestDirectives::default() };
        assert_eq!(reuse(&within, &accepts, STORED_MS + 9999), Reuse::Now);
        assert_eq!(reuse(&within, &RequestDirectives::default(), STORED_MS + 10_000), Reuse::Validate);
        assert_eq!(reuse(&within, &accepts, STORED_MS + 12_000), Reuse::Stale);
        assert_eq!(reuse(&within, &accepts, STORED_MS + 12_001), Reuse::Validate);
        assert_eq!(reuse(&head(), &accepts, STORED_MS + 10_000), Reuse::Validate, "the server forbids it");
    }

    #[test]
    fn on_errors_a_stale_response_is_used_within_its_window_only() {
        let within = StoredHead { stale_on_error: StaleOnErrorRule::Within(Duration::from_secs(5)), ..head() };
        assert!(is_usable_on_error(&within, STORED_MS + 15_000));
        assert!(!is_usable_on_error(&within, STORED_MS + 15_001));
        assert!(!is_usable_on_error(&head(), STORED_MS + 10_000));
        assert!(is_usable_on_error(&head(), STORED_MS + 9_999), "it is still fresh");
        let checked = StoredHead { needs_validation: true, lifetime_ms: 0, ..head() };
        assert!(!is_usable_on_error(&checked, STORED_MS));
    }
}
