//! What can be told of a key to somebody who asks why it is answered as it is.

use std::sync::Arc;

use crate::cache::House;
use crate::key::Key;
use crate::load::FailureKind;
use crate::memo::Memo;
use crate::policy::Marking;
use crate::reach::Reach;
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
    /// A failure that is answered without asking again for a while.
    pub failed: Option<FailureKind>,
    /// Its value turned out not to be for keeping, a short while ago.
    pub uncacheable: bool,
    /// It is kept warm.
    pub warm: bool,
}

impl House {
    pub(crate) fn diagnose(&self, key: &Key) -> Diagnosis {
        let of_key = Reach::of_key(key);
        let entry = self.desk.memory.peek(key);
        let memo = self.desk.recall(key, &of_key, self.clock.now_ms());
        let reach = entry.as_ref().map_or(&of_key, |entry| &entry.reach);
        Diagnosis {
            marking: entry.as_ref().map_or(Marking::Clear, |entry| self.desk.marking(entry)),
            invalidated: self.desk.markers.newest(reach),
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
