//! The last response to a request head that prefetch read.

use greenroom_cache::HybridTimestamp;
use parking_lot::Mutex;

/// The same response is read again after this time, in milliseconds, because a polling client teaches nothing.
const AGAIN_MS: u64 = 30_000;

/// Stamp of the last response that prefetch read, and the time.
#[derive(Debug, Default)]
pub struct LastSeenResponse(Mutex<(HybridTimestamp, u64)>);

impl LastSeenResponse {
    /// Whether prefetch should read this response; records that it does.
    pub(crate) fn mark_if_new(&self, created: HybridTimestamp, now_ms: u64) -> bool {
        let mut last = self.0.lock();
        let is_news = last.0 != created || now_ms.saturating_sub(last.1) >= AGAIN_MS;
        if is_news {
            *last = (created, now_ms);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_answer_is_news_again_only_after_a_while() {
        let told = LastSeenResponse::default();
        let (one, other) = (HybridTimestamp::from_raw(1 << 20), HybridTimestamp::from_raw(2 << 20));
        assert!(told.mark_if_new(one, 1_000));
        assert!(!told.mark_if_new(one, 1_000 + AGAIN_MS - 1));
        assert!(told.mark_if_new(other, 2_000));
        assert!(!told.mark_if_new(other, 3_000));
        assert!(told.mark_if_new(other, 2_000 + AGAIN_MS));
    }
}
