//! Predicts the response a request gets now: a pure decision.

use greenroom_cache::Timestamp;
use greenroom_cache::{Diagnosis, Freshness, LoadErrorKind, LoadReason, Policy, Validity, evaluate_freshness};

use greenroom_proxy::read::AuthorizationStatus;

/// All inputs of the decision.
#[derive(Debug)]
pub(super) struct DecisionInputs<'a> {
    pub(super) authorization: AuthorizationStatus,
    /// State of the key; `None` if the token was never seen.
    pub(super) diagnosis: Option<&'a Diagnosis>,
    pub(super) policy: Policy,
    pub(super) now_ms: Timestamp,
}

/// The response a request would get now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExplainOutcome {
    /// The cached response, fresh.
    Hit,
    /// The cached response, stale, with a background refresh.
    Stale,
    /// The server's response, because it must accept this token first.
    Unverified,
    /// The server's response, for lack of a usable entry; with `fallback`, the cached one if the server fails.
    Load { reason: LoadReason, fallback: bool },
    /// Always the server's response: it is not cacheable.
    Uncacheable,
    /// The server's recent word that there is no such thing, served again.
    RecentAbsence,
    /// A recent failure, served again.
    RecentFailure(LoadErrorKind),
}

impl ExplainOutcome {
    pub(super) fn predict(inputs: &DecisionInputs<'_>) -> Self {
        let Some(diagnosis) = inputs.diagnosis else { return Self::Unverified };
        let entry = diagnosis.entry.as_ref();
        let freshness = entry.map(|entry| evaluate_freshness(entry, &inputs.policy, inputs.now_ms, diagnosis.validity));
        if inputs.authorization != AuthorizationStatus::Valid && entry.is_some() {
            return Self::Unverified;
        }
        match freshness {
            Some(Freshness::Fresh { .. }) => Self::Hit,
            Some(Freshness::Stale) => Self::Stale,
            _ if diagnosis.uncacheable => Self::Uncacheable,
            Some(Freshness::Expired) => Self::Load { reason: LoadReason::Expired, fallback: true },
            Some(Freshness::Invalidated { fallback }) => {
                let fallback = fallback && diagnosis.validity != Validity::Purged;
                Self::Load { reason: LoadReason::Invalidated, fallback }
            }
            Some(Freshness::Unconfirmed) => Self::Load { reason: LoadReason::Unconfirmed, fallback: true },
            Some(Freshness::Unusable) => Self::Load { reason: LoadReason::Expired, fallback: false },
            None if diagnosis.absent => Self::RecentAbsence,
            None => match diagnosis.failed {
                Some(kind) => Self::RecentFailure(kind),
                None => Self::Load { reason: LoadReason::Absent, fallback: false },
            },
        }
    }

    /// Identifier.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Unverified => "unproven",
            Self::Load { .. } => "load",
            Self::Uncacheable => "uncacheable",
            Self::RecentAbsence => "absent-lately",
            Self::RecentFailure(_) => "failed-lately",
        }
    }

    /// Sentence for people.
    pub(super) fn sentence(self) -> String {
        let fallback_note = |fallback| {
            if fallback { "; if that fails, the cached response is served" } else { "" }
        };
        match self {
            Self::Hit => "The cached response is served: it is fresh.".to_owned(),
            Self::Stale => "The cached response is served stale, and a background refresh runs.".to_owned(),
            Self::Unverified => {
                "The server is asked: it has not accepted this token for this request type recently.".to_owned()
            }
            Self::Load { reason: LoadReason::Absent, .. } => "The server is asked: nothing is cached.".to_owned(),
            Self::Load { reason: LoadReason::Invalidated, fallback } => {
                format!(
                    "The server is asked: the cached response was invalidated after it was loaded{}.",
                    fallback_note(fallback)
                )
            }
            Self::Load { reason: LoadReason::Unconfirmed, fallback } => {
                format!(
                    "The server is asked whether anything changed: the cached response is unconfirmed, because it was \
                     loaded before this process heard the server{}.",
                    fallback_note(fallback)
                )
            }
            Self::Load { fallback, .. } => {
                format!("The server is asked: the cached response has expired{}.", fallback_note(fallback))
            }
            Self::Uncacheable => "The server is asked every time: its responses to this are not cacheable.".to_owned(),
            Self::RecentAbsence => {
                "The server's recent 404 is served again; afterwards, or after a change, the server is asked."
                    .to_owned()
            }
            Self::RecentFailure(kind) => {
                format!("The recent failure ({}) is served again; afterwards the server is asked.", kind.name())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const POLICY: Policy = Policy {
        class: "lists",
        fresh: Duration::from_secs(60),
        freshness_bound: None,
        stale: Duration::ZERO,
        stale_on_error: Duration::from_secs(60),
        refresh_ahead: false,
        warm: false,
        soft_timeout: Duration::from_secs(1),
        hard_timeout: Duration::from_secs(30),
    };

    fn no_entry() -> Diagnosis {
        Diagnosis {
            entry: None,
            validity: Validity::Valid,
            invalidated: None,
            cause: None,
            failed: None,
            absent: false,
            uncacheable: false,
            warm: false,
        }
    }

    fn predict(authorization: AuthorizationStatus, diagnosis: Option<&Diagnosis>) -> ExplainOutcome {
        ExplainOutcome::predict(&DecisionInputs {
            authorization,
            diagnosis,
            policy: POLICY,
            now_ms: Timestamp::UNIX_EPOCH,
        })
    }

    #[test]
    fn the_authorization_is_decided_before_the_cache_entry() {
        let diagnosis = no_entry();
        assert_eq!(predict(AuthorizationStatus::Missing, None), ExplainOutcome::Unverified);
        let absent = ExplainOutcome::Load { reason: LoadReason::Absent, fallback: false };
        assert_eq!(predict(AuthorizationStatus::Valid, Some(&diagnosis)), absent);
        assert_eq!(predict(AuthorizationStatus::Missing, Some(&diagnosis)), absent);
    }

    #[test]
    fn uncacheable_responses_and_recent_failures_are_predicted() {
        let uncacheable = Diagnosis { uncacheable: true, ..no_entry() };
        assert_eq!(predict(AuthorizationStatus::Valid, Some(&uncacheable)), ExplainOutcome::Uncacheable);
        let absent = Diagnosis { absent: true, ..no_entry() };
        assert_eq!(predict(AuthorizationStatus::Valid, Some(&absent)), ExplainOutcome::RecentAbsence);
        let failed = Diagnosis { failed: Some(LoadErrorKind::ServerError), ..no_entry() };
        let outcome = predict(AuthorizationStatus::Valid, Some(&failed));
        assert_eq!(outcome, ExplainOutcome::RecentFailure(LoadErrorKind::ServerError));
        assert!(outcome.sentence().contains("server-error"));
    }
}
