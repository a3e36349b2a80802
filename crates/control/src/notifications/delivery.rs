//! What is done about an answer, or about none. Pure.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;

use greenroom_origin::probe_client::{Heard, Silence};

/// Pauses between attempts; after the last the message is given up.
pub const PAUSES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(30), Duration::from_secs(120)];
/// A longer pause that a receiver asks for is not waited for.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(900);

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There was no answer.
    Silent(Silence),
    /// It was answered with this status.
    Status(u16),
    /// Another message for trying out is under way.
    Busy,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It was taken.
    Done,
    /// It is tried again after this pause.
    Again(Duration),
    /// It is given up.
    GiveUp,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Only what went wrong: the words of a connection may hold more than the name of the target.
            Self::Silent(Silence::NoSuchName(_)) => f.write_str("the name in its address is not known here"),
            Self::Silent(Silence::Other(_)) => f.write_str("the connection failed"),
            Self::Silent(silence) => silence.fmt(f),
            Self::Status(status @ 300..=399) => {
                write!(f, "it answers {status}, which leads elsewhere; that is not followed")
            }
            Self::Status(status @ (401 | 403)) => write!(f, "it answers {status}: it does not let us in"),
            Self::Status(404) => f.write_str("it answers 404: there is nothing at that address"),
            Self::Status(status) => write!(f, "it answers {status}"),
            Self::Busy => f.write_str("another test is under way"),
        }
    }
}

/// What came of an attempt.
///
/// # Errors
/// Why it was not taken, and how long its receiver asks to wait.
pub fn judge(answer: Result<&Heard, Silence>, now_ms: u64) -> Result<(), (Refusal, Option<Duration>)> {
    match answer {
        Ok(heard) if (200..300).contains(&heard.status) => Ok(()),
        Ok(heard) => Err((Refusal::Status(heard.status), retry_after(&heard.headers, now_ms))),
        Err(silence) => Err((Refusal::Silent(silence), None)),
    }
}

/// What is done after so many attempts, the last of which came to this.
pub fn next(outcome: &Result<(), (Refusal, Option<Duration>)>, attempts: usize) -> Next {
    let Err((refusal, asked)) = outcome else { return Next::Done };
    let may_help = match refusal {
        Refusal::Silent(Silence::Certificate(_) | Silence::NotEncrypted) | Refusal::Busy => false,
        Refusal::Silent(_) => true,
        Refusal::Status(status) => matches!(status, 408 | 425 | 429 | 500..),
    };
    let pause = PAUSES.get(attempts.saturating_sub(1)).filter(|_| may_help);
    match (pause, asked) {
        (None, _) => Next::GiveUp,
        (Some(_), Some(asked)) if *asked > LONGEST_PAUSE => Next::GiveUp,
        (Some(pause), asked) => Next::Again(asked.map_or(*pause, |asked| asked.max(*pause))),
    }
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap, now_ms: u64) -> Option<Duration> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = said.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let at = httpdate::parse_http_date(said).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(at.saturating_sub(Duration::from_millis(now_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, asked_s: Option<u64>) -> Result<(), (Refusal, Option<Duration>)> {
        Err((Refusal::Status(status), asked_s.map(Duration::from_secs)))
    }

    #[test]
    fn what_may_pass_is_tried_again_with_growing_pauses_and_then_given_up() {
        for status in [408, 429, 500, 503] {
            for (before, pause) in PAUSES.iter().enumerate() {
                assert_eq!(next(&refused(status, None), before + 1), Next::Again(*pause));
            }
            assert_eq!(next(&refused(status, None), PAUSES.len() + 1), Next::GiveUp);
        }
        assert_eq!(next(&Err((Refusal::Silent(Silence::Refused), None)), 1), Next::Again(PAUSES[0]));
        assert_eq!(next(&Ok(()), 1), Next::Done);
    }

    #[test]
    fn what_will_not_pass_is_given_up_at_once() {
        for status in [301, 302, 307, 400, 401, 403, 404, 413] {
            assert_eq!(next(&refused(status, None), 1), Next::GiveUp, "{status}");
        }
        assert_eq!(next(&Err((Refusal::Silent(Silence::NotEncrypted), None)), 1), Next::GiveUp);
    }

    #[test]
    fn the_pause_a_receiver_asks_for_is_kept_unless_it_is_too_long() {
        assert_eq!(next(&refused(429, Some(60)), 1), Next::Again(Duration::from_secs(60)));
        assert_eq!(next(&refused(429, Some(1)), 1), Next::Again(PAUSES[0]), "never sooner than usual");
        assert_eq!(next(&refused(429, Some(901)), 1), Next::GiveUp);
    }

    #[test]
    fn a_pause_is_said_in_seconds_or_as_a_date() {
        let asked = |said: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, said.parse().expect("a value"));
            retry_after(&headers, 784_111_777_000)
        };
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(asked("soon"), None);
    }

    #[test]
    fn a_refusal_names_no_address() {
        let silent = Refusal::Silent(Silence::NoSuchName("SECRET.example".into()));
        assert!(!silent.to_string().contains("SECRET"));
        assert!(!Refusal::Silent(Silence::Other("GET /SECRET".into())).to_string().contains("SECRET"));
    }
}
