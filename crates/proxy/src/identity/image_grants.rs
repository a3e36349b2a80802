//! Who was shown which image: the proofs without which nobody is shown one that is kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Partition;

use super::{Identity, within};
use greenroom_state::grants::{IMAGE_PROOF_TTL, ImageProof, MAX_IMAGE_PROOFS};
use greenroom_state::revocations::Refusals;

/// That an image was shown again is kept on disk with this precision: its proof holds for a day.
const IMAGE_EXACT_MS: u64 = 3_600_000;

/// Who was shown which image.
#[derive(Debug, Default)]
pub(super) struct Images {
    /// When, and at which generation.
    shown: HashMap<(Partition, u64), (u64, u64)>,
    /// What is not kept yet.
    news: HashMap<(Partition, u64), News>,
    /// There was too much of it: all is to be kept anew.
    is_news_lost: bool,
}

/// Something that is not kept yet.
#[derive(Debug)]
pub(super) struct News {
    identity: Arc<Identity>,
    item: u64,
    /// When it was shown and at which generation; `None` if that was taken back.
    shown: Option<(u64, u64)>,
}

impl News {
    /// As it is kept. What was shown to a token that was refused since is not.
    pub(super) fn proof(&self) -> Option<ImageProof> {
        let at_ms = match self.shown {
            None => 0,
            Some((at_ms, generation)) => (self.identity.generation() == generation).then_some(at_ms)?,
        };
        Some(ImageProof { partition: self.identity.partition.as_str().to_owned(), item: self.item, at_ms })
    }
}

impl Images {
    /// Takes over what was kept; `anonymous` is the partition of who shows no token.
    pub(super) fn restore(&mut self, proofs: &[ImageProof], anonymous: &Partition) {
        let mut partition = anonymous.clone();
        for proof in proofs.iter().take(MAX_IMAGE_PROOFS) {
            // They come sorted, so that one partition's share its text.
            if partition.as_str() != proof.partition {
                partition = Partition::new(&*proof.partition);
            }
            self.shown.insert((partition.clone(), proof.item), (proof.at_ms, 0));
        }
    }

    /// Takes over what was kept, late: what is known by now counts more, and a refusal most.
    pub(super) fn merge(&mut self, proofs: &[ImageProof], refused: &Refusals) {
        for proof in proofs.iter().filter(|proof| !refused.is_waiting(&proof.partition)) {
            let key = (Partition::new(&*proof.partition), proof.item);
            let is_taken_back = self.news.get(&key).is_some_and(|news| news.shown.is_none());
            if self.shown.len() < MAX_IMAGE_PROOFS && !is_taken_back {
                // Of the first generation: to a token that was refused since it does not count.
                self.shown.entry(key).or_insert((proof.at_ms, 0));
            }
        }
    }

    /// The identity was shown an image of the item, asked at that generation. Returns whether that is to be kept.
    pub(super) fn accept(
        &mut self,
        identity: &Arc<Identity>,
        item: &str,
        now_ms: u64,
        generation: u64,
    ) -> bool {
        if self.shown.len() >= MAX_IMAGE_PROOFS {
            self.shown.retain(|_, (at_ms, _)| within(*at_ms, now_ms, IMAGE_PROOF_TTL));
            if self.shown.len() >= MAX_IMAGE_PROOFS {
                self.shown.clear();
            }
        }
        let (item, shown) = (hash_text(item), (now_ms, generation));
        let before = self.shown.insert((identity.partition.clone(), item), shown);
        let is_renewal = before.is_some_and(|(at_ms, before)| {
            before == generation && now_ms.saturating_sub(at_ms) < IMAGE_EXACT_MS
        });
        if !is_renewal {
            self.tell(News { identity: Arc::clone(identity), item, shown: Some(shown) });
        }
        !is_renewal
    }

    /// The identity is shown no image of the item any more. Returns whether it was.
    pub(super) fn refuse(&mut self, identity: &Arc<Identity>, item: &str) -> bool {
        let item = hash_text(item);
        // Told even if nothing is known of it: the file may not be read yet.
        self.tell(News { identity: Arc::clone(identity), item, shown: None });
        self.shown.remove(&(identity.partition.clone(), item)).is_some()
    }

    /// Whether the identity was shown an image of the item within `ttl`, and is not refused since.
    pub(super) fn is_accepted(&self, identity: &Identity, item: &str, now_ms: u64, ttl: Duration) -> bool {
        self.shown.get(&(identity.partition.clone(), hash_text(item))).is_some_and(|(at_ms, generation)| {
            within(*at_ms, now_ms, ttl) && *generation == identity.generation()
        })
    }

    fn tell(&mut self, news: News) {
        if self.news.len() < MAX_IMAGE_PROOFS {
            self.news.insert((news.identity.partition.clone(), news.item), news);
        } else {
            self.is_news_lost = true;
        }
    }

    /// What is not kept yet, or all there is; and whether it is all.
    pub(super) fn take_news(&mut self, all: bool, everybody: &[Arc<Identity>]) -> (Vec<News>, bool) {
        let news = std::mem::take(&mut self.news);
        if !std::mem::take(&mut self.is_news_lost) && !all {
            return (news.into_values().collect(), false);
        }
        let by_partition: HashMap<_, _> = everybody.iter().map(|one| (&one.partition, one)).collect();
        let whole = self.shown.iter().filter_map(|((partition, item), shown)| {
            let identity = Arc::clone(by_partition.get(partition)?);
            Some(News { identity, item: *item, shown: Some(*shown) })
        });
        (whole.collect(), true)
    }
}

fn hash_text(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}
