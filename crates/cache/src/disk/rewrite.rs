//! Decides whether a value is written now, or the copy on disk is good enough for a while.
//!
//! Values that live for seconds are reloaded all day, and so are longer-lived ones that never change. Each write is a
//! transaction of several pages, which are written twice: to the log, and from there to the database. It gains little:
//! after a restart such a copy is either too old for a hit, or equal to the previous one, and while the source is down
//! a copy some minutes older is good enough. Until it is written, the newest value waits in the queue, where lookups
//! find it, and a clean shutdown writes it.

use crate::timestamp::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::settings::DiskSettings;
use crate::key::{BuildIdentityHasher, Key};
use crate::older_copy::OlderCopy;
use crate::value::Entry;

/// Deferred values are written up to `rewrite_after / EARLY_SHARE` early, to share the transaction of another one that
/// is due.
const EARLY_PART: u32 = 10;

/// When values are rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RewriteRule {
    /// Min time between two writes of a short-lived or unchanged value; zero writes every value.
    pub(crate) rewrite_after_ms: Duration,
    /// A value is short-lived if its fresh and stale time together are below this.
    pub(crate) short_life_ms: Duration,
    /// Max keys whose last write is remembered; beyond it, the oldest are forgotten, and their next value is written at
    /// once.
    pub(crate) max_keys: usize,
}

/// The properties of a value that decide when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriteCandidate {
    /// Fresh and stale time together: how long no read waits for the source.
    pub(crate) life_ms: Duration,
    /// Hash of the entry without the times of its load.
    pub(crate) digest: u64,
    /// State of the copy on disk.
    pub(crate) older: OlderCopy,
}

/// Last write under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredCopy {
    pub(crate) written_ms: Timestamp,
    pub(crate) digest: u64,
}

/// When a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteSchedule {
    /// With the next batch.
    Now,
    /// Not before this moment, unless a flush or the end of the process comes first.
    At(Timestamp),
}

/// Recent writes, by key.
#[derive(Debug)]
pub(crate) struct RewriteHistory {
    rule: RewriteRule,
    copies: HashMap<Key, StoredCopy, BuildIdentityHasher>,
    /// Keys in order of writing; some were written again since.
    order: VecDeque<(Timestamp, Key)>,
}

impl RewriteRule {
    /// Writes every value.
    pub(crate) const EVERY_VALUE: Self =
        Self { rewrite_after_ms: Duration::ZERO, short_life_ms: Duration::ZERO, max_keys: 0 };

    /// The rule from these settings.
    pub(crate) fn from_settings(settings: &DiskSettings) -> Self {
        Self {
            rewrite_after_ms: settings.rewrite_after,
            short_life_ms: settings.short_life,
            max_keys: settings.max_rewrite_keys,
        }
    }

    /// Values due up to this time are written together with one that is due now.
    pub(crate) fn early_due_ms(self, now_ms: Timestamp) -> Timestamp {
        now_ms.saturating_add(self.rewrite_after_ms / EARLY_PART)
    }
}

impl WriteCandidate {
    /// The candidate for an entry, given the state of the copy on disk.
    pub(crate) fn new(entry: &Entry, older: OlderCopy) -> Self {
        let life_ms = entry.deadlines().stale_until_ms.duration_since(entry.stored_ms());
        Self { life_ms, digest: digest(entry), older }
    }
}

/// When a value is written, given the last write under its key. A copy that would never be served again is replaced at
/// once.
fn schedule(
    copy: Option<StoredCopy>,
    candidate: WriteCandidate,
    rule: RewriteRule,
    now_ms: Timestamp,
) -> WriteSchedule {
    let Some(copy) = copy.filter(|_| candidate.older == OlderCopy::Usable) else { return WriteSchedule::Now };
    let due_ms = copy.written_ms.saturating_add(rule.rewrite_after_ms);
    let is_recent = copy.written_ms <= now_ms && now_ms < due_ms;
    let is_deferrable = candidate.life_ms < rule.short_life_ms || candidate.digest == copy.digest;
    if is_recent && is_deferrable { WriteSchedule::At(due_ms) } else { WriteSchedule::Now }
}

/// Hash of everything in an entry but the times of its load: equal if a copy on disk holds the same value for the same
/// lifetime.
fn digest(entry: &Entry) -> u64 {
    let (deadlines, stored_ms) = (entry.deadlines(), entry.stored_ms());
    let deadlines_ms = [deadlines.fresh_until_ms, deadlines.stale_until_ms, deadlines.error_until_ms];
    let parts = entry.tags().iter().map(|tag| tag.as_str().as_bytes()).chain([&entry.meta()[..]]);
    let seed = deadlines_ms.iter().fold(u64::from(entry.adapted()), |seed, until_ms| {
        xxh3_64_with_seed(&until_ms.millis_since(stored_ms).to_le_bytes(), seed)
    });
    let body = xxh3_64(entry.body());
    parts.fold(seed ^ body, |seed, part| xxh3_64_with_seed(part, seed.wrapping_add(part.len() as u64)))
}

impl Default for RewriteHistory {
    fn default() -> Self {
        Self::new(RewriteRule::EVERY_VALUE)
    }
}

