//! Values, and entries: values that are kept.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::millis;
use crate::key::{Key, Tag};
use crate::load_reason::LoadReason;
use crate::policy::Horizons;
use crate::quota::Quota;
use crate::reach::Reach;
use crate::stamp::Stamp;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use crate::tally::Cell;
use crate::warmth::Warmth;

/// What one entry costs beside its texts and bytes: the entry and its key, the headers of their allocations and
/// what allocators lose between them, the slot in the map (held to by the test that scans a million keys).
const ENTRY_OVERHEAD: usize = 768;
/// What one tag costs beside its text: pointer, reference counts, allocation header, hash.
const TAG_OVERHEAD: usize = 56;

const READ: u8 = 1;
const READ_SINCE_QUEUED: u8 = 2;
const READ_SINCE_NOTED: u8 = 4;

/// A value: bytes, and a little that belongs to them. Both are opaque here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Value {
    /// The bytes.
    pub body: Bytes,
    /// Small metadata.
    pub meta: Bytes,
}

impl Value {
    /// A value without metadata.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), meta: Bytes::new() }
    }

    /// Bytes in body and metadata.
    pub fn len(&self) -> usize {
        self.body.len() + self.meta.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same value in allocations of its own size: a slice of a large read buffer would keep all of it alive,
    /// uncounted.
    pub(crate) fn compact(&self) -> Self {
        Self { body: Bytes::copy_from_slice(&self.body), meta: Bytes::copy_from_slice(&self.meta) }
    }
}

/// A value that is (or could have been) kept, with all that the judgement about it needs.
#[derive(Debug)]
pub struct Entry {
    value: Value,
    tags: Box<[Tag]>,
    created: Stamp,
    created_ms: u64,
    stored_ms: u64,
    horizons: Horizons,
    adapted: bool,
    pub(crate) why: LoadReason,
    pub(crate) reach: Reach,
    pub(crate) weight: u64,
    pub(crate) cell: Arc<Cell>,
    pub(crate) quota: Arc<Quota>,
    pub(crate) warmth: Option<Arc<Warmth>>,
    /// The marker epoch at which this entry was last found valid.
    valid_at: AtomicU64,
    reads: AtomicU8,
    refreshing: AtomicBool,
    failures: AtomicU32,
    retry_at_ms: AtomicU64,
    /// Answers that wait for this value, or are on their way with it, since it was loaded.
    leaving: AtomicU32,
}

/// What an entry is made of.
pub(crate) struct Draft<'a> {
    pub(crate) key: &'a Key,
    pub(crate) value: Value,
    pub(crate) tags: Vec<Tag>,
    pub(crate) created: Stamp,
    pub(crate) created_ms: u64,
    pub(crate) stored_ms: u64,
    pub(crate) horizons: Horizons,
    pub(crate) adapted: bool,
    pub(crate) why: LoadReason,
    pub(crate) reach: Reach,
    pub(crate) cell: Arc<Cell>,
    pub(crate) quota: Arc<Quota>,
    pub(crate) warmth: Option<Arc<Warmth>>,
    pub(crate) epoch: u64,
}

