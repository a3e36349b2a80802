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
    /// The server scans its files or has just done so, and tracks may have no tags yet; or it announced changes that the
    /// snapshot does not contain yet.
    Changing,
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
    /// The shows have neither seasons nor episodes.
    WithoutEpisodes {
        /// Number of shows.
        shows: u64,
    },
    /// It was cancelled.
    Cancelled,
    /// The server no longer has the library.
    Gone,
}

impl LibraryState {
    /// All states.
    pub const EVERY: [Self; 8] = [
        Self::Off,
        Self::Idle,
        Self::Building,
        Self::Current,
        Self::Changing,
        Self::Unconfirmed,
        Self::Stale,
        Self::Failed,
    ];

    /// Its name in API and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Idle => "idle",
            Self::Building => "building",
            Self::Current => "current",
            Self::Changing => "changing",
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
    pub(super) has_snapshot: bool,
    pub(super) is_confirmed: bool,
    pub(super) is_building: bool,
    pub(super) has_failed: bool,
    pub(super) is_changing: bool,
}

/// The state that follows from this input.
pub(super) fn state_of(inputs: StateInputs) -> LibraryState {
    match inputs {
        StateInputs { is_on: false, .. } => LibraryState::Off,
        StateInputs { has_snapshot: true, has_failed: true, .. } => LibraryState::Stale,
        StateInputs { has_snapshot: true, is_changing: true, .. } => LibraryState::Changing,
        StateInputs { has_snapshot: true, is_confirmed: true, .. } => LibraryState::Current,
        StateInputs { has_snapshot: true, .. } => LibraryState::Unconfirmed,
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
            Self::WithoutEpisodes { .. } => "without-episodes",
            Self::Cancelled => "cancelled",
            Self::Gone => "gone",
        }
    }

    /// The remedy.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable => "Greenroom keeps trying. Check that the server is running.",
            Self::Refused => "Get a new token of the owner: greenroom login.",
            Self::Unfit => "Greenroom keeps trying. Check that the address is that of the media server.",
            Self::Changing => "Greenroom tries again when the library has stopped changing.",
            Self::Differs => "The whole library will be compared soon. To do it now: greenroom build.",
            Self::Shrunk { .. } => {
                "Greenroom checks again in two minutes. If the items are really gone: greenroom build --force."
            }
            Self::TooLarge { .. } => "Raise library.memory_limit_mb, or turn off the index of a library.",
            Self::TimedOut { .. } => "Raise library.timeout_minutes, or find out why the server is slow.",
            Self::WithoutEpisodes { .. } => {
                "On the server, check the folders of the library and its agent, and let it scan the files. Greenroom \
                 follows; to look now: greenroom build."
            }
            Self::Cancelled => "Start the build again when it suits you.",
            Self::Gone => "Nothing needs to be done.",
        }
    }
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("the server does not answer"),
            Self::Refused => f.write_str("the server rejects the configured token"),
            Self::Unfit => f.write_str("the server's responses cannot be read"),
            Self::Changing => f.write_str("the library changes faster than it can be read"),
            Self::Differs => f.write_str("the index does not match the server's counts"),
            Self::Shrunk { was, came } => write!(
                f,
                "the server lists {came} items instead of {was} while it starts or scans: the new list is not used yet"
            ),
            Self::TooLarge { needed_mb, limit_mb } => {
                write!(f, "the library indexes would need {needed_mb} MB of memory, and {limit_mb} MB are allowed")
            }
            Self::TimedOut { minutes } => write!(f, "the build did not finish within {minutes} minutes"),
            Self::WithoutEpisodes { shows } => {
                let shows = if *shows == 1 { "1 show".to_owned() } else { format!("{shows} shows") };
                write!(f, "the server lists {shows} without any season or episode")
            }
            Self::Cancelled => f.write_str("the build was cancelled"),
            Self::Gone => f.write_str("the server has no such library any more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_SNAPSHOT: StateInputs = StateInputs {
        is_on: true,
        has_snapshot: false,
        is_confirmed: false,
        is_building: false,
        has_failed: false,
        is_changing: false,
    };

    #[test]
    fn a_snapshot_stays_in_use_whatever_fails() {
        for (inputs, wanted) in [
            (NO_SNAPSHOT, LibraryState::Idle),
            (StateInputs { is_building: true, ..NO_SNAPSHOT }, LibraryState::Building),
            (StateInputs { is_building: true, has_failed: true, ..NO_SNAPSHOT }, LibraryState::Building),
            (StateInputs { has_failed: true, ..NO_SNAPSHOT }, LibraryState::Failed),
            (StateInputs { has_snapshot: true, ..NO_SNAPSHOT }, LibraryState::Unconfirmed),
            (StateInputs { has_snapshot: true, is_confirmed: true, ..NO_SNAPSHOT }, LibraryState::Current),
            (
                StateInputs { has_snapshot: true, is_confirmed: true, is_building: true, ..NO_SNAPSHOT },
                LibraryState::Current,
            ),
            (
                StateInputs { has_snapshot: true, is_confirmed: true, has_failed: true, ..NO_SNAPSHOT },
                LibraryState::Stale,
            ),
            (
                StateInputs { has_snapshot: true, is_confirmed: true, is_changing: true, ..NO_SNAPSHOT },
                LibraryState::Changing,
            ),
            (StateInputs { is_changing: true, is_building: true, ..NO_SNAPSHOT }, LibraryState::Building),
            (StateInputs { is_on: false, has_snapshot: true, ..NO_SNAPSHOT }, LibraryState::Off),
        ] {
            assert_eq!(state_of(inputs), wanted, "{inputs:?}");
        }
    }

    #[test]
    fn every_error_has_a_description_and_a_remedy() {
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
            IndexError::WithoutEpisodes { shows: 3 },
        ];
        let words: std::collections::BTreeSet<_> = every.iter().map(IndexError::name).collect();
        assert_eq!(words.len(), every.len());
        assert!(every.iter().all(|failure| !failure.to_string().is_empty() && failure.remedy().len() > 20));
        assert!(every[6].to_string().contains("700 MB") && every[6].to_string().contains("512 MB"));
    }
}
