//! Records the requests to one server as they happen. Recording one takes the lock of a list that the thread has for
//! itself. They are counted together, once a list is full or the counts are read; that allocates only if the
//! current minute has no row yet for a category, app or user. Everything else happens later in the background, where no
//! request waits for it.

use greenroom_cache::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_dialect::class::Class;
use parking_lot::{Mutex, MutexGuard, RwLock};

use super::counts::RequestCounter;
use super::decision::{CacheResult, Decision, RequestCategory, UserHash};
use crate::minute_bucket::{MinuteBucket, RequestSource};
use crate::pending_decisions::{PendingDecision, PendingDecisions};
use crate::recent_decisions::{NumberedDecision, RecentDecisions};
use crate::reuse_sample::{RecordedTrace, ReuseSample};
use crate::route_name::RouteName;
use crate::time_series::{SeriesPoint, TimeSeries, TimeStep};

/// Max buckets waiting to be written. Beyond it the two oldest are merged: no count is lost, only the exact minute.
const MAX_CLOSED: usize = 60;
/// The newest load contributes one part in this many to the mean duration.
const LOAD_SHARE: u64 = 8;

/// Counts, time series, decisions and samples of the requests to one server.
#[derive(Debug)]
pub struct RequestRecorder {
    /// Decisions that are not in the counts yet.
    pending: PendingDecisions,
    /// The counts. Locked through [`Self::lock_counted`], so that no decision is missing.
    open: Mutex<RecorderState>,
    /// Locked by the readers and the writer of statistics for as long as they need, but never while recording.
    unwritten: Mutex<UnwrittenBuckets>,
    /// Mean duration of a load by category, in microseconds; zero before the first load.
    load_us: [AtomicU64; RequestCategory::COUNT],
    /// The same by route, absent before the first load.
    route_load_us: RwLock<HashMap<RouteName, AtomicU64>>,
}

#[derive(Debug, Default)]
struct RecorderState {
    bucket: MinuteBucket,
    closed: VecDeque<MinuteBucket>,
    series: TimeSeries,
    recent: RecentDecisions,
    /// Samples by class, for replay under other TTLs.
    samples: [ReuseSample; Class::EVERY.len()],
    /// Number of times that two buckets were merged because too many waited.
    merged: u64,
    /// Empty; its room is used again.
    counted: Vec<PendingDecision>,
}

/// Closed buckets waiting to be written, oldest first. Readers get shared references to them, so that recording never
/// waits for a reader.
#[derive(Debug, Default)]
struct UnwrittenBuckets {
    buckets: VecDeque<Arc<MinuteBucket>>,
    /// Number of times that two buckets were merged because too many waited.
    merged: u64,
}

impl Default for RequestRecorder {
    fn default() -> Self {
        Self {
            pending: PendingDecisions::default(),
            open: Mutex::default(),
            unwritten: Mutex::default(),
            load_us: [const { AtomicU64::new(0) }; RequestCategory::COUNT],
            route_load_us: RwLock::default(),
        }
    }
}

impl RequestRecorder {
    /// Records a finished request.
    pub fn record(&self, decision: Decision) {
        let load_us = self.mean_load(decision.category, |mean| mean.load(Ordering::Relaxed));
        let load_ms = (load_us + 500) / 1000;
        if self.pending.push(decision, Duration::from_millis(load_ms)) {
            drop(self.lock_counted());
        }
    }