impl Entry {
    pub(crate) fn new(draft: Draft<'_>) -> Self {
        let tags = draft.tags.into_boxed_slice();
        Self {
            weight: weigh(draft.key, &draft.value, &tags, &draft.reach),
            value: draft.value,
            tags,
            created: draft.created,
            created_ms: draft.created_ms,
            stored_ms: draft.stored_ms,
            horizons: draft.horizons,
            adapted: draft.adapted,
            why: draft.why,
            reach: draft.reach,
            cell: draft.cell,
            quota: draft.quota,
            warmth: draft.warmth,
            valid_at: AtomicU64::new(draft.epoch),
            reads: AtomicU8::new(0),
            refreshing: AtomicBool::new(false),
            failures: AtomicU32::new(0),
            retry_at_ms: AtomicU64::new(0),
            leaving: AtomicU32::new(0),
        }
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The value's bytes.
    pub fn body(&self) -> &Bytes {
        &self.value.body
    }

    /// The value's metadata.
    pub fn meta(&self) -> &Bytes {
        &self.value.meta
    }

    /// The tags it carries.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// The stamp taken before its load began.
    pub fn created(&self) -> Stamp {
        self.created
    }

    /// When its load began, in wall milliseconds.
    pub fn created_ms(&self) -> u64 {
        self.created_ms
    }

    /// When it was stored, in wall milliseconds. The horizons count from here.
    pub fn stored_ms(&self) -> u64 {
        self.stored_ms
    }

    /// Until when it lives.
    pub fn horizons(&self) -> Horizons {
        self.horizons
    }

    /// Why it was loaded.
    pub fn why(&self) -> LoadReason {
        self.why
    }

    /// When a refresh is due, in wall milliseconds; `u64::MAX` if never.
    pub fn refresh_at_ms(&self) -> u64 {
        self.horizons.refresh_at_ms
    }

    /// Whether its lifetime was set for this very value, instead of by the caller's policy.
    pub fn adapted(&self) -> bool {
        self.adapted
    }

    /// What it counts against the byte limits: its bytes and everything kept for them.
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// How old it can be at most: the time since its load began.
    pub fn age(&self, now_ms: u64) -> Duration {
        Duration::from_millis(now_ms.saturating_sub(self.created_ms))
    }

    /// Fresh time left in milliseconds; negative when it is over.
    pub fn left_ms(&self, now_ms: u64) -> i64 {
        let until = i64::try_from(self.horizons.fresh_until_ms).unwrap_or(i64::MAX);
        until.saturating_sub(i64::try_from(now_ms).unwrap_or(i64::MAX))
    }

    pub(crate) fn answer_begins(&self) {
        self.leaving.fetch_add(1, Ordering::Relaxed);
    }

    /// True if it was the last one.
    pub(crate) fn answer_ends(&self) -> bool {
        self.leaving.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether no answer that waited for its load is on its way any more.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn has_left(&self) -> bool {
        self.leaving.load(Ordering::Acquire) == 0
    }

    pub(crate) fn found_valid_at(&self) -> u64 {
        self.valid_at.load(Ordering::Relaxed)
    }

    pub(crate) fn set_valid_at(&self, epoch: u64) {
        self.valid_at.store(epoch, Ordering::Relaxed);
    }

    /// Notes that it was loaded for a client: read, but not once more than that.
    pub(crate) fn note_loaded(&self, now_ms: u64) {
        let before = self.reads.fetch_or(READ, Ordering::Relaxed);
        self.note_first_read(before);
        if let Some(warmth) = &self.warmth {
            warmth.note_read(now_ms);
        }
    }

    /// Notes a client's read.
    pub(crate) fn note_read(&self, now_ms: u64) {
        const ALL: u8 = READ | READ_SINCE_QUEUED | READ_SINCE_NOTED;
        if self.reads.load(Ordering::Relaxed) != ALL {
            let before = self.reads.swap(ALL, Ordering::Relaxed);
            self.note_first_read(before);
        }
        if let Some(warmth) = &self.warmth {
            warmth.note_read(now_ms);
        }
    }

    /// The first to read what was loaded ahead shows that it was useful.
    fn note_first_read(&self, before: u8) {
        if self.why == LoadReason::Ahead && before & READ == 0 {
            self.cell.ahead_useful.one();
        }
    }

    pub(crate) fn was_read(&self) -> bool {
        self.reads.load(Ordering::Relaxed) & READ != 0
    }

    /// Whether it was read since this was last asked: its second chance in its partition's queue.
    pub(crate) fn take_second_chance(&self) -> bool {
        self.reads.fetch_and(!READ_SINCE_QUEUED, Ordering::Relaxed) & READ_SINCE_QUEUED != 0
    }

    /// Whether it was read since this was last asked: then the tier below notes it.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn take_use(&self) -> bool {
        self.reads.load(Ordering::Relaxed) & READ_SINCE_NOTED != 0
            && self.reads.fetch_and(!READ_SINCE_NOTED, Ordering::Relaxed) & READ_SINCE_NOTED != 0
    }

    /// Whether a refresh that is due may start: none is running, and no failed one asks to wait longer.
    pub(crate) fn may_refresh(&self, now_ms: u64) -> bool {
        now_ms >= self.retry_at_ms.load(Ordering::Relaxed) && !self.refreshing.load(Ordering::Relaxed)
    }

    pub(crate) fn backs_off(&self, now_ms: u64) -> bool {
        now_ms < self.retry_at_ms.load(Ordering::Relaxed)
    }

    /// Claims the one refresh; `None` if somebody has it or a failed one asks to wait.
    pub(crate) fn claim_refresh(self: &Arc<Self>, now_ms: u64) -> Option<RefreshClaim> {
        let free = self.may_refresh(now_ms) && !self.refreshing.swap(true, Ordering::AcqRel);
        free.then(|| RefreshClaim(Arc::clone(self)))
    }
}

/// The right to refresh an entry. Given back on drop.
#[derive(Debug)]
pub(crate) struct RefreshClaim(Arc<Entry>);

impl RefreshClaim {
    /// The refresh failed: the next one waits twice as long as this one had to, up to `longest`, with jitter.
    pub(crate) fn failed(&self, now_ms: u64, first: Duration, longest: Duration) {
        let failures = self.0.failures.fetch_add(1, Ordering::Relaxed).min(16);
        let wait = millis(first).saturating_mul(1 << failures).min(millis(longest));
        let jitter = crate::policy::spread(u64::from(failures), self.0.created) % (wait / 5 + 1);
        self.0.retry_at_ms.store(now_ms.saturating_add(wait - wait / 10 + jitter), Ordering::Relaxed);
    }
}

impl Drop for RefreshClaim {
    fn drop(&mut self) {
        self.0.refreshing.store(false, Ordering::Release);
    }
}

fn weigh(key: &Key, value: &Value, tags: &[Tag], reach: &Reach) -> u64 {
    let tags: usize = tags.iter().map(|tag| tag.as_str().len() + TAG_OVERHEAD).sum();
    (value.len() + key.bytes() + tags + reach.bytes() + ENTRY_OVERHEAD) as u64
}
