//! The queue of a server as it is shown: how many places, who holds them, who waits.

use serde::Serialize;
use utoipa::ToSchema;

use greenroom_origin::scheduler::priority::Rank;
use greenroom_origin::scheduler::slots::Tally;
use greenroom_origin::scheduler::{Queue, Sight};

/// The queue of one server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(super) struct QueueFigures {
    /// Requests at a time.
    pub(super) places: usize,
    /// Places held now.
    pub(super) busy: usize,
    /// Requests that wait for a place now.
    pub(super) waiting: usize,
    /// Requests that go on without a place, because their time was over.
    pub(super) overdue: usize,
    /// Requests given up because too many go on like that.
    pub(super) abandoned: u64,
    /// Those with a place or waiting, by how urgent it is, the most urgent first.
    pub(super) ranks: Vec<RankFigures>,
}

/// One rank of a queue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(super) struct RankFigures {
    pub(super) rank: &'static str,
    pub(super) in_flight: usize,
    pub(super) waiting: usize,
    /// Requests that had to wait.
    pub(super) waited: u64,
    /// How long they waited, all together.
    pub(super) waited_ms: u64,
    /// Requests refused because too many waited.
    pub(super) refused: u64,
    /// Requests that waited as long as they may, and got no place.
    pub(super) waited_in_vain: u64,
}

impl QueueFigures {
    /// Reads what was counted since start.
    pub(super) fn read(queue: &Queue) -> Self {
        Self::from(queue.sight())
    }

    /// The same without what was counted until `before`. What is now stays.
    pub(super) fn since(&self, before: &Self) -> Self {
        let ranks = self.ranks.iter().zip(&before.ranks).map(|(rank, before)| rank.since(before)).collect();
        Self { ranks, abandoned: self.abandoned.saturating_sub(before.abandoned), ..self.clone() }
    }
}

impl RankFigures {
    fn new(rank: Rank, tally: Tally) -> Self {
        let Tally { in_flight, waiting, waited, waited_ms, refused, in_vain } = tally;
        Self { rank: rank.name(), in_flight, waiting, waited, waited_ms, refused, waited_in_vain: in_vain }
    }

    fn since(&self, before: &Self) -> Self {
        let less = |pick: fn(&Self) -> u64| pick(self).saturating_sub(pick(before));
        Self {
            waited: less(|rank| rank.waited),
            waited_ms: less(|rank| rank.waited_ms),
            refused: less(|rank| rank.refused),
            waited_in_vain: less(|rank| rank.waited_in_vain),
            ..self.clone()
        }
    }
}

impl From<Sight> for QueueFigures {
    fn from(sight: Sight) -> Self {
        let ranks = Rank::EVERY.into_iter().zip(sight.tallies);
        Self {
            places: sight.limits.places,
            busy: sight.tallies.iter().map(|tally| tally.in_flight).sum(),
            waiting: sight.tallies.iter().map(|tally| tally.waiting).sum(),
            overdue: sight.overdue,
            abandoned: sight.abandoned,
            ranks: ranks.map(|(rank, tally)| RankFigures::new(rank, tally)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_origin::scheduler::slots::Limits;

    #[test]
    fn what_is_now_is_no_counter() {
        let tally = Tally { in_flight: 1, waiting: 2, waited: 3, waited_ms: 4, refused: 5, in_vain: 6 };
        let figures = QueueFigures::from(Sight {
            limits: Limits::new(8, 1000),
            tallies: [tally; 5],
            overdue: 7,
            abandoned: 8,
        });
        assert_eq!((figures.places, figures.busy, figures.waiting), (8, 5, 10));
        let since = figures.since(&figures);
        assert_eq!((since.busy, since.waiting, since.overdue, since.abandoned), (5, 10, 7, 0));
        let nothing = Tally { in_flight: 1, waiting: 2, ..Tally::default() };
        assert_eq!(since.ranks[3], RankFigures::new(Rank::Bulk, nothing));
    }
}
