//! One build: pages until all are there, then the changes made meanwhile, then the indexes, then one step from the old
//! generation to the new one. Failures are retried for a while; the pages fetched so far are kept for the next attempt,
//! and the old generation stays.

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
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Max rounds of reading what changed while pages were read.
const MAX_PASSES: u32 = 3;
/// Tolerated clock difference in seconds; changes of that time are read once more.
pub(super) const OVERLAP_S: u64 = 120;
/// Items needed before the memory of the whole library can be estimated.
const MIN_ITEMS_FOR_ETA: u64 = 2_000;

impl LibraryWorker {
    /// Builds the library and records the result.
    pub(super) async fn build(&self, begun: BuildHandle) {
        let library = &self.library;
        let clock = &library.server.origin.clock;
        let (began_us, asked) = (clock.now_us(), self.source.request_count());
        let mut slot = {
            let mut facts = library.status.lock();
            let unfinished = facts.unfinished.take();
            unfinished.filter(|_| !facts.has_force)
        };
        let mut heard = ItemChanges::default();
        let timeout = library.server.origin.settings.library.timeout;
        let spent = slot.as_ref().map_or(Duration::ZERO, |crawl| crawl.spent);
        let mut patience = BuildDeadline::new(timeout.saturating_sub(spent));
        let outcome = tokio::select! {
            biased;
            () = begun.cancel.cancelled() => Err(IndexError::Cancelled),
            () = patience.expired(&library.server) => Err(IndexError::TimedOut { minutes: timeout.as_secs() / 60 }),
            outcome = self.attempt(&mut slot, &mut heard) => outcome,
        };
        let requests = self.source.request_count() - asked + slot.as_ref().map_or(0, |crawl| crawl.requests);
        let outcome = match outcome {
            // Too late to cancel: a snapshot that is on disk is published, too.
            Ok(ready) if library.status.lock().cancel.take().is_some() => {
                let is_published = self.publish(ready, &begun).await;
                if is_published { Ok(()) } else { Err(IndexError::Cancelled) }
            }
            Ok(_) => Err(IndexError::Cancelled),
            Err(failure) => Err(failure),
        };
        let word = outcome.as_ref().err().map_or("done", IndexError::name);
        let (is_of_use, was_forced) = {
            let mut facts = library.status.lock();
            facts.cancel = None;
            facts.building_bytes = 0;
            let was_forced = std::mem::take(&mut facts.has_force);
            *facts.builds.entry(word).or_default() += 1;
            facts.cost.requests = self.source.request_count();
            if outcome.is_ok() {
                self.succeed(&mut facts, AttemptKind::Build);
            } else {
                facts.cost.build_requests = requests;
                facts.cost.build_ms = clock.since_ms(began_us);
            }
            // A build begun before the library was turned off says nothing about its state since.
            let is_of_use = facts.turned_off == begun.turned_off;
            // If rows are missing although all pages were read, only a new crawl helps.
            let may_go_on = |crawl: &Crawl| match &outcome {
                Err(IndexError::Unreachable | IndexError::Unfit) => true,
                Err(IndexError::Changing) => crawl.is_complete(),
                _ => false,
            };
            if is_of_use && slot.as_deref().is_some_and(may_go_on) {
                facts.unfinished = slot.map(|mut crawl| {
                    crawl.requests = requests;
                    crawl.spent = timeout.saturating_sub(patience.remaining(clock));
                    crawl
                });
            }
            (is_of_use, was_forced)
        };
        if let Err(failure) = outcome
            && is_of_use
        {
            let mut wishes = library.pending.lock();
            // The current generation lacks these changes.
            wishes.changes = heard.merge(std::mem::take(&mut wishes.changes));
            if was_forced && matches!(failure, IndexError::Shrunk { .. }) {
                // The request for a forced result came after this one was rejected.
                wishes.build.get_or_insert_default().has_force = true;
            }
            drop(wishes);
            self.fail(failure, AttemptKind::Build);
        }
    }

