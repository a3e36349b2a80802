//! When a library was compared with its server as a whole, and when it will be.

use greenroom_dialect::crawl::Contents;

use super::{Failure, Library};
use crate::index::scheduler::scheduled_ms;

/// When a library was compared as a whole, and when it will be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rounds {
    /// How often that is to be, in seconds; `None` if never by itself.
    pub every_s: Option<u64>,
    /// When it was done last, in milliseconds since 1970; `None` if never.
    pub whole_at_ms: Option<u64>,
    /// How long that took.
    pub took_ms: u64,
    /// When it is due next.
    pub next_ms: Option<u64>,
    /// What the last attempt came to, if to nothing, and since when it is so.
    pub failure: Option<(Failure, u64)>,
    /// Items in it now.
    pub items: u64,
}

impl Library {
    /// When it was compared as a whole, and when it will be; `None` where it is not kept.
    pub fn rounds(&self) -> Option<Rounds> {
        let facts = self.facts.lock();
        let is_of_use = facts.shelf.as_ref().is_none_or(|shelf| shelf.contents != Contents::Other);
        if !self.is_on(&facts) || !is_of_use {
            return None;
        }
        let generation = self.generation();
        let every = self.server.origin.settings.library.schedule;
        let whole_at_ms = Some(facts.about.whole_at_ms).filter(|at_ms| *at_ms > 0 && generation.is_some());
        let next_ms = scheduled_ms(every, &facts, generation.is_some());
        Some(Rounds {
            every_s: every.map(|every| every.as_secs()),
            whole_at_ms,
            took_ms: facts.about.build_ms,
            next_ms: next_ms.map(|at_ms| at_ms.max(facts.build_at_ms)).filter(|at_ms| *at_ms < u64::MAX),
            failure: facts.failure.clone(),
            items: generation.map_or(0, |generation| generation.snapshot.len() as u64),
        })
    }
}
