//! Image grants: a cached image is served only to identities that the server showed that item's image of this kind to,
//! in whatever size.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Partition;
use greenroom_dialect::classification::ImageSubject;
use xxhash_rust::xxh3::Xxh3;

use super::{Identity, within};
use greenroom_state::grants::{IMAGE_GRANT_TTL, ImageGrant, MAX_IMAGE_GRANTS};
use greenroom_state::revocations::Revocations;

/// A grant holds for a day; on disk its time has this precision.
const IMAGE_GRANT_PRECISION: Duration = Duration::from_secs(3600);

/// Image grants of one server.
#[derive(Debug, Default)]
pub(super) struct ImageGrants {
    /// Time and generation of each grant.
    granted: HashMap<(Partition, u64), (Timestamp, u64)>,
    /// Changes not written yet.
    pending: HashMap<(Partition, u64), PendingGrant>,
    /// Too many changes were pending: all grants must be written again.
    has_overflowed: bool,
}

/// A change not written yet.
#[derive(Debug)]
pub(super) struct PendingGrant {
    identity: Arc<Identity>,
    item: u64,
    /// Time and generation of the grant; `None` if it was revoked.
    granted: Option<(Timestamp, u64)>,
}

impl PendingGrant {
    /// The row to write. A grant from before a revocation of the token is written as none.
    pub(super) fn to_image_grant(&self) -> Option<ImageGrant> {
        let at_ms = match self.granted {
            None => Timestamp::UNIX_EPOCH,
            Some((at_ms, generation)) => (self.identity.generation() == generation).then_some(at_ms)?,
        };
        Some(ImageGrant { partition: self.identity.token.as_str().to_owned(), item: self.item, at_ms })
    }
}

impl ImageGrants {
    /// Restores stored grants; `anonymous` is the partition of requests without a token.
    pub(super) fn restore(&mut self, grants: &[ImageGrant], anonymous: &Partition) {
        let mut partition = anonymous.clone();
        for grant in grants.iter().take(MAX_IMAGE_GRANTS) {
            // Rows are sorted, so that one partition's grants share its text.
            if partition.as_str() != grant.partition {
                partition = Partition::new(&*grant.partition);
            }
            self.granted.insert((partition.clone(), grant.item), (grant.at_ms, 0));
        }
    }

    /// Merges stored grants late: newer knowledge wins, and a revocation always does.
    pub(super) fn merge(&mut self, grants: &[ImageGrant], revocations: &Revocations) {
        for grant in grants.iter().filter(|grant| !revocations.is_pending(&grant.partition)) {
            let key = (Partition::new(&*grant.partition), grant.item);
            let is_revoked = self.pending.get(&key).is_some_and(|pending| pending.granted.is_none());
            if self.granted.len() < MAX_IMAGE_GRANTS && !is_revoked {
                // Has the first generation, so it does not count for a token that was revoked since.
                self.granted.entry(key).or_insert((grant.at_ms, 0));
            }
        }
    }

    /// Grants the identity the image, as of the generation at the time of the request. Returns whether that must be
    /// written.
    pub(super) fn accept(
        &mut self,
        identity: &Arc<Identity>,
        subject: &ImageSubject,
        now_ms: Timestamp,
        generation: u64,
    ) -> bool {
        if self.granted.len() >= MAX_IMAGE_GRANTS {
            self.granted.retain(|_, (at_ms, _)| within(*at_ms, now_ms, IMAGE_GRANT_TTL));
            if self.granted.len() >= MAX_IMAGE_GRANTS {
                self.granted.clear();
            }
        }
        let (item, granted) = (hash_subject(subject), (now_ms, generation));
        let before = self.granted.insert((identity.token.clone(), item), granted);
        let is_renewal = before.is_some_and(|(at_ms, before)| {
            before == generation && now_ms.duration_since(at_ms) < IMAGE_GRANT_PRECISION
        });
        if !is_renewal {
            self.push_pending(PendingGrant { identity: Arc::clone(identity), item, granted: Some(granted) });
        }
        !is_renewal
    }

    /// Revokes the image grant. Returns whether there was one.
    pub(super) fn refuse(&mut self, identity: &Arc<Identity>, subject: &ImageSubject) -> bool {
        let item = hash_subject(subject);
        // Pushed even if no grant is known: the file may not be read yet.
        self.push_pending(PendingGrant { identity: Arc::clone(identity), item, granted: None });
        self.granted.remove(&(identity.token.clone(), item)).is_some()
    }

    /// Whether the identity has a grant for the image within `ttl`, not revoked since.
    pub(super) fn is_accepted(
        &self,
        identity: &Identity,
        subject: &ImageSubject,
        now_ms: Timestamp,
        ttl: Duration,
    ) -> bool {
        self.granted
            .get(&(identity.token.clone(), hash_subject(subject)))
            .is_some_and(|(at_ms, generation)| within(*at_ms, now_ms, ttl) && *generation == identity.generation())
    }

    fn push_pending(&mut self, pending: PendingGrant) {
        if self.pending.len() < MAX_IMAGE_GRANTS {
            self.pending.insert((pending.identity.token.clone(), pending.item), pending);
        } else {
            self.has_overflowed = true;
        }
    }

    /// Drains pending changes, or all grants; returns whether these are all.
    pub(super) fn drain_pending(&mut self, all: bool, identities: &[Arc<Identity>]) -> (Vec<PendingGrant>, bool) {
        let pending = std::mem::take(&mut self.pending);
        if !std::mem::take(&mut self.has_overflowed) && !all {
            return (pending.into_values().collect(), false);
        }
        let by_partition: HashMap<_, _> = identities.iter().map(|identity| (&identity.token, identity)).collect();
        let all_grants = self.granted.iter().filter_map(|((partition, item), granted)| {
            let identity = Arc::clone(by_partition.get(partition)?);
            Some(PendingGrant { identity, item: *item, granted: Some(*granted) })
        });
        (all_grants.collect(), true)
    }
}

fn hash_subject(subject: &ImageSubject) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(subject.item.as_bytes());
    hasher.update(b"\n");
    hasher.update(subject.kind.as_bytes());
    hasher.digest()
}
