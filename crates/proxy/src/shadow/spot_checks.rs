//! Spot checks: for some hits, the server gets the same request, and both responses are compared. Decides here when one
//! is due and how it ended; the proxy sends the requests.
//!
//! The client's own request is sent first. If the response differs, the cache's canonical request is sent: if that
//! returns the cached response, nothing has changed on the server, and the client's request holds something that the
//! key leaves out.

use greenroom_cache::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use greenroom_dialect::class::Class;
use greenroom_response_comparison::ComparedResponse;
use http::StatusCode;
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64;

use crate::shadow::comparison::{CacheCorrectness, PredictedResponse};
use greenroom_request_log::counts::RequestCounter;
use greenroom_request_log::time_series::MINUTE_MS;

/// Younger entries are not checked.
const LEAST_AGE: Duration = Duration::from_secs(1);

/// Result of a spot check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpotCheckResult {
    /// The same bytes.
    Same,
    /// Different, in a class that changes by itself.
    Moved,
    /// Different, because of a change on the server within the allowed age.
    Changed,
    /// Different, without an explanation.
    Wrong,
    /// None: the server was busy or failed, or the budget was spent.
    Skipped,
}

impl SpotCheckResult {
    /// Every result.
    pub const EVERY: [Self; 5] = [Self::Same, Self::Moved, Self::Changed, Self::Wrong, Self::Skipped];

    /// Name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Moved => "moved",
            Self::Changed => "changed",
            Self::Wrong => "wrong",
            Self::Skipped => "skipped",
        }
    }

    /// Counter of the result.
    pub fn counter(self) -> RequestCounter {
        match self {
            Self::Same => RequestCounter::SpotSame,
            Self::Moved => RequestCounter::SpotMoved,
            Self::Changed => RequestCounter::SpotChanged,
            Self::Wrong => RequestCounter::SpotWrong,
            Self::Skipped => RequestCounter::SpotSkipped,
        }
    }
}

/// The server's response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginResponse {
    /// Status.
    pub status: StatusCode,
    /// Whole body.
    pub body: Bytes,
}

/// Classifies a served response. `canonical` is the response to the canonical request, sent only where it matters.
pub fn classify(
    served: &PredictedResponse,
    first: &OriginResponse,
    canonical: Option<&OriginResponse>,
) -> SpotCheckResult {
    let correctness = |served: &PredictedResponse, actual: &OriginResponse| {
        served.correctness(&ComparedResponse::new(actual.status.as_u16(), &actual.body))
    };
    // If the canonical request returns the cached response and the client's does not, they are different requests.
    let is_same_request = canonical.is_none_or(|canonical| correctness(served, canonical) != CacheCorrectness::Same);
    match correctness(&PredictedResponse { is_same_request, ..served.clone() }, first) {
        CacheCorrectness::Same => SpotCheckResult::Same,
        CacheCorrectness::Unread | CacheCorrectness::Rescued => SpotCheckResult::Skipped,
        CacheCorrectness::Moved => SpotCheckResult::Moved,
        CacheCorrectness::Changed | CacheCorrectness::RightEnded => SpotCheckResult::Changed,
        CacheCorrectness::Unexplained => SpotCheckResult::Wrong,
    }
}

/// Whether a spot check is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpotCheckDecision {
    /// Due.
    Now,
    /// Due, but this minute's budget is spent.
    TooMany,
    /// Not due.
    No,
}

/// Spot checks of one server.
#[derive(Debug, Default)]
pub struct SpotChecker {
    one_in: u64,
    per_minute: u64,
    is_enabled: AtomicBool,
    hits: AtomicU64,
    /// The minute, and the number of checks in it.
    spent: Mutex<(u64, u64)>,
    results: [AtomicU64; SpotCheckResult::EVERY.len()],
}

impl SpotChecker {
    /// Checks one hit in `one_in`, at most `per_minute` a minute. Zero disables.
    pub fn new(one_in: u64, per_minute: u64) -> Self {
        Self { one_in, per_minute, is_enabled: AtomicBool::new(one_in > 0), ..Self::default() }
    }

    /// One hit in this many is checked.
    pub fn one_in(&self) -> u64 {
        self.one_in
    }

    /// Whether spot checks are enabled.
    pub fn is_enabled(&self) -> bool {
        self.is_enabled.load(Ordering::Relaxed)
    }

    /// Enables or disables spot checks.
    pub fn enable(&self, is_enabled: bool) {
        self.is_enabled.store(is_enabled && self.one_in > 0, Ordering::Relaxed);
    }

