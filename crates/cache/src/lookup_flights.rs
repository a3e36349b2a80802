//! Lookups on disk and in the remote store: at most one per key. Callers that arrive during one share its result, and join the load that its
//! leader starts on a miss. So a crowd is one lookup and one load, however fast either is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::cache_response::Tier;
use crate::flight::Flight;
use crate::key::{BuildIdentityHasher, Key};
use crate::value::Entry;

/// Result of a lookup.
#[derive(Debug, Clone)]
pub(crate) struct LookupResult {
    /// The entry found, and the tier.
    pub(crate) stored: Option<(Arc<Entry>, Tier)>,
    /// The load that the leader then started or joined.
    pub(crate) flight: Option<Arc<Flight>>,
}

/// All lookups in progress.
#[derive(Debug, Default)]
pub(crate) struct LookupFlights(Mutex<HashMap<Key, watch::Receiver<Option<LookupResult>>, BuildIdentityHasher>>);

/// Role of a caller in a lookup.
pub(crate) enum LookupRole<'a> {
    /// It performs the lookup.
    Lead(LookupLeader<'a>),
    /// Another caller performs it.
    Follow(watch::Receiver<Option<LookupResult>>),
}

/// The duty to perform a lookup and publish its result. If dropped before, each follower looks up for itself.
pub(crate) struct LookupLeader<'a> {
    flights: &'a LookupFlights,
    key: Key,
    sender: watch::Sender<Option<LookupResult>>,
}

impl LookupFlights {
    fn map(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Option<LookupResult>>, BuildIdentityHasher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the key's lookup in progress, or leads a new one.
    pub(crate) fn join_or_lead(&self, key: &Key) -> LookupRole<'_> {
        let mut map = self.map();
        if let Some(receiver) = map.get(key) {
            return LookupRole::Follow(receiver.clone());
        }
        let (sender, receiver) = watch::channel(None);
        map.insert(key.clone(), receiver);
        LookupRole::Lead(LookupLeader { flights: self, key: key.clone(), sender })
    }
}

impl LookupLeader<'_> {
    /// Publishes the result to all followers.
    pub(crate) fn complete(self, result: LookupResult) {
        self.sender.send_replace(Some(result));
    }
}

impl Drop for LookupLeader<'_> {
    fn drop(&mut self) {
        self.flights.map().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Partition;

    #[tokio::test]
    async fn one_lookup_answers_all_followers() {
        let (flights, key) = (LookupFlights::default(), Key::new("n", &Partition::new("anna"), "/a"));
        let LookupRole::Lead(leader) = flights.join_or_lead(&key) else { panic!("the first looks") };
        let LookupRole::Follow(mut receiver) = flights.join_or_lead(&key) else { panic!("the second waits") };
        leader.complete(LookupResult { stored: None, flight: None });
        assert!(receiver.wait_for(Option::is_some).await.is_ok());
        assert!(matches!(flights.join_or_lead(&key), LookupRole::Lead(_)), "it is over");
    }

    #[tokio::test]
    async fn followers_of_a_departed_leader_are_notified() {
        let (flights, key) = (LookupFlights::default(), Key::new("n", &Partition::new("anna"), "/a"));
        let LookupRole::Lead(leader) = flights.join_or_lead(&key) else { panic!("the first looks") };
        let LookupRole::Follow(mut receiver) = flights.join_or_lead(&key) else { panic!("the second waits") };
        drop(leader);
        assert!(receiver.wait_for(Option::is_some).await.is_err());
        assert!(matches!(flights.join_or_lead(&key), LookupRole::Lead(_)));
    }
}
