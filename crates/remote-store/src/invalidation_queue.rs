//! Invalidations that wait for their numbers: per scope the newest, merged with those before it. None is lost: if there
//! are too many, one over everything takes their place.

use std::collections::HashMap;

use greenroom_cache::remote::SharedInvalidation;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Max scopes that wait; beyond, one invalidation covers everything.
const MAX_SCOPES: usize = 10_000;

#[derive(Debug, Default)]
struct State {
    pushed: u64,
    newest_ticket: u64,
    /// One over everything waits; whether it purges.
    everything: Option<bool>,
    /// In order of arrival: the position of each scope.
    scopes: HashMap<String, SharedInvalidation>,
}

/// A batch to be numbered.
#[derive(Debug, Default)]
pub(crate) struct InvalidationBatch {
    /// The invalidations.
    pub(crate) invalidations: Vec<SharedInvalidation>,
    /// Number of invalidations queued when it was taken.
    pub(crate) pushed: u64,
    /// If it covers everything: all own invalidations up to this ticket have their number with it.
    pub(crate) replaces_up_to: Option<u64>,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct InvalidationQueue {
    state: Mutex<State>,
    pub(crate) notify: Notify,
}

impl InvalidationQueue {
    /// Adds an invalidation. Never waits.
    pub(crate) fn push(&self, mut invalidation: SharedInvalidation) {
        let mut state = self.state.lock();
        state.pushed += 1;
        state.newest_ticket = state.newest_ticket.max(invalidation.ticket);
        if let Some(earlier) = state.scopes.remove(&invalidation.scope) {
            invalidation.absorb(&earlier);
        }
        state.scopes.insert(invalidation.scope.clone(), invalidation);
        if state.scopes.len() > MAX_SCOPES {
            let purges = state.scopes.values().any(|waiting| waiting.purges);
            state.everything = Some(state.everything.unwrap_or(false) | purges);
            state.scopes.clear();
        }
        drop(state);
        self.notify.notify_one();
    }

    /// Queues an invalidation of everything.
    pub(crate) fn push_everything(&self, purges: bool) {
        let mut state = self.state.lock();
        state.pushed += 1;
        state.everything = Some(state.everything.unwrap_or(false) | purges);
        drop(state);
        self.notify.notify_one();
    }

    /// Number of invalidations queued so far.
    pub(crate) fn pushed(&self) -> u64 {
        self.state.lock().pushed
    }

    /// Whether any waits.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.scopes.is_empty() && state.everything.is_none()
    }

    /// Whether any that waits purges.
    pub(crate) fn has_purges(&self) -> bool {
        let state = self.state.lock();
        state.everything == Some(true) || state.scopes.values().any(|waiting| waiting.purges)
    }

    /// Takes all.
    pub(crate) fn take(&self) -> InvalidationBatch {
        let mut state = self.state.lock();
        let mut invalidations: Vec<SharedInvalidation> = state.scopes.drain().map(|(_, waiting)| waiting).collect();
        invalidations.sort_by_key(|invalidation| invalidation.ticket);
        let everything = state.everything.take();
        let replaces_up_to = everything.map(|_| state.newest_ticket);
        invalidations.extend(everything.map(SharedInvalidation::everything));
        InvalidationBatch { invalidations, pushed: state.pushed, replaces_up_to }
    }

    /// Puts a batch back that could not be numbered.
    pub(crate) fn put_back(&self, batch: InvalidationBatch) {
        let mut state = self.state.lock();
        if batch.replaces_up_to.is_some() {
            let purges = batch.invalidations.iter().any(|waiting| waiting.ticket == 0 && waiting.purges);
            state.everything = Some(state.everything.unwrap_or(false) | purges);
        }
        let own = batch.invalidations.into_iter().filter(|invalidation| invalidation.ticket > 0);
        for earlier in own {
            match state.scopes.get_mut(&earlier.scope) {
                Some(later) => later.absorb(&earlier),
                None => {
                    state.scopes.insert(earlier.scope.clone(), earlier);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn of(scope: &str, ticket: u64) -> SharedInvalidation {
        SharedInvalidation { scope: scope.into(), ticket, ..SharedInvalidation::everything(false) }
    }

    #[test]
    fn one_scope_waits_once_with_its_newest_ticket_and_the_strictest_effect() {
        let queue = InvalidationQueue::default();
        queue.push(SharedInvalidation { purges: true, unstorable_ms: Duration::from_millis(9), ..of("a", 1) });
        queue.push(of("b", 2));
        queue.push(of("a", 3));
        let batch = queue.take();
        assert_eq!(batch.invalidations.iter().map(|waiting| waiting.ticket).collect::<Vec<_>>(), [2, 3]);
        assert!(batch.invalidations[1].purges && batch.invalidations[1].unstorable_ms == Duration::from_millis(9));
        assert_eq!(batch.pushed, 3);
    }

    #[test]
    fn a_batch_that_is_put_back_is_not_lost_and_not_newer() {
        let queue = InvalidationQueue::default();
        queue.push(of("a", 1));
        let batch = queue.take();
        queue.push(of("a", 2));
        queue.put_back(batch);
        assert_eq!(queue.take().invalidations[0].ticket, 2);
        assert!(queue.is_empty());
    }

    #[test]
    fn too_many_scopes_become_one_over_everything() {
        let queue = InvalidationQueue::default();
        for ticket in 1..=MAX_SCOPES as u64 + 1 {
            queue.push(of(&ticket.to_string(), ticket));
        }
        let batch = queue.take();
        assert_eq!(batch.replaces_up_to, Some(MAX_SCOPES as u64 + 1));
        assert_eq!(batch.invalidations, [SharedInvalidation::everything(false)], "nothing was purged");
        queue.push(SharedInvalidation { purges: true, ..of("a", 1) });
        queue.put_back(batch);
        assert!(queue.has_purges());
    }
}
