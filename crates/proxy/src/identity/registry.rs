//! Registry of a server's identities, by token hash.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use data_encoding::HEXLOWER;
use greenroom_cache::Partition;
use greenroom_dialect::classification::ImageSubject;
use greenroom_dialect::credential::Credential;
use greenroom_dialect::own_user::TokenOwner;
use parking_lot::{Mutex, RwLock};

use super::Identity;
use crate::identity::image_grants::{ImageGrants, PendingGrant};
use crate::identity::token_account::OutdatedPartitions;
use crate::identity::token_hash::{TokenHasher, unhex};
use greenroom_request_log::UserHash;
use greenroom_state::grants::MAX_IDENTITIES;
use greenroom_state::grants::{GrantChanges, IdentityGrant, ImageGrant};
use greenroom_state::revocations::Revocations;
use greenroom_state::secrets::HashKey;

/// The identities of one server.
#[derive(Debug)]
pub struct IdentityRegistry {
    context: Arc<IdentityContext>,
    by_hash: RwLock<HashMap<[u8; 16], Arc<Identity>>>,
    anonymous: Arc<Identity>,
    images: Mutex<ImageGrants>,
    revocations: Arc<Revocations>,
}

/// State that all identities of one server share.
#[derive(Debug)]
pub(super) struct IdentityContext {
    pub(super) hasher: TokenHasher,
    pub(super) revocations: Arc<Revocations>,
    pub(super) outdated: OutdatedPartitions,
}

impl IdentityContext {
    pub(super) fn new(server: &str, key: HashKey) -> Arc<Self> {
        let hasher = TokenHasher { key, server: server.to_owned() };
        Arc::new(Self { hasher, revocations: Arc::default(), outdated: OutdatedPartitions::default() })
    }
}

impl IdentityRegistry {
    /// An empty registry. `key` hides the tokens.
    pub fn new(server: &str, key: HashKey) -> Self {
        let context = IdentityContext::new(server, key);
        let anonymous = Arc::new(Identity::new("anonymous", true, &context));
        let (by_hash, images) = (RwLock::default(), Mutex::default());
        let revocations = Arc::clone(&context.revocations);
        Self { context, by_hash, anonymous, images, revocations }
    }

    /// Revocations not written yet.
    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    /// Restores stored grants. No token may have been resolved yet.
    pub fn restore(&self, identities: &[IdentityGrant], images: &[ImageGrant]) {
        let mut by_hash = self.by_hash.write();
        for grant in identities.iter().take(MAX_IDENTITIES) {
            if grant.partition == self.anonymous.token.as_str() {
                self.anonymous.restore(grant);
            } else if let Some(hash) = unhex(&grant.partition) {
                let identity = Identity::new(&grant.partition, false, &self.context);
                identity.restore(grant);
                by_hash.insert(hash, Arc::new(identity));
            }
        }
        self.images.lock().restore(images, &self.anonymous.token);
    }

    /// Merges stored grants after tokens were resolved, because the file could not be read before.
    pub fn merge(&self, identities: &[IdentityGrant], images: &[ImageGrant]) {
        let mut by_hash = self.by_hash.write();
        for grant in identities.iter().filter(|grant| !self.revocations.is_pending(&grant.partition)) {
            if grant.partition == self.anonymous.token.as_str() {
                self.anonymous.merge(grant);
            } else if let Some(hash) = unhex(&grant.partition)
                && (by_hash.len() < MAX_IDENTITIES || by_hash.contains_key(&hash))
            {
                let new_identity = || Arc::new(Identity::new(&grant.partition, false, &self.context));
                by_hash.entry(hash).or_insert_with(new_identity).merge(grant);
            }
        }
        self.images.lock().merge(images, &self.revocations);
    }

    /// Revokes every token: no grant is valid any more, nor comes back after a crash. The caller purges the partitions.
    pub fn refuse_all(&self) {
        self.clear_grants();
        self.revocations.record_all();
    }

    /// Revokes the token whose own partition this is, if it is one's: another gateway purged it.
    pub fn refuse_partition(&self, partition: &Partition) {
        let identity = unhex(partition.as_str()).and_then(|hash| self.by_hash.read().get(&hash).cloned());
        match identity {
            Some(identity) => identity.refuse(),
            // Its grants may be on disk only.
            None => self.revocations.record(partition.as_str()),
        }
    }

    /// Drains grants not written yet, or all. Identities with an open socket count as proven at `sockets_ms`. If
    /// urgent, includes those only slightly newer.
    pub fn drain_changes(&self, all: bool, sockets_ms: Option<Timestamp>, is_urgent: bool) -> GrantChanges {
        let mut identities = self.all();
        identities.push(Arc::clone(&self.anonymous));
        if let Some(now_ms) = sockets_ms {
            // While its socket is open, the server accepts the token.
            let open = identities.iter().filter(|identity| identity.has_signal() && !identity.is_refused());
            open.for_each(|identity| identity.mark_proven(now_ms, identity.generation()));
        }
        let (image_changes, all) = self.images.lock().drain_pending(all, &identities);
        if all {
            let proven = identities.iter().filter(|identity| identity.was_ever_accepted());
            proven.for_each(|identity| identity.is_changed.store(true, Ordering::Release));
        }
        GrantChanges {
            all,
            identities: identities.iter().filter_map(|identity| identity.drain_changes(is_urgent)).collect(),
            images: image_changes.iter().filter_map(PendingGrant::to_image_grant).collect(),
        }
    }

