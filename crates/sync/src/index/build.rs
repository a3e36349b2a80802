//! One build: pages until all are there, then the changes made meanwhile, then the indexes, then one step from the old
//! generation to the new one. Failures are retried for a while; the pages fetched so far are kept for the next attempt,
//! and the old generation stays.

use greenroom_cache::clock::millis;
use std::time::Duration;

use greenroom_dialect::crawl::{CrawlPage, LibraryInfo};
use greenroom_library::item::ItemKind;
use greenroom_library::snapshot::Snapshot;

use super::build_deadline::BuildDeadline;
use super::crawl::{Crawl, KindCount, NextPage, PageError};
use super::libraries::{INDEX_BYTES, memory_bytes};
use super::progress::{BuildPhase, left_ms};
use super::publish::PreparedGeneration;
use super::report::kind_name;
use super::store::SnapshotMetadata;
use super::{IndexError, ItemChanges};
use crate::index::client::LibraryRequest;
use crate::index::scheduler::{AttemptKind, LibraryWorker};
use crate::index::status::BuildHandle;
use greenroom_origin::own_read::OwnReadError;

/// Max consecutive failed requests.
const MAX_FAILURES: u32 = 10;
/// Max consecutive polls in which the server does not list the library.
const MAX_MISSING: u32 = 4;
/// Max consecutive refusals of the token: a starting server refuses everyone for a moment.
const MAX_REFUSED: u32 = 3;
/// Max recounts of a list that is far too short.
const MAX_RECOUNTS: u32 = 3;
/// First and longest pause after a failed request.
const RETRY_DELAY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Max rounds of reading what changed while pages were read.
const MAX_PASSES: u32 = 3;
/// Tolerated clock difference in seconds; changes of that time are read once more.
pub(super) const OVERLAP_S: u64 = 120;
/// Items needed before the memory of the whole library can be estimated.
const MIN_ITEMS_FOR_ETA: u64 = 2_000;

impl LibraryWorker {
    /// Builds the library and records the result.
    pub(super) async fn build(&self, handle: BuildHandle) {
        let library = &self.library;
        let clock = &library.server.origin.clock;
        let (started_us, requests_before) = (clock.now_us(), self.source.request_count());
        let mut slot = {
            let mut status = library.status.lock();
            let unfinished = status.unfinished.take();
            unfinished.filter(|_| !status.has_force)
        };
        let mut seen_changes = ItemChanges::default();
        let timeout = library.server.origin.settings.library.timeout;
        let spent = slot.as_ref().map_or(Duration::ZERO, |crawl| crawl.spent);
        let mut deadline = BuildDeadline::new(timeout.saturating_sub(spent));
        let outcome = tokio::select! {
            biased;
            () = handle.cancel.cancelled() => Err(IndexError::Cancelled),
            () = deadline.expired(&library.server) => Err(IndexError::TimedOut { minutes: timeout.as_secs() / 60 }),
            outcome = self.attempt(&mut slot, &mut seen_changes) => outcome,
        };
        let requests = self.source.request_count() - requests_before + slot.as_ref().map_or(0, |crawl| crawl.requests);
        let outcome = match outcome {
            // Too late to cancel: a snapshot that is on disk is published, too.
            Ok(ready) if library.status.lock().cancel.take().is_some() => {
                let is_published = self.publish(ready, &handle).await;
                if is_published { Ok(()) } else { Err(IndexError::Cancelled) }
            }
            Ok(_) => Err(IndexError::Cancelled),
            Err(failure) => Err(failure),
        };
        let outcome_name = outcome.as_ref().err().map_or("done", IndexError::name);
        let (is_relevant, was_forced) = {
            let mut status = library.status.lock();
            status.cancel = None;
            status.building_bytes = 0;
            let was_forced = std::mem::take(&mut status.has_force);
            *status.builds.entry(outcome_name).or_default() += 1;
            status.cost.requests = self.source.request_count();
            if outcome.is_ok() {
                self.succeed(&mut status, AttemptKind::Build);
            } else {
                status.cost.build_requests = requests;
                status.cost.build_ms = clock.since_ms(started_us);
            }
            // A build begun before the library was turned off says nothing about its state since.
            let is_relevant = status.turned_off == handle.turned_off;
            // If rows are missing although all pages were read, only a new crawl helps.
            let may_go_on = |crawl: &Crawl| match &outcome {
                Err(IndexError::Unreachable | IndexError::Unfit) => true,
                Err(IndexError::Changing) => crawl.is_complete(),
                _ => false,
            };
            if is_relevant && slot.as_deref().is_some_and(may_go_on) {
                status.unfinished = slot.map(|mut crawl| {
                    crawl.requests = requests;
                    crawl.spent = timeout.saturating_sub(deadline.remaining(clock));
                    crawl
                });
            }
            (is_relevant, was_forced)
        };
        if let Err(failure) = outcome
            && is_relevant
        {
            let mut pending = library.pending.lock();
            // The current generation lacks these changes.
            pending.changes = seen_changes.merge(std::mem::take(&mut pending.changes));
            if was_forced && matches!(failure, IndexError::Shrunk { .. }) {
                // The request for a forced result came after this one was rejected.
                pending.build.get_or_insert_default().has_force = true;
            }
            drop(pending);
            self.fail(failure, AttemptKind::Build);
        }
    }

