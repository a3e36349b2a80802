//! Keys and partitions of a server's identities, and what purges them.

use greenroom_cache::Timestamp;
use greenroom_cache::{Invalidation, InvalidationMode, Key, Partition, Scope};
use greenroom_dialect::classification::{Read, SharingScope, TokenDependence};
use greenroom_dialect::own_user::TokenOwner;

use super::Server;
use crate::identity::Identity;
use crate::sabotage;

/// Proof that a token belongs to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountProof {
    partition: Partition,
    /// The last sign of a restart of the server before it, in milliseconds.
    restart_ms: Timestamp,
}

impl Server {
    /// The partition for this identity's read.
    pub fn partition_of<'a>(&'a self, identity: &'a Identity, read: &Read) -> &'a Partition {
        self.partitions.partition_for(identity, read)
    }

    /// Cache key of this identity's read. Where the response depends on the token beyond its account, the key names the
    /// token.
    pub fn key_of(&self, identity: &Identity, read: &Read) -> Key {
        let is_tokens_own = read.sharing == SharingScope::Identity
            && match (read.token_dependence, identity.shared_owner()) {
                (TokenDependence::Nothing, _) | (_, None) => false,
                (TokenDependence::KeyName, Some(owner)) => *owner == TokenOwner::ApiKeys,
                (TokenDependence::Device, Some(_)) => true,
            };
        if is_tokens_own && !sabotage::is_disabled("device") {
            self.token_key_of(identity, read)
        } else {
            Key::new(self.name(), self.partition_of(identity, read), &read.key)
        }
    }

    /// Key of a response to this very token, in the partition of its account.
    pub fn token_key_of(&self, identity: &Identity, read: &Read) -> Key {
        match identity.shared_partition() {
            Some(partition) => {
                Key::new(self.name(), partition, &format!("{} token={}", read.key, identity.token().as_str()))
            }
            None => Key::new(self.name(), identity.token(), &read.key),
        }
    }

    /// Records the owner of a token, as named by the server.
    pub fn prove_owner(&self, identity: &Identity, owner: &TokenOwner) {
        identity.prove_owner(owner);
        identity.set_account_proven_ms(self.origin.clock.now());
        self.purge_outdated();
    }

    /// Whether the identity's account was proven since the last sign of a restart of the server, which may have another
    /// database since. Without an account there is nothing to prove.
    pub fn is_account_current(&self, identity: &Identity) -> bool {
        identity.shared_owner().is_none() || self.proof_of(identity).is_some()
    }

    /// The proof of the account that the identity shares, if it is current. It is another one after each sign of a restart
    /// of the server.
    pub fn proof_of(&self, identity: &Identity) -> Option<AccountProof> {
        let partition = identity.shared_partition()?.clone();
        let restart_ms = self.origin.breaker.last_restart_sign_ms();
        (restart_ms == Timestamp::UNIX_EPOCH || identity.account_proven_ms() > restart_ms)
            .then_some(AccountProof { partition, restart_ms })
    }

    /// Whether this identity's response to a read that was sent for `partition` belongs there; `proof` is that of the time
    /// of the request. Only its own token reads a token's own partition. Into an account's, a token writes only if it
    /// belonged to that account all the time.
    pub fn may_store(
        &self,
        identity: &Identity,
        read: &Read,
        partition: &Partition,
        proof: Option<&AccountProof>,
    ) -> bool {
        read.sharing != SharingScope::Identity
            || partition == identity.token()
            || proof
                .is_some_and(|proof| proof.partition == *partition && self.proof_of(identity).as_ref() == Some(proof))
            || sabotage::is_disabled("certainty")
            || sabotage::is_disabled("proof")
    }

    /// Purges the partitions that tokens have left.
    pub fn purge_outdated(&self) {
        if sabotage::is_disabled("move") {
            return;
        }
        self.identities.outdated().purge_with(|partition| self.purge(partition));
    }

    /// Purges the own partition of a token whose grants are gone. Its account's partition stays for the others.
    pub fn forget_token(&self, identity: &Identity) {
        self.classifications.forget(identity);
        self.purge(identity.token());
    }

    /// Purges everything that is stored for an identity, and with it for its account: a right has ended.
    pub fn purge_identity(&self, identity: &Identity) {
        self.forget_token(identity);
        if let Some(partition) = self.account_partition_of(identity) {
            self.purge(&partition);
        }
    }

    /// The partition of the account that the identity is known to belong to, whether it shares it now or not.
    pub fn account_partition_of(&self, identity: &Identity) -> Option<Partition> {
        identity.shared_partition().cloned().or_else(|| {
            let user = identity.account()?;
            Some(self.identities.account_partition(&TokenOwner::User(user.to_string())))
        })
    }

    /// Partition shared by all API keys.
    pub fn api_key_partition(&self) -> Partition {
        self.identities.account_partition(&TokenOwner::ApiKeys)
    }

    /// Purges a partition.
    pub fn purge(&self, partition: &Partition) {
        let scope = Scope::Partition { namespace: self.name().into(), partition: partition.clone() };
        let invalidation = Invalidation { mode: InvalidationMode::Purge, grace_period: None, unstorable_for: None };
        self.invalidate(&scope, &invalidation);
    }
}

#[cfg(test)]
mod tests;
