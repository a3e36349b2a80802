//! Priority of a request: the order in which waiting requests get a permit.

use greenroom_dialect::class::Class;

use crate::client_pattern::AccessPattern;

/// Priority of a request, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A write: a person waits for it to take effect.
    Write,
    /// A person waits at a screen.
    Interactive,
    /// A dashboard or a poller, which reads again on its own.
    Widget,
    /// An app with so many reads that none of them is urgent.
    Bulk,
    /// Own requests: refreshes, warming, polls. No client waits.
    Own,
    /// A request with a token that the server has never accepted: it may be made up.
    Stranger,
}

impl Priority {
    /// Every priority, most urgent first.
    pub const EVERY: [Self; 6] = [Self::Write, Self::Interactive, Self::Widget, Self::Bulk, Self::Own, Self::Stranger];

    /// Its name in API and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Interactive => "interactive",
            Self::Widget => "widget",
            Self::Bulk => "bulk",
            Self::Own => "own",
            Self::Stranger => "stranger",
        }
    }
}

/// Facts that decide the priority of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriorityInput {
    /// No client waits for it.
    pub is_own: bool,
    /// Its request type.
    pub class: Class,
    /// Recent read pattern of its app.
    pub pattern: AccessPattern,
}

/// The priority of a read. A polled read stays a widget's even if its app reads much else: a poll is one small read,
/// and a delay would be visible.
pub fn priority(input: PriorityInput) -> Priority {
    match input {
        PriorityInput { is_own: true, .. } => Priority::Own,
        PriorityInput { class, .. } if is_live(class) => Priority::Widget,
        PriorityInput { pattern, .. } => priority_of_pattern(pattern),
    }
}

/// The priority of a request that passes through uncached, and of a read of an ordinary request type.
pub fn priority_of_pattern(pattern: AccessPattern) -> Priority {
    match pattern {
        AccessPattern::Polls => Priority::Widget,
        AccessPattern::Floods => Priority::Bulk,
        AccessPattern::Browses => Priority::Interactive,
    }
}

/// Request types that only make sense when polled.
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
        use AccessPattern::{Browses, Floods, Polls};
        for (is_own, class, pattern, wanted) in [
            (false, Class::Item, Browses, Priority::Interactive),
            (false, Class::Images, Browses, Priority::Interactive),
            (false, Class::Item, Floods, Priority::Bulk),
            (false, Class::Lists, Floods, Priority::Bulk),
            (false, Class::Recent, Polls, Priority::Widget),
            (false, Class::Sessions, Browses, Priority::Widget),
            (false, Class::Sessions, Floods, Priority::Widget),
            (false, Class::Counts, Browses, Priority::Widget),
            (true, Class::Item, Browses, Priority::Own),
            (true, Class::Sessions, Polls, Priority::Own),
            (true, Class::Lists, Floods, Priority::Own),
        ] {
            assert_eq!(priority(PriorityInput { is_own, class, pattern }), wanted, "{is_own} {class:?} {pattern:?}");
        }
    }

    #[test]
    fn the_order_is_the_order_of_the_list() {
        assert!(Priority::EVERY.is_sorted());
        assert!(Priority::EVERY.iter().enumerate().all(|(at, priority)| *priority as usize == at));
    }
}
