//! Conclusions of a gateway from an answer of the store. Pure: no clock, no connection.
//!
//! **Why no gateway serves what another's completed write made wrong.** The store numbers invalidations. A write is
//! answered once every gateway on the store's list has heard its number, or is off the list because its lease ended by
//! the store's clock. A gateway trusts its cache until the lease it asked for would end, counted from *before* it
//! asked, by its own monotonic clock and shortened by [`LEASE_MARGIN_PERCENT`]: so its trust ends before its lease
//! does. A lease is only renewed if the gateway has heard what it was told a heartbeat ago. A store that lost numbers
//! is noticed by the number and its token, or because its marks are not all there: it begins another epoch, in which no
//! older entry is served. A store that is another process than before (its run id) may have lost leases: it
//! acknowledges no write before every lease that it gave has ended.

use greenroom_cache::Timestamp;
use greenroom_cache::remote::ClusterRole;
use std::time::Duration;

use crate::sabotage;

/// Trust ends this much earlier than the lease, in percent of it: clocks of two machines do not run equally fast.
const LEASE_MARGIN_PERCENT: u32 = 10;

/// Position of a gateway in the sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SequencePosition {
    /// Epoch of the sequence; zero if none was ever heard.
    pub epoch: u64,
    /// The newest number heard.
    pub heard: u64,
    /// Token of that number; empty if unknown.
    pub token: String,
}

/// A number in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The number.
    pub seq: u64,
    /// The gateway that made it, and that gateway's ticket.
    pub token: String,
    /// The scope, encoded.
    pub scope: String,
    /// Whether it purges.
    pub purges: bool,
    /// For how long nothing covered may be stored, how long its grace period is, and the fresh time in it, in
    /// milliseconds.
    pub durations_ms: [u64; 3],
}

/// Another gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its id, the same in every run.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The newest number it has heard.
    pub heard: u64,
    /// Time until its lease ends; zero if it has.
    pub lease_ms: Duration,
}

/// Answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeartbeatReply {
    /// The store's clock, in milliseconds since 1970.
    pub now_ms: Timestamp,
    /// The current epoch.
    pub epoch: u64,
    /// The newest number.
    pub seq: u64,
    /// The number that entries in the store must have known.
    pub floor: u64,
    /// Whether the lease was renewed.
    pub renewed: bool,
    /// Whether numbers that were not heard are gone from the log.
    pub gap: bool,
    /// Every other live gateway has heard this.
    pub acked: u64,
    /// The other gateways.
    pub peers: Vec<Peer>,
    /// Numbers not heard yet, from the first on.
    pub entries: Vec<LogEntry>,
    /// The longest lease that any gateway asked for.
    pub longest_lease_ms: Duration,
    /// Id of the gateway that leads; empty if none does.
    pub leader: String,
}

/// A gateway's way to catch up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// It applies the numbers it was told, if any.
    Log,
    /// It reads the marks of what it has not heard, and invalidates their scopes.
    Marks,
    /// Its entries may be older than numbers that no one can tell it: it invalidates everything, and reads the
    /// marks.
    Everything,
    /// It has nothing cached from before this process: it invalidates what it has loaded since, and reads the marks.
    Start,
}

impl CatchUp {
    /// Whether all that is cached here counts as invalidated, once the marks are read. Also without a past: between the
    /// start of the process and now, something may have been loaded.
    pub fn invalidates_everything(self) -> bool {
        matches!(self, Self::Everything | Self::Start) && !sabotage::is_disabled("join")
    }
}

/// The way to catch up. `has_past` is whether something may be cached here from before this session, `is_first` whether
/// this process has read no marks yet.
pub fn plan_catch_up(
    standing: &SequencePosition,
    heartbeat: &HeartbeatReply,
    has_past: bool,
    is_first: bool,
) -> CatchUp {
    if standing.epoch == 0 {
        return if has_past { CatchUp::Everything } else { CatchUp::Start };
    }
    if standing.epoch != heartbeat.epoch && !sabotage::is_disabled("epoch") {
        return CatchUp::Everything;
    }
    match (heartbeat.gap || is_first, heartbeat.floor > standing.heard) {
        (true, true) => CatchUp::Everything,
        (true, false) => CatchUp::Marks,
        (false, _) => CatchUp::Log,
    }
}

/// Until when entries may be served, if this answer allows it: counted from before the question was sent.
pub fn trust_end_ms(sent_ms: Timestamp, heartbeat: &HeartbeatReply, heard: u64, lease: Duration) -> Option<Timestamp> {
    let certain = lease * (100 - LEASE_MARGIN_PERCENT) / 100;
    let certain = if sabotage::is_disabled("fence") { Duration::MAX } else { certain };
    (heartbeat.renewed && heard >= heartbeat.seq).then(|| sent_ms.saturating_add(certain))
}

