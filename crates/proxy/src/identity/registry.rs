//! Everybody who showed a server a token, by its hash.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::Partition;
use greenroom_dialect::credential::Credential;
use parking_lot::{Mutex, RwLock};

use super::Identity;
use crate::identity::image_grants::{Images, News};
use crate::identity::token_hash;
use crate::identity::token_hash::{hex, unhex};
use crate::record::User;
use greenroom_state::grants::MAX_IDENTITIES;
use greenroom_state::grants::{Changes, IdentityProofs, ImageProof};
use greenroom_state::revocations::Refusals;
use greenroom_state::secrets::HashKey;

/// The identities of one server.
#[derive(Debug)]
pub struct Identities {
    server: String,
    key: HashKey,
    known: RwLock<HashMap<[u8; 16], Arc<Identity>>>,
    anonymous: Arc<Identity>,
    images: Mutex<Images>,
    refused: Arc<Refusals>,
}

impl Identities {
    /// Nobody yet. `key` hides the tokens.
    pub fn new(server: &str, key: HashKey) -> Self {
        let refused = Arc::<Refusals>::default();
        let anonymous = Arc::new(Identity::new("anonymous", true, &refused));
        let (known, images) = (RwLock::default(), Mutex::default());
        Self { server: server.to_owned(), key, known, anonymous, images, refused }
    }

    /// What was refused and is not kept as such yet.
    pub fn refused(&self) -> &Arc<Refusals> {
        &self.refused
    }

    /// Takes over what was kept. Nobody may have been seen yet.
    pub fn restore(&self, identities: &[IdentityProofs], images: &[ImageProof]) {
        let mut known = self.known.write();
        for proofs in identities.iter().take(MAX_IDENTITIES) {
            if proofs.partition == self.anonymous.partition.as_str() {
                self.anonymous.restore(proofs);
            } else if let Some(hash) = unhex(&proofs.partition) {
                let identity = Identity::new(&proofs.partition, false, &self.refused);
                identity.restore(proofs);
                known.insert(hash, Arc::new(identity));
            }
        }
        self.images.lock().restore(images, &self.anonymous.partition);
    }

    /// Takes over what was kept after somebody may have been seen already: the file could not be read before.
    pub fn merge(&self, identities: &[IdentityProofs], images: &[ImageProof]) {
        let mut known = self.known.write();
        for proofs in identities.iter().filter(|proofs| !self.refused.is_waiting(&proofs.partition)) {
            if proofs.partition == self.anonymous.partition.as_str() {
                self.anonymous.merge(proofs);
            } else if let Some(hash) = unhex(&proofs.partition)
                && (known.len() < MAX_IDENTITIES || known.contains_key(&hash))
            {
                let newcomer = || Arc::new(Identity::new(&proofs.partition, false, &self.refused));
                known.entry(hash).or_insert_with(newcomer).merge(proofs);
            }
        }
        self.images.lock().merge(images, &self.refused);
    }

    /// Every token was refused: nothing is proven any more, nor comes back after a crash.
    pub fn refuse_everybody(&self) {
        self.unprove_all();
        self.refused.note_everybody();
    }

    /// The proofs that are not kept yet, or all of them. Those of whoever has a socket open count as of `sockets_ms`.
    /// If it is urgent, also those that are only a little newer.
    pub fn take_changes(&self, all: bool, sockets_ms: Option<u64>, is_urgent: bool) -> Changes {
        let mut everybody = self.all();
        everybody.push(Arc::clone(&self.anonymous));
        if let Some(now_ms) = sockets_ms {
            // As long as it is open the server keeps to its yes.
            let open = everybody.iter().filter(|identity| identity.has_signal() && !identity.is_refused());
            open.for_each(|identity| identity.prove(now_ms, identity.generation()));
        }
        let (news, all) = self.images.lock().take_news(all, &everybody);
        if all {
            let proven = everybody.iter().filter(|identity| identity.was_ever_accepted());
            proven.for_each(|identity| identity.is_changed.store(true, Ordering::Release));
        }
        Changes {
            all,
            identities: everybody.iter().filter_map(|identity| identity.take_changed(is_urgent)).collect(),
            images: news.iter().filter_map(News::proof).collect(),
        }
    }

    /// Nobody is proven any more.
    pub fn unprove_all(&self) {
        self.all().iter().chain([&self.anonymous]).for_each(|identity| identity.unprove());
    }

    /// Who shows this credential, and, if another identity had to be forgotten for it, which one: the caller must
    /// purge that one's partition, because no write will reach it any more.
    pub fn resolve(&self, credential: &Credential, now_ms: u64) -> (Arc<Identity>, Option<Arc<Identity>>) {
        let Some(token) = &credential.token else { return (Arc::clone(&self.anonymous), None) };
        let hash = self.hash(token.expose());
        if let Some(identity) = self.known.read().get(&hash) {
            identity.last_seen_ms.store(now_ms, Ordering::Relaxed);
            return (Arc::clone(identity), None);
        }
        let mut known = self.known.write();
        let forgotten = if known.len() >= MAX_IDENTITIES { forget_least_worthy(&mut known) } else { None };
        let identity =
            known.entry(hash).or_insert_with(|| Arc::new(Identity::new(&hex(&hash), false, &self.refused)));
        identity.last_seen_ms.store(now_ms, Ordering::Relaxed);
        (Arc::clone(identity), forgotten)
    }

