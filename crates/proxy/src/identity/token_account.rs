//! The account that a token is proven to belong to, and with it the partition of the token's responses.
//!
//! A token starts alone, in a partition of its own. Once the server has named its account, it shares the account's
//! partition with the account's other tokens. A revocation ends that until the account is proven again. Which account a
//! token belongs to is not a right: a hit still needs this very token's grant for its class.
//!
//! Whenever the partition changes, what the old one may hold is outdated: [`OutdatedPartitions`] collects these
//! partitions, and the server purges them.

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use greenroom_cache::Partition;
use greenroom_dialect::own_user::TokenOwner;
use parking_lot::Mutex;

/// Max accounts that one token may be proven to belong to, one after the other. A token belongs to one for all its life,
/// unless its server was replaced. With more, it stays alone.
const MAX_ACCOUNTS: usize = 4;
/// Set while the token shares its account's partition.
const SHARED: u8 = 0x80;
/// Stored name of the account of all API keys. No user's id looks like it.
const API_KEYS: &str = "api-keys";

/// An account, with its partition.
#[derive(Debug)]
struct Account {
    owner: TokenOwner,
    user: Option<Arc<str>>,
    partition: Partition,
}

/// The account of one token.
#[derive(Debug, Default)]
pub(super) struct TokenAccount {
    /// Accounts in the order in which they were proven. They stay, because readers hold references to them.
    accounts: [OnceLock<Account>; MAX_ACCOUNTS],
    /// Number of the current account, counted from one, and [`SHARED`]; zero if none is known.
    current: AtomicU8,
    /// When the account was last proven, in milliseconds; zero is in an earlier process.
    proven_ms: AtomicTimestamp,
    /// When the server may be asked again after it did not name the account, in milliseconds.
    next_attempt_ms: AtomicTimestamp,
    /// Held while the server is asked.
    pub(super) asking: tokio::sync::Mutex<()>,
    /// Serialises changes.
    changing: Mutex<()>,
}

impl TokenAccount {
    fn account(&self, state: u8) -> Option<&Account> {
        self.accounts.get(usize::from(state & !SHARED).checked_sub(1)?)?.get()
    }

    /// Number that changes with the account and with the partition.
    pub(super) fn state(&self) -> u8 {
        self.current.load(Ordering::Acquire)
    }

    /// The account's partition, while the token shares it.
    pub(super) fn partition(&self) -> Option<&Partition> {
        let state = self.state();
        if state & SHARED == 0 { None } else { Some(&self.account(state)?.partition) }
    }

    /// The user whose token this is, if known, whether the partition is shared now or not.
    pub(super) fn user(&self) -> Option<Arc<str>> {
        self.account(self.state())?.user.clone()
    }

    /// The owner, while the partition is shared.
    pub(super) fn shared_owner(&self) -> Option<&TokenOwner> {
        let state = self.state();
        if state & SHARED == 0 { None } else { Some(&self.account(state)?.owner) }
    }

    /// Records the owner that the server named; `partition` is that account's, `own` the token's. Returns whether
    /// anything changed.
    pub(super) fn prove(
        &self,
        owner: &TokenOwner,
        partition: impl FnOnce() -> Partition,
        own: &Partition,
        outdated: &OutdatedPartitions,
    ) -> bool {
        let _guard = self.changing.lock();
        let before = self.state();
        if before & SHARED != 0 && self.account(before).is_some_and(|account| account.owner == *owner) {
            return false;
        }
        let known = self.accounts.iter().position(|slot| slot.get().is_none_or(|account| account.owner == *owner));
        let number = known.and_then(|index| {
            let user = match owner {
                TokenOwner::User(user) => Some(Arc::from(user.as_str())),
                TokenOwner::ApiKeys => None,
            };
            self.accounts[index].get_or_init(|| Account { owner: owner.clone(), user, partition: partition() });
            u8::try_from(index + 1).ok()
        });
        self.current.store(number.map_or(0, |number| number | SHARED), Ordering::Release);
        // After the change, so that loads that began before it are covered. What the token loaded for another account
        // than it was taken for may be in that account's partition.
        outdated.add(own);
        if let Some(account) = self.account(before).filter(|account| account.owner != *owner) {
            outdated.add(&account.partition);
        }
        true
    }

    /// Ends the sharing until the account is proven again.
    pub(super) fn stop_sharing(&self) {
        let _guard = self.changing.lock();
        self.current.fetch_and(!SHARED, Ordering::AcqRel);
        self.next_attempt_ms.store(Timestamp::UNIX_EPOCH, Ordering::Release);
    }

    /// Restores the stored account.
    pub(super) fn restore(&self, stored: &str, partition: impl FnOnce(&TokenOwner) -> Partition, own: &Partition) {
        let owner = if stored == API_KEYS { TokenOwner::ApiKeys } else { TokenOwner::User(stored.to_owned()) };
        // Nothing is outdated: an earlier process purged what it moved away from.
        self.prove(&owner, || partition(&owner), own, &OutdatedPartitions::default());
    }

    /// The account as stored, while the partition is shared.
    pub(super) fn stored(&self) -> Option<String> {
        self.shared_owner().map(|owner| match owner {
            TokenOwner::User(user) => user.clone(),
            TokenOwner::ApiKeys => API_KEYS.to_owned(),
        })
    }

    pub(super) fn proven_ms(&self) -> Timestamp {
        self.proven_ms.load(Ordering::Acquire)
    }

    pub(super) fn set_proven_ms(&self, now_ms: Timestamp) {
        self.proven_ms.fetch_max(now_ms, Ordering::AcqRel);
    }

    /// The server did not name the account: it is asked again at this time at the earliest.
    pub(super) fn postpone(&self, until_ms: Timestamp) {
        self.next_attempt_ms.store(until_ms, Ordering::Release);
    }

    pub(super) fn may_ask(&self, now_ms: Timestamp) -> bool {
        now_ms >= self.next_attempt_ms.load(Ordering::Acquire)
    }
}

/// Partitions that tokens have left, to be purged.
#[derive(Debug, Default)]
pub struct OutdatedPartitions {
    partitions: Mutex<Vec<Partition>>,
    has_some: AtomicBool,
}

impl OutdatedPartitions {
    fn add(&self, partition: &Partition) {
        self.partitions.lock().push(partition.clone());
        self.has_some.store(true, Ordering::Release);
    }

    /// Purges them all. Each stays in the list until it is purged, so that no reader overtakes the purge.
    pub fn purge_with(&self, purge: impl Fn(&Partition)) {
        if !self.has_some.load(Ordering::Acquire) {
            return;
        }
        let mut partitions = self.partitions.lock();
        partitions.iter().for_each(purge);
        partitions.clear();
        self.has_some.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
