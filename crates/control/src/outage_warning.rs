//! The warning that stands while a server is down.

use greenroom_config::CacheMode;
use greenroom_origin::breaker::{Breaker, UpstreamOutcome};
use greenroom_state::warnings::Warning;

/// Code of the warning.
pub const CODE: &str = "server-down";

/// The warning of an outage of the server with this breaker, in this mode; `None` while it is up.
pub fn find(breaker: &Breaker, mode: CacheMode) -> Option<Warning> {
    let outage = breaker.outage()?;
    Some(warning(outage.cause, mode))
}

fn warning(cause: Option<UpstreamOutcome>, mode: CacheMode) -> Warning {
    let problem = match cause {
        Some(UpstreamOutcome::Unreachable) => "The server is down: it cannot be reached.",
        Some(UpstreamOutcome::Unavailable) => "The server is down: it reports that it is starting or overloaded.",
        Some(UpstreamOutcome::TimedOut) => "The server is down: it accepts requests and does not answer.",
        Some(UpstreamOutcome::Answered) | None => "The server is down.",
    };
    let consequence = match mode {
        CacheMode::Bypass => "It is bypassed, so requests of apps fail.",
        CacheMode::Observe => "In observe mode requests of apps fail, as they would without Greenroom.",
        CacheMode::Cache => "Apps get cached responses; what is not cached fails.",
    };
    Warning::notice(
        CODE,
        format!("{problem} {consequence}"),
        "Start the server, or find the cause with: greenroom doctor. Greenroom keeps trying and resumes by itself.",
    )
    .urgent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_urgent_and_names_its_cause_and_its_consequence() {
        let unreachable = warning(Some(UpstreamOutcome::Unreachable), CacheMode::Cache);
        assert_eq!(unreachable.severity, greenroom_state::warnings::Severity::Urgent);
        assert!(unreachable.text.contains("cannot be reached") && unreachable.text.contains("cached responses"));
        for mode in [CacheMode::Bypass, CacheMode::Observe] {
            assert!(warning(None, mode).text.contains("requests of apps fail"));
        }
        for cause in [UpstreamOutcome::Unavailable, UpstreamOutcome::TimedOut] {
            assert_ne!(warning(Some(cause), CacheMode::Cache).text, warning(None, CacheMode::Cache).text);
        }
    }
}