    /// Who shows this credential, if they were seen before. Leaves no trace: for diagnosis.
    pub fn known(&self, credential: &Credential) -> Option<Arc<Identity>> {
        match &credential.token {
            None => Some(Arc::clone(&self.anonymous)),
            Some(token) => self.known.read().get(&self.hash(token.expose())).cloned(),
        }
    }

    /// Everybody who showed a token.
    pub fn all(&self) -> Vec<Arc<Identity>> {
        self.known.read().values().cloned().collect()
    }

    /// The server showed this identity an image of the item, asked at that generation.
    pub fn accept_image(&self, identity: &Arc<Identity>, item: &str, now_ms: u64, generation: u64) {
        let mut images = self.images.lock();
        if images.accept(identity, item, now_ms, generation) {
            self.refused.note_news();
        }
        identity.prove(now_ms, generation);
    }

    /// The server would not show this identity the item's image any more.
    pub fn refuse_image(&self, identity: &Arc<Identity>, item: &str) {
        let mut images = self.images.lock();
        if images.refuse(identity, item) {
            self.refused.hurry();
        } else {
            self.refused.note_news();
        }
    }

    /// Whether the server showed this identity an image of the item within `ttl`, and did not refuse it since.
    pub fn is_image_accepted(&self, identity: &Identity, item: &str, now_ms: u64, ttl: Duration) -> bool {
        self.images.lock().is_accepted(identity, item, now_ms, ttl)
    }

    /// Whoever came without a token.
    pub fn anonymous(&self) -> &Arc<Identity> {
        &self.anonymous
    }

    /// The partition of a token.
    pub fn partition_of(&self, token: &str) -> Partition {
        Partition::new(hex(&self.hash(token)))
    }

    /// Who that is in statistics: the account where it is proven, so that several tokens of one person are one user.
    pub fn user_of(&self, identity: &Identity) -> Option<User> {
        if identity.is_anonymous() {
            return None;
        }
        let Some(account) = identity.account() else { return User::of_hash(identity.partition.as_str()) };
        Some(token_hash::user_of(&self.key, &self.server, &account))
    }

    fn hash(&self, token: &str) -> [u8; 16] {
        token_hash::token_hash(&self.key, &self.server, token)
    }
}

/// Tokens that never worked go first, then whoever was away longest.
fn forget_least_worthy(known: &mut HashMap<[u8; 16], Arc<Identity>>) -> Option<Arc<Identity>> {
    let hash = known
        .iter()
        .min_by_key(|(_, identity)| {
            (identity.was_ever_accepted(), identity.last_seen_ms.load(Ordering::Relaxed))
        })
        .map(|(hash, _)| *hash)?;
    let identity = known.remove(&hash)?;
    identity.is_forgotten.store(true, Ordering::Release);
    // Nothing is kept of it; in flight there may be something yet.
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
    fn tokens_with_a_long_common_beginning_are_different_identities() {
        let identities = Identities::new("home", HashKey([7; 32]));
        let (one, _) = identities.resolve(&credential("abcdefgh-1"), 1);
        let (two, _) = identities.resolve(&credential("abcdefgh-2"), 1);
        assert_ne!(one.partition(), two.partition());
    }

    #[test]
    fn the_partition_shows_nothing_of_the_token() {
        let identities = Identities::new("home", HashKey([7; 32]));
        let (one, _) = identities.resolve(&credential("SECRETTOKEN"), 1);
        assert!(!format!("{one:?}").contains("SECRET"));
    }

    #[test]
    fn a_refusal_ends_every_proof_and_what_was_asked_before_it_proves_nothing() {
        let identities = Identities::new("home", HashKey([7; 32]));
        let (identity, _) = identities.resolve(&credential("t"), 1);
        let before = identity.generation();
        identity.accept(Class::Lists, 1_000, before);
        identities.accept_image(&identity, "1", 1_000, before);
        assert!(identities.is_image_accepted(&identity, "1", 1_000, TTL));
        identity.refuse();
        identity.accept(Class::Lists, 1_000, before);
        assert!(!identity.is_accepted(Class::Lists, 1_000, TTL));
        assert!(!identities.is_image_accepted(&identity, "1", 1_000, TTL));
    }

    #[test]
    fn a_flood_of_wrong_tokens_does_not_push_out_a_right_one() {
        let identities = Identities::new("home", HashKey([7; 32]));
        let (right, _) = identities.resolve(&credential("right"), 1);
        right.accept(Class::Lists, 1, 0);
        for index in 0..MAX_IDENTITIES + 10 {
            identities.resolve(&credential(&format!("wrong-{index}")), 2);
        }
        assert_eq!(identities.all().len(), MAX_IDENTITIES);
        let (again, _) = identities.resolve(&credential("right"), 3);
        assert!(again.is_accepted(Class::Lists, 3, TTL));
    }
}