    /// The counts, with every decision that was recorded until now.
    fn lock_counted(&self) -> MutexGuard<'_, RecorderState> {
        let mut open = self.open.lock();
        let mut decisions = std::mem::take(&mut open.counted);
        self.pending.drain(&mut decisions);
        for pending in decisions.drain(..) {
            open.count(pending);
        }
        open.counted = decisions;
        open
    }

    /// Records an upstream request that a client's request caused.
    pub fn record_reached(&self, source: RequestSource<'_>, now_ms: Timestamp) {
        let mut open = self.lock_counted();
        open.bucket_at(now_ms).update(source, |counts| counts.add(RequestCounter::Reached, 1));
        open.point(now_ms, &SeriesPoint { reached: 1, ..SeriesPoint::default() });
    }

    /// Adds upstream requests to a user. They were recorded already, before the user was known.
    pub fn attribute_reached(&self, user: UserHash, count: u64, now_ms: Timestamp) {
        if count > 0 {
            self.lock_counted().bucket_at(now_ms).user(user).add(RequestCounter::Reached, count);
        }
    }

    /// Records upstream requests of Greenroom itself.
    pub fn record_own(&self, count: u64, now_ms: Timestamp) {
        if count > 0 {
            let mut open = self.lock_counted();
            open.bucket_at(now_ms).add_own(count);
            open.point(now_ms, &SeriesPoint { own: count, ..SeriesPoint::default() });
        }
    }

    /// Adds to one counter of a category. Spot checks also count in the time series.
    pub fn record_count(&self, category: RequestCategory, counter: RequestCounter, count: u64, now_ms: Timestamp) {
        if count > 0 {
            let mut open = self.lock_counted();
            open.bucket_at(now_ms).category(category).add(counter, count);
            let is_spot = matches!(
                counter,
                RequestCounter::SpotSame
                    | RequestCounter::SpotMoved
                    | RequestCounter::SpotChanged
                    | RequestCounter::SpotWrong
            );
            let spots_wrong = if counter == RequestCounter::SpotWrong { count } else { 0 };
            let point = SeriesPoint { spots: if is_spot { count } else { 0 }, spots_wrong, ..SeriesPoint::default() };
            open.point(now_ms, &point);
        }
    }

    /// Updates the mean load duration of a category.
    pub fn record_load(&self, category: RequestCategory, elapsed_us: u64) {
        if let Err(route) = category.index() {
            self.route_load_us.write().entry(route).or_default();
        }
        self.mean_load(category, |mean| {
            let before = mean.load(Ordering::Relaxed);
            let after = if before == 0 { elapsed_us } else { before - before / LOAD_SHARE + elapsed_us / LOAD_SHARE };
            // Of two concurrent updates one may be lost, which a mean tolerates.
            mean.store(after.max(1), Ordering::Relaxed);
            after
        });
    }

    /// Applies `read` to the mean load duration of a category; zero if it has none yet.
    fn mean_load(&self, category: RequestCategory, read: impl FnOnce(&AtomicU64) -> u64) -> u64 {
        match category.index() {
            Ok(index) => read(&self.load_us[index]),
            Err(route) => self.route_load_us.read().get(&route).map_or(0, read),
        }
    }

    /// The newest decisions with a number above `after` for which `filter` is true: at most `limit`, newest first.
    pub fn decisions(&self, after: u64, limit: usize, filter: impl Fn(&Decision) -> bool) -> Vec<NumberedDecision> {
        let open = self.lock_counted();
        open.recent.after(after).filter(|numbered| filter(&numbered.decision)).take(limit).cloned().collect()
    }

    /// Sum of the time series since a point in time.
    pub fn sum(&self, since_ms: Timestamp) -> SeriesPoint {
        self.lock_counted().series.sum(since_ms)
    }

    /// The sampled requests of a class in the last day.
    pub fn trace(&self, class: Class, now_ms: Timestamp) -> RecordedTrace {
        self.lock_counted().samples[class as usize].trace(now_ms)
    }

    /// Points of the time series since a point in time, one for each step.
    pub fn points(&self, step: TimeStep, since_ms: Timestamp) -> Vec<SeriesPoint> {
        self.lock_counted().series.since(step, since_ms).copied().collect()
    }

    /// Closes the current bucket and removes all buckets, oldest first, in order to write them.
    pub fn drain_buckets(&self) -> Vec<Arc<MinuteBucket>> {
        let mut waiting = self.unwritten.lock();
        self.close_bucket(&mut waiting);
        waiting.buckets.drain(..).collect()
    }

    /// Closes the current bucket and returns all buckets not written yet, oldest first.
    pub fn unwritten_buckets(&self) -> Vec<Arc<MinuteBucket>> {
        let mut waiting = self.unwritten.lock();
        self.close_bucket(&mut waiting);
        waiting.buckets.iter().cloned().collect()
    }

    /// Puts back buckets that were drained but not written.
    pub fn requeue(&self, buckets: Vec<Arc<MinuteBucket>>) {
        let mut waiting = self.unwritten.lock();
        for bucket in buckets.into_iter().rev() {
            waiting.buckets.push_front(bucket);
        }
        waiting.merge_oldest();
    }

    /// Moves the current bucket and the closed ones to those waiting to be written. Recording waits only for the swap.
    fn close_bucket(&self, waiting: &mut UnwrittenBuckets) {
        let (closed, bucket) = {
            let mut open = self.lock_counted();
            let minute_ms = open.bucket.minute_ms;
            let bucket = std::mem::replace(&mut open.bucket, MinuteBucket::new(minute_ms));
            (std::mem::take(&mut open.closed), bucket)
        };
        for bucket in closed.into_iter().chain([bucket]).filter(|bucket| !bucket.is_empty()) {
            waiting.push(bucket);
        }
        waiting.merge_oldest();
    }

    /// Number of times that two buckets were merged because too many waited.
    pub fn merged(&self) -> u64 {
        let merged = self.lock_counted().merged;
        merged + self.unwritten.lock().merged
    }

    /// Restores the time series of earlier processes and adds the points recorded since this one started.
    pub fn restore(&self, mut stored: TimeSeries) {
        let mut open = self.lock_counted();
        for step in TimeStep::EVERY {
            for point in open.series.since(step, Timestamp::UNIX_EPOCH) {
                stored.add_to(step, point.at_ms, point);
            }
        }
        open.series = stored;
    }
}

