//! One build: pages until all are there, then what changed meanwhile, then the indexes, then one step from the old
//! generation to the new one. Whatever fails on the way is borne for a while; what was fetched is kept for the next
//! attempt, and the old generation stays.

use std::time::Duration;

use greenroom_dialect::crawl::{Page, Shelf};
use greenroom_library::item::ItemKind;
use greenroom_library::snapshot::Snapshot;

use super::build_deadline::Patience;
use super::crawl::{Count, Crawl, Odd, Step};
use super::libraries::{INDEX_BYTES, memory_bytes};
use super::progress::{Phase, left_ms};
use super::publish::Ready;
use super::report::word_of;
use super::store::About;
use super::{Failure, News};
use crate::index::client::Question;
use crate::index::scheduler::{Attempt, Keeper};
use crate::index::status::Begun;
use greenroom_origin::own_read::NoAnswer;

/// So often in a row a request may come to nothing.
const MAX_FAILURES: u32 = 10;
/// So often in a row the server may not show the library.
const MISSING: u32 = 4;
/// So often in a row the server may let nobody in: one that starts does that for a moment.
const REFUSED: u32 = 3;
/// So often a list that is far too short is counted again.
const AGAIN: u32 = 3;
/// First and longest pause after one that did.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// So often it is read again what changed while pages were read.
const MAX_PASSES: u32 = 3;
/// Clocks may differ by so much, in seconds; what changed in that time is read once more.
pub(super) const OVERLAP_S: u64 = 120;
/// From so many items on it can be said what all of them will take.
const ENOUGH_TO_TELL: u64 = 2_000;

impl Keeper {
    /// Builds it, and says what came of it.
    pub(super) async fn build(&self, begun: Begun) {
        let library = &self.library;
        let clock = &library.server.origin.clock;
        let (began_us, asked) = (clock.now_us(), self.source.asked());
        let mut slot = {
            let mut facts = library.facts.lock();
            let unfinished = facts.unfinished.take();
            unfinished.filter(|_| !facts.has_force)
        };
        let mut heard = News::default();
        let timeout = library.server.origin.settings.library.timeout;
        let spent = slot.as_ref().map_or(Duration::ZERO, |crawl| crawl.spent);
        let mut patience = Patience::of(timeout.saturating_sub(spent));
        let outcome = tokio::select! {
            biased;
            () = begun.cancel.cancelled() => Err(Failure::Cancelled),
            () = patience.ends(&library.server) => Err(Failure::TimedOut { minutes: timeout.as_secs() / 60 }),
            outcome = self.attempt(&mut slot, &mut heard) => outcome,
        };
        let requests = self.source.asked() - asked + slot.as_ref().map_or(0, |crawl| crawl.requests);
        let outcome = match outcome {
            // Too late to be ended: what is written to disk is published, too.
            Ok(ready) if library.facts.lock().cancel.take().is_some() => {
                let is_published = self.publish(ready, &begun).await;
                if is_published { Ok(()) } else { Err(Failure::Cancelled) }
            }
            Ok(_) => Err(Failure::Cancelled),
            Err(failure) => Err(failure),
        };
        let word = outcome.as_ref().err().map_or("done", Failure::word);
        let (is_of_use, was_forced) = {
            let mut facts = library.facts.lock();
            facts.cancel = None;
            facts.building_bytes = 0;
            let was_forced = std::mem::take(&mut facts.has_force);
            *facts.builds.entry(word).or_default() += 1;
            facts.cost.requests = self.source.asked();
            if outcome.is_ok() {
                self.succeed(&mut facts, Attempt::Build);
            } else {
                facts.cost.build_requests = requests;
                facts.cost.build_ms = clock.since_ms(began_us);
            }
            // What was begun before it was turned off says nothing of how it does since.
            let is_of_use = facts.turned_off == begun.turned_off;
            // Where rows are missing although all pages were read, only reading them again helps.
            let may_go_on = |crawl: &Crawl| match &outcome {
                Err(Failure::Unreachable | Failure::Unfit) => true,
                Err(Failure::Changing) => crawl.is_complete(),
                _ => false,
            };
            if is_of_use && slot.as_deref().is_some_and(may_go_on) {
                facts.unfinished = slot.map(|mut crawl| {
                    crawl.requests = requests;
                    crawl.spent = timeout.saturating_sub(patience.left_now(clock));
                    crawl
                });
            }
            (is_of_use, was_forced)
        };
        if let Err(failure) = outcome
            && is_of_use
        {
            let mut wishes = library.wishes.lock();
            // What was heard is not in what is kept.
            wishes.news = heard.followed_by(std::mem::take(&mut wishes.news));
            if was_forced && matches!(failure, Failure::Shrunk { .. }) {
                // Whoever wants that believed came when it was judged already.
                wishes.build.get_or_insert_default().has_force = true;
            }
            drop(wishes);
            self.fail(failure, Attempt::Build);
        }
    }

