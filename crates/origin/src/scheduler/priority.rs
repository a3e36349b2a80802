//! How urgent a request is: the order in which waiting requests get a place.

use greenroom_dialect::class::Class;

use crate::client_pattern::Habit;

/// How urgent a request is, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// Somebody changed something, and waits for it to be true.
    Write,
    /// Somebody looks at a screen.
    Interactive,
    /// A dashboard or a poller; it comes again by itself.
    Widget,
    /// An app that reads so much that it cannot be in a hurry for any single answer.
    Bulk,
    /// We ourselves: refreshes, warming, polls. Nobody waits.
    Own,
}

impl Rank {
    /// Every rank, the most urgent first.
    pub const EVERY: [Self; 5] = [Self::Write, Self::Interactive, Self::Widget, Self::Bulk, Self::Own];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Interactive => "interactive",
            Self::Widget => "widget",
            Self::Bulk => "bulk",
            Self::Own => "own",
        }
    }
}

/// What is known of a read when it needs the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// No client waits for it.
    pub is_own: bool,
    /// What it is about.
    pub class: Class,
    /// How its app has been reading lately.
    pub habit: Habit,
}

/// How urgent a read is. What is polled stays a widget's even if its app reads a lot besides: a poll is one small
/// read, and whoever watches it would see it stop.
pub fn rank(facts: Facts) -> Rank {
    match facts {
        Facts { is_own: true, .. } => Rank::Own,
        Facts { class, .. } if is_live(class) => Rank::Widget,
        Facts { habit: Habit::Polls, .. } => Rank::Widget,
        Facts { habit: Habit::Floods, .. } => Rank::Bulk,
        Facts { habit: Habit::Browses, .. } => Rank::Interactive,
    }
}

/// Classes that only make sense when they are asked again and again.
fn is_live(class: Class) -> bool {
    matches!(
        class,
        Class::Activities
            | Class::Sessions
            | Class::LiveStatistics
            | Class::Statistics
            | Class::Counts
            | Class::ActivityLog
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_of_reads() {
        use Habit::{Browses, Floods, Polls};
        for (is_own, class, habit, wanted) in [
            (false, Class::Item, Browses, Rank::Interactive),
            (false, Class::Images, Browses, Rank::Interactive),
            (false, Class::Item, Floods, Rank::Bulk),
            (false, Class::Lists, Floods, Rank::Bulk),
            (false, Class::Recent, Polls, Rank::Widget),
            (false, Class::Sessions, Browses, Rank::Widget),
            (false, Class::Sessions, Floods, Rank::Widget),
            (false, Class::Counts, Browses, Rank::Widget),
            (true, Class::Item, Browses, Rank::Own),
            (true, Class::Sessions, Polls, Rank::Own),
            (true, Class::Lists, Floods, Rank::Own),
        ] {
            assert_eq!(rank(Facts { is_own, class, habit }), wanted, "{is_own} {class:?} {habit:?}");
        }
    }

    #[test]
    fn the_order_is_the_order_of_the_list() {
        assert!(Rank::EVERY.is_sorted());
        assert!(Rank::EVERY.iter().enumerate().all(|(at, rank)| *rank as usize == at));
    }
}
