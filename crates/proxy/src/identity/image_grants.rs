//! Image grants: a cached image is served only to identities that the server showed that item's image to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Partition;

use super::{Identity, within};
use greenroom_state::grants::{IMAGE_GRANT_TTL, ImageGrant, MAX_IMAGE_GRANTS};
use greenroom_state::revocations::Revocations;

/// A grant holds for a day; on disk its time has this precision.
const IMAGE_GRANT_PRECISION_MS: u64 = 3_600_000;

/// Image grants of one server.
#[derive(Debug, Default)]
pub(super) struct ImageGrants {
    /// Time and generation of each grant.
    shown: HashMap<(Partition, u64), (u64, u64)>,
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
    shown: Option<(u64, u64)>,
}

impl PendingGrant {
    /// The row to write. A grant from before a revocation of the token is written as none.
    pub(super) fn proof(&self) -> Option<ImageGrant> {
        let at_ms = match self.shown {
            None => 0,
            Some((at_ms, generation)) => (self.identity.generation() == generation).then_some(at_ms)?,
        };
        Some(ImageGrant { partition: self.identity.partition.as_str().to_owned(), item: self.item, at_ms })
    }
}

impl ImageGrants {
    /// Restores stored grants; `anonymous` is the partition of requests without a token.
    pub(super) fn restore(&mut self, proofs: &[ImageGrant], anonymous: &Partition) {
        let mut partition = anonymous.clone();
        for proof in proofs.iter().take(MAX_IMAGE_GRANTS) {
            // Rows are sorted, so that one partition's grants share its text.
            if partition.as_str() != proof.partition {
                partition = Partition::new(&*proof.partition);
            }
            self.shown.insert((partition.clone(), proof.item), (proof.at_ms, 0));
        }
    }

    /// Merges stored grants late: newer knowledge wins, and a revocation always does.
    pub(super) fn merge(&mut self, proofs: &[ImageGrant], refused: &Revocations) {
        for proof in proofs.iter().filter(|proof| !refused.is_pending(&proof.partition)) {
            let key = (Partition::new(&*proof.partition), proof.item);
            let is_taken_back = self.pending.get(&key).is_some_and(|news| news.shown.is_none());
            if self.shown.len() < MAX_IMAGE_GRANTS && !is_taken_back {
                // Has the first generation, so it does not count for a token that was revoked since.
                self.shown.entry(key).or_insert((proof.at_ms, 0));
            }
        }
    }

    /// Grants the identity the item's image, as of the generation at the time of the request. Returns whether that must
    /// be written.
    pub(super) fn accept(&mut self, identity: &Arc<Identity>, item: &str, now_ms: u64, generation: u64) -> bool {
        if self.shown.len() >= MAX_IMAGE_GRANTS {
            self.shown.retain(|_, (at_ms, _)| within(*at_ms, now_ms, IMAGE_GRANT_TTL));
            if self.shown.len() >= MAX_IMAGE_GRANTS {
                self.shown.clear();
            }
        }
        let (item, shown) = (hash_text(item), (now_ms, generation));
        let before = self.shown.insert((identity.partition.clone(), item), shown);
        let is_renewal = before.is_some_and(|(at_ms, before)| {
            before == generation && now_ms.saturating_sub(at_ms) < IMAGE_GRANT_PRECISION_MS
        });
        if !is_renewal {
            self.push_pending(PendingGrant { identity: Arc::clone(identity), item, shown: Some(shown) });
        }
        !is_renewal
    }

    /// Revokes the image grant. Returns whether there was one.
    pub(super) fn refuse(&mut self, identity: &Arc<Identity>, item: &str) -> bool {
        let item = hash_text(item);
        // Pushed even if no grant is known: the file may not be read yet.
        self.push_pending(PendingGrant { identity: Arc::clone(identity), item, shown: None });
        self.shown.remove(&(identity.partition.clone(), item)).is_some()
    }

    /// Whether the identity has a grant for the item's image within `ttl`, not revoked since.
    pub(super) fn is_accepted(&self, identity: &Identity, item: &str, now_ms: u64, ttl: Duration) -> bool {
        self.shown
            .get(&(identity.partition.clone(), hash_text(item)))
            .is_some_and(|(at_ms, generation)| within(*at_ms, now_ms, ttl) && *generation == identity.generation())
    }

    fn push_pending(&mut self, news: PendingGrant) {
        if self.pending.len() < MAX_IMAGE_GRANTS {
            self.pending.insert((news.identity.partition.clone(), news.item), news);
        } else {
            self.has_overflowed = true;
        }
    }

    /// Drains pending changes, or all grants; returns whether these are all.
    pub(super) fn drain_pending(&mut self, all: bool, everybody: &[Arc<Identity>]) -> (Vec<PendingGrant>, bool) {
        let news = std::mem::take(&mut self.pending);
        if !std::mem::take(&mut self.has_overflowed) && !all {
            return (news.into_values().collect(), false);
        }
        let by_partition: HashMap<_, _> = everybody.iter().map(|one| (&one.partition, one)).collect();
        let whole = self.shown.iter().filter_map(|((partition, item), shown)| {
            let identity = Arc::clone(by_partition.get(partition)?);
            Some(PendingGrant { identity, item: *item, shown: Some(*shown) })
        });
        (whole.collect(), true)
    }
}

fn hash_text(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}
