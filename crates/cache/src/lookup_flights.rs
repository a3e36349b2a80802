//! Disk lookups: at most one per key. Callers that arrive during one share its result, and join the load that its
//! leader starts on a miss. So a crowd is one lookup and one load, however fast either is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::flight::Flight;
use crate::key::{BuildIdentityHasher, Key};
use crate::value::Entry;

/// Result of a disk lookup.
#[derive(Debug, Clone)]
pub(crate) struct LookupResult {
    /// The entry on disk.
    pub(crate) entry: Option<Arc<Entry>>,
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
    looks: &'a LookupFlights,
    key: Key,
    tell: watch::Sender<Option<LookupResult>>,
}

impl LookupFlights {
    fn map(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Option<LookupResult>>, BuildIdentityHasher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the key's lookup in progress, or leads a new one.
    pub(crate) fn join_or_lead(&self, key: &Key) -> LookupRole<'_> {
        let mut map = self.map();
        if let Some(under_way) = map.get(key) {
            return LookupRole::Follow(under_way.clone());
        }
        let (tell, told) = watch::channel(None);
        map.insert(key.clone(), told);
        LookupRole::Lead(LookupLeader { looks: self, key: key.clone(), tell })
    }
}

impl LookupLeader<'_> {
    /// Publishes the result to all followers.
    pub(crate) fn complete(self, seen: LookupResult) {
        self.tell.send_replace(Some(seen));
    }
}

impl Drop for LookupLeader<'_> {
    fn drop(&mut self) {
        self.looks.map().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Partition;

    #[tokio::test]
    async fn one_looks_and_all_are_told() {
        let (looks, key) = (LookupFlights::default(), Key::new("n", &Partition::new("anna"), "/a"));
        let LookupRole::Lead(lead) = looks.join_or_lead(&key) else { panic!("the first looks") };
        let LookupRole::Follow(mut told) = looks.join_or_lead(&key) else { panic!("the second waits") };
        lead.complete(LookupResult { entry: None, flight: None });
        assert!(told.wait_for(Option::is_some).await.is_ok());
        assert!(matches!(looks.join_or_lead(&key), LookupRole::Lead(_)), "it is over");
    }

    #[tokio::test]
    async fn who_waits_for_one_who_left_is_told_so() {
        let (looks, key) = (LookupFlights::default(), Key::new("n", &Partition::new("anna"), "/a"));
        let LookupRole::Lead(lead) = looks.join_or_lead(&key) else { panic!("the first looks") };
        let LookupRole::Follow(mut told) = looks.join_or_lead(&key) else { panic!("the second waits") };
        drop(lead);
        assert!(told.wait_for(Option::is_some).await.is_err());
        assert!(matches!(looks.join_or_lead(&key), LookupRole::Lead(_)));
    }
}
