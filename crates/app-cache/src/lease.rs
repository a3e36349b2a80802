//! Leases: of all processes one caller loads a key, until its deadline at the latest.

use greenroom_cache::Timestamp;
use std::time::Duration;

use crate::entry::StoredEntry;
use crate::name::{EntryKey, EntryTags};

/// Max time of a lease. A stored deadline further away is of a clock that was set back, and counts as past.
pub const MAX_LEASE: Duration = Duration::from_secs(3600);
/// Max leases of one cache, over or not.
pub const MAX_LEASES_PER_CACHE: u64 = 4096;
/// Time for which a lease that is over is kept when there are too many: its holder may still store its value.
pub(crate) const LEASE_GRACE: Duration = Duration::from_mins(1);

/// A caller that wants to load a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// The key.
    pub key: EntryKey,
    /// Tags that the loaded entry will have: an invalidation of one of them fences the load.
    pub tags: EntryTags,
    /// Version of the entry that would make the load unnecessary.
    pub version: String,
    /// Time after which another caller may load.
    pub duration: Duration,
}

/// Answer to a caller that wants to load a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseResult {
    /// The caller loads, and stores with this token.
    Held {
        /// The token. It is also the number of the last write when the lease began.
        token: u64,
        /// When the lease ends, in milliseconds since 1970.
        deadline_ms: Timestamp,
    },
    /// Another caller loads.
    Taken {
        /// When its lease ends, in milliseconds since 1970.
        deadline_ms: Timestamp,
    },
    /// There is a fresh entry of this version.
    Unneeded(Box<StoredEntry>),
}

/// A lease as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredLease {
    pub(crate) token: u64,
    pub(crate) deadline_ms: Timestamp,
    /// Whether the key or the tags were invalidated since it began, so that its load cannot be stored.
    pub(crate) is_fenced: bool,
}

/// Decision on a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseDecision {
    Grant,
    Taken { deadline_ms: Timestamp },
}

pub(crate) fn decide_lease(stored: Option<StoredLease>, now_ms: Timestamp) -> LeaseDecision {
    let max_ms = now_ms.saturating_add(MAX_LEASE);
    match stored {
        Some(StoredLease { deadline_ms, is_fenced: false, .. }) if now_ms < deadline_ms && deadline_ms <= max_ms => {
            LeaseDecision::Taken { deadline_ms }
        }
        _ => LeaseDecision::Grant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_taken_until_its_deadline_or_until_its_load_cannot_be_stored() {
        let lease = StoredLease { token: 1, deadline_ms: Timestamp::from_millis(2000), is_fenced: false };
        assert_eq!(decide_lease(None, Timestamp::from_millis(1000)), LeaseDecision::Grant);
        assert_eq!(
            decide_lease(Some(lease), Timestamp::from_millis(1999)),
            LeaseDecision::Taken { deadline_ms: Timestamp::from_millis(2000) }
        );
        assert_eq!(decide_lease(Some(lease), Timestamp::from_millis(2000)), LeaseDecision::Grant);
        assert_eq!(
            decide_lease(Some(StoredLease { is_fenced: true, ..lease }), Timestamp::from_millis(1000)),
            LeaseDecision::Grant
        );
        let far = StoredLease { deadline_ms: Timestamp::from_millis(1000 + 3_600_001), ..lease };
        assert_eq!(
            decide_lease(Some(far), Timestamp::from_millis(1000)),
            LeaseDecision::Grant,
            "the clock was set back"
        );
    }
}
