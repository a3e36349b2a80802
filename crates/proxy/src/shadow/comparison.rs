//! Whether a cached response is right, by the server's response to the same request and what is known of the cached one.

use bytes::Bytes;
use greenroom_dialect::class::Class;
use greenroom_dialect::response_comparison::volatile::changes_by_itself;
use greenroom_dialect::response_comparison::{ComparedResponse, ComparisonDepth, ResponseComparison, compare};

/// Whether a cached response is right, and if not, why. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheCorrectness {
    /// Byte for byte the same.
    Same,
    /// Not comparable: one of the two passed without a body.
    Unread,
    /// The server failed; the cache would have answered.
    Rescued,
    /// Different, in a class that changes by itself from second to second; the TTL bounds the age.
    Moved,
    /// Different, because the server answers the same request differently now: a change within the allowed age.
    Changed,
    /// The server rejects the token now; its grant was still valid.
    RightEnded,
    /// Different without an explanation: the request differs although the key is the same, or the response is older
    /// than allowed.
    Unexplained,
}

/// The response that the cache serves, or would have served.
#[derive(Debug, Clone)]
pub struct PredictedResponse {
    /// Its class.
    pub class: Class,
    /// Its body; `None` if it never passed.
    pub body: Option<Bytes>,
    /// Whether it was loaded with the same request, as far as the server can tell.
    pub is_same_request: bool,
    /// Whether its age was allowed when it would have been served.
    pub is_in_time: bool,
}

impl PredictedResponse {
    /// Whether it is right, by the server's response. Pure.
    pub fn correctness(&self, actual: &ComparedResponse<'_>) -> CacheCorrectness {
        // Nothing but a 200 is cached.
        let cached = ComparedResponse { status: Some(200), headers: None, body: self.body.as_deref() };
        match compare(&cached, actual, ComparisonDepth::Bytes) {
            ResponseComparison::Same => CacheCorrectness::Same,
            ResponseComparison::Unread | ResponseComparison::Status(_, Some(304)) => CacheCorrectness::Unread,
            ResponseComparison::Status(_, None | Some(500..)) => CacheCorrectness::Rescued,
            ResponseComparison::Status(_, Some(401 | 403 | 498)) => CacheCorrectness::RightEnded,
            _ if !self.is_in_time => CacheCorrectness::Unexplained,
            _ if changes_by_itself(self.class) => CacheCorrectness::Moved,
            _ if self.is_same_request => CacheCorrectness::Changed,
            _ => CacheCorrectness::Unexplained,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(class: Class, body: &'static str) -> PredictedResponse {
        let body = Some(Bytes::from_static(body.as_bytes()));
        PredictedResponse { class, body, is_same_request: true, is_in_time: true }
    }

    fn real(status: u16, body: &'static str) -> ComparedResponse<'static> {
        ComparedResponse::new(status, body.as_bytes())
    }

    #[test]
    fn the_same_bytes_are_the_same_whatever_was_asked() {
        let otherwise = PredictedResponse { is_same_request: false, ..kept(Class::Lists, "a") };
        assert_eq!(otherwise.correctness(&real(200, "a")), CacheCorrectness::Same);
    }

    #[test]
    fn every_difference_has_a_rule() {
        let late = |class| PredictedResponse { is_in_time: false, ..kept(class, "a") };
        let otherwise = PredictedResponse { is_same_request: false, ..kept(Class::Lists, "a") };
        for (kept, real, rule) in [
            (kept(Class::Sessions, "a"), real(200, "b"), CacheCorrectness::Moved),
            (late(Class::Sessions), real(200, "b"), CacheCorrectness::Unexplained),
            (kept(Class::Lists, "a"), real(200, "b"), CacheCorrectness::Changed),
            (late(Class::Lists), real(200, "b"), CacheCorrectness::Unexplained),
            (otherwise, real(200, "b"), CacheCorrectness::Unexplained),
            (kept(Class::Item, "a"), real(404, ""), CacheCorrectness::Changed),
            (kept(Class::Item, "a"), real(401, ""), CacheCorrectness::RightEnded),
        ] {
            assert_eq!(kept.correctness(&real), rule, "{kept:?} {real:?}");
        }
    }

    #[test]
    fn what_passed_without_a_body_is_not_judged() {
        let unread = PredictedResponse { body: None, ..kept(Class::Images, "") };
        assert_eq!(unread.correctness(&real(200, "b")), CacheCorrectness::Unread);
        assert_eq!(kept(Class::Images, "a").correctness(&real(304, "")), CacheCorrectness::Unread);
        let head = ComparedResponse { body: None, ..real(200, "") };
        assert_eq!(kept(Class::Images, "a").correctness(&head), CacheCorrectness::Unread);
    }

    #[test]
    fn a_server_that_fails_differs_from_nothing() {
        assert_eq!(kept(Class::Lists, "a").correctness(&real(503, "")), CacheCorrectness::Rescued);
        let silent = ComparedResponse { status: None, ..real(200, "") };
        assert_eq!(kept(Class::Lists, "a").correctness(&silent), CacheCorrectness::Rescued);
    }
}
