//! Keyed hashes of tokens and accounts.

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::record::UserHash;
use greenroom_state::secrets::HashKey;

/// Hash that stands for a token of this server.
pub(super) fn token_hash(key: &HashKey, server: &str, token: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_keyed(&key.0);
    hasher.update(server.as_bytes());
    hasher.update(&[0]);
    hasher.update(token.as_bytes());
    let mut hash = [0; 16];
    hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    hash
}

/// User hash of an account in statistics.
pub(super) fn user_of(key: &HashKey, server: &str, account: &str) -> UserHash {
    let mut hasher = blake3::Hasher::new_keyed(&key.0);
    for part in ["user", server, account] {
        hasher.update(part.as_bytes()).update(&[0]);
    }
    let [one, two, three, four, ..] = *hasher.finalize().as_bytes();
    UserHash::new([one, two, three, four])
}

/// Parses a hash from hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<[u8; 16]> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}
