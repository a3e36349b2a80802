//! The last response to a request head that prefetch read.

use greenroom_cache::HybridTimestamp;
use greenroom_cache::Timestamp;
use parking_lot::Mutex;
use std::time::Duration;

/// The same response is read again after this time, in milliseconds, because a polling client teaches nothing.
const REPEAT_AFTER: Duration = Duration::from_secs(30);

/// Stamp of the last response that prefetch read, and the time.
#[derive(Debug, Default)]
pub struct LastSeenResponse(Mutex<(HybridTimestamp, Timestamp)>);

impl LastSeenResponse {
    /// Whether prefetch should read this response.
    pub(crate) fn is_new(&self, created: HybridTimestamp, now_ms: Timestamp) -> bool {
        is_new(*self.0.lock(), created, now_ms)
    }

    /// The same; records that it does.
    pub(crate) fn mark_if_new(&self, created: HybridTimestamp, now_ms: Timestamp) -> bool {
        let mut last = self.0.lock();
        let is_new = is_new(*last, created, now_ms);
        if is_new {
            *last = (created, now_ms);
        }
        is_new
    }
}

fn is_new(last: (HybridTimestamp, Timestamp), created: HybridTimestamp, now_ms: Timestamp) -> bool {
    last.0 != created || now_ms.duration_since(last.1) >= REPEAT_AFTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_response_is_new_again_only_after_a_while() {
        let last_seen = LastSeenResponse::default();
        let (first, second) = (HybridTimestamp::from_raw(1 << 20), HybridTimestamp::from_raw(2 << 20));
        let at = Timestamp::from_millis;
        assert!(last_seen.is_new(first, at(1_000)), "asking records nothing");
        assert!(last_seen.mark_if_new(first, at(1_000)) && !last_seen.is_new(first, at(1_000)));
        assert!(!last_seen.mark_if_new(first, at(999) + REPEAT_AFTER));
        assert!(last_seen.mark_if_new(second, at(2_000)));
        assert!(!last_seen.mark_if_new(second, at(3_000)));
        assert!(last_seen.mark_if_new(second, at(2_000) + REPEAT_AFTER));
    }
}