    /// One attempt. Fetched pages stay in `slot` and received events in `heard`, also when it fails.
    async fn attempt(
        &self,
        slot: &mut Option<Box<Crawl>>,
        heard: &mut ItemChanges,
    ) -> Result<PreparedGeneration, IndexError> {
        let clock = &self.library.server.origin.clock;
        let (began_us, asked) = (clock.now_us(), self.source.request_count());
        let (shelf, server_s) = self.fetch_library().await?;
        let crawl = slot.get_or_insert_with(|| {
            let own_s = clock.now_ms() / 1000;
            let began_s = server_s.map_or(own_s, |server_s| server_s.min(own_s));
            // The pages contain all changes reported until now.
            *heard = std::mem::take(&mut self.library.pending.lock().changes);
            Box::new(Crawl::new(shelf, clock.now_us(), began_s))
        });
        crawl.requests_before = asked;
        self.pages(crawl).await?;
        if !self.catch_up(crawl, heard).await? {
            *slot = None;
            return Err(IndexError::Changing);
        }
        let has_force = self.library.status.lock().has_force;
        if !has_force {
            self.check_shrink(crawl.len() as u64, crawl.library.is_scanning)?;
        }
        let Some(crawl) = slot.take() else { return Err(IndexError::Changing) };
        let requests = crawl.requests + self.source.request_count() - asked;
        let build_ms = clock.since_ms(began_us.min(crawl.started_us));
        self.finish(*crawl, requests, build_ms).await
    }

    /// The library as the server lists it now, and the server's time.
    pub(super) async fn fetch_library(&self) -> Result<(LibraryInfo, Option<u64>), IndexError> {
        let (mut failures, mut missing) = (0, 0);
        loop {
            match self.source.libraries().await {
                Ok(answer) => {
                    let key = &self.library.id.key;
                    if let Some(shelf) = answer.value.into_iter().find(|shelf| shelf.key == *key) {
                        return Ok((shelf, answer.server_s));
                    }
                    // A starting server lists none at first.
                    missing += 1;
                    if missing >= MAX_MISSING {
                        return Err(IndexError::Gone);
                    }
                    self.wait_before_retry(OwnReadError::UnusableResponse, &mut failures).await?;
                }
                Err(none) => drop(self.wait_before_retry(none, &mut failures).await?),
            }
        }
    }

