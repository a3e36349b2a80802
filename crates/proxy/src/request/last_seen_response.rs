//! The last response to a request head that prefetch read.

use greenroom_cache::HybridTimestamp;
use parking_lot::Mutex;

/// The same response is read again after this time, in milliseconds, because a polling client teaches nothing.
const REPEAT_AFTER_MS: u64 = 30_000;

/// Stamp of the last response that prefetch read, and the time.
#[derive(Debug, Default)]
pub struct LastSeenResponse(Mutex<(HybridTimestamp, u64)>);

impl LastSeenResponse {
    /// Whether prefetch should read this response.
    pub(crate) fn is_new(&self, created: HybridTimestamp, now_ms: u64) -> bool {
        is_new(*self.0.lock(), created, now_ms)
    }

    /// The same; records that it does.
    pub(crate) fn mark_if_new(&self, created: HybridTimestamp, now_ms: u64) -> bool {
        let mut last = self.0.lock();
        let is_new = is_new(*last, created, now_ms);
        if is_new {
            *last = (created, now_ms);
        }
        is_new
    }
}

fn is_new(last: (HybridTimestamp, u64), created: HybridTimestamp, now_ms: u64) -> bool {
    last.0 != created || now_ms.saturating_sub(last.1) >= REPEAT_AFTER_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_response_is_new_again_only_after_a_while() {
        let last_seen = LastSeenResponse::default();
        let (first, second) = (HybridTimestamp::from_raw(1 << 20), HybridTimestamp::from_raw(2 << 20));
        assert!(last_seen.is_new(first, 1_000), "asking records nothing");
        assert!(last_seen.mark_if_new(first, 1_000) && !last_seen.is_new(first, 1_000));
        assert!(!last_seen.mark_if_new(first, 1_000 + REPEAT_AFTER_MS - 1));
        assert!(last_seen.mark_if_new(second, 2_000));
        assert!(!last_seen.mark_if_new(second, 3_000));
        assert!(last_seen.mark_if_new(second, 2_000 + REPEAT_AFTER_MS));
    }
}
