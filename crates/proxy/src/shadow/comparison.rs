//! Compares a cached response with the server's, and finds the rule that explains a difference.

use bytes::Bytes;
use greenroom_dialect::class::Class;
use http::StatusCode;

/// Result of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseComparison {
    /// Byte for byte the same.
    Same,
    /// Not comparable: one of the two passed without a body.
    Unread,
    /// The server failed; the cache would have answered.
    Rescued,
    /// They differ.
    Differs(DifferenceReason),
}

impl ResponseComparison {
    /// Whether they differ without an explanation.
    pub fn is_unexplained(self) -> bool {
        self == Self::Differs(DifferenceReason::Unexplained)
    }
}

/// Explanation of a difference. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DifferenceReason {
    /// Responses of the class change by themselves from second to second; the TTL bounds their age.
    Moves,
    /// The server answers the same request differently now: a change within the allowed age of the class.
    Changed,
    /// The server rejects the token now; its grant was still valid.
    RightEnded,
    /// The request differs although the key is the same, or the response is older than allowed.
    Unexplained,
}

/// The response that the cache would have served.
#[derive(Debug, Clone)]
pub struct PredictedResponse {
    /// Its body; `None` if it never passed.
    pub body: Option<Bytes>,
    /// Hash of the request that loaded it.
    pub request_hash: Option<u64>,
    /// Whether its age was allowed when it would have been served.
    pub is_in_time: bool,
}

/// The server's response.
#[derive(Debug, Clone)]
pub struct ActualResponse {
    /// Its status; `None` if there was none.
    pub status: Option<StatusCode>,
    /// Its body; `None` if none passed.
    pub body: Option<Bytes>,
    /// Hash of the request.
    pub request_hash: u64,
}

/// Compares. Pure.
pub fn compare(class: Class, kept: &PredictedResponse, real: &ActualResponse) -> ResponseComparison {
    match real.status.map(|status| status.as_u16()) {
        None | Some(500..) => return ResponseComparison::Rescued,
        Some(401 | 403 | 498) => return ResponseComparison::Differs(DifferenceReason::RightEnded),
        Some(200) => {}
        Some(304) => return ResponseComparison::Unread,
        Some(_) => return ResponseComparison::Differs(explain(class, kept, real)),
    }
    match (&kept.body, &real.body) {
        (Some(kept), Some(real)) if kept == real => ResponseComparison::Same,
        (Some(_), Some(_)) => ResponseComparison::Differs(explain(class, kept, real)),
        _ => ResponseComparison::Unread,
    }
}

fn explain(class: Class, kept: &PredictedResponse, real: &ActualResponse) -> DifferenceReason {
    if !kept.is_in_time {
        DifferenceReason::Unexplained
    } else if moves_by_itself(class) {
        DifferenceReason::Moves
    } else if kept.request_hash == Some(real.request_hash) {
        DifferenceReason::Changed
    } else {
        DifferenceReason::Unexplained
    }
}

/// Whether responses of this class change without any action: positions, loads, times of last activity.
fn moves_by_itself(class: Class) -> bool {
    matches!(
        class,
        Class::Activities | Class::Sessions | Class::LiveStatistics | Class::Statistics | Class::ActivityLog
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &'static str) -> PredictedResponse {
        PredictedResponse { body: Some(Bytes::from_static(body.as_bytes())), request_hash: Some(1), is_in_time: true }
    }

    fn real(status: u16, body: &'static str) -> ActualResponse {
        ActualResponse {
            status: StatusCode::from_u16(status).ok(),
            body: Some(Bytes::from_static(body.as_bytes())),
            request_hash: 1,
        }
    }

    #[test]
    fn the_same_bytes_are_the_same_whatever_was_asked() {
        let otherwise = ActualResponse { request_hash: 2, ..real(200, "a") };
        assert_eq!(compare(Class::Lists, &kept("a"), &otherwise), ResponseComparison::Same);
    }

    #[test]
    fn every_difference_has_a_rule() {
        let late = PredictedResponse { is_in_time: false, ..kept("a") };
        let otherwise = ActualResponse { request_hash: 2, ..real(200, "b") };
        for (class, kept, real, rule) in [
            (Class::Sessions, kept("a"), real(200, "b"), DifferenceReason::Moves),
            (Class::Sessions, late.clone(), real(200, "b"), DifferenceReason::Unexplained),
            (Class::Lists, kept("a"), real(200, "b"), DifferenceReason::Changed),
            (Class::Lists, late, real(200, "b"), DifferenceReason::Unexplained),
            (Class::Lists, kept("a"), otherwise, DifferenceReason::Unexplained),
            (Class::Item, kept("a"), real(404, ""), DifferenceReason::Changed),
            (Class::Item, kept("a"), real(401, ""), DifferenceReason::RightEnded),
        ] {
            assert_eq!(compare(class, &kept, &real), ResponseComparison::Differs(rule), "{class:?} {kept:?} {real:?}");
        }
    }

    #[test]
    fn what_passed_without_a_body_is_not_judged() {
        let unread = PredictedResponse { body: None, ..kept("") };
        assert_eq!(compare(Class::Images, &unread, &real(200, "b")), ResponseComparison::Unread);
        assert_eq!(compare(Class::Images, &kept("a"), &real(304, "")), ResponseComparison::Unread);
        let head = ActualResponse { body: None, ..real(200, "") };
        assert_eq!(compare(Class::Images, &kept("a"), &head), ResponseComparison::Unread);
    }

    #[test]
    fn a_server_that_fails_differs_from_nothing() {
        assert_eq!(compare(Class::Lists, &kept("a"), &real(503, "")), ResponseComparison::Rescued);
        let silent = ActualResponse { status: None, ..real(200, "") };
        assert_eq!(compare(Class::Lists, &kept("a"), &silent), ResponseComparison::Rescued);
    }
}
