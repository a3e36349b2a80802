//! Which answer to a request head was looked at last for what its client is likely to ask next.

use greenroom_cache::Stamp;
use parking_lot::Mutex;

/// The same answer to the same request is looked at again after this, in milliseconds. A client that polls teaches
/// nothing by it.
const AGAIN_MS: u64 = 30_000;

/// Which answer to a request was looked at last, and when.
#[derive(Debug, Default)]
pub struct Told(Mutex<(Stamp, u64)>);

impl Told {
    /// Whether this answer is worth a look; notes that it gets one.
    pub(crate) fn is_news(&self, created: Stamp, now_ms: u64) -> bool {
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
        let told = Told::default();
        let (one, other) = (Stamp::from_raw(1 << 20), Stamp::from_raw(2 << 20));
        assert!(told.is_news(one, 1_000));
        assert!(!told.is_news(one, 1_000 + AGAIN_MS - 1));
        assert!(told.is_news(other, 2_000));
        assert!(!told.is_news(other, 3_000));
        assert!(told.is_news(other, 2_000 + AGAIN_MS));
    }
}