impl RewriteHistory {
    pub(crate) fn new(rule: RewriteRule) -> Self {
        Self { rule, copies: HashMap::default(), order: VecDeque::new() }
    }

    pub(crate) fn rule(&self) -> RewriteRule {
        self.rule
    }

    /// When a value is written under this key.
    pub(crate) fn schedule(&self, key: &Key, candidate: WriteCandidate, now_ms: Timestamp) -> WriteSchedule {
        schedule(self.copies.get(key).copied(), candidate, self.rule, now_ms)
    }

    /// Records that a value is being written.
    pub(crate) fn record(&mut self, key: &Key, digest: u64, now_ms: Timestamp) {
        if self.rule.rewrite_after_ms == Duration::ZERO {
            return;
        }
        self.copies.insert(key.clone(), StoredCopy { written_ms: now_ms, digest });
        self.order.push_back((now_ms, key.clone()));
        let is_over = |written_ms: Timestamp| now_ms.duration_since(written_ms) >= self.rule.rewrite_after_ms;
        while let Some((written_ms, _)) = self.order.front()
            && (self.order.len() > self.rule.max_keys || is_over(*written_ms))
            && let Some((written_ms, key)) = self.order.pop_front()
        {
            if self.copies.get(&key).is_some_and(|copy| copy.written_ms == written_ms) {
                self.copies.remove(&key);
            }
        }
    }

    /// Forgets a key whose copy on disk is no longer known: its next value is written at once.
    pub(crate) fn forget(&mut self, key: &Key) {
        self.copies.remove(key);
    }

    /// Forgets everything, because another store replaced the previous one.
    pub(crate) fn clear(&mut self) {
        self.copies.clear();
        self.order.clear();
    }
}

// Defaults of the settings of these names.
pub(super) const REWRITE_AFTER: Duration = Duration::from_mins(10);
pub(super) const SHORT_LIFE: Duration = Duration::from_mins(1);
pub(super) const MAX_REWRITE_KEYS: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Partition;

    const RULE: RewriteRule = RewriteRule {
        rewrite_after_ms: Duration::from_millis(600_000),
        short_life_ms: Duration::from_millis(60_000),
        max_keys: 3,
    };
    const COPY: StoredCopy = StoredCopy { written_ms: Timestamp::from_millis(1_000_000), digest: 7 };
    const SHORT: WriteCandidate =
        WriteCandidate { life_ms: Duration::from_millis(5_000), digest: 8, older: OlderCopy::Usable };
    const LONG: WriteCandidate = WriteCandidate { life_ms: Duration::from_millis(60_000), ..SHORT };

    #[test]
    fn a_short_lived_or_unchanged_value_is_deferred_until_its_copy_is_old() {
        let at = WriteSchedule::At(Timestamp::from_millis(1_600_000));
        for (what, candidate, copy, now_ms, wanted) in [
            ("short-lived", SHORT, Some(COPY), 1_005_000, at),
            ("short-lived, copy almost old", SHORT, Some(COPY), 1_599_999, at),
            ("short-lived, copy old", SHORT, Some(COPY), 1_600_000, WriteSchedule::Now),
            ("first of its key", SHORT, None, 1_005_000, WriteSchedule::Now),
            ("long-lived", LONG, Some(COPY), 1_005_000, WriteSchedule::Now),
            ("long-lived, unchanged", WriteCandidate { digest: 7, ..LONG }, Some(COPY), 1_005_000, at),
            (
                "copy purged",
                WriteCandidate { older: OlderCopy::Void, ..SHORT },
                Some(COPY),
                1_005_000,
                WriteSchedule::Now,
            ),
            ("clock set back", SHORT, Some(COPY), 999_999, WriteSchedule::Now),
        ] {
            assert_eq!(schedule(copy, candidate, RULE, Timestamp::from_millis(now_ms)), wanted, "{what}");
        }
        assert_eq!(
            schedule(Some(COPY), SHORT, RewriteRule::EVERY_VALUE, Timestamp::from_millis(1_000_000)),
            WriteSchedule::Now
        );
    }

    #[test]
    fn written_copies_are_remembered_within_limits_and_while_they_matter() {
        let key = |at: u64| Key::new("home", &Partition::new("anna"), &format!("/{at}"));
        let mut rewrites = RewriteHistory::new(RULE);
        for at in 0..100 {
            rewrites.record(&key(at), 7, Timestamp::from_millis(at));
        }
        assert_eq!((rewrites.copies.len(), rewrites.order.len()), (3, 3));
        assert_eq!(rewrites.schedule(&key(0), SHORT, Timestamp::from_millis(100)), WriteSchedule::Now, "forgotten");
        assert_eq!(
            rewrites.schedule(&key(99), SHORT, Timestamp::from_millis(100)),
            WriteSchedule::At(Timestamp::from_millis(600_099))
        );
        rewrites.forget(&key(99));
        assert_eq!(rewrites.schedule(&key(99), SHORT, Timestamp::from_millis(100)), WriteSchedule::Now);
        rewrites.record(&key(7), 7, Timestamp::from_millis(1_000_000));
        assert_eq!((rewrites.copies.len(), rewrites.order.len()), (1, 1), "the others are over");
    }
}