impl RecorderState {
    /// Counts a decision.
    fn count(&mut self, pending: PendingDecision) {
        let PendingDecision { numbered, load_ms } = pending;
        let decision = &numbered.decision;
        let source = RequestSource { category: decision.category, app: &decision.app, user: decision.user };
        let bucket = self.bucket_at(decision.at_ms);
        bucket.update(source, |counts| counts.record(decision, load_ms));
        self.point(decision.at_ms, &point_of(decision, load_ms));
        self.sample(decision);
        self.recent.push(numbered);
    }

    /// The bucket for a point in time. Buckets never go back: a late request counts in the newest one.
    fn bucket_at(&mut self, at_ms: Timestamp) -> &mut MinuteBucket {
        let minute_ms = TimeStep::Minute.floor(at_ms);
        if minute_ms > self.bucket.minute_ms {
            let bucket = std::mem::replace(&mut self.bucket, MinuteBucket::new(minute_ms));
            if !bucket.is_empty() {
                self.closed.push_back(bucket);
                self.merge_oldest();
            }
        }
        &mut self.bucket
    }

    fn point(&mut self, at_ms: Timestamp, added: &SeriesPoint) {
        self.series.add(at_ms, added);
    }

    /// Adds a read to its class's sample, if it was answered by way of the cache and the age of its response matters.
    fn sample(&mut self, decision: &Decision) {
        let (RequestCategory::Read(class), Some(request_hash)) = (decision.category, decision.request_hash) else {
            return;
        };
        let is_uncached = matches!(
            decision.outcome.result,
            CacheResult::Passed | CacheResult::Write | CacheResult::Failed | CacheResult::Refused
        );
        if decision.category.has_meaningful_age() && !is_uncached {
            self.samples[class as usize].record(request_hash, decision.at_ms);
        }
    }

    fn merge_oldest(&mut self) {
        while self.closed.len() > MAX_CLOSED {
            self.merged += 1;
            if let (Some(oldest), Some(next)) = (self.closed.pop_front(), self.closed.front_mut()) {
                next.merge(&oldest);
            }
        }
    }
}

impl UnwrittenBuckets {
    /// Appends a bucket. It is merged into the newest one if that is of the same minute, because reading the statistics
    /// closes buckets early.
    fn push(&mut self, bucket: MinuteBucket) {
        match self.buckets.back_mut() {
            Some(newest) if newest.minute_ms == bucket.minute_ms => Arc::make_mut(newest).merge(&bucket),
            _ => self.buckets.push_back(Arc::new(bucket)),
        }
    }

    fn merge_oldest(&mut self) {
        while self.buckets.len() > MAX_CLOSED {
            self.merged += 1;
            if let (Some(oldest), Some(next)) = (self.buckets.pop_front(), self.buckets.front_mut()) {
                Arc::make_mut(next).merge(&oldest);
            }
        }
    }
}

/// The contribution of one request to the time series.
fn point_of(decision: &Decision, load_ms: Duration) -> SeriesPoint {
    let outcome = &decision.outcome;
    let kind = RequestCounter::for_outcome(outcome);
    let saved = u64::from(outcome.is_saved);
    let age_ms = outcome.age_ms.filter(|_| decision.category.has_meaningful_age());
    SeriesPoint {
        asked: 1,
        saved,
        saved_ms: if outcome.is_saved { load_ms } else { Duration::ZERO },
        failed: u64::from(kind == RequestCounter::Failed),
        hits: u64::from(kind == RequestCounter::Hits),
        stale: u64::from(kind == RequestCounter::Stale),
        judged: u64::from(RequestCounter::JUDGED.contains(&kind)),
        oldest_ms: age_ms.unwrap_or(Duration::ZERO),
        ..SeriesPoint::default()
    }
}
