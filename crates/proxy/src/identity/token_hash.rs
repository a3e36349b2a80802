//! Keyed hashes of tokens and accounts.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use greenroom_cache::Partition;
use greenroom_dialect::own_user::TokenOwner;

use greenroom_request_log::UserHash;
use greenroom_state::secrets::HashKey;

/// Hashes tokens and accounts of one server.
#[derive(Debug)]
pub(super) struct TokenHasher {
    pub(super) key: HashKey,
    pub(super) server: String,
}

impl TokenHasher {
    /// Hash that stands for a token of this server.
    pub(super) fn token(&self, token: &str) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key.0);
        hasher.update(self.server.as_bytes());
        hasher.update(&[0]);
        hasher.update(token.as_bytes());
        let mut hash = [0; 16];
        hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        hash
    }

    /// Partition of an account of this server. Its hash is longer than that of a token, so that no partition is both.
    pub(super) fn account(&self, owner: &TokenOwner) -> Partition {
        let (kind, name) = match owner {
            TokenOwner::User(user) => ("account", user.as_str()),
            TokenOwner::ApiKeys => ("api keys", ""),
        };
        let hash = self.hash_of([kind, &self.server, name]);
        Partition::new(HEXLOWER.encode(&hash.as_bytes()[..20]))
    }

    /// User hash of an account in statistics.
    pub(super) fn user(&self, account: &str) -> UserHash {
        let [one, two, three, four, ..] = *self.hash_of(["user", &self.server, account]).as_bytes();
        UserHash::new([one, two, three, four])
    }

    /// Id of this installation for this server. It reveals nothing of the key.
    pub(super) fn device(&self) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key.0);
        hasher.update(b"device\0").update(self.server.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        id
    }

    fn hash_of(&self, parts: [&str; 3]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key.0);
        for part in parts {
            hasher.update(part.as_bytes()).update(&[0]);
        }
        hasher.finalize()
    }
}

/// Parses a hash from hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<[u8; 16]> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}