    async fn pages(&self, crawl: &mut Crawl) -> Result<(), IndexError> {
        let clock = &self.library.server.origin.clock;
        let (began_us, before) = (clock.now_us(), crawl.len() as u64);
        let mut failures = 0;
        while let NextPage::Page { kind, start, size } = crawl.next_page() {
            self.set_progress(BuildPhase::Crawling, crawl, began_us, before);
            let answer = self.source.page(&crawl.library, kind, start, size).await;
            if let Ok(answer) = &answer
                && start == 0
                && !self.is_plausible(&crawl.library, kind, answer.value.total).await?
            {
                self.count_failure();
                continue;
            }
            let rest = match answer {
                Ok(answer) => match crawl.add_page(kind, start, answer.value) {
                    Ok(()) => {
                        failures = 0;
                        crawl.page_size.record_success(answer.took)
                    }
                    Err(PageError::Unsteady) => return Err(IndexError::Changing),
                    Err(PageError::Wrong) => {
                        self.count_failure();
                        self.wait_before_retry(OwnReadError::UnusableResponse, &mut failures).await?;
                        continue;
                    }
                },
                Err(none) => {
                    self.count_failure();
                    let is_away = self.wait_before_retry(none, &mut failures).await?;
                    if is_away {
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
        self.set_progress(BuildPhase::CatchingUp, crawl, began_us, before);
        Ok(())
    }

    /// Whether to accept a list with less than half of the items of the current generation. A starting server shows an
    /// empty one for a moment; a count that the server repeats is real, or is for [`LibraryWorker::check_shrink`] to
    /// judge.
    async fn is_plausible(&self, shelf: &LibraryInfo, kind: ItemKind, total: Option<u64>) -> Result<bool, IndexError> {
        let held = self.library.generation();
        let kept = held.map_or(0, |held| held.snapshot.count(kind) as u64);
        let Some(total) = total.filter(|total| total.saturating_mul(2) < kept) else { return Ok(true) };
        for again in 0..MAX_RECOUNTS {
            self.library.server.origin.clock.sleep(PAUSE.0 * (1 << again)).await;
            if self.count(shelf, kind).await? != total {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads what changed while pages were read, until the server reports no change. False if so much changed that only
    /// a new crawl helps.
    async fn catch_up(&self, crawl: &mut Crawl, heard: &mut ItemChanges) -> Result<bool, IndexError> {
        for pass in 0..=MAX_PASSES {
            let (shelf, _) = self.fetch_library().await?;
            let news = std::mem::take(&mut self.library.pending.lock().changes);
            *heard = std::mem::take(heard).merge(news.clone());
            let has_moved = shelf.stamp != crawl.library.stamp || !news.is_empty();
            if !has_moved && shelf.stamp.is_none() {
                // Only the counts tell.
                for kind in crawl.kinds() {
                    crawl.recount(*kind, self.count(&shelf, *kind).await?);
                }
            }
            if !has_moved && crawl.is_complete() {
                return Ok(true);
            }
            if pass == MAX_PASSES {
                break;
            }
            let since_s = crawl.started_s.saturating_sub(OVERLAP_S);
            let known = crawl.len() as u64;
            let Some(gathered) = self.fetch_delta(&shelf, &news, true, since_s, known).await? else {
                return Ok(false);
            };
            gathered.removed.iter().chain(&news.removed).for_each(|key| crawl.remove(key));
            gathered.items.into_values().for_each(|item| crawl.replace(item));
            gathered.totals.into_iter().for_each(|(kind, total)| crawl.recount(kind, total));
            // Not earlier: the next attempt must also notice changes that were not read.
            crawl.library = shelf;
        }
        Err(IndexError::Changing)
    }

    async fn finish(&self, crawl: Crawl, requests: u64, build_ms: u64) -> Result<PreparedGeneration, IndexError> {
        let library = &self.library;
        library.update_progress(|progress| progress.phase = BuildPhase::Indexing);
        let now_ms = library.server.origin.clock.now_ms();
        let shelf = crawl.library.clone();
        let (began_s, counts) = (crawl.started_s, crawl.counts().clone());
        let built = self.index(crawl.into_builder()).await?;
        let about = SnapshotMetadata {
            whole_at_ms: now_ms,
            synced_s: began_s,
            build_requests: requests,
            build_ms,
            ..self.metadata(&shelf)
        };
        {
            let mut facts = library.status.lock();
            facts.cost.build_requests = requests;
            facts.cost.build_ms = build_ms;
            facts.compare_at_ms = None;
        }
        let items = built.snapshot.len();
        let counts = counts.into_iter().map(|(kind, KindCount { total, skipped, .. })| {
            let kept = built.snapshot.count(kind) as u64;
            (kind_name(kind).to_owned(), (kept, total, skipped))
        });
        let about = SnapshotMetadata { counts: counts.collect(), ..about };
        tracing::info!(library = %library.id, items, requests, "the library is indexed");
        Ok(PreparedGeneration { metadata: about, built, taken_at_ms: now_ms })
    }

    /// Retries a request for a while.
    pub(super) async fn ask_with_retry(
        &self,
        shelf: &LibraryInfo,
        question: LibraryRequest<'_>,
    ) -> Result<CrawlPage, IndexError> {
        let mut failures = 0;
        loop {
            match self.source.ask(shelf, question).await {
                Ok(page) => return Ok(page),
                Err(none) => drop(self.wait_before_retry(none, &mut failures).await?),
            }
        }
    }

    /// Number of items of a kind on the server.
    pub(super) async fn count(&self, shelf: &LibraryInfo, kind: ItemKind) -> Result<u64, IndexError> {
        self.ask_with_retry(shelf, LibraryRequest::Count(kind)).await?.total.ok_or(IndexError::Unfit)
    }

    /// Waits until a retry makes sense. Returns whether the whole server was down.
    async fn wait_before_retry(&self, none: OwnReadError, failures: &mut u32) -> Result<bool, IndexError> {
        let server = &self.library.server;
        if none == OwnReadError::Forbidden && *failures >= MAX_REFUSED {
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
            return Err(match none {
                OwnReadError::Unavailable | OwnReadError::NoResponse | OwnReadError::Forbidden => {
                    IndexError::Unreachable
                }
                OwnReadError::NotFound | OwnReadError::UnusableResponse => IndexError::Unfit,
            });
        }
        let pause = PAUSE.0.saturating_mul(1 << (*failures - 1).min(10)).min(PAUSE.1);
        server.origin.clock.sleep(pause).await;
        Ok(none == OwnReadError::Unavailable)
    }

    fn count_failure(&self) {
        self.library.update_progress(|progress| progress.failures += 1);
    }

    /// Reports the progress.
    fn set_progress(&self, phase: BuildPhase, crawl: &Crawl, began_us: u64, before: u64) {
        let clock = &self.library.server.origin.clock;
        let (items, expected) = (crawl.len() as u64, crawl.expected());
        let elapsed_ms = clock.since_ms(began_us);
        let left_ms = left_ms(items - before.min(items), expected.saturating_sub(before), elapsed_ms);
        let requests = crawl.requests + self.source.request_count() - crawl.requests_before;
        self.library.update_progress(|progress| {
            progress.phase = phase;
            progress.items = items;
            progress.expected = expected;
            progress.requests = requests;
            progress.elapsed_ms = clock.since_ms(crawl.started_us);
            progress.left_ms = left_ms;
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
    pub(super) fn check_patch(&self, held: &Snapshot) -> Result<(), IndexError> {
        self.check_room(memory_bytes(held))
    }
}
