//! Keyed hashes of tokens and accounts.

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

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// Parses a hash from hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<[u8; 16]> {
    let is_hash = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)).flatten()
}
