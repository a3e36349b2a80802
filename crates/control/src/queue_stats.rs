//! Statistics of a server's request queue: permits, requests in progress, requests waiting.

use greenroom_cache::clock::millis;
use serde::Serialize;
use utoipa::ToSchema;

use crate::counters::since;
use greenroom_origin::scheduler::priority::Priority;
use greenroom_origin::scheduler::slots::PriorityCounters;
use greenroom_origin::scheduler::{QueueSnapshot, RequestQueue};

/// The request queue of one server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct QueueStats {
    /// Max concurrent requests.
    pub places: usize,
    /// Permits in use.
    pub busy: usize,
    /// Requests waiting for a permit.
    pub waiting: usize,
    /// Requests that continue without a permit, because they exceeded their time.
    pub overdue: usize,
    /// Requests aborted because too many continue like that.
    pub abandoned: u64,
    /// Requests in progress or waiting by priority, most urgent first.
    pub ranks: Vec<PriorityStats>,
}

/// One priority of a queue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct PriorityStats {
    /// Name of the priority.
    pub rank: &'static str,
    /// Requests at the server now.
    pub in_flight: usize,
    /// Requests in the queue now.
    pub waiting: usize,
    /// Requests that had to wait.
    pub waited: u64,
    /// Their total waiting time.
    pub waited_ms: u64,
    /// Requests rejected because too many waited.
    pub refused: u64,
    /// Requests that timed out while waiting.
    pub waited_in_vain: u64,
}

impl QueueStats {
    /// Counters since start.
    pub fn from_queue(queue: &RequestQueue) -> Self {
        Self::from(queue.snapshot())
    }

    /// The difference from an earlier snapshot. Current values are not subtracted.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let ranks = self.ranks.iter().zip(&before.ranks).map(|(rank, before)| rank.since(before)).collect();
        Self { ranks, abandoned: self.abandoned.saturating_sub(before.abandoned), ..self.clone() }
    }
}

impl PriorityStats {
    fn new(rank: Priority, counters: PriorityCounters) -> Self {
        let PriorityCounters { in_flight, waiting, waited, wait_time, refused, timed_out } = counters;
        Self {
            rank: rank.name(),
            in_flight,
            waiting,
            waited,
            waited_ms: millis(wait_time),
            refused,
            waited_in_vain: timed_out,
        }
    }

    fn since(&self, before: &Self) -> Self {
        since!(self, before; waited waited_ms refused waited_in_vain)
    }
}

impl From<QueueSnapshot> for QueueStats {
    fn from(snapshot: QueueSnapshot) -> Self {
        let ranks = Priority::EVERY.into_iter().zip(snapshot.priorities);
        Self {
            places: snapshot.limits.slots,
            busy: snapshot.priorities.iter().map(|counters| counters.in_flight).sum(),
            waiting: snapshot.priorities.iter().map(|counters| counters.waiting).sum(),
            overdue: snapshot.detached,
            abandoned: snapshot.abandoned,
            ranks: ranks.map(|(rank, counters)| PriorityStats::new(rank, counters)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_origin::scheduler::slots::SlotLimits;
    use std::time::Duration;

    #[test]
    fn current_values_are_not_subtracted() {
        let counters = PriorityCounters {
            in_flight: 1,
            waiting: 2,
            waited: 3,
            wait_time: Duration::from_millis(4),
            refused: 5,
            timed_out: 6,
        };
        let stats = QueueStats::from(QueueSnapshot {
            limits: SlotLimits::new(8, 1000),
            priorities: [counters; Priority::EVERY.len()],
            detached: 7,
            abandoned: 8,
        });
        assert_eq!((stats.places, stats.busy, stats.waiting), (8, 6, 12));
        let since = stats.since(&stats);
        assert_eq!((since.busy, since.waiting, since.overdue, since.abandoned), (6, 12, 7, 0));
        let current_only = PriorityCounters { in_flight: 1, waiting: 2, ..PriorityCounters::default() };
        assert_eq!(since.ranks[3], PriorityStats::new(Priority::Bulk, current_only));
    }
}
