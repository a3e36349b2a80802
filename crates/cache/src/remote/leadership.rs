//! The leader of several gateways: it does the work that is done once for all of them. A gateway without others always
//! leads.
//!
//! A gateway leads, or follows, until a moment by its own clock; after that it does not know, until the store that the
//! gateways share answers again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::timestamp::AtomicTimestamp;
use crate::{Clock, Timestamp};

/// The part of a gateway in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClusterRole {
    /// It does what is done once.
    Leader,
    /// Another gateway does.
    Follower,
    /// No gateway is known to lead: the shared store is away, or gateways have just begun to agree.
    #[default]
    Unknown,
}

impl ClusterRole {
    /// Name in the API and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Unknown => "unknown",
        }
    }
}

/// Until when this gateway leads, or follows, by its own clock. Clones share it.
#[derive(Debug, Clone)]
pub struct Leadership(Arc<RoleEnds>);

#[derive(Debug)]
struct RoleEnds {
    leads_until: AtomicTimestamp,
    follows_until: AtomicTimestamp,
}

impl Default for Leadership {
    fn default() -> Self {
        Self::without_peers()
    }
}

impl Leadership {
    /// That of a gateway that shares with no other: it always leads.
    pub fn without_peers() -> Self {
        Self::new(Timestamp::MAX)
    }

    /// That of a gateway that has not heard of the others yet.
    pub fn among_peers() -> Self {
        Self::new(Timestamp::UNIX_EPOCH)
    }

    fn new(leads_until: Timestamp) -> Self {
        let follows_until = AtomicTimestamp::new(Timestamp::UNIX_EPOCH);
        Self(Arc::new(RoleEnds { leads_until: AtomicTimestamp::new(leads_until), follows_until }))
    }

    /// Sets the role, and when it ends.
    pub fn set(&self, role: ClusterRole, until: Timestamp) {
        let end_of = |of| if role == of { until } else { Timestamp::UNIX_EPOCH };
        self.0.leads_until.store(end_of(ClusterRole::Leader), Ordering::Release);
        self.0.follows_until.store(end_of(ClusterRole::Follower), Ordering::Release);
    }

    /// The role at this moment.
    pub fn role(&self, now: Timestamp) -> ClusterRole {
        let is_before = |end: &AtomicTimestamp| now < end.load(Ordering::Acquire);
        if is_before(&self.0.leads_until) {
            ClusterRole::Leader
        } else if is_before(&self.0.follows_until) {
            ClusterRole::Follower
        } else {
            ClusterRole::Unknown
        }
    }

    /// Waits until this gateway no longer leads; at once if it does not lead.
    pub async fn lost(&self, clock: &Clock) {
        loop {
            let until = self.0.leads_until.load(Ordering::Acquire);
            let now = clock.now();
            if until == Timestamp::MAX {
                return std::future::pending().await;
            }
            if now >= until {
                return;
            }
            clock.sleep(until.duration_since(now)).await;
        }
    }

    /// Whether this gateway may do now what is done once.
    pub fn is_leader(&self, now: Timestamp) -> bool {
        self.role(now) == ClusterRole::Leader
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_without_peers_leads_and_one_among_peers_only_until_its_lease_ends() {
        let (now, later) = (Timestamp::from_millis(1_000), Timestamp::from_millis(2_000));
        assert!(Leadership::without_peers().is_leader(later));
        let leadership = Leadership::among_peers();
        assert_eq!(leadership.role(now), ClusterRole::Unknown);
        leadership.set(ClusterRole::Leader, later);
        assert!(leadership.is_leader(now) && !leadership.is_leader(later));
        leadership.set(ClusterRole::Follower, later);
        assert_eq!(leadership.role(now), ClusterRole::Follower);
        assert_eq!(leadership.role(later), ClusterRole::Unknown);
    }
}