    /// Whether to check this hit. A positive decision spends budget.
    pub fn decide(&self, class: Class, age_ms: Duration, now_ms: Timestamp) -> SpotCheckDecision {
        if self.checks_none(class, age_ms) {
            return SpotCheckDecision::No;
        }
        let number = self.hits.fetch_add(1, Ordering::Relaxed);
        if !self.is_chosen(number) {
            return SpotCheckDecision::No;
        }
        let mut spent = self.spent.lock();
        let minute = now_ms.as_millis() / MINUTE_MS;
        if spent.0 != minute {
            *spent = (minute, 0);
        }
        if spent.1 >= self.per_minute {
            return SpotCheckDecision::TooMany;
        }
        spent.1 += 1;
        SpotCheckDecision::Now
    }

    /// Counts a hit that is not to be checked. `false`: this one is, and [`Self::decide`] will say so.
    pub fn count_unchecked(&self, class: Class, age_ms: Duration) -> bool {
        if self.checks_none(class, age_ms) {
            return true;
        }
        let next = |number| (!self.is_chosen(number)).then_some(number.wrapping_add(1));
        self.hits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    fn checks_none(&self, class: Class, age_ms: Duration) -> bool {
        !self.is_enabled() || age_ms < LEAST_AGE || matches!(class, Class::Images | Class::Assets)
    }

    /// Whether the hit of this number is checked. Scattered, so that an app with a cycle of requests is not always checked
    /// at the same one.
    fn is_chosen(&self, number: u64) -> bool {
        xxh3_64(&number.to_le_bytes()).is_multiple_of(self.one_in)
    }

    /// Counts a result.
    pub fn record(&self, result: SpotCheckResult) {
        self.results[result as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Results since the process began.
    pub fn results(&self) -> impl Iterator<Item = (&'static str, u64)> {
        SpotCheckResult::EVERY
            .iter()
            .map(|result| (result.name(), self.results[*result as usize].load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &'static str) -> OriginResponse {
        OriginResponse {
            status: StatusCode::from_u16(status).expect("a status"),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn every_difference_has_a_result() {
        for (class, is_in_time, first, canonical, expected) in [
            (Class::Lists, true, response(200, "a"), None, SpotCheckResult::Same),
            (Class::Lists, true, response(200, "b"), Some(response(200, "b")), SpotCheckResult::Changed),
            (Class::Lists, true, response(200, "b"), Some(response(200, "c")), SpotCheckResult::Changed),
            (Class::Lists, true, response(200, "b"), Some(response(200, "a")), SpotCheckResult::Wrong),
            (Class::Lists, false, response(200, "b"), Some(response(200, "b")), SpotCheckResult::Wrong),
            (Class::Sessions, true, response(200, "b"), None, SpotCheckResult::Moved),
            (Class::Sessions, false, response(200, "b"), None, SpotCheckResult::Wrong),
            (Class::Item, true, response(404, ""), Some(response(404, "")), SpotCheckResult::Changed),
            (Class::Item, true, response(401, ""), None, SpotCheckResult::Changed),
            (Class::Lists, true, response(503, "b"), None, SpotCheckResult::Skipped),
        ] {
            let body = Some(Bytes::from_static(b"a"));
            let served = PredictedResponse { class, body, is_same_request: true, is_in_time };
            let result = classify(&served, &first, canonical.as_ref());
            assert_eq!(result, expected, "{class:?} {is_in_time} {first:?} {canonical:?}");
        }
    }

    #[test]
    fn one_hit_in_n_is_due_up_to_the_limit_per_minute() {
        let spots = SpotChecker::new(20, 1_000);
        let due = |spots: &SpotChecker, class, age_ms| {
            (0..10_000)
                .filter(|_| spots.decide(class, age_ms, Timestamp::from_millis(60_000)) == SpotCheckDecision::Now)
                .count()
        };
        let many = due(&spots, Class::Lists, Duration::from_millis(5_000));
        assert!((300..700).contains(&many), "{many} of 10000");
        assert_eq!(due(&spots, Class::Images, Duration::from_millis(5_000)), 0);
        assert_eq!(due(&spots, Class::Lists, Duration::from_millis(999)), 0, "it was loaded a moment ago");
        let few = SpotChecker::new(1, 6);
        assert_eq!(due(&few, Class::Lists, Duration::from_millis(5_000)), 6);
        assert_eq!(
            few.decide(Class::Lists, Duration::from_millis(5_000), Timestamp::from_millis(60_001)),
            SpotCheckDecision::TooMany
        );
        assert_eq!(
            few.decide(Class::Lists, Duration::from_millis(5_000), Timestamp::from_millis(120_000)),
            SpotCheckDecision::Now
        );
        few.enable(false);
        assert_eq!(
            few.decide(Class::Lists, Duration::from_millis(5_000), Timestamp::from_millis(180_000)),
            SpotCheckDecision::No
        );
        let never = SpotChecker::new(0, 6);
        never.enable(true);
        assert_eq!(
            never.decide(Class::Lists, Duration::from_millis(5_000), Timestamp::UNIX_EPOCH),
            SpotCheckDecision::No
        );
    }
}