    /// One attempt. What was fetched lies in `slot` and what was heard in `heard`, also when it comes to nothing.
    async fn attempt(&self, slot: &mut Option<Box<Crawl>>, heard: &mut News) -> Result<Ready, Failure> {
        let clock = &self.library.server.origin.clock;
        let (began_us, asked) = (clock.now_us(), self.source.asked());
        let (shelf, server_s) = self.look().await?;
        let crawl = slot.get_or_insert_with(|| {
            let own_s = clock.now_ms() / 1000;
            let began_s = server_s.map_or(own_s, |server_s| server_s.min(own_s));
            // What was said until now is in the pages.
            *heard = std::mem::take(&mut self.library.wishes.lock().news);
            Box::new(Crawl::begin(shelf, clock.now_us(), began_s))
        });
        crawl.asked_before = asked;
        self.pages(crawl).await?;
        if !self.settle(crawl, heard).await? {
            *slot = None;
            return Err(Failure::Changing);
        }
        let has_force = self.library.facts.lock().has_force;
        if !has_force {
            self.believe(crawl.len() as u64, crawl.shelf.is_scanning)?;
        }
        let Some(crawl) = slot.take() else { return Err(Failure::Changing) };
        let requests = crawl.requests + self.source.asked() - asked;
        let build_ms = clock.since_ms(began_us.min(crawl.began_us));
        self.finish(*crawl, requests, build_ms).await
    }

    /// The library as the server shows it now, and what time it is there.
    pub(super) async fn look(&self) -> Result<(Shelf, Option<u64>), Failure> {
        let (mut failures, mut missing) = (0, 0);
        loop {
            match self.source.shelves().await {
                Ok(answer) => {
                    let key = &self.library.id.key;
                    if let Some(shelf) = answer.of.into_iter().find(|shelf| shelf.key == *key) {
                        return Ok((shelf, answer.server_s));
                    }
                    // A server that starts shows none at first.
                    missing += 1;
                    if missing >= MISSING {
                        return Err(Failure::Gone);
                    }
                    self.bear(NoAnswer::Unfit, &mut failures).await?;
                }
                Err(none) => drop(self.bear(none, &mut failures).await?),
            }
        }
    }

    async fn pages(&self, crawl: &mut Crawl) -> Result<(), Failure> {
        let clock = &self.library.server.origin.clock;
        let (began_us, before) = (clock.now_us(), crawl.len() as u64);
        let mut failures = 0;
        while let Step::Page { kind, start, size } = crawl.step() {
            self.tell(Phase::Crawling, crawl, began_us, before);
            let answer = self.source.page(&crawl.shelf, kind, start, size).await;
            if let Ok(answer) = &answer
                && start == 0
                && !self.is_plausible(&crawl.shelf, kind, answer.of.total).await?
            {
                self.count_failure();
                continue;
            }
            let rest = match answer {
                Ok(answer) => match crawl.take(kind, start, answer.of) {
                    Ok(()) => {
                        failures = 0;
                        crawl.pace.came(answer.took)
                    }
                    Err(Odd::Unsteady) => return Err(Failure::Changing),
                    Err(Odd::Wrong) => {
                        self.count_failure();
                        self.bear(NoAnswer::Unfit, &mut failures).await?;
                        continue;
                    }
                },
                Err(none) => {
                    self.count_failure();
                    let is_away = self.bear(none, &mut failures).await?;
                    if is_away {
                        crawl.pace.forgiven();
                    } else {
                        crawl.pace.failed();
                    }
                    continue;
                }
            };
            self.check_memory(crawl)?;
            if crawl.step() != Step::Whole {
                clock.sleep(rest).await;
            }
        }
        self.tell(Phase::CatchingUp, crawl, began_us, before);
        Ok(())
    }