/// The role of the gateway with this id, until the end of its trust. Another one only leads once the lease of the
/// leader has ended by the store's clock, and trust ends before that: so there are never two.
pub fn cluster_role(heartbeat: &HeartbeatReply, id: &str) -> ClusterRole {
    match heartbeat.leader.as_str() {
        "" => ClusterRole::Unknown,
        leader if leader == id => ClusterRole::Leader,
        _ => ClusterRole::Follower,
    }
}

/// Until when, at the latest, a write waits that began at `began_ms`, by our clock. While the session is live, another
/// gateway may renew its lease once more before it must have heard, so two leases end every wait. Once it has ended,
/// the store answered no one after that as far as is known here, so one lease from then on.
pub fn wait_end_ms(
    began_ms: Timestamp,
    session_ended_ms: Option<Timestamp>,
    lease: Duration,
    response_timeout: Duration,
) -> Timestamp {
    let soon_ms = began_ms.saturating_add(response_timeout);
    match session_ended_ms {
        None => soon_ms.saturating_add(lease * 2),
        Some(ended_ms) => ended_ms.saturating_add(lease).max(soon_ms),
    }
}

/// Whether a write with this number may be answered.
pub fn is_acknowledged(heartbeat: &HeartbeatReply, seq: u64) -> bool {
    heartbeat.acked >= seq || sabotage::is_disabled("wait")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(epoch: u64, seq: u64) -> HeartbeatReply {
        HeartbeatReply {
            now_ms: Timestamp::UNIX_EPOCH,
            epoch,
            seq,
            floor: 0,
            renewed: true,
            gap: false,
            acked: seq,
            peers: Vec::new(),
            entries: Vec::new(),
            longest_lease_ms: Duration::from_millis(3_000),
            leader: String::new(),
        }
    }

    fn standing(epoch: u64, heard: u64) -> SequencePosition {
        SequencePosition { epoch, heard, token: String::new() }
    }

    #[test]
    fn a_gateway_with_a_past_but_no_memory_of_the_sequence_distrusts_what_it_has() {
        assert_eq!(plan_catch_up(&SequencePosition::default(), &heartbeat(1, 5), true, true), CatchUp::Everything);
        assert_eq!(plan_catch_up(&SequencePosition::default(), &heartbeat(1, 5), false, true), CatchUp::Start);
    }

    #[test]
    fn a_write_waits_until_the_trust_of_others_must_have_ended_counted_from_when_the_store_was_last_known_to_answer() {
        let (lease, response) = (Duration::from_secs(3), Duration::from_millis(250));
        assert_eq!(
            wait_end_ms(Timestamp::from_millis(10_000), None, lease, response),
            Timestamp::from_millis(16_250),
            "a live store may have renewed a lease just now"
        );
        assert_eq!(
            wait_end_ms(Timestamp::from_millis(10_000), Some(Timestamp::from_millis(9_500)), lease, response),
            Timestamp::from_millis(12_500)
        );
        assert_eq!(
            wait_end_ms(Timestamp::from_millis(10_000), Some(Timestamp::from_millis(1_000)), lease, response),
            Timestamp::from_millis(10_250)
        );
    }

    #[test]
    fn another_epoch_means_that_numbers_were_lost() {
        assert_eq!(plan_catch_up(&standing(1, 5), &heartbeat(2, 0), false, false), CatchUp::Everything);
    }

    #[test]
    fn a_trimmed_log_is_made_up_by_the_marks_unless_they_were_dropped_too() {
        let trimmed = HeartbeatReply { gap: true, floor: 5, ..heartbeat(1, 9) };
        assert_eq!(plan_catch_up(&standing(1, 5), &trimmed, false, false), CatchUp::Marks);
        assert_eq!(plan_catch_up(&standing(1, 4), &trimmed, false, false), CatchUp::Everything);
        assert_eq!(plan_catch_up(&standing(1, 4), &heartbeat(1, 9), false, false), CatchUp::Log);
        let restarted = plan_catch_up(&standing(1, 4), &heartbeat(1, 9), true, true);
        assert_eq!(restarted, CatchUp::Marks, "a new process has no marks yet");
    }

    #[test]
    fn trust_needs_a_renewed_lease_and_every_number_and_ends_before_the_lease() {
        let lease = Duration::from_secs(3);
        assert_eq!(
            trust_end_ms(Timestamp::from_millis(1_000), &heartbeat(1, 4), 4, lease),
            Some(Timestamp::from_millis(3_700))
        );
        assert_eq!(
            trust_end_ms(Timestamp::from_millis(1_000), &heartbeat(1, 5), 4, lease),
            None,
            "a number is missing"
        );
        assert_eq!(
            trust_end_ms(
                Timestamp::from_millis(1_000),
                &HeartbeatReply { renewed: false, ..heartbeat(1, 4) },
                4,
                lease
            ),
            None
        );
    }
}