    /// One attempt. Fetched pages stay in `slot` and received events in `seen_changes`, also when it fails.
    async fn attempt(
        &self,
        slot: &mut Option<Box<Crawl>>,
        seen_changes: &mut ItemChanges,
    ) -> Result<PreparedGeneration, IndexError> {
        let clock = &self.library.server.origin.clock;
        let (started_us, requests_before) = (clock.now_us(), self.source.request_count());
        let (info, server_s) = self.fetch_library().await?;
        let crawl = slot.get_or_insert_with(|| {
            let own_s = clock.now().as_secs();
            let started_s = server_s.map_or(own_s, |server_s| server_s.min(own_s));
            // The pages contain all changes reported until now.
            *seen_changes = self.library.pending.lock().take_changes();
            Box::new(Crawl::new(info, clock.now_us(), started_s))
        });
        crawl.requests_before = requests_before;
        self.pages(crawl).await?;
        if !self.catch_up(crawl, seen_changes).await? {
            *slot = None;
            return Err(IndexError::Changing);
        }
        let has_force = self.library.status.lock().has_force;
        if !has_force {
            self.check_shrink(crawl.len() as u64, crawl.library.is_scanning)?;
        }
        let Some(crawl) = slot.take() else { return Err(IndexError::Changing) };
        let requests = crawl.requests + self.source.request_count() - requests_before;
        let build_ms = clock.since_ms(started_us.min(crawl.started_us));
        self.finish(*crawl, requests, Duration::from_millis(build_ms)).await
    }

    /// The library as the server lists it now, and the server's time.
    pub(super) async fn fetch_library(&self) -> Result<(LibraryInfo, Option<u64>), IndexError> {
        let (mut failures, mut missing) = (0, 0);
        loop {
            match self.source.libraries().await {
                Ok(response) => {
                    if let Some(info) = response.value.into_iter().find(|info| info.key == self.library.id.key) {
                        let info = self.library.with_scan(&self.source, info).await;
                        return Ok((info, response.server_s));
                    }
                    // A starting server lists none at first.
                    missing += 1;
                    if missing >= MAX_MISSING {
                        return Err(IndexError::Gone);
                    }
                    self.wait_before_retry(OwnReadError::UnusableResponse, &mut failures).await?;
                }
                Err(error) => {
                    self.wait_before_retry(error, &mut failures).await?;
                }
            }
        }
    }

    async fn pages(&self, crawl: &mut Crawl) -> Result<(), IndexError> {
        let clock = &self.library.server.origin.clock;
        let (started_us, before) = (clock.now_us(), crawl.len() as u64);
        let mut failures = 0;
        while let NextPage::Page { kind, start, size } = crawl.next_page() {
            self.set_progress(BuildPhase::Crawling, crawl, started_us, before);
            let response = self.source.page(&crawl.library, kind, start, size).await;
            if let Ok(response) = &response
                && start == 0
                && !self.is_plausible(&crawl.library, kind, response.value.total).await?
            {
                self.count_failure();
                continue;
            }
            let rest = match response {
                Ok(response) => match crawl.add_page(kind, start, response.value) {
                    Ok(()) => {
                        failures = 0;
                        crawl.page_size.record_success(response.took)
                    }
                    Err(PageError::Unsteady) => return Err(IndexError::Changing),
                    Err(PageError::Wrong) => {
                        self.count_failure();
                        self.wait_before_retry(OwnReadError::UnusableResponse, &mut failures).await?;
                        continue;
                    }
                },
                Err(error) => {
                    self.count_failure();
                    let was_unavailable = self.wait_before_retry(error, &mut failures).await?;
                    if was_unavailable {
                        crawl.page_size.ignore_failure();
                    } else {
                        crawl.page_size.record_failure();
                    }
                    continue;
                }
            };
            self.check_memory(crawl)?;
            if crawl.next_page() != NextPage::Done {
                clock.sleep(rest).await;
            }
        }
        self.set_progress(BuildPhase::CatchingUp, crawl, started_us, before);
        Ok(())
    }

