//! Decides whether a predicted request may be loaded.

use greenroom_config::CacheMode;

/// Reason why a prediction is not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// It would be a hit.
    AlreadyCached,
    /// A load of it is in flight.
    InFlight,
    /// A load of it failed or was not cacheable a moment ago, or a limit of the engine is reached.
    Withheld,
    /// A request waits for the server, or would have to.
    Busy,
    /// The minute's budget is spent.
    Budget,
    /// A load failed lately.
    Paused,
    /// The server is down.
    Down,
    /// Reads are not answered from the cache.
    Bypassed,
    /// The token is revoked.
    Refused,
    /// The app reads in bulk and has no use for prefetch.
    Bulk,
    /// The client has moved on.
    Superseded,
    /// A load of the same batch failed.
    Stopped,
}

impl SkipReason {
    /// Every reason.
    pub const EVERY: [Self; 12] = [
        Self::AlreadyCached,
        Self::InFlight,
        Self::Withheld,
        Self::Busy,
        Self::Budget,
        Self::Paused,
        Self::Down,
        Self::Bypassed,
        Self::Refused,
        Self::Bulk,
        Self::Superseded,
        Self::Stopped,
    ];

    /// Name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::AlreadyCached => "kept",
            Self::InFlight => "under-way",
            Self::Withheld => "withheld",
            Self::Busy => "busy",
            Self::Budget => "budget",
            Self::Paused => "paused",
            Self::Down => "down",
            Self::Bypassed => "bypassed",
            Self::Refused => "refused",
            Self::Bulk => "bulk",
            Self::Superseded => "overtaken",
            Self::Stopped => "stopped",
        }
    }
}

/// Conditions known before the cache lookup.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
pub struct PrefetchConditions {
    /// Mode of the client's reads of this class.
    pub mode: CacheMode,
    /// The breaker lets loads pass.
    pub is_up: bool,
    /// Backoff after a failure.
    pub is_paused: bool,
    /// The token was revoked since the response was sent.
    pub is_refused: bool,
    /// The app reads in bulk.
    pub is_bulk: bool,
    /// Time since the response was sent, in milliseconds.
    pub age_ms: u64,
}

/// An older response is not on the screen any more.
const MAX_AGE_MS: u64 = 30_000;

/// Checks the conditions; returns the reason to skip, if any.
pub fn check(facts: PrefetchConditions) -> Result<(), SkipReason> {
    match facts {
        PrefetchConditions { mode: CacheMode::Observe | CacheMode::Bypass, .. } => Err(SkipReason::Bypassed),
        PrefetchConditions { is_refused: true, .. } => Err(SkipReason::Refused),
        PrefetchConditions { is_up: false, .. } => Err(SkipReason::Down),
        PrefetchConditions { is_paused: true, .. } => Err(SkipReason::Paused),
        PrefetchConditions { is_bulk: true, .. } => Err(SkipReason::Bulk),
        PrefetchConditions { age_ms, .. } if age_ms > MAX_AGE_MS => Err(SkipReason::Superseded),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: PrefetchConditions = PrefetchConditions {
        mode: CacheMode::Cache,
        is_up: true,
        is_paused: false,
        is_refused: false,
        is_bulk: false,
        age_ms: 0,
    };

    #[test]
    fn each_condition_alone_prevents_a_load() {
        assert_eq!(check(FINE), Ok(()));
        for (facts, expected) in [
            (PrefetchConditions { mode: CacheMode::Observe, ..FINE }, SkipReason::Bypassed),
            (PrefetchConditions { mode: CacheMode::Bypass, ..FINE }, SkipReason::Bypassed),
            (PrefetchConditions { is_up: false, ..FINE }, SkipReason::Down),
            (PrefetchConditions { is_paused: true, ..FINE }, SkipReason::Paused),
            (PrefetchConditions { is_refused: true, ..FINE }, SkipReason::Refused),
            (PrefetchConditions { is_bulk: true, ..FINE }, SkipReason::Bulk),
            (PrefetchConditions { age_ms: MAX_AGE_MS + 1, ..FINE }, SkipReason::Superseded),
        ] {
            assert_eq!(check(facts), Err(expected));
        }
    }

    #[test]
    fn every_reason_has_its_own_name_and_index() {
        let names: std::collections::BTreeSet<_> = SkipReason::EVERY.iter().map(|skip| skip.name()).collect();
        assert_eq!(names.len(), SkipReason::EVERY.len());
        assert!(SkipReason::EVERY.iter().enumerate().all(|(index, skip)| *skip as usize == index));
    }
}
