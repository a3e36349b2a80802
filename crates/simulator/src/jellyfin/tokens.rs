//! Tokens issued by this server, each bound to a device, and the API keys, which have no user.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::credential::ClientCredential;
use super::ident::digest;
use crate::users::{UserId, UserRegistry};

/// Minimum interval between two updates of a device's last use.
const SEEN_EVERY_MS: u64 = 180_000;

/// Max issued tokens: beyond it the oldest issued one is dropped.
const MAX_TOKENS: usize = 4_096;

/// A token and its device.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TokenGrant {
    /// The token as clients send it.
    pub(crate) secret: String,
    /// Label in the request log.
    pub(crate) label: String,
    /// Its user; an API key has none.
    pub(crate) user: Option<UserId>,
    /// The product.
    pub(crate) client: String,
    /// Name of the device.
    pub(crate) device: String,
    /// Identifier of the device.
    pub(crate) device_id: String,
    /// Version of the product.
    pub(crate) version: String,
    /// Time of issue, in milliseconds.
    pub(crate) created_ms: u64,
    /// Time of the device's last recorded use, in milliseconds.
    pub(crate) seen_ms: u64,
    /// Time of its last use, in milliseconds; 0 if never.
    pub(crate) active_ms: u64,
    /// Address of its last use.
    pub(crate) peer: String,
}

impl fmt::Debug for TokenGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("label", &self.label).field("user", &self.user).finish_non_exhaustive()
    }
}

/// All valid tokens.
#[derive(Debug, Default)]
pub(crate) struct TokenTable {
    held: RwLock<Vec<TokenGrant>>,
    issued: AtomicU64,
    seed: u64,
}

impl TokenTable {
    /// Initial tokens of `users`.
    pub(crate) fn new(users: &UserRegistry, seed: u64, now_ms: u64) -> Self {
        let grant = |token: &crate::users::UserToken| TokenGrant {
            secret: token.secret.clone(),
            label: token.label.clone(),
            user: token.user,
            client: token.app_name().into(),
            device: format!("{} device", token.label),
            device_id: digest(&[seed, xxhash_rust::xxh3::xxh3_64(token.label.as_bytes())]),
            version: "1.0.0".into(),
            created_ms: now_ms,
            seen_ms: now_ms,
            active_ms: 0,
            peer: String::new(),
        };
        let held = users.tokens.iter().map(grant).collect();
        Self { held: RwLock::new(held), issued: AtomicU64::new(0), seed }
    }

    /// The grant of this token, if it is valid.
    pub(crate) fn find(&self, secret: &str) -> Option<TokenGrant> {
        self.held.read().iter().find(|grant| grant.secret == secret).cloned()
    }

    /// Records a use of the device of `secret`, and its current identification. Returns whether anything that others
    /// can read has changed.
    pub(crate) fn record_use(&self, secret: &str, says: &ClientCredential, peer: &str, now_ms: u64) -> bool {
        let mut held = self.held.write();
        let Some(grant) = held.iter_mut().find(|grant| grant.secret == secret) else { return false };
        let mut changed = grant.active_ms == 0;
        grant.active_ms = now_ms;
        peer.clone_into(&mut grant.peer);
        for (place, word) in [(&mut grant.device, &says.device), (&mut grant.version, &says.version)] {
            if let Some(word) = word.as_ref().filter(|word| !word.eq_ignore_ascii_case(place)) {
                place.clone_from(word);
                changed = true;
            }
        }
        if now_ms.saturating_sub(grant.seen_ms) > SEEN_EVERY_MS {
            grant.seen_ms = now_ms;
            changed = true;
        }
        changed
    }