    /// Whether to accept a list with less than half of the items of the current generation. A starting server shows an
    /// empty one for a moment; a count that the server repeats is real, or is for [`LibraryWorker::check_shrink`] to
    /// judge.
    async fn is_plausible(&self, info: &LibraryInfo, kind: ItemKind, total: Option<u64>) -> Result<bool, IndexError> {
        let current = self.library.generation();
        let stored = current.map_or(0, |current| current.snapshot.count(kind) as u64);
        let Some(total) = total.filter(|total| total.saturating_mul(2) < stored) else { return Ok(true) };
        for again in 0..MAX_RECOUNTS {
            self.library.server.origin.clock.sleep(RETRY_DELAY.0 * (1 << again)).await;
            if self.count(info, kind).await? != total {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads what changed while pages were read, until the server reports no change. False if so much changed that only
    /// a new crawl helps.
    async fn catch_up(&self, crawl: &mut Crawl, seen_changes: &mut ItemChanges) -> Result<bool, IndexError> {
        for pass in 0..=MAX_PASSES {
            let (info, _) = self.fetch_library().await?;
            let changes = self.library.pending.lock().take_changes();
            *seen_changes = std::mem::take(seen_changes).merge(changes.clone());
            let has_changed = info.stamp != crawl.library.stamp || !changes.is_empty();
            if !has_changed && info.stamp.is_none() {
                // Only the counts tell.
                for kind in crawl.kinds() {
                    crawl.recount(*kind, self.count(&info, *kind).await?);
                }
            }
            if !has_changed && crawl.is_complete() {
                return Ok(true);
            }
            if pass == MAX_PASSES {
                break;
            }
            let since_s = crawl.started_s.saturating_sub(OVERLAP_S);
            let known = crawl.len() as u64;
            let Some(delta) = self.fetch_delta(&info, &changes, true, since_s, known).await? else {
                return Ok(false);
            };
            delta.removed.iter().chain(&changes.removed).for_each(|key| crawl.remove(key));
            delta.items.into_values().for_each(|item| crawl.replace(item));
            delta.totals.into_iter().for_each(|(kind, total)| crawl.recount(kind, total));
            // Not earlier: the next attempt must also notice changes that were not read.
            crawl.library = info;
        }
        Err(IndexError::Changing)
    }

    async fn finish(&self, crawl: Crawl, requests: u64, build_ms: Duration) -> Result<PreparedGeneration, IndexError> {
        let library = &self.library;
        library.update_progress(|progress| progress.phase = BuildPhase::Indexing);
        let now_ms = library.server.origin.clock.now();
        let info = crawl.library.clone();
        let (started_s, counts) = (crawl.started_s, crawl.counts().clone());
        let built = self.index(crawl.into_builder()).await?;
        let metadata = SnapshotMetadata {
            whole_at_ms: now_ms.as_millis(),
            synced_s: started_s,
            build_requests: requests,
            build_ms: millis(build_ms),
            ..self.metadata(&info)
        };
        {
            let mut status = library.status.lock();
            status.cost.build_requests = requests;
            status.cost.build_ms = millis(build_ms);
            status.compare_at_ms = None;
        }
        let items = built.snapshot.len();
        let counts = counts.into_iter().map(|(kind, KindCount { total, skipped, .. })| {
            let stored = built.snapshot.count(kind) as u64;
            (kind_name(kind).to_owned(), (stored, total, skipped))
        });
        let metadata = SnapshotMetadata { counts: counts.collect(), ..metadata };
        tracing::info!(library = %library.id, items, requests, "a library index was built");
        Ok(PreparedGeneration { metadata, built, taken_at_ms: now_ms })
    }

    /// Retries a request for a while.
    pub(super) async fn ask_with_retry(
        &self,
        info: &LibraryInfo,
        request: LibraryRequest<'_>,
    ) -> Result<CrawlPage, IndexError> {
        let mut failures = 0;
        loop {
            match self.source.ask(info, request).await {
                Ok(page) => return Ok(page),
                Err(error) => {
                    self.wait_before_retry(error, &mut failures).await?;
                }
            }
        }
    }

    /// Number of items of a kind on the server.
    pub(super) async fn count(&self, info: &LibraryInfo, kind: ItemKind) -> Result<u64, IndexError> {
        self.ask_with_retry(info, LibraryRequest::Count(kind)).await?.total.ok_or(IndexError::Unfit)
    }

    /// Waits until a retry makes sense. Returns whether the whole server was down.
    async fn wait_before_retry(&self, error: OwnReadError, failures: &mut u32) -> Result<bool, IndexError> {
        let server = &self.library.server;
        if error == OwnReadError::Forbidden && *failures >= MAX_REFUSED {
            return Err(IndexError::Refused);
        }
        if !server.origin.breaker.allows_requests() {
            let phase = self.library.progress.borrow().phase;
            self.library.update_progress(|progress| progress.phase = BuildPhase::Waiting);
            server.origin.breaker.wait_available().await;
            self.library.update_progress(|progress| progress.phase = phase);
            return Ok(true);
        }
        *failures += 1;
        if *failures > MAX_FAILURES {
            return Err(match error {
                OwnReadError::Unavailable | OwnReadError::NoResponse | OwnReadError::Forbidden => {
                    IndexError::Unreachable
                }
                OwnReadError::NotFound | OwnReadError::UnusableResponse => IndexError::Unfit,
            });
        }
        let pause = RETRY_DELAY.0.saturating_mul(1 << (*failures - 1).min(10)).min(RETRY_DELAY.1);
        server.origin.clock.sleep(pause).await;
        Ok(error == OwnReadError::Unavailable)
    }

    fn count_failure(&self) {
        self.library.update_progress(|progress| progress.failures += 1);
    }

    /// Reports the progress.
    fn set_progress(&self, phase: BuildPhase, crawl: &Crawl, started_us: u64, before: u64) {
        let clock = &self.library.server.origin.clock;
        let (items, expected) = (crawl.len() as u64, crawl.expected());
        let elapsed = clock.since(started_us);
        let requests = crawl.requests + self.source.request_count() - crawl.requests_before;
        self.library.update_progress(|progress| {
            progress.phase = phase;
            progress.items = items;
            progress.expected = expected;
            progress.requests = requests;
            progress.elapsed_ms = clock.since_ms(crawl.started_us);
            progress.left_ms = left_ms(items - before.min(items), expected.saturating_sub(before), elapsed).map(millis);
        });
    }

    /// Whether the whole library fits into memory.
    fn check_memory(&self, crawl: &Crawl) -> Result<(), IndexError> {
        let (here, expected) = (crawl.len() as u64, crawl.expected().max(crawl.len() as u64));
        let packed = crawl.memory_bytes();
        let projected = if here >= MIN_ITEMS_FOR_ETA.min(expected) && here > 0 {
            let all = u128::from(packed) * u128::from(expected) / u128::from(here);
            u64::try_from(all).unwrap_or(u64::MAX)
        } else {
            packed
        };
        let own = projected.saturating_add(expected.saturating_mul(INDEX_BYTES));
        self.check_room(own)
    }

    /// Whether this many bytes fit beside all snapshots and builds. The old snapshot stays in use while the new one is
    /// built.
    pub(super) fn check_room(&self, bytes: u64) -> Result<(), IndexError> {
        self.library.status.lock().building_bytes = bytes;
        let (needed, limit) = (self.libraries.used_bytes(), self.libraries.memory_limit_bytes);
        if needed <= limit {
            return Ok(());
        }
        Err(IndexError::too_large(needed, limit))
    }

    /// Whether a patched copy of the snapshot fits.
    pub(super) fn check_patch(&self, current: &Snapshot) -> Result<(), IndexError> {
        self.check_room(memory_bytes(current))
    }
}