    /// Clears all grants.
    pub fn clear_grants(&self) {
        self.all().iter().chain([&self.anonymous]).for_each(|identity| identity.clear_grants());
    }

    /// The identity of this credential, and the one evicted for it, if any: the caller must purge that token's own
    /// partition, because no write will reach it any more.
    pub fn resolve(&self, credential: &Credential, now_ms: Timestamp) -> (Arc<Identity>, Option<Arc<Identity>>) {
        let Some(token) = &credential.token else { return (Arc::clone(&self.anonymous), None) };
        let hash = self.hash(token.expose());
        if let Some(identity) = self.by_hash.read().get(&hash) {
            identity.last_seen_ms.store(now_ms, Ordering::Relaxed);
            return (Arc::clone(identity), None);
        }
        let mut by_hash = self.by_hash.write();
        let evicted = if by_hash.len() >= MAX_IDENTITIES { evict_one(&mut by_hash) } else { None };
        let identity = by_hash
            .entry(hash)
            .or_insert_with(|| Arc::new(Identity::new(&HEXLOWER.encode(&hash), false, &self.context)));
        identity.last_seen_ms.store(now_ms, Ordering::Relaxed);
        (Arc::clone(identity), evicted)
    }

    /// The identity of this credential, if known. For diagnosis: changes nothing.
    pub fn lookup(&self, credential: &Credential) -> Option<Arc<Identity>> {
        match &credential.token {
            None => Some(Arc::clone(&self.anonymous)),
            Some(token) => self.by_hash.read().get(&self.hash(token.expose())).cloned(),
        }
    }

    /// Whether this text is the token of an identity.
    pub fn knows(&self, text: &str) -> bool {
        self.by_hash.read().contains_key(&self.hash(text))
    }

    /// All identities.
    pub fn all(&self) -> Vec<Arc<Identity>> {
        self.by_hash.read().values().cloned().collect()
    }

    /// The server showed this identity the image, in a request of that generation.
    pub fn accept_image(&self, identity: &Arc<Identity>, subject: &ImageSubject, now_ms: Timestamp, generation: u64) {
        let mut images = self.images.lock();
        if images.accept(identity, subject, now_ms, generation) {
            self.revocations.mark_dirty();
        }
        identity.mark_proven(now_ms, generation);
    }

    /// The server does not show this identity the image any more.
    pub fn refuse_image(&self, identity: &Arc<Identity>, subject: &ImageSubject) {
        let mut images = self.images.lock();
        if images.refuse(identity, subject) {
            self.revocations.request_flush();
        } else {
            self.revocations.mark_dirty();
        }
    }

    /// Whether this identity has a grant for the image within `ttl`, not revoked since.
    pub fn is_image_accepted(
        &self,
        identity: &Identity,
        subject: &ImageSubject,
        now_ms: Timestamp,
        ttl: Duration,
    ) -> bool {
        self.images.lock().is_accepted(identity, subject, now_ms, ttl)
    }

    /// The identity of requests without a token.
    pub fn anonymous(&self) -> &Arc<Identity> {
        &self.anonymous
    }

    /// The partition of a token that shares no account's.
    pub fn partition_of(&self, token: &str) -> Partition {
        Partition::new(HEXLOWER.encode(&self.hash(token)))
    }

    /// The id of another installation, by its key.
    pub fn device_id_of(server: &str, key: HashKey) -> String {
        HEXLOWER.encode(&TokenHasher { key, server: server.to_owned() }.device())
    }

    /// The id by which this installation is known to the server: random once per data directory, as the key is.
    pub fn device_id(&self) -> String {
        HEXLOWER.encode(&self.context.hasher.device())
    }

    /// The partition of an account.
    pub fn account_partition(&self, owner: &TokenOwner) -> Partition {
        self.context.hasher.account(owner)
    }

    /// Partitions that tokens have left.
    pub fn outdated(&self) -> &OutdatedPartitions {
        &self.context.outdated
    }

    /// User in statistics: the account where it is proven, so that several tokens of one person are one user.
    pub fn user_of(&self, identity: &Identity) -> Option<UserHash> {
        if identity.is_anonymous() {
            return None;
        }
        let Some(account) = identity.account() else { return UserHash::parse(identity.token.as_str()) };
        Some(self.context.hasher.user(&account))
    }

    /// User in statistics of an account, by the server's id of the user without dashes.
    pub fn user_of_account(&self, account: &str) -> UserHash {
        self.context.hasher.user(account)
    }

