//! Grants as stored: which token the server accepted, when, and for what. A token appears only as the hash that names
//! its partition.

use greenroom_cache::Timestamp;
use std::time::Duration;

use greenroom_cache::AccessRhythmSnapshot;
use greenroom_dialect::class::Class;

use crate::confirmations::StoredConfirmations;

/// Lifetime of an image grant.
pub const IMAGE_GRANT_TTL: Duration = Duration::from_secs(24 * 3600);
/// Max identities per server, some 400 bytes each; a household has tens.
pub const MAX_IDENTITIES: usize = 4096;
/// Max image grants per server, some 50 bytes each.
pub const MAX_IMAGE_GRANTS: usize = 200_000;

/// A warm key as stored over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWarmKey {
    /// Text of its cache key.
    pub key: String,
    /// Target of its request, without any credential.
    pub target: String,
    /// Headers of its request, one per line, none of them a credential.
    pub headers: String,
    /// Its access rhythm.
    pub rhythm: AccessRhythmSnapshot,
}

/// Grants of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityGrant {
    /// The token's partition.
    pub partition: String,
    /// The account the token belongs to, if proven: the user's id, or `api-keys`.
    pub account: Option<String>,
    /// Last time the server accepted the token for any request, in milliseconds.
    pub granted_ms: Timestamp,
    /// Last time it answered each request type.
    pub accepted: Vec<(Class, Timestamp)>,
    /// Hashes of the paths that it denied and did not allow since.
    pub denied_paths: Vec<u64>,
}

/// Grant for one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageGrant {
    /// Partition of the token it was shown to.
    pub partition: String,
    /// Hash of the item.
    pub item: u64,
    /// Its time; zero if revoked.
    pub at_ms: Timestamp,
}

/// Last contact with a server, and its identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastContact {
    /// Time of the last response, in milliseconds; zero if there was none.
    pub last_response_ms: Timestamp,
    /// Start of the current outage; zero if the server is up.
    pub down_since_ms: Timestamp,
    /// Its identity response, verbatim.
    pub identity_response: Option<Vec<u8>>,
    /// An invalidation covered only some partitions.
    pub is_partially_invalidated: bool,
}

/// Grants to store for one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantChanges {
    /// This is the complete list: an image missing from it was revoked.
    pub all: bool,
    /// Changed identities.
    pub identities: Vec<IdentityGrant>,
    /// New and revoked image grants.
    pub images: Vec<ImageGrant>,
}

/// Stored grants of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredGrants {
    /// Last contact.
    pub last_contact: LastContact,
    /// Whether nothing was ever stored for it in this file.
    pub is_new: bool,
    /// Grants of tokens.
    pub identities: Vec<IdentityGrant>,
    /// Image grants, sorted by partition.
    pub images: Vec<ImageGrant>,
    /// Warm keys of the configured token.
    pub warm: Vec<StoredWarmKey>,
    /// Checks that confirm entries of earlier processes.
    pub confirmations: StoredConfirmations,
}
