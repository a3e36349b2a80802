//! Decides what follows a delivery attempt. Pure.

use greenroom_cache::Timestamp;
use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;

use greenroom_origin::probe_client::{ProbeError, ProbeResponse};

/// Pauses between attempts; after the last one the message is given up.
pub const PAUSES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(30), Duration::from_secs(120)];
/// Longest `Retry-After` that is honoured.
pub const MAX_PAUSE: Duration = Duration::from_secs(900);

/// Reason of a failed delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryError {
    /// No response.
    NoResponse(ProbeError),
    /// An error status.
    Status(u16),
    /// Another test message is being sent.
    Busy,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryAction {
    /// Delivered.
    Done,
    /// Retry after this pause.
    Retry(Duration),
    /// Give up.
    GiveUp,
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Only the kind of failure: the full error may hold more than the target's name.
            Self::NoResponse(ProbeError::NoSuchName(_)) => f.write_str("its host name cannot be resolved"),
            Self::NoResponse(ProbeError::Other(_)) => f.write_str("the connection failed"),
            Self::NoResponse(error) => error.fmt(f),
            Self::Status(status @ 300..=399) => {
                write!(f, "it responded with status {status}; redirects are not followed")
            }
            Self::Status(status @ (401 | 403)) => write!(f, "it responded with status {status}: access denied"),
            Self::Status(404) => f.write_str("it responded with status 404: nothing at this URL"),
            Self::Status(status) => write!(f, "it responded with status {status}"),
            Self::Busy => f.write_str("another test is in progress"),
        }
    }
}

/// Checks the response to an attempt.
///
/// # Errors
/// If the message was not accepted: the reason, and the pause that its receiver asks for.
pub fn check_response(
    response: Result<&ProbeResponse, ProbeError>,
    now_ms: Timestamp,
) -> Result<(), (DeliveryError, Option<Duration>)> {
    match response {
        Ok(response) if (200..300).contains(&response.status) => Ok(()),
        Ok(response) => Err((DeliveryError::Status(response.status), parse_retry_after(&response.headers, now_ms))),
        Err(error) => Err((DeliveryError::NoResponse(error), None)),
    }
}

/// The action after this many attempts, given the result of the last.
pub fn next_action(outcome: &Result<(), (DeliveryError, Option<Duration>)>, attempts: usize) -> DeliveryAction {
    let Err((error, retry_after)) = outcome else { return DeliveryAction::Done };
    let is_retryable = match error {
        DeliveryError::NoResponse(ProbeError::Certificate(_) | ProbeError::NotEncrypted) | DeliveryError::Busy => false,
        DeliveryError::NoResponse(_) => true,
        DeliveryError::Status(status) => matches!(status, 408 | 425 | 429 | 500..),
    };
    let pause = PAUSES.get(attempts.saturating_sub(1)).filter(|_| is_retryable);
    match (pause, retry_after) {
        (None, _) => DeliveryAction::GiveUp,
        (Some(_), Some(retry_after)) if *retry_after > MAX_PAUSE => DeliveryAction::GiveUp,
        (Some(pause), retry_after) => {
            DeliveryAction::Retry(retry_after.map_or(*pause, |retry_after| retry_after.max(*pause)))
        }
    }
}

/// Parses seconds or a date.
fn parse_retry_after(headers: &HeaderMap, now_ms: Timestamp) -> Option<Duration> {
    let header = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = header.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let at = httpdate::parse_http_date(header).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(at.saturating_sub(Duration::from_millis(now_ms.as_millis())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, retry_after_s: Option<u64>) -> Result<(), (DeliveryError, Option<Duration>)> {
        Err((DeliveryError::Status(status), retry_after_s.map(Duration::from_secs)))
    }

    #[test]
    fn temporary_failures_are_retried_with_growing_pauses_and_then_given_up() {
        for status in [408, 429, 500, 503] {
            for (before, pause) in PAUSES.iter().enumerate() {
                assert_eq!(next_action(&refused(status, None), before + 1), DeliveryAction::Retry(*pause));
            }
            assert_eq!(next_action(&refused(status, None), PAUSES.len() + 1), DeliveryAction::GiveUp);
        }
        assert_eq!(
            next_action(&Err((DeliveryError::NoResponse(ProbeError::Refused), None)), 1),
            DeliveryAction::Retry(PAUSES[0])
        );
        assert_eq!(next_action(&Ok(()), 1), DeliveryAction::Done);
    }

    #[test]
    fn permanent_failures_are_given_up_at_once() {
        for status in [301, 302, 307, 400, 401, 403, 404, 413] {
            assert_eq!(next_action(&refused(status, None), 1), DeliveryAction::GiveUp, "{status}");
        }
        assert_eq!(
            next_action(&Err((DeliveryError::NoResponse(ProbeError::NotEncrypted), None)), 1),
            DeliveryAction::GiveUp
        );
    }

    #[test]
    fn retry_after_is_honoured_unless_it_is_too_long() {
        assert_eq!(next_action(&refused(429, Some(60)), 1), DeliveryAction::Retry(Duration::from_secs(60)));
        assert_eq!(
            next_action(&refused(429, Some(1)), 1),
            DeliveryAction::Retry(PAUSES[0]),
            "never sooner than the default pause"
        );
        assert_eq!(next_action(&refused(429, Some(901)), 1), DeliveryAction::GiveUp);
    }

    #[test]
    fn retry_after_is_parsed_as_seconds_or_as_a_date() {
        let retry_after = |header: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, header.parse().expect("a header value"));
            parse_retry_after(&headers, Timestamp::from_millis(784_111_777_000))
        };
        assert_eq!(retry_after("120"), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("soon"), None);
    }

    #[test]
    fn a_delivery_error_names_no_url() {
        let silent = DeliveryError::NoResponse(ProbeError::NoSuchName("SECRET.example".into()));
        assert!(!silent.to_string().contains("SECRET"));
        assert!(!DeliveryError::NoResponse(ProbeError::Other("GET /SECRET".into())).to_string().contains("SECRET"));
    }
}
