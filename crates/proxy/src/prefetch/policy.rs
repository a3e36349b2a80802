//! Whether a load that is likely to be useful may be made, and why not.

use greenroom_config::Mode;

/// Why something likely is not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Skip {
    /// It would be answered at once.
    Kept,
    /// Somebody loads it already.
    UnderWay,
    /// A load of it failed or could not be kept a moment ago, or a limit of the engine is reached.
    Withheld,
    /// Somebody waits for the server, or would have to.
    Busy,
    /// The minute's budget is spent.
    Budget,
    /// A load failed lately.
    Paused,
    /// The server is down.
    Down,
    /// Reads are not answered from the cache.
    Bypassed,
    /// The token is not valid any more.
    Refused,
    /// The app reads so much that it has no use for more.
    Bulk,
    /// The client has moved on.
    Overtaken,
    /// A load of the same round failed.
    Stopped,
}

impl Skip {
    /// Every reason.
    pub const EVERY: [Self; 12] = [
        Self::Kept,
        Self::UnderWay,
        Self::Withheld,
        Self::Busy,
        Self::Budget,
        Self::Paused,
        Self::Down,
        Self::Bypassed,
        Self::Refused,
        Self::Bulk,
        Self::Overtaken,
        Self::Stopped,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::UnderWay => "under-way",
            Self::Withheld => "withheld",
            Self::Busy => "busy",
            Self::Budget => "budget",
            Self::Paused => "paused",
            Self::Down => "down",
            Self::Bypassed => "bypassed",
            Self::Refused => "refused",
            Self::Bulk => "bulk",
            Self::Overtaken => "overtaken",
            Self::Stopped => "stopped",
        }
    }
}

/// What is known before it is looked whether the answer is kept.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
pub struct Facts {
    /// How the client's reads of this class are answered.
    pub mode: Mode,
    /// The breaker lets loads pass.
    pub is_up: bool,
    /// Since the last failure too little time has passed.
    pub is_paused: bool,
    /// The token was refused since the answer left.
    pub is_refused: bool,
    /// The app reads very much.
    pub is_bulk: bool,
    /// How long ago the answer left, in milliseconds.
    pub age_ms: u64,
}

/// An answer that left longer ago is not on the screen any more.
const MAX_AGE_MS: u64 = 30_000;

/// Whether it may be; if not, why.
pub fn judge(facts: Facts) -> Result<(), Skip> {
    match facts {
        Facts { mode: Mode::Observe | Mode::Bypass, .. } => Err(Skip::Bypassed),
        Facts { is_refused: true, .. } => Err(Skip::Refused),
        Facts { is_up: false, .. } => Err(Skip::Down),
        Facts { is_paused: true, .. } => Err(Skip::Paused),
        Facts { is_bulk: true, .. } => Err(Skip::Bulk),
        Facts { age_ms, .. } if age_ms > MAX_AGE_MS => Err(Skip::Overtaken),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Facts = Facts {
        mode: Mode::Cache,
        is_up: true,
        is_paused: false,
        is_refused: false,
        is_bulk: false,
        age_ms: 0,
    };

    #[test]
    fn each_fact_alone_speaks_against_it() {
        assert_eq!(judge(FINE), Ok(()));
        for (facts, wanted) in [
            (Facts { mode: Mode::Observe, ..FINE }, Skip::Bypassed),
            (Facts { mode: Mode::Bypass, ..FINE }, Skip::Bypassed),
            (Facts { is_up: false, ..FINE }, Skip::Down),
            (Facts { is_paused: true, ..FINE }, Skip::Paused),
            (Facts { is_refused: true, ..FINE }, Skip::Refused),
            (Facts { is_bulk: true, ..FINE }, Skip::Bulk),
            (Facts { age_ms: MAX_AGE_MS + 1, ..FINE }, Skip::Overtaken),
        ] {
            assert_eq!(judge(facts), Err(wanted));
        }
    }

    #[test]
    fn every_reason_has_a_word_and_a_place_of_its_own() {
        let words: std::collections::BTreeSet<_> = Skip::EVERY.iter().map(|skip| skip.name()).collect();
        assert_eq!(words.len(), Skip::EVERY.len());
        assert!(Skip::EVERY.iter().enumerate().all(|(at, skip)| *skip as usize == at));
    }
}