    /// Issues a token to `user` on the device described by `says`. Revokes and returns the user's earlier tokens there.
    pub(crate) fn issue(&self, user: UserId, says: &ClientCredential, now_ms: u64) -> (TokenGrant, Vec<TokenGrant>) {
        let number = self.issued.fetch_add(1, Ordering::Relaxed) + 1;
        let word = |word: &Option<String>, other: &str| word.clone().unwrap_or_else(|| other.to_owned());
        let device_id = says.device_id.clone().unwrap_or_else(|| digest(&[self.seed, number, 1]));
        let grant = TokenGrant {
            secret: digest(&[self.seed, number, u64::from(user.0), now_ms]),
            label: format!("issued-{number}"),
            user: Some(user),
            client: word(&says.client, "unknown"),
            device: word(&says.device, "unknown"),
            version: word(&says.version, "0"),
            device_id,
            created_ms: now_ms,
            seen_ms: now_ms,
            active_ms: 0,
            peer: String::new(),
        };
        let mut held = self.held.write();
        let is_ended = |old: &mut TokenGrant| old.user == Some(user) && old.device_id == grant.device_id;
        let ended: Vec<TokenGrant> = held.extract_if(.., is_ended).collect();
        if held.len() >= MAX_TOKENS
            && let Some(oldest) = held.iter().position(|old| old.label.starts_with("issued-"))
        {
            held.remove(oldest);
        }
        held.push(grant.clone());
        (grant, ended)
    }

    /// Revokes a token. False if there was none.
    pub(crate) fn revoke(&self, secret: &str) -> bool {
        self.end(|grant| grant.secret == secret)
    }

    /// Revokes all tokens of a device. False if there were none.
    pub(crate) fn revoke_device(&self, device_id: &str) -> bool {
        self.end(|grant| grant.user.is_some() && grant.device_id == device_id)
    }

    /// All valid tokens, oldest first.
    pub(crate) fn all(&self) -> Vec<TokenGrant> {
        self.held.read().clone()
    }

    fn end(&self, ends: impl Fn(&TokenGrant) -> bool) -> bool {
        let mut held = self.held.write();
        let before = held.len();
        held.retain(|grant| !ends(grant));
        held.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(device_id: &str) -> ClientCredential {
        ClientCredential { device_id: Some(device_id.into()), ..ClientCredential::default() }
    }

    #[test]
    fn a_new_login_on_a_device_ends_its_old_token() {
        let tokens = TokenTable::new(&UserRegistry::standard("t"), 1, 0);
        let (first, _) = tokens.issue(UserId(2), &says("phone"), 5);
        let (other, _) = tokens.issue(UserId(3), &says("phone"), 6);
        let (second, ended) = tokens.issue(UserId(2), &says("phone"), 7);
        assert_eq!(ended, std::slice::from_ref(&first));
        assert!(tokens.find(&first.secret).is_none());
        assert_eq!(tokens.find(&second.secret).and_then(|grant| grant.user), Some(UserId(2)));
        assert!(tokens.find(&other.secret).is_some());
        assert_eq!(second.secret.len(), 32);
    }

    #[test]
    fn a_revoked_token_is_not_found() {
        let tokens = TokenTable::new(&UserRegistry::standard("t"), 1, 0);
        let (grant, _) = tokens.issue(UserId(2), &says("tv"), 5);
        assert!(tokens.revoke_device("tv"));
        assert!(tokens.find(&grant.secret).is_none());
        assert!(!tokens.revoke(&grant.secret));
    }

    #[test]
    fn a_device_is_seen_again_only_after_a_while_or_when_it_says_something_new() {
        let tokens = TokenTable::new(&UserRegistry::standard("t"), 1, 0);
        let named = ClientCredential { device: Some("Lamp".into()), ..ClientCredential::default() };
        assert!(tokens.record_use("t-sam", &named, "::1", 1));
        assert!(!tokens.record_use("t-sam", &named, "::1", SEEN_EVERY_MS));
        assert!(tokens.record_use("t-sam", &named, "::1", SEEN_EVERY_MS + 1));
    }

    #[test]
    fn a_grant_never_prints_its_token() {
        let tokens = TokenTable::new(&UserRegistry::standard("secret-prefix"), 1, 0);
        assert!(!format!("{tokens:?}").contains("secret-prefix"));
    }
}