    /// Whether a list is to be believed that has less than half of what is kept. A server that starts shows an empty one
    /// for a moment; what it says again and again is so, or is for [`Keeper::believe`] to judge.
    async fn is_plausible(&self, shelf: &Shelf, kind: ItemKind, total: Option<u64>) -> Result<bool, Failure> {
        let held = self.library.generation();
        let kept = held.map_or(0, |held| held.snapshot.count(kind) as u64);
        let Some(total) = total.filter(|total| total.saturating_mul(2) < kept) else { return Ok(true) };
        for again in 0..AGAIN {
            self.library.server.origin.clock.sleep(PAUSE.0 * (1 << again)).await;
            if self.count(shelf, kind).await? != total {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What changed while pages were read is read again, until the server says that nothing moved. False if so much
    /// changed that only reading all of it again helps.
    async fn settle(&self, crawl: &mut Crawl, heard: &mut News) -> Result<bool, Failure> {
        for pass in 0..=MAX_PASSES {
            let (shelf, _) = self.look().await?;
            let news = std::mem::take(&mut self.library.wishes.lock().news);
            *heard = std::mem::take(heard).followed_by(news.clone());
            let has_moved = shelf.stamp != crawl.shelf.stamp || !news.is_empty();
            if !has_moved && shelf.stamp.is_none() {
                // Nothing but the counts tells.
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
            let since_s = crawl.began_s.saturating_sub(OVERLAP_S);
            let known = crawl.len() as u64;
            let Some(gathered) = self.gather(&shelf, &news, true, since_s, known).await? else {
                return Ok(false);
            };
            gathered.gone.iter().chain(&news.removed).for_each(|key| crawl.remove(key));
            gathered.items.into_values().for_each(|item| crawl.replace(item));
            gathered.totals.into_iter().for_each(|(kind, total)| crawl.recount(kind, total));
            // Not before: what moved and was not read must be seen to have moved by the next attempt as well.
            crawl.shelf = shelf;
        }
        Err(Failure::Changing)
    }

    async fn finish(&self, crawl: Crawl, requests: u64, build_ms: u64) -> Result<Ready, Failure> {
        let library = &self.library;
        library.turn(|progress| progress.phase = Phase::Indexing);
        let now_ms = library.server.origin.clock.now_ms();
        let shelf = crawl.shelf.clone();
        let (began_s, counts) = (crawl.began_s, crawl.counts().clone());
        let built = self.index(crawl.into_builder()).await?;
        let about = About {
            whole_at_ms: now_ms,
            synced_s: began_s,
            build_requests: requests,
            build_ms,
            ..self.about(&shelf)
        };
        {
            let mut facts = library.facts.lock();
            facts.cost.build_requests = requests;
            facts.cost.build_ms = build_ms;
            facts.doubted_at_ms = None;
        }
        let items = built.snapshot.len();
        let counts = counts.into_iter().map(|(kind, Count { total, skipped, .. })| {
            let kept = built.snapshot.count(kind) as u64;
            (word_of(kind).to_owned(), (kept, total, skipped))
        });
        let about = About { counts: counts.collect(), ..about };
        tracing::info!(library = %library.id, items, requests, "the library is indexed");
        Ok(Ready { about, built, taken_at_ms: now_ms })
    }

    /// Asks again and again, for a while.
    pub(super) async fn patiently(&self, shelf: &Shelf, question: Question<'_>) -> Result<Page, Failure> {
        let mut failures = 0;
        loop {
            match self.source.ask(shelf, question).await {
                Ok(page) => return Ok(page),
                Err(none) => drop(self.bear(none, &mut failures).await?),
            }
        }
    }

    /// How many items of a kind the server has.
    pub(super) async fn count(&self, shelf: &Shelf, kind: ItemKind) -> Result<u64, Failure> {
        self.patiently(shelf, Question::Count(kind)).await?.total.ok_or(Failure::Unfit)
    }

    /// Waits until it is worth to ask again. Returns whether the server was away as a whole.
    async fn bear(&self, none: NoAnswer, failures: &mut u32) -> Result<bool, Failure> {
        let server = &self.library.server;
        if none == NoAnswer::Refused && *failures >= REFUSED {
            return Err(Failure::Refused);
        }
        if !server.origin.breaker.admits() {
            let phase = self.library.progress.borrow().phase;
            self.library.turn(|progress| progress.phase = Phase::Waiting);
            server.origin.breaker.there().await;
            self.library.turn(|progress| progress.phase = phase);
            return Ok(true);
        }
        *failures += 1;
        if *failures > MAX_FAILURES {
            return Err(match none {
                NoAnswer::Away | NoAnswer::Silent | NoAnswer::Refused => Failure::Unreachable,
                NoAnswer::Missing | NoAnswer::Unfit => Failure::Unfit,
            });
        }
        let pause = PAUSE.0.saturating_mul(1 << (*failures - 1).min(10)).min(PAUSE.1);
        server.origin.clock.sleep(pause).await;
        Ok(none == NoAnswer::Away)
    }

    fn count_failure(&self) {
        self.library.turn(|progress| progress.failures += 1);
    }

    /// Says how far it is.
    fn tell(&self, phase: Phase, crawl: &Crawl, began_us: u64, before: u64) {
        let clock = &self.library.server.origin.clock;
        let (items, expected) = (crawl.len() as u64, crawl.expected());
        let elapsed_ms = clock.since_ms(began_us);
        let left_ms = left_ms(items - before.min(items), expected.saturating_sub(before), elapsed_ms);
        let requests = crawl.requests + self.source.asked() - crawl.asked_before;
        self.library.turn(|progress| {
            progress.phase = phase;
            progress.items = items;
            progress.expected = expected;
            progress.requests = requests;
            progress.elapsed_ms = clock.since_ms(crawl.began_us);
            progress.left_ms = left_ms;
        });
    }

    /// Whether there is room for all of it.
    fn check_memory(&self, crawl: &Crawl) -> Result<(), Failure> {
        let (here, expected) = (crawl.len() as u64, crawl.expected().max(crawl.len() as u64));
        let packed = crawl.memory_bytes();
        let projected = if here >= ENOUGH_TO_TELL.min(expected) && here > 0 {
            let all = u128::from(packed) * u128::from(expected) / u128::from(here);
            u64::try_from(all).unwrap_or(u64::MAX)
        } else {
            packed
        };
        let own = projected.saturating_add(expected.saturating_mul(INDEX_BYTES));
        self.check_room(own)
    }

    /// Whether there is room for so much more, beside all that is kept and being built. While the new one is built the old
    /// one is in use.
    pub(super) fn check_room(&self, bytes: u64) -> Result<(), Failure> {
        self.library.facts.lock().building_bytes = bytes;
        let (needed, limit) = (self.libraries.used_bytes(), self.libraries.memory_limit_bytes);
        if needed <= limit {
            return Ok(());
        }
        Err(Failure::too_large(needed, limit))
    }

    /// Whether there is room for what is kept with a few changes in it.
    pub(super) fn check_patch(&self, held: &Snapshot) -> Result<(), Failure> {
        self.check_room(memory_bytes(held))
    }
}
