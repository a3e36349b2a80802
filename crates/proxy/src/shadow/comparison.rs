//! Whether a cached response is right, by the server's response to the same request and what is known of the cached one.

use bytes::Bytes;
use greenroom_dialect::class::Class;
use greenroom_response_comparison::volatile::changes_by_itself;
use greenroom_response_comparison::{ComparedResponse, ComparisonDepth, ResponseComparison, compare};

/// Bodies of at most this are parsed to explain a difference: views of libraries are short.
const MAX_PARSED_BYTES: usize = 64 * 1024;

/// Whether a cached response is right, and if not, why. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheCorrectness {
    /// Byte for byte the same.
    Same,
    /// Not comparable: one of the two passed without a body.
    Unread,
    /// The server failed; the cache would have answered.
    Rescued,
    /// Different in what changes by itself from second to second, or is drawn at each request; the TTL bounds the age.
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
            _ if changes_by_itself(self.class) || is_drawn(&cached, actual) => CacheCorrectness::Moved,
            _ if self.is_same_request => CacheCorrectness::Changed,
            _ => CacheCorrectness::Unexplained,
        }
    }
}

/// Whether they differ only in what the server draws at each request, whatever the path. Long bodies are not parsed
/// for it.
fn is_drawn(cached: &ComparedResponse<'_>, actual: &ComparedResponse<'_>) -> bool {
    let is_short = |response: &ComparedResponse<'_>| response.body.is_some_and(|body| body.len() <= MAX_PARSED_BYTES);
    is_short(cached)
        && is_short(actual)
        && matches!(compare(cached, actual, ComparisonDepth::Fields("")), ResponseComparison::Volatile(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predicted(class: Class, body: &'static str) -> PredictedResponse {
        let body = Some(Bytes::from_static(body.as_bytes()));
        PredictedResponse { class, body, is_same_request: true, is_in_time: true }
    }

    fn actual(status: u16, body: &'static str) -> ComparedResponse<'static> {
        ComparedResponse::new(status, body.as_bytes())
    }

    #[test]
    fn the_same_bytes_are_the_same_whatever_the_request() {
        let other_request = PredictedResponse { is_same_request: false, ..predicted(Class::Lists, "a") };
        assert_eq!(other_request.correctness(&actual(200, "a")), CacheCorrectness::Same);
    }

    #[test]
    fn every_difference_has_an_explanation() {
        let too_old = |class| PredictedResponse { is_in_time: false, ..predicted(class, "a") };
        let other_request = PredictedResponse { is_same_request: false, ..predicted(Class::Lists, "a") };
        for (predicted, actual, expected) in [
            (predicted(Class::Sessions, "a"), actual(200, "b"), CacheCorrectness::Moved),
            (too_old(Class::Sessions), actual(200, "b"), CacheCorrectness::Unexplained),
            (predicted(Class::Lists, "a"), actual(200, "b"), CacheCorrectness::Changed),
            (too_old(Class::Lists), actual(200, "b"), CacheCorrectness::Unexplained),
            (other_request, actual(200, "b"), CacheCorrectness::Unexplained),
            (predicted(Class::Item, "a"), actual(404, ""), CacheCorrectness::Changed),
            (predicted(Class::Item, "a"), actual(401, ""), CacheCorrectness::RightEnded),
        ] {
            assert_eq!(predicted.correctness(&actual), expected, "{predicted:?} {actual:?}");
        }
    }

    #[test]
    fn a_drawn_count_of_a_library_folder_is_no_wrong_response() {
        let views = [1, 2].map(|count| format!(r#"{{"Items":[{{"Type":"UserView","ChildCount":{count}}}]}}"#));
        let cached = |is_in_time| PredictedResponse {
            body: Some(Bytes::from(views[0].clone())),
            is_same_request: false,
            is_in_time,
            ..predicted(Class::Sections, "")
        };
        let actual = ComparedResponse::new(200, views[1].as_bytes());
        assert_eq!(cached(true).correctness(&actual), CacheCorrectness::Moved);
        assert_eq!(cached(false).correctness(&actual), CacheCorrectness::Unexplained, "too old");
        let named = ComparedResponse::new(200, br#"{"Items":[{"Type":"UserView","ChildCount":1,"Name":"a"}]}"#);
        assert_eq!(cached(true).correctness(&named), CacheCorrectness::Unexplained);
    }

    #[test]
    fn responses_without_a_body_are_not_compared() {
        let unread = PredictedResponse { body: None, ..predicted(Class::Images, "") };
        assert_eq!(unread.correctness(&actual(200, "b")), CacheCorrectness::Unread);
        assert_eq!(predicted(Class::Images, "a").correctness(&actual(304, "")), CacheCorrectness::Unread);
        let head = ComparedResponse { body: None, ..actual(200, "") };
        assert_eq!(predicted(Class::Images, "a").correctness(&head), CacheCorrectness::Unread);
    }

    #[test]
    fn a_failed_server_response_counts_as_rescued() {
        assert_eq!(predicted(Class::Lists, "a").correctness(&actual(503, "")), CacheCorrectness::Rescued);
        let no_response = ComparedResponse { status: None, ..actual(200, "") };
        assert_eq!(predicted(Class::Lists, "a").correctness(&no_response), CacheCorrectness::Rescued);
    }
}
