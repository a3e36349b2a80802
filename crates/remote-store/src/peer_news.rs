//! Announcements of other gateways that concern more than the cache: ended grants and changed settings. It travels as
//! invalidations do, so it has a number, and a gateway that says that it has heard the number has stored what follows.

use std::sync::OnceLock;

use greenroom_cache::remote::SharedInvalidation;
use greenroom_cache::{Scope, Tag};
use tokio::sync::{mpsc, oneshot};

/// Batches of news that may wait for the process.
const MAX_WAITING: usize = 64;
/// Tag of the scope that says that settings changed; its namespace is empty, so it covers no entry.
const SETTINGS_TAG: &str = "settings";

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerNews {
    /// The store was reached: settings may have been changed meanwhile.
    Joined,
    /// Announcements of other gateways that cannot be told any more: grants may have ended.
    Missed,
    /// A partition, a namespace or everything was purged: the grants that it rested on have ended.
    Purged(Scope),
    /// Another gateway changed settings that all share.
    SettingsChanged,
}

/// News, and where to say that they are stored.
#[derive(Debug)]
pub struct NewsBatch {
    /// In order.
    pub news: Vec<PeerNews>,
    /// The other gateways wait until this is sent or dropped.
    pub stored: oneshot::Sender<()>,
}

impl PeerNews {
    /// The news in an invalidation of another gateway, beside what it does to the cache; `None` if nothing.
    pub(crate) fn of(heard: &SharedInvalidation) -> Option<Self> {
        match heard.scope() {
            Scope::Tag { namespace, .. } if namespace.is_empty() => Some(Self::SettingsChanged),
            scope @ (Scope::Partition { .. } | Scope::Namespace(_) | Scope::All) if heard.purges => {
                Some(Self::Purged(scope))
            }
            _ => None,
        }
    }
}

/// The scope whose invalidation tells the other gateways that settings changed.
pub(crate) fn settings_scope() -> Scope {
    Scope::Tag { namespace: String::new(), partition: None, tag: Tag::new(SETTINGS_TAG) }
}

/// Receiver of the process, if it listens.
#[derive(Debug, Default)]
pub(crate) struct NewsDesk(OnceLock<mpsc::Sender<NewsBatch>>);

impl NewsDesk {
    /// The receiving end; `None` if there is one already.
    pub(crate) fn subscribe(&self) -> Option<mpsc::Receiver<NewsBatch>> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        self.0.set(sender).is_ok().then_some(receiver)
    }

    /// Hands news over, and returns at once what completes when they are stored, or when no process listens.
    pub(crate) fn tell(&self, news: Vec<PeerNews>) -> impl Future<Output = ()> + use<> {
        let (stored, done) = oneshot::channel();
        let sender = self.0.get().cloned();
        let sent = sender.as_ref().map(|sender| sender.try_send(NewsBatch { news, stored }));
        let waiting = match sent {
            Some(Err(mpsc::error::TrySendError::Full(batch))) => Some(batch),
            _ => None,
        };
        async move {
            if let (Some(sender), Some(batch)) = (sender, waiting) {
                let _ = sender.send(batch).await; // A process that ends listens no more.
            }
            let _ = done.await; // Dropped by a process that ends.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_cache::Partition;

    fn announced(scope: &str, purges: bool) -> SharedInvalidation {
        SharedInvalidation { scope: scope.into(), ..SharedInvalidation::everything(purges) }
    }

    #[test]
    fn a_purged_partition_ends_grants_and_a_stale_one_does_not() {
        let scope = Scope::Partition { namespace: "home".into(), partition: Partition::new("p") };
        assert_eq!(PeerNews::of(&announced("partition|home|=p|", true)), Some(PeerNews::Purged(scope)));
        assert_eq!(PeerNews::of(&announced("partition|home|=p|", false)), None);
        assert_eq!(PeerNews::of(&announced("tag|home||lists", true)), None);
        assert_eq!(PeerNews::of(&announced("garbage", true)), Some(PeerNews::Purged(Scope::All)));
    }

    #[test]
    fn a_change_of_settings_is_no_purge() {
        assert_eq!(PeerNews::of(&announced("tag|||settings", false)), Some(PeerNews::SettingsChanged));
    }

    #[tokio::test]
    async fn news_wait_until_they_are_stored_and_for_nobody_that_does_not_listen() {
        let desk = NewsDesk::default();
        desk.tell(vec![PeerNews::Joined]).await;
        let mut receiver = desk.subscribe().expect("the first");
        assert!(desk.subscribe().is_none());
        let told = desk.tell(vec![PeerNews::SettingsChanged]);
        let batch = receiver.recv().await.expect("news");
        let mut told = std::pin::pin!(told);
        assert!(futures_util::poll!(told.as_mut()).is_pending(), "not stored yet");
        batch.stored.send(()).expect("it waits");
        told.await;
    }
}
