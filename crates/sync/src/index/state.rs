//! How a library does: a few words that are the same in the API, on the page and in metrics.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// How a library does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LibraryState)]
pub enum State {
    /// It is not kept: somebody said so.
    Off,
    /// Nothing is kept yet, and nothing was asked for.
    Idle,
    /// Its first snapshot is being built.
    Building,
    /// What is kept is what the server has, as far as can be known.
    Current,
    /// What an earlier process kept, and the server has not confirmed yet.
    Unconfirmed,
    /// What is kept may be older than what the server has; the reason says why.
    Stale,
    /// Nothing is kept; the reason says why.
    Failed,
}

/// Why a build or a round of following came to nothing. What was kept before is kept on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The server is away or does not answer.
    Unreachable,
    /// The server does not let the configured token in.
    Refused,
    /// What the server answers cannot be understood.
    Unfit,
    /// The library changed faster than it could be read.
    Changing,
    /// What is kept does not fit what the server says of how much there is.
    Differs,
    /// It lost more than half of its items while the server starts or scans.
    Shrunk {
        /// Items that are kept.
        was: u64,
        /// Items that came.
        came: u64,
    },
    /// It does not fit into memory.
    TooLarge {
        /// What all libraries would take together.
        needed_mb: u64,
        /// What they may take.
        limit_mb: u64,
    },
    /// It took too long.
    TimedOut {
        /// So long.
        minutes: u64,
    },
    /// Somebody cancelled it.
    Cancelled,
    /// The server has no such library any more.
    Gone,
}

impl State {
    /// Every one of them.
    pub const EVERY: [Self; 7] =
        [Self::Off, Self::Idle, Self::Building, Self::Current, Self::Unconfirmed, Self::Stale, Self::Failed];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Idle => "idle",
            Self::Building => "building",
            Self::Current => "current",
            Self::Unconfirmed => "unconfirmed",
            Self::Stale => "stale",
            Self::Failed => "failed",
        }
    }
}

/// What a state is made from.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs {
    pub(super) is_on: bool,
    pub(super) is_kept: bool,
    pub(super) is_confirmed: bool,
    pub(super) is_building: bool,
    pub(super) has_failed: bool,
}

/// How a library does, by these signs.
pub(super) fn state_of(signs: Signs) -> State {
    match signs {
        Signs { is_on: false, .. } => State::Off,
        Signs { is_kept: true, has_failed: true, .. } => State::Stale,
        Signs { is_kept: true, is_confirmed: true, .. } => State::Current,
        Signs { is_kept: true, .. } => State::Unconfirmed,
        Signs { is_building: true, .. } => State::Building,
        Signs { has_failed: true, .. } => State::Failed,
        _ => State::Idle,
    }
}

impl Failure {
    /// All libraries would take so many bytes together, and may take so many.
    pub(super) fn too_large(needed: u64, limit: u64) -> Self {
        const MB: u64 = 1_000_000;
        Self::TooLarge { needed_mb: needed.div_ceil(MB), limit_mb: limit / MB }
    }

    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Unfit => "unfit",
            Self::Changing => "changing",
            Self::Differs => "differs",
            Self::Shrunk { .. } => "shrunk",
            Self::TooLarge { .. } => "too-large",
            Self::TimedOut { .. } => "timed-out",
            Self::Cancelled => "cancelled",
            Self::Gone => "gone",
        }
    }

    /// What a person can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable => "It is tried again by itself. See whether the server is up.",
            Self::Refused => "Get a new token of the owner: greenroom login.",
            Self::Unfit => {
                "It is tried again by itself. See whether the address is that of the media server."
            }
            Self::Changing => "It is tried again by itself when the server has come to rest.",
            Self::Differs => "All of it is compared soon. To do it at once: greenroom build.",
            Self::Shrunk { .. } => {
                "It is looked at again in two minutes. If the items are really gone, build it with force."
            }
            Self::TooLarge { .. } => "Allow more with library.memory_limit_mb, or turn a library off.",
            Self::TimedOut { .. } => {
                "Allow more with library.timeout_minutes, or see why the server is slow."
            }
            Self::Cancelled => "Build it when it suits you.",
            Self::Gone => "Nothing needs to be done.",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("the server does not answer"),
            Self::Refused => f.write_str("the server does not let the configured token in"),
            Self::Unfit => f.write_str("what the server answers cannot be understood"),
            Self::Changing => f.write_str("the library changes faster than it can be read"),
            Self::Differs => f.write_str("what is kept does not fit what the server says it has"),
            Self::Shrunk { was, came } => write!(
                f,
                "the server shows {came} items where {was} are kept, while it starts or scans: that is not believed yet"
            ),
            Self::TooLarge { needed_mb, limit_mb } => {
                write!(
                    f,
                    "with it the libraries would take {needed_mb} MB of memory, and {limit_mb} MB are allowed"
                )
            }
            Self::TimedOut { minutes } => write!(f, "it was not done within {minutes} minutes"),
            Self::Cancelled => f.write_str("it was cancelled"),
            Self::Gone => f.write_str("the server has no such library any more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Signs =
        Signs { is_on: true, is_kept: false, is_confirmed: false, is_building: false, has_failed: false };

    #[test]
    fn what_is_kept_stays_in_use_whatever_fails() {
        for (signs, wanted) in [
            (NOTHING, State::Idle),
            (Signs { is_building: true, ..NOTHING }, State::Building),
            (Signs { is_building: true, has_failed: true, ..NOTHING }, State::Building),
            (Signs { has_failed: true, ..NOTHING }, State::Failed),
            (Signs { is_kept: true, ..NOTHING }, State::Unconfirmed),
            (Signs { is_kept: true, is_confirmed: true, ..NOTHING }, State::Current),
            (Signs { is_kept: true, is_confirmed: true, is_building: true, ..NOTHING }, State::Current),
            (Signs { is_kept: true, is_confirmed: true, has_failed: true, ..NOTHING }, State::Stale),
            (Signs { is_on: false, is_kept: true, ..NOTHING }, State::Off),
        ] {
            assert_eq!(state_of(signs), wanted, "{signs:?}");
        }
    }

    #[test]
    fn every_failure_says_what_it_is_and_what_to_do() {
        let every = [
            Failure::Unreachable,
            Failure::Refused,
            Failure::Unfit,
            Failure::Changing,
            Failure::Shrunk { was: 100, came: 3 },
            Failure::Differs,
            Failure::TooLarge { needed_mb: 700, limit_mb: 512 },
            Failure::TimedOut { minutes: 180 },
            Failure::Cancelled,
            Failure::Gone,
        ];
        let words: std::collections::BTreeSet<_> = every.iter().map(Failure::word).collect();
        assert_eq!(words.len(), every.len());
        assert!(every.iter().all(|failure| !failure.to_string().is_empty() && failure.remedy().len() > 20));
        assert!(every[6].to_string().contains("700 MB") && every[6].to_string().contains("512 MB"));
    }
}
