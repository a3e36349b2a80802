//! Whether a value is written to disk now, or whether the copy that lies there will do for a while.
//!
//! Answers that live for seconds are loaded all day, and so are longer-lived ones that never change. Each write costs a
//! transaction of several pages, twice. What it buys is small: after a restart such a copy is either too old to be a
//! hit anyway, or says the same as the one before. One copy a while old is enough to stand in while the source is down.
//! Until it is written, the newest value waits in the queue, where it is found, and a clean end writes it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::settings::DiskSettings;
use crate::clock::millis;
use crate::key::{BuildAsHashed, Key};
use crate::older_copy::OlderCopy;
use crate::value::Entry;

/// Values that rest are woken this share of `rewrite_after` early, if another one is due: they share its transaction.
const EARLY_SHARE: u64 = 10;

/// When values are written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    /// A short-lived or unchanged value is not written again before this; zero writes every value.
    pub(crate) rewrite_after_ms: u64,
    /// A value is short-lived if it is served without its source for less than this.
    pub(crate) short_life_ms: u64,
    /// Keys of which it is remembered what was written; beyond, the oldest are forgotten and written again.
    pub(crate) max_keys: usize,
}

/// A value on its way to the disk, as far as it decides when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// For how long it is served without its source: fresh and stale together.
    pub(crate) life_ms: u64,
    /// Hash over everything but its moments.
    pub(crate) digest: u64,
    /// What the copy before it is worth.
    pub(crate) older: OlderCopy,
}

/// What was written last under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredCopy {
    pub(crate) written_ms: u64,
    pub(crate) digest: u64,
}

/// When a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// With the next batch.
    Now,
    /// Not before this moment, unless a flush or the end of the process comes first.
    At(u64),
}

/// What was written lately, by key.
#[derive(Debug)]
pub(crate) struct Rewrites {
    rule: Rule,
    copies: HashMap<Key, StoredCopy, BuildAsHashed>,
    /// Keys in the order they were written; some were written again since.
    order: VecDeque<(u64, Key)>,
}

impl Rule {
    /// Every value is written.
    pub(crate) const EVERY_VALUE: Self = Self { rewrite_after_ms: 0, short_life_ms: 0, max_keys: 0 };

    /// The rule of these settings.
    pub(crate) fn of(settings: &DiskSettings) -> Self {
        Self {
            rewrite_after_ms: millis(settings.rewrite_after),
            short_life_ms: millis(settings.short_life),
            max_keys: settings.max_rewrite_keys,
        }
    }

    /// Up to which due time values are written together with one that is due now.
    pub(crate) fn due_with(self, now_ms: u64) -> u64 {
        now_ms.saturating_add(self.rewrite_after_ms / EARLY_SHARE)
    }
}

impl Candidate {
    /// This entry, of which the one before it under its key is worth that.
    pub(crate) fn of(entry: &Entry, older: OlderCopy) -> Self {
        let life_ms = entry.horizons().stale_until_ms.saturating_sub(entry.stored_ms());
        Self { life_ms, digest: digest(entry), older }
    }
}

/// The decision. A copy that would never be served again is replaced at once.
fn when(copy: Option<StoredCopy>, candidate: Candidate, rule: Rule, now_ms: u64) -> Writing {
    let Some(copy) = copy.filter(|_| candidate.older == OlderCopy::Usable) else { return Writing::Now };
    let due_ms = copy.written_ms.saturating_add(rule.rewrite_after_ms);
    let is_settled = copy.written_ms <= now_ms && now_ms < due_ms;
    let is_spared = candidate.life_ms < rule.short_life_ms || candidate.digest == copy.digest;
    if is_settled && is_spared { Writing::At(due_ms) } else { Writing::Now }
}

/// Hash over everything an entry consists of but the moments of its load: equal if a copy on disk says the same for
/// as long.
fn digest(entry: &Entry) -> u64 {
    let (horizons, stored_ms) = (entry.horizons(), entry.stored_ms());
    let ends = [horizons.fresh_until_ms, horizons.stale_until_ms, horizons.error_until_ms];
    let parts = entry.tags().iter().map(|tag| tag.as_str().as_bytes()).chain([&entry.meta()[..]]);
    let seed = ends.iter().fold(u64::from(entry.adapted()), |seed, until_ms| {
        xxh3_64_with_seed(&until_ms.saturating_sub(stored_ms).to_le_bytes(), seed)
    });
    let body = xxh3_64(entry.body());
    parts.fold(seed ^ body, |seed, part| xxh3_64_with_seed(part, seed.wrapping_add(part.len() as u64)))
}

