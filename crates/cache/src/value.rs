//! Values, and cache entries.

use crate::timestamp::{AtomicTimestamp, Timestamp};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::access_rhythm::AccessRhythm;
use crate::clock::millis;
use crate::counters::ClassCounters;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::{Key, Tag};
use crate::load_reason::LoadReason;
use crate::policy::EntryDeadlines;
use crate::quota::Quota;
use crate::scope_hash::ScopeHashes;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Bytes one entry costs beside its texts and body: the entry and its key, their allocation headers, allocator waste,
/// and the slot in the map. Verified by the test that scans a million keys.
const ENTRY_OVERHEAD: usize = 768;
/// Bytes one tag costs beside its text: pointer, reference counts, allocation header, hash.
const TAG_OVERHEAD: usize = 56;

const READ: u8 = 1;
const READ_SINCE_QUEUED: u8 = 2;
const READ_SINCE_RECORDED: u8 = 4;

/// A value: body and metadata, both opaque here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Value {
    /// The body.
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

    /// Whether both are empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same value in allocations of its own size. A slice of a large read buffer would keep all of it alive,
    /// uncounted.
    pub(crate) fn compact(&self) -> Self {
        Self { body: Bytes::copy_from_slice(&self.body), meta: Bytes::copy_from_slice(&self.meta) }
    }
}

/// A value that is (or could have been) stored, with everything needed to evaluate its freshness.
#[derive(Debug)]
pub struct Entry {
    value: Value,
    tags: Box<[Tag]>,
    created: HybridTimestamp,
    created_ms: Timestamp,
    stored_ms: Timestamp,
    deadlines: EntryDeadlines,
    adapted: bool,
    pub(crate) load_reason: LoadReason,
    pub(crate) scope_hashes: ScopeHashes,
    pub(crate) weight: u64,
    pub(crate) counters: Arc<ClassCounters>,
    pub(crate) quota: Arc<Quota>,
    pub(crate) access_rhythm: Option<Arc<AccessRhythm>>,
    /// The invalidation epoch at which this entry was last found valid.
    valid_at: AtomicU64,
    reads: AtomicU8,
    refreshing: AtomicBool,
    failures: AtomicU32,
    retry_at_ms: AtomicTimestamp,
    /// Responses that wait for this value, or are being delivered with it, since it was loaded.
    deliveries: AtomicU32,
}

/// The parts of an entry.
pub(crate) struct EntryParts<'a> {
    pub(crate) key: &'a Key,
    pub(crate) value: Value,
    pub(crate) tags: Vec<Tag>,
    pub(crate) created: HybridTimestamp,
    pub(crate) created_ms: Timestamp,
    pub(crate) stored_ms: Timestamp,
    pub(crate) deadlines: EntryDeadlines,
    pub(crate) adapted: bool,
    pub(crate) load_reason: LoadReason,
    pub(crate) scope_hashes: ScopeHashes,
    pub(crate) counters: Arc<ClassCounters>,
    pub(crate) quota: Arc<Quota>,
    pub(crate) access_rhythm: Option<Arc<AccessRhythm>>,
    pub(crate) epoch: u64,
}

