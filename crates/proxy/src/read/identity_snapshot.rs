//! Snapshot of an identity when its request is sent, so that the response is used for nothing that changed since.

use crate::identity::Identity;
use crate::server::{AccountProof, Server};

/// State of the identity when its request was sent.
#[derive(Debug)]
pub(super) struct IdentitySnapshot {
    /// Its generation: the response grants nothing to a token revoked since.
    pub(super) generation: u64,
    /// The proof of its account: the response is stored for no other.
    pub(super) proof: Option<AccountProof>,
    /// The generation of sets and documents in the lineage: the response tells nothing of those changed since.
    pub(super) sets: u64,
}

impl IdentitySnapshot {
    /// That of now.
    pub(super) fn of(server: &Server, identity: &Identity) -> Self {
        let sets = server.invalidation.lineage.lock().sets_generation();
        Self { generation: identity.generation(), proof: server.proof_of(identity), sets }
    }
}
