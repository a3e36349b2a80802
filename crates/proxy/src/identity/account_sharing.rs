//! The account of an identity: see [`super::token_account`].

use greenroom_cache::Timestamp;
use std::sync::Arc;

use greenroom_cache::Partition;
use greenroom_dialect::own_user::TokenOwner;

use super::Identity;

impl Identity {
    /// The user this token is proven to belong to. API keys have none.
    pub fn account(&self) -> Option<Arc<str>> {
        self.account.user()
    }

    /// Records the user that the server named as the token's.
    pub fn set_account(&self, user: &str) {
        self.prove_owner(&TokenOwner::User(user.to_owned()));
    }

    /// Records the owner that the server named. From now on the token shares the account's partition. What it leaves
    /// is among the outdated partitions of its registry.
    pub fn prove_owner(&self, owner: &TokenOwner) {
        let partition = || self.context.hasher.account(owner);
        if !self.anonymous && self.account.prove(owner, partition, &self.token, &self.context.outdated) {
            self.mark_changed();
        }
    }

    /// The owner whose partition it shares, once proven.
    pub fn shared_owner(&self) -> Option<&TokenOwner> {
        self.account.shared_owner()
    }

    /// The account's partition, while it is shared.
    pub fn shared_partition(&self) -> Option<&Partition> {
        self.account.partition()
    }

    /// Number that changes with the account and with the partition.
    pub fn account_state(&self) -> u8 {
        self.account.state()
    }

    /// When its account was last proven in this process, in milliseconds.
    pub fn account_proven_ms(&self) -> Timestamp {
        self.account.proven_ms()
    }

    /// Records when its account was proven.
    pub fn set_account_proven_ms(&self, now_ms: Timestamp) {
        self.account.set_proven_ms(now_ms);
    }

    /// Held while the server is asked for the account, so that it is asked once.
    pub async fn lock_account_request(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.account.asking.lock().await
    }

    /// Whether the server may be asked for the account now. It is not asked about a token that it rejected.
    pub fn may_request_account(&self, now_ms: Timestamp) -> bool {
        !self.anonymous && !self.is_refused() && self.account.may_ask(now_ms)
    }

    /// The server did not name the account; it is asked again at `until_ms` at the earliest.
    pub fn postpone_account_request(&self, until_ms: Timestamp) {
        self.account.postpone(until_ms);
    }
}