impl Entry {
    pub(crate) fn new(parts: EntryParts<'_>) -> Self {
        let tags = parts.tags.into_boxed_slice();
        Self {
            weight: weigh(parts.key, &parts.value, &tags, &parts.scope_hashes),
            value: parts.value,
            tags,
            created: parts.created,
            created_ms: parts.created_ms,
            stored_ms: parts.stored_ms,
            deadlines: parts.deadlines,
            adapted: parts.adapted,
            load_reason: parts.load_reason,
            scope_hashes: parts.scope_hashes,
            counters: parts.counters,
            quota: parts.quota,
            access_rhythm: parts.access_rhythm,
            valid_at: AtomicU64::new(parts.epoch),
            reads: AtomicU8::new(0),
            refreshing: AtomicBool::new(false),
            failures: AtomicU32::new(0),
            retry_at_ms: AtomicTimestamp::new(Timestamp::UNIX_EPOCH),
            deliveries: AtomicU32::new(0),
        }
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The value's body.
    pub fn body(&self) -> &Bytes {
        &self.value.body
    }

    /// The value's metadata.
    pub fn meta(&self) -> &Bytes {
        &self.value.meta
    }

    /// Its tags.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// The timestamp taken before its load began.
    pub fn created(&self) -> HybridTimestamp {
        self.created
    }

    /// When its load began, in wall-clock milliseconds.
    pub fn created_ms(&self) -> Timestamp {
        self.created_ms
    }

    /// When it was stored, in wall-clock milliseconds. The deadlines count from here.
    pub fn stored_ms(&self) -> Timestamp {
        self.stored_ms
    }

    /// When it stops being fresh, stale and usable.
    pub fn deadlines(&self) -> EntryDeadlines {
        self.deadlines
    }

    /// Reason of its load.
    pub fn load_reason(&self) -> LoadReason {
        self.load_reason
    }

    /// When a refresh is due, in wall-clock milliseconds; `u64::MAX` if never.
    pub fn refresh_at_ms(&self) -> Timestamp {
        self.deadlines.refresh_at_ms
    }

    /// Whether its lifetime was set for this value instead of by the caller's policy.
    pub fn adapted(&self) -> bool {
        self.adapted
    }

    /// Bytes it counts against the limits, all overhead included.
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Maximum age: the time since its load began.
    pub fn age(&self, now_ms: Timestamp) -> Duration {
        now_ms.duration_since(self.created_ms)
    }

    /// Fresh time left in milliseconds; negative once it is over.
    pub fn fresh_left_ms(&self, now_ms: Timestamp) -> i64 {
        let until = i64::try_from(self.deadlines.fresh_until_ms.as_millis()).unwrap_or(i64::MAX);
        until.saturating_sub(i64::try_from(now_ms.as_millis()).unwrap_or(i64::MAX))
    }

    pub(crate) fn begin_delivery(&self) {
        self.deliveries.fetch_add(1, Ordering::Relaxed);
    }

    /// True if it was the last one.
    pub(crate) fn end_delivery(&self) -> bool {
        self.deliveries.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether every response that waited for its load is delivered.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn is_delivered(&self) -> bool {
        self.deliveries.load(Ordering::Acquire) == 0
    }

    pub(crate) fn valid_at_epoch(&self) -> u64 {
        self.valid_at.load(Ordering::Relaxed)
    }

    pub(crate) fn set_valid_at(&self, epoch: u64) {
        self.valid_at.store(epoch, Ordering::Relaxed);
    }

    /// Records a load for a client: it counts as read, but not as a further use.
    pub(crate) fn record_loaded(&self, now_ms: Timestamp) {
        let before = self.reads.fetch_or(READ, Ordering::Relaxed);
        self.record_first_read(before);
        if let Some(access_rhythm) = &self.access_rhythm {
            access_rhythm.record_read(now_ms);
        }
    }

    /// Records a client's read.
    pub(crate) fn record_read(&self, now_ms: Timestamp) {
        const ALL: u8 = READ | READ_SINCE_QUEUED | READ_SINCE_RECORDED;
        if self.reads.load(Ordering::Relaxed) != ALL {
            let before = self.reads.swap(ALL, Ordering::Relaxed);
            self.record_first_read(before);
        }
        if let Some(access_rhythm) = &self.access_rhythm {
            access_rhythm.record_read(now_ms);
        }
    }

    /// Counts a prefetched value as useful at its first read.
    fn record_first_read(&self, before: u8) {
        if self.load_reason == LoadReason::Prefetch && before & READ == 0 {
            self.counters.prefetch_useful.one();
        }
    }

    pub(crate) fn was_read(&self) -> bool {
        self.reads.load(Ordering::Relaxed) & READ != 0
    }

    /// Whether it was read since the last call: its second chance in its partition's queue.
    pub(crate) fn take_second_chance(&self) -> bool {
        self.reads.fetch_and(!READ_SINCE_QUEUED, Ordering::Relaxed) & READ_SINCE_QUEUED != 0
    }

    /// Whether it was read since the last call: then the disk tier records the use.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn take_unrecorded_use(&self) -> bool {
        self.reads.load(Ordering::Relaxed) & READ_SINCE_RECORDED != 0
            && self.reads.fetch_and(!READ_SINCE_RECORDED, Ordering::Relaxed) & READ_SINCE_RECORDED != 0
    }

    /// Whether a due refresh may start: none is running, and no backoff is in force.
    pub(crate) fn may_refresh(&self, now_ms: Timestamp) -> bool {
        now_ms >= self.retry_at_ms.load(Ordering::Relaxed) && !self.refreshing.load(Ordering::Relaxed)
    }

    pub(crate) fn is_backing_off(&self, now_ms: Timestamp) -> bool {
        now_ms < self.retry_at_ms.load(Ordering::Relaxed)
    }

    /// Claims the one refresh; `None` if one is running or backing off.
    pub(crate) fn try_begin_refresh(self: &Arc<Self>, now_ms: Timestamp) -> Option<RefreshPermit> {
        let is_free = self.may_refresh(now_ms) && !self.refreshing.swap(true, Ordering::AcqRel);
        is_free.then(|| RefreshPermit(Arc::clone(self)))
    }
}

/// Permit for refreshing an entry. Released on drop.
#[derive(Debug)]
pub(crate) struct RefreshPermit(Arc<Entry>);

impl RefreshPermit {
    /// Records a failed refresh: the next wait is twice as long, up to `longest`, with jitter.
    pub(crate) fn failed(&self, now_ms: Timestamp, first: Duration, longest: Duration) {
        let failures = self.0.failures.fetch_add(1, Ordering::Relaxed).min(16);
        let wait = millis(first).saturating_mul(1 << failures).min(millis(longest));
        let jitter = crate::policy::spread(u64::from(failures), self.0.created) % (wait / 5 + 1);
        self.0
            .retry_at_ms
            .store(now_ms.saturating_add(Duration::from_millis(wait - wait / 10 + jitter)), Ordering::Relaxed);
    }
}

impl Drop for RefreshPermit {
    fn drop(&mut self) {
        self.0.refreshing.store(false, Ordering::Release);
    }
}

fn weigh(key: &Key, value: &Value, tags: &[Tag], scope_hashes: &ScopeHashes) -> u64 {
    let tags: usize = tags.iter().map(|tag| tag.as_str().len() + TAG_OVERHEAD).sum();
    (value.len() + key.bytes() + tags + scope_hashes.bytes() + ENTRY_OVERHEAD) as u64
}
