//! Fingerprints of one account's user state: a few counts, and what was played or rated last. An account whose
//! fingerprint is as it was has, with few exceptions, the user state that it had.
//!
//! A fingerprint does not see a change that leaves all of its parts alone: one favourite taken for another, or a mark that
//! is set and removed again.

use crate::changed_since::ChangeCounter;
use crate::request::ServerKind;
use crate::response_facts::UnusableResponse;

mod jellyfin;
mod plex;

impl ServerKind {
    /// Targets whose responses together make up the fingerprint of an account, in one section (Plex) or over all. Sent
    /// with that account's credential. `None` if there is none: Jellyfin needs to know the account.
    pub fn fingerprint_targets(self, account: Option<&str>, section: &ChangeCounter) -> Option<Vec<String>> {
        match self {
            Self::Plex => Some(plex::targets(section)),
            Self::Jellyfin => account.and_then(jellyfin::targets),
        }
    }

    /// The part of the fingerprint in the response to one of [`ServerKind::fingerprint_targets`].
    ///
    /// # Errors
    /// The body is no list of items.
    pub fn fingerprint_part(self, body: &[u8]) -> Result<String, UnusableResponse> {
        match self {
            Self::Plex => plex::part(body),
            Self::Jellyfin => jellyfin::part(body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_bodies_are_no_parts() {
        for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
            for body in [&b"<html>"[..], b"", b"[]", b"{}", b"null", b"{\"Items\":3}", b"{\"MediaContainer\":3}"] {
                assert!(kind.fingerprint_part(body).is_err(), "{kind:?} {}", String::from_utf8_lossy(body));
            }
        }
    }
}
