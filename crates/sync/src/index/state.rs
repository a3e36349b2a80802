//! States and errors of a library index, named alike in API, page and metrics.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// State of a library index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LibraryState)]
pub enum LibraryState {
    /// Turned off by the user.
    Off,
    /// No snapshot, and none requested.
    Idle,
    /// The first snapshot is being built.
    Building,
    /// The snapshot matches the server, as far as known.
    Current,
    /// The snapshot is from an earlier process and not confirmed by the server yet.
    Unconfirmed,
    /// The snapshot may be older than the server's library; the error says why.
    Stale,
    /// There is no snapshot; the error says why.
    Failed,
}

/// Error of a build or an incremental round. The current generation stays in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexError {
    /// The server is down or does not answer.
    Unreachable,
    /// The server refuses the configured token.
    Refused,
    /// The server's response cannot be parsed.
    Unfit,
    /// The library changed faster than it could be read.
    Changing,
    /// The number of items does not match the server's.
    Differs,
    /// It lost more than half of its items while the server starts or scans.
    Shrunk {
        /// Items of the current generation.
        was: u64,
        /// Items of the new one.
        came: u64,
    },
    /// It does not fit into memory.
    TooLarge {
        /// Megabytes of all libraries together.
        needed_mb: u64,
        /// Their limit in megabytes.
        limit_mb: u64,
    },
    /// The build timed out.
    TimedOut {
        /// The timeout.
        minutes: u64,
    },
    /// It was cancelled.
    Cancelled,
    /// The server no longer has the library.
    Gone,
}

impl LibraryState {
    /// All states.
    pub const EVERY: [Self; 7] =
        [Self::Off, Self::Idle, Self::Building, Self::Current, Self::Unconfirmed, Self::Stale, Self::Failed];

    /// Its name in API and metrics.
    pub fn name(self) -> &'static str {
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

/// Input of the state.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
#[derive(Debug, Clone, Copy)]
pub(super) struct StateInputs {
    pub(super) is_on: bool,
    pub(super) is_kept: bool,
    pub(super) is_confirmed: bool,
    pub(super) is_building: bool,
    pub(super) has_failed: bool,
}

/// The state that follows from this input.
pub(super) fn state_of(signs: StateInputs) -> LibraryState {
    match signs {
        StateInputs { is_on: false, .. } => LibraryState::Off,
        StateInputs { is_kept: true, has_failed: true, .. } => LibraryState::Stale,
        StateInputs { is_kept: true, is_confirmed: true, .. } => LibraryState::Current,
        StateInputs { is_kept: true, .. } => LibraryState::Unconfirmed,
        StateInputs { is_building: true, .. } => LibraryState::Building,
        StateInputs { has_failed: true, .. } => LibraryState::Failed,
        _ => LibraryState::Idle,
    }
}

impl IndexError {
    /// All libraries together would need this many bytes, over this limit.
    pub(super) fn too_large(needed: u64, limit: u64) -> Self {
        const MB: u64 = 1_000_000;
        Self::TooLarge { needed_mb: needed.div_ceil(MB), limit_mb: limit / MB }
    }

    /// Its code in API and metrics.
    pub fn name(&self) -> &'static str {
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

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable => "It is tried again by itself. See whether the server is up.",
            Self::Refused => "Get a new token of the owner: greenroom login.",
            Self::Unfit => "It is tried again by itself. See whether the address is that of the media server.",
            Self::Changing => "It is tried again by itself when the server has come to rest.",
            Self::Differs => "All of it is compared soon. To do it at once: greenroom build.",
            Self::Shrunk { .. } => {
                "It is looked at again in two minutes. If the items are really gone, build it with force."
            }
            Self::TooLarge { .. } => "Allow more with library.memory_limit_mb, or turn a library off.",
            Self::TimedOut { .. } => "Allow more with library.timeout_minutes, or see why the server is slow.",
            Self::Cancelled => "Build it when it suits you.",
            Self::Gone => "Nothing needs to be done.",
        }
    }
}

impl fmt::Display for IndexError {
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
                write!(f, "with it the libraries would take {needed_mb} MB of memory, and {limit_mb} MB are allowed")
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

    const NOTHING: StateInputs =
        StateInputs { is_on: true, is_kept: false, is_confirmed: false, is_building: false, has_failed: false };

    #[test]
    fn what_is_kept_stays_in_use_whatever_fails() {
        for (signs, wanted) in [
            (NOTHING, LibraryState::Idle),
            (StateInputs { is_building: true, ..NOTHING }, LibraryState::Building),
            (StateInputs { is_building: true, has_failed: true, ..NOTHING }, LibraryState::Building),
            (StateInputs { has_failed: true, ..NOTHING }, LibraryState::Failed),
            (StateInputs { is_kept: true, ..NOTHING }, LibraryState::Unconfirmed),
            (StateInputs { is_kept: true, is_confirmed: true, ..NOTHING }, LibraryState::Current),
            (StateInputs { is_kept: true, is_confirmed: true, is_building: true, ..NOTHING }, LibraryState::Current),
            (StateInputs { is_kept: true, is_confirmed: true, has_failed: true, ..NOTHING }, LibraryState::Stale),
            (StateInputs { is_on: false, is_kept: true, ..NOTHING }, LibraryState::Off),
        ] {
            assert_eq!(state_of(signs), wanted, "{signs:?}");
        }
    }

    #[test]
    fn every_failure_says_what_it_is_and_what_to_do() {
        let every = [
            IndexError::Unreachable,
            IndexError::Refused,
            IndexError::Unfit,
            IndexError::Changing,
            IndexError::Shrunk { was: 100, came: 3 },
            IndexError::Differs,
            IndexError::TooLarge { needed_mb: 700, limit_mb: 512 },
            IndexError::TimedOut { minutes: 180 },
            IndexError::Cancelled,
            IndexError::Gone,
        ];
        let words: std::collections::BTreeSet<_> = every.iter().map(IndexError::name).collect();
        assert_eq!(words.len(), every.len());
        assert!(every.iter().all(|failure| !failure.to_string().is_empty() && failure.remedy().len() > 20));
        assert!(every[6].to_string().contains("700 MB") && every[6].to_string().contains("512 MB"));
    }
}
