//! What a request would get from the cache now: a pure decision over what is known.

use greenroom_cache::{Diagnosis, FailureKind, LoadReason, Marking, Policy, Verdict, judge};

use greenroom_proxy::read::Proof;

/// Everything the decision hangs on.
#[derive(Debug)]
pub(super) struct Situation<'a> {
    pub(super) proof: Proof,
    /// What is known of the key; `None` if the asker was never seen.
    pub(super) diagnosis: Option<&'a Diagnosis>,
    pub(super) policy: Policy,
    pub(super) now_ms: u64,
}

/// What a request would get from the cache now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// What is kept, fresh.
    Hit,
    /// What is kept, while one refresh runs behind.
    Stale,
    /// The server's answer, because it has to say yes to this token first.
    Unproven,
    /// The server's answer, for want of one that may be given; with `fallback`, what is kept if the server fails.
    Load { why: LoadReason, fallback: bool },
    /// The server's answer every time: it is not for keeping.
    Uncacheable,
    /// The failure of a moment ago.
    FailedLately(FailureKind),
}

impl Outcome {
    /// Decides.
    pub(super) fn of(situation: &Situation<'_>) -> Self {
        let Some(diagnosis) = situation.diagnosis else { return Self::Unproven };
        let entry = diagnosis.entry.as_ref();
        let verdict = entry.map(|entry| judge(entry, &situation.policy, situation.now_ms, diagnosis.marking));
        if situation.proof != Proof::Holds && entry.is_some() {
            return Self::Unproven;
        }
        match verdict {
            Some(Verdict::Fresh { .. }) => Self::Hit,
            Some(Verdict::Stale) => Self::Stale,
            _ if diagnosis.uncacheable => Self::Uncacheable,
            Some(Verdict::Expired) => Self::Load { why: LoadReason::Expired, fallback: true },
            Some(Verdict::Invalidated { fallback }) => {
                let fallback = fallback && diagnosis.marking != Marking::Purged;
                Self::Load { why: LoadReason::Invalidated, fallback }
            }
            Some(Verdict::Dead) => Self::Load { why: LoadReason::Expired, fallback: false },
            None => match diagnosis.failed {
                Some(kind) => Self::FailedLately(kind),
                None => Self::Load { why: LoadReason::Absent, fallback: false },
            },
        }
    }

    /// The word for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Unproven => "unproven",
            Self::Load { .. } => "load",
            Self::Uncacheable => "uncacheable",
            Self::FailedLately(_) => "failed-lately",
        }
    }

    /// The sentence for it.
    pub(super) fn sentence(self) -> String {
        let otherwise = |fallback| {
            if fallback { "; if it fails, what is kept stands in" } else { "" }
        };
        match self {
            Self::Hit => "What is kept is answered at once: it is fresh.".to_owned(),
            Self::Stale => "What is kept is answered at once, and one refresh runs behind.".to_owned(),
            Self::Unproven => {
                "The server is asked: it has not said yes to this token for this class lately.".to_owned()
            }
            Self::Load { why: LoadReason::Absent, .. } => "The server is asked: nothing is kept.".to_owned(),
            Self::Load { why: LoadReason::Invalidated, fallback } => format!(
                "The server is asked: what is kept was invalidated since it was loaded{}.",
                otherwise(fallback)
            ),
            Self::Load { fallback, .. } => {
                format!("The server is asked: what is kept is too old{}.", otherwise(fallback))
            }
            Self::Uncacheable => {
                "The server is asked every time: its answers to this are not for keeping.".to_owned()
            }
            Self::FailedLately(kind) => {
                format!(
                    "The failure of a moment ago is answered ({}); then the server is asked.",
                    kind.name()
                )
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
        earlier: None,
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
            marking: Marking::Clear,
            invalidated: None,
            cause: None,
            failed: None,
            uncacheable: false,
            warm: false,
        }
    }

    fn of(proof: Proof, diagnosis: Option<&Diagnosis>) -> Outcome {
        Outcome::of(&Situation { proof, diagnosis, policy: POLICY, now_ms: 0 })
    }

    #[test]
    fn who_asks_comes_first_then_what_is_kept() {
        let nothing = nothing_kept();
        assert_eq!(of(Proof::Missing, None), Outcome::Unproven);
        let absent = Outcome::Load { why: LoadReason::Absent, fallback: false };
        assert_eq!(of(Proof::Holds, Some(&nothing)), absent);
        assert_eq!(of(Proof::Missing, Some(&nothing)), absent);
    }

    #[test]
    fn what_is_remembered_beside_values_is_told() {
        let uncacheable = Diagnosis { uncacheable: true, ..nothing_kept() };
        assert_eq!(of(Proof::Holds, Some(&uncacheable)), Outcome::Uncacheable);
        let failed = Diagnosis { failed: Some(FailureKind::ServerError), ..nothing_kept() };
        let outcome = of(Proof::Holds, Some(&failed));
        assert_eq!(outcome, Outcome::FailedLately(FailureKind::ServerError));
        assert!(outcome.sentence().contains("server-error"));
    }
}
