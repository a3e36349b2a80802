//! Predicts the response a request gets now: a pure decision.

use greenroom_cache::{Diagnosis, Freshness, LoadErrorKind, LoadReason, Policy, Validity, evaluate_freshness};

use greenroom_proxy::read::AuthorizationStatus;

/// All inputs of the decision.
#[derive(Debug)]
pub(super) struct DecisionInputs<'a> {
    pub(super) proof: AuthorizationStatus,
    /// State of the key; `None` if the token was never seen.
    pub(super) diagnosis: Option<&'a Diagnosis>,
    pub(super) policy: Policy,
    pub(super) now_ms: u64,
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
    Load { why: LoadReason, fallback: bool },
    /// Always the server's response: it is not cacheable.
    Uncacheable,
    /// A recent failure, served again.
    RecentFailure(LoadErrorKind),
}

impl ExplainOutcome {
    pub(super) fn predict(situation: &DecisionInputs<'_>) -> Self {
        let Some(diagnosis) = situation.diagnosis else { return Self::Unverified };
        let entry = diagnosis.entry.as_ref();
        let verdict =
            entry.map(|entry| evaluate_freshness(entry, &situation.policy, situation.now_ms, diagnosis.validity));
        if situation.proof != AuthorizationStatus::Valid && entry.is_some() {
            return Self::Unverified;
        }
        match verdict {
            Some(Freshness::Fresh { .. }) => Self::Hit,
            Some(Freshness::Stale) => Self::Stale,
            _ if diagnosis.uncacheable => Self::Uncacheable,
            Some(Freshness::Expired) => Self::Load { why: LoadReason::Expired, fallback: true },
            Some(Freshness::Invalidated { fallback }) => {
                let fallback = fallback && diagnosis.validity != Validity::Purged;
                Self::Load { why: LoadReason::Invalidated, fallback }
            }
            Some(Freshness::Unusable) => Self::Load { why: LoadReason::Expired, fallback: false },
            None => match diagnosis.failed {
                Some(kind) => Self::RecentFailure(kind),
                None => Self::Load { why: LoadReason::Absent, fallback: false },
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
            Self::RecentFailure(_) => "failed-lately",
        }
    }

    /// Sentence for people.
    pub(super) fn sentence(self) -> String {
        let otherwise = |fallback| {
            if fallback { "; if it fails, what is kept stands in" } else { "" }
        };
        match self {
            Self::Hit => "What is kept is answered at once: it is fresh.".to_owned(),
            Self::Stale => "What is kept is answered at once, and one refresh runs behind.".to_owned(),
            Self::Unverified => {
                "The server is asked: it has not said yes to this token for this class lately.".to_owned()
            }
            Self::Load { why: LoadReason::Absent, .. } => "The server is asked: nothing is kept.".to_owned(),
            Self::Load { why: LoadReason::Invalidated, fallback } => {
                format!("The server is asked: what is kept was invalidated since it was loaded{}.", otherwise(fallback))
            }
            Self::Load { fallback, .. } => {
                format!("The server is asked: what is kept is too old{}.", otherwise(fallback))
            }
            Self::Uncacheable => "The server is asked every time: its answers to this are not for keeping.".to_owned(),
            Self::RecentFailure(kind) => {
                format!("The failure of a moment ago is answered ({}); then the server is asked.", kind.name())
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

    fn nothing_kept() -> Diagnosis {
        Diagnosis {
            entry: None,
            validity: Validity::Valid,
            invalidated: None,
            cause: None,
            failed: None,
            uncacheable: false,
            warm: false,
        }
    }

    fn of(proof: AuthorizationStatus, diagnosis: Option<&Diagnosis>) -> ExplainOutcome {
        ExplainOutcome::predict(&DecisionInputs { proof, diagnosis, policy: POLICY, now_ms: 0 })
    }

    #[test]
    fn who_asks_comes_first_then_what_is_kept() {
        let nothing = nothing_kept();
        assert_eq!(of(AuthorizationStatus::Missing, None), ExplainOutcome::Unverified);
        let absent = ExplainOutcome::Load { why: LoadReason::Absent, fallback: false };
        assert_eq!(of(AuthorizationStatus::Valid, Some(&nothing)), absent);
        assert_eq!(of(AuthorizationStatus::Missing, Some(&nothing)), absent);
    }

    #[test]
    fn what_is_remembered_beside_values_is_told() {
        let uncacheable = Diagnosis { uncacheable: true, ..nothing_kept() };
        assert_eq!(of(AuthorizationStatus::Valid, Some(&uncacheable)), ExplainOutcome::Uncacheable);
        let failed = Diagnosis { failed: Some(LoadErrorKind::ServerError), ..nothing_kept() };
        let outcome = of(AuthorizationStatus::Valid, Some(&failed));
        assert_eq!(outcome, ExplainOutcome::RecentFailure(LoadErrorKind::ServerError));
        assert!(outcome.sentence().contains("server-error"));
    }
}
