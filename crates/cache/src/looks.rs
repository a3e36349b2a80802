//! Looks below memory: at most one per key. Whoever comes while one is under way shares what it finds, and joins the
//! load that its leader starts if it finds nothing: so a crowd is one look and one load, however fast either is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::flight::Flight;
use crate::key::{BuildAsHashed, Key};
use crate::value::Entry;

/// What came of a look.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// What lies below.
    pub(crate) entry: Option<Arc<Entry>>,
    /// The load that its leader started or joined then.
    pub(crate) flight: Option<Arc<Flight>>,
}

/// Every look under way.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<HashMap<Key, watch::Receiver<Option<Seen>>, BuildAsHashed>>);

/// What a caller finds who wants to look.
pub(crate) enum Turn<'a> {
    /// It is his.
    Lead(LookLead<'a>),
    /// Somebody else looks.
    Follow(watch::Receiver<Option<Seen>>),
}

/// The right to look, and the duty to tell. Dropped without telling, whoever waits looks for himself.
pub(crate) struct LookLead<'a> {
    looks: &'a Looks,
    key: Key,
    tell: watch::Sender<Option<Seen>>,
}

impl Looks {
    fn map(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Option<Seen>>, BuildAsHashed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose turn it is.
    pub(crate) fn turn(&self, key: &Key) -> Turn<'_> {
        let mut map = self.map();
        if let Some(under_way) = map.get(key) {
            return Turn::Follow(under_way.clone());
        }
        let (tell, told) = watch::channel(None);
        map.insert(key.clone(), told);
        Turn::Lead(LookLead { looks: self, key: key.clone(), tell })
    }
}

impl LookLead<'_> {
    /// Tells everybody who waits.
    pub(crate) fn tell(self, seen: Seen) {
        self.tell.send_replace(Some(seen));
    }
}

impl Drop for LookLead<'_> {
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
        let (looks, key) = (Looks::default(), Key::new("n", &Partition::new("anna"), "/a"));
        let Turn::Lead(lead) = looks.turn(&key) else { panic!("the first looks") };
        let Turn::Follow(mut told) = looks.turn(&key) else { panic!("the second waits") };
        lead.tell(Seen { entry: None, flight: None });
        assert!(told.wait_for(Option::is_some).await.is_ok());
        assert!(matches!(looks.turn(&key), Turn::Lead(_)), "it is over");
    }

    #[tokio::test]
    async fn who_waits_for_one_who_left_is_told_so() {
        let (looks, key) = (Looks::default(), Key::new("n", &Partition::new("anna"), "/a"));
        let Turn::Lead(lead) = looks.turn(&key) else { panic!("the first looks") };
        let Turn::Follow(mut told) = looks.turn(&key) else { panic!("the second waits") };
        drop(lead);
        assert!(told.wait_for(Option::is_some).await.is_err());
        assert!(matches!(looks.turn(&key), Turn::Lead(_)));
    }
}
