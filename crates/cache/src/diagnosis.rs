//! What can be told of a key to somebody who asks why it is answered as it is.

use std::sync::Arc;

use crate::engine::Engine;
use crate::key::{Key, Tag};
use crate::load::FailureKind;
use crate::memo::Memo;
use crate::policy::Marking;
use crate::reach::{Part, Reach};
use crate::stamp::Stamp;
use crate::value::Entry;

/// Everything that is known of a key.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// What is kept, of whatever age.
    pub entry: Option<Arc<Entry>>,
    /// What the markers say about it.
    pub marking: Marking,
    /// The newest invalidation that covers the key, or what is kept under it.
    pub invalidated: Option<Stamp>,
    /// By what that invalidation reaches it.
    pub cause: Option<Cause>,
    /// A failure that is answered without asking again for a while.
    pub failed: Option<FailureKind>,
    /// Its value turned out not to be for keeping, a short while ago.
    pub uncacheable: bool,
    /// It is kept warm.
    pub warm: bool,
}

/// By what an invalidation reaches a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It covered everything.
    All,
    /// Its whole namespace.
    Namespace,
    /// Its whole partition.
    Partition,
    /// This very key.
    Key,
    /// All below a path.
    Prefix,
    /// All with this tag.
    Tag(Tag),
}

impl Cause {
    fn of(part: Part, tags: &[Tag]) -> Self {
        match part {
            Part::All => Self::All,
            Part::Namespace => Self::Namespace,
            Part::Partition => Self::Partition,
            Part::Key => Self::Key,
            Part::Text { at_end } => {
                let tag = tags.len().checked_sub(at_end).and_then(|at| tags.get(at));
                tag.map_or(Self::Prefix, |tag| Self::Tag(tag.clone()))
            }
        }
    }
}

impl Engine {
    pub(crate) fn diagnose(&self, key: &Key) -> Diagnosis {
        let of_key = Reach::of_key(key);
        let entry = self.desk.memory.peek(key);
        let memo = self.desk.recall(key, &of_key, self.clock.now_ms());
        let reach = entry.as_ref().map_or(&of_key, |entry| &entry.reach);
        let tags = entry.as_ref().map_or(&[][..], |entry| entry.tags());
        let newest = self.desk.markers.newest(reach);
        Diagnosis {
            marking: entry.as_ref().map_or(Marking::Clear, |entry| self.desk.marking(entry)),
            invalidated: newest.map(|(stamp, _)| stamp),
            cause: newest.map(|(_, part)| Cause::of(part, tags)),
            failed: match memo.as_deref() {
                Some(Memo::Failed { failure, .. }) => Some(failure.kind),
                _ => None,
            },
            uncacheable: matches!(memo.as_deref(), Some(Memo::Uncacheable { .. })),
            warm: self.warm.has(key),
            entry,
        }
    }
}