impl Default for Rewrites {
    fn default() -> Self {
        Self::new(Rule::EVERY_VALUE)
    }
}

impl Rewrites {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { rule, copies: HashMap::default(), order: VecDeque::new() }
    }

    pub(crate) fn rule(&self) -> Rule {
        self.rule
    }

    /// When a value is written.
    pub(crate) fn when(&self, key: &Key, candidate: Candidate, now_ms: u64) -> Writing {
        when(self.copies.get(key).copied(), candidate, self.rule, now_ms)
    }

    /// A value is being written.
    pub(crate) fn note(&mut self, key: &Key, digest: u64, now_ms: u64) {
        if self.rule.rewrite_after_ms == 0 {
            return;
        }
        self.copies.insert(key.clone(), StoredCopy { written_ms: now_ms, digest });
        self.order.push_back((now_ms, key.clone()));
        let is_over = |written_ms: u64| now_ms.saturating_sub(written_ms) >= self.rule.rewrite_after_ms;
        while let Some((written_ms, _)) = self.order.front()
            && (self.order.len() > self.rule.max_keys || is_over(*written_ms))
            && let Some((written_ms, key)) = self.order.pop_front()
        {
            if self.copies.get(&key).is_some_and(|copy| copy.written_ms == written_ms) {
                self.copies.remove(&key);
            }
        }
    }

    /// What lies under a key is not known any more: its next value is written at once.
    pub(crate) fn forget(&mut self, key: &Key) {
        self.copies.remove(key);
    }

    /// Another store came in place of the one before.
    pub(crate) fn clear(&mut self) {
        self.copies.clear();
        self.order.clear();
    }
}

/// The defaults of the settings.
pub(super) const REWRITE_AFTER: Duration = Duration::from_mins(10);
pub(super) const SHORT_LIFE: Duration = Duration::from_mins(1);
pub(super) const MAX_REWRITE_KEYS: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Partition;

    const RULE: Rule = Rule { rewrite_after_ms: 600_000, short_life_ms: 60_000, max_keys: 3 };
    const COPY: StoredCopy = StoredCopy { written_ms: 1_000_000, digest: 7 };
    const SHORT: Candidate = Candidate { life_ms: 5_000, digest: 8, older: OlderCopy::Usable };
    const LONG: Candidate = Candidate { life_ms: 60_000, ..SHORT };

    #[test]
    fn a_short_lived_or_unchanged_value_waits_until_its_copy_is_old_and_others_do_not() {
        let at = Writing::At(1_600_000);
        for (what, candidate, copy, now_ms, wanted) in [
            ("short-lived", SHORT, Some(COPY), 1_005_000, at),
            ("short-lived, copy almost old", SHORT, Some(COPY), 1_599_999, at),
            ("short-lived, copy old", SHORT, Some(COPY), 1_600_000, Writing::Now),
            ("first of its key", SHORT, None, 1_005_000, Writing::Now),
            ("long-lived", LONG, Some(COPY), 1_005_000, Writing::Now),
            ("long-lived, unchanged", Candidate { digest: 7, ..LONG }, Some(COPY), 1_005_000, at),
            (
                "copy purged",
                Candidate { older: OlderCopy::Void, ..SHORT },
                Some(COPY),
                1_005_000,
                Writing::Now,
            ),
            ("clock set back", SHORT, Some(COPY), 999_999, Writing::Now),
        ] {
            assert_eq!(when(copy, candidate, RULE, now_ms), wanted, "{what}");
        }
        assert_eq!(when(Some(COPY), SHORT, Rule::EVERY_VALUE, 1_000_000), Writing::Now);
    }

    #[test]
    fn what_was_written_is_remembered_within_bounds_and_for_as_long_as_it_counts() {
        let key = |at: u64| Key::new("home", &Partition::new("anna"), &format!("/{at}"));
        let mut rewrites = Rewrites::new(RULE);
        for at in 0..100 {
            rewrites.note(&key(at), 7, at);
        }
        assert_eq!((rewrites.copies.len(), rewrites.order.len()), (3, 3));
        assert_eq!(rewrites.when(&key(0), SHORT, 100), Writing::Now, "forgotten");
        assert_eq!(rewrites.when(&key(99), SHORT, 100), Writing::At(600_099));
        rewrites.forget(&key(99));
        assert_eq!(rewrites.when(&key(99), SHORT, 100), Writing::Now);
        rewrites.note(&key(7), 7, 1_000_000);
        assert_eq!((rewrites.copies.len(), rewrites.order.len()), (1, 1), "the others are over");
    }
}