    /// User in statistics of a token whose account is not proven.
    pub fn user_of_token(&self, token: &str) -> Option<UserHash> {
        UserHash::parse(&HEXLOWER.encode(&self.hash(token)))
    }

    fn hash(&self, token: &str) -> [u8; 16] {
        self.context.hasher.token(token)
    }
}

/// Evicts tokens that never worked first, then the one unused for longest.
fn evict_one(by_hash: &mut HashMap<[u8; 16], Arc<Identity>>) -> Option<Arc<Identity>> {
    let hash = by_hash
        .iter()
        .min_by_key(|(_, identity)| (identity.was_ever_accepted(), identity.last_seen_ms.load(Ordering::Relaxed)))
        .map(|(hash, _)| *hash)?;
    let identity = by_hash.remove(&hash)?;
    identity.is_forgotten.store(true, Ordering::Release);
    // Its entries are purged, but a load may still be in flight.
    identity.refuse();
    Some(identity)
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::class::Class;
    use greenroom_dialect::credential::Secret;

    use super::*;

    fn credential(token: &str) -> Credential {
        Credential { token: Some(Secret::new(token)), ..Credential::default() }
    }

    const TTL: Duration = Duration::from_secs(300);

    #[test]
    fn tokens_with_a_long_common_prefix_are_different_identities() {
        let identities = IdentityRegistry::new("home", HashKey([7; 32]));
        let (one, _) = identities.resolve(&credential("abcdefgh-1"), Timestamp::from_millis(1));
        let (two, _) = identities.resolve(&credential("abcdefgh-2"), Timestamp::from_millis(1));
        assert_ne!(one.partition(), two.partition());
    }

    #[test]
    fn the_partition_reveals_nothing_of_the_token() {
        let identities = IdentityRegistry::new("home", HashKey([7; 32]));
        let (one, _) = identities.resolve(&credential("SECRETTOKEN"), Timestamp::from_millis(1));
        assert!(!format!("{one:?}").contains("SECRET"));
    }

    #[test]
    fn a_revocation_ends_every_grant_and_earlier_requests_grant_nothing() {
        let identities = IdentityRegistry::new("home", HashKey([7; 32]));
        let (identity, _) = identities.resolve(&credential("t"), Timestamp::from_millis(1));
        let before = identity.generation();
        identity.accept(Class::Lists, Timestamp::from_millis(1_000), before);
        let image = ImageSubject::new("1", "Primary");
        identities.accept_image(&identity, &image, Timestamp::from_millis(1_000), before);
        assert!(identities.is_image_accepted(&identity, &image, Timestamp::from_millis(1_000), TTL));
        identity.refuse();
        identity.accept(Class::Lists, Timestamp::from_millis(1_000), before);
        assert!(!identity.is_accepted(Class::Lists, Timestamp::from_millis(1_000), TTL));
        assert!(!identities.is_image_accepted(&identity, &image, Timestamp::from_millis(1_000), TTL));
    }

    #[test]
    fn an_account_is_known_again_after_a_restart_unless_the_token_was_revoked() {
        let before = IdentityRegistry::new("home", HashKey([7; 32]));
        let owners = [("anna", TokenOwner::User("1".into())), ("key", TokenOwner::ApiKeys)];
        for (token, owner) in owners.iter().chain([&("revoked", TokenOwner::User("1".into()))]) {
            let (identity, _) = before.resolve(&credential(token), Timestamp::from_millis(1));
            identity.prove_owner(owner);
            if *token == "revoked" {
                identity.refuse();
            }
            identity.accept(Class::Lists, Timestamp::from_millis(1_000), identity.generation());
        }
        let stored = before.drain_changes(false, None, true).identities;
        let after = IdentityRegistry::new("home", HashKey([7; 32]));
        after.restore(&stored, &[]);
        for (token, owner) in owners {
            let (identity, _) = after.resolve(&credential(token), Timestamp::from_millis(1));
            assert_eq!(identity.partition(), &before.account_partition(&owner), "{token}");
            assert_eq!(identity.account().as_deref(), (token == "anna").then_some("1"));
        }
        let (revoked, _) = after.resolve(&credential("revoked"), Timestamp::from_millis(1));
        assert_eq!(revoked.partition(), revoked.token());
        assert!(!format!("{stored:?}").contains("\"anna\""), "no token is stored");
    }

    #[test]
    fn many_wrong_tokens_do_not_evict_a_valid_one() {
        let identities = IdentityRegistry::new("home", HashKey([7; 32]));
        let (right, _) = identities.resolve(&credential("right"), Timestamp::from_millis(1));
        right.accept(Class::Lists, Timestamp::from_millis(1), 0);
        for index in 0..MAX_IDENTITIES + 10 {
            identities.resolve(&credential(&format!("wrong-{index}")), Timestamp::from_millis(2));
        }
        assert_eq!(identities.all().len(), MAX_IDENTITIES);
        let (again, _) = identities.resolve(&credential("right"), Timestamp::from_millis(3));
        assert!(again.is_accepted(Class::Lists, Timestamp::from_millis(3), TTL));
    }
}
