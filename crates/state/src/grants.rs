//! Proofs as they are kept: whose token was good, when, and for what. A token stands here as the hash its partition
//! is called by, never as itself.

use std::time::Duration;

use greenroom_cache::Rhythm;
use greenroom_dialect::class::Class;

/// How long the proof for an image holds.
pub const IMAGE_PROOF_TTL: Duration = Duration::from_secs(24 * 3600);
/// Identities remembered per server. One is some 400 bytes; a household has tens.
pub const MAX_IDENTITIES: usize = 4096;
/// Image proofs remembered per server, some 50 bytes each.
pub const MAX_IMAGE_PROOFS: usize = 200_000;

/// A read that is kept warm, as it is kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmRead {
    /// The text of its key.
    pub key: String,
    /// What the server is asked for. Holds no credential.
    pub target: String,
    /// The headers that go with it, a line each. None is a credential.
    pub headers: String,
    /// When it is read.
    pub rhythm: Rhythm,
}

/// What is proven of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProofs {
    /// The partition of the token.
    pub partition: String,
    /// The account it is proven to belong to.
    pub account: Option<String>,
    /// When the server last showed in any way that it accepts the token, in milliseconds.
    pub proven_ms: u64,
    /// When it last answered each class.
    pub accepted: Vec<(Class, u64)>,
}

/// One image that was shown to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageProof {
    /// The partition of the token it was shown to.
    pub partition: String,
    /// A hash of the item.
    pub item: u64,
    /// When; zero if that was taken back.
    pub at_ms: u64,
}

/// When a server was heard of, and who it says to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hearing {
    /// When it answered last, in milliseconds; zero is never.
    pub heard_ms: u64,
    /// Since when it is down; zero if it is not.
    pub down_since_ms: u64,
    /// Who it said to be, in its own words.
    pub introduction: Option<Vec<u8>>,
    /// Things go stale for some partitions only.
    pub is_choosy: bool,
}

/// What is to be kept of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// This is all that is known here: an image that is not among them was taken back.
    pub all: bool,
    /// Whose proofs changed.
    pub identities: Vec<IdentityProofs>,
    /// Which images were shown, or not any more.
    pub images: Vec<ImageProof>,
}

/// What was kept of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// When it was heard of.
    pub hearing: Hearing,
    /// Nothing was ever kept of it in this file.
    pub is_stranger: bool,
    /// Whose token was good.
    pub identities: Vec<IdentityProofs>,
    /// Who was shown what, sorted by partition.
    pub images: Vec<ImageProof>,
    /// What was kept warm for the configured token.
    pub warm: Vec<WarmRead>,
}
