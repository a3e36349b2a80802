//! Times of full comparisons of a library with its server.

use greenroom_cache::Timestamp;
use greenroom_dialect::crawl::LibraryContents;
use std::time::Duration;

use super::{IndexError, Library};
use crate::index::scheduler::scheduled_ms;

/// Last and next full comparison of a library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompareSchedule {
    /// Interval in seconds; `None` if there is no schedule.
    pub every_s: Option<u64>,
    /// Time of the last one, in milliseconds since 1970; `None` if there was none.
    pub whole_at_ms: Option<Timestamp>,
    /// Its duration in milliseconds.
    pub took_ms: Duration,
    /// Time of the next one, in milliseconds since 1970.
    pub next_ms: Option<Timestamp>,
    /// Error of the last attempt, and since when it stands.
    pub failure: Option<(IndexError, u64)>,
    /// Current number of items.
    pub items: u64,
}

impl Library {
    /// Last and next full comparison; `None` if the library is not indexed.
    pub fn compare_schedule(&self) -> Option<CompareSchedule> {
        let status = self.status.lock();
        let is_relevant = status.info.as_ref().is_none_or(|info| info.contents != LibraryContents::Other);
        if !self.is_on(&status) || !is_relevant {
            return None;
        }
        let generation = self.generation();
        let every = self.server.origin.settings.library.schedule;
        let whole_at_ms = Some(status.metadata.whole_at_ms).filter(|at_ms| *at_ms > 0 && generation.is_some());
        let next_ms = scheduled_ms(every, &status, generation.is_some());
        Some(CompareSchedule {
            every_s: every.map(|every| every.as_secs()),
            whole_at_ms: whole_at_ms.map(Timestamp::from_millis),
            took_ms: Duration::from_millis(status.metadata.build_ms),
            next_ms: next_ms.map(|at_ms| at_ms.max(status.build_at_ms)).filter(|at_ms| *at_ms < Timestamp::MAX),
            failure: status.failure.clone(),
            items: generation.map_or(0, |generation| generation.snapshot.len() as u64),
        })
    }
}
