//! One build: pages until all are there, then what changed meanwhile, then the indexes, then one step from the old
//! generation to the new one. Whatever fails on the way is borne for a while; what was fetched is kept for the next
//! attempt, and the old generation stays.

use std::time::Duration;

use greenroom_library::item::ItemKind;
use greenroom_upstream::crawl::{Page, Shelf};
use tokio_util::sync::CancellationToken;

use super::crawl::{Count, Crawl, Odd, Step};
use super::keeper::{Attempt, Keeper};
use super::libraries::INDEX_BYTES;
use super::progress::{Phase, left_ms};
use super::report::word_of;
use super::source::{Question, Trouble};
use super::store::About;
use super::{Failure, Wish};

/// So often in a row a request may come to nothing.
const MAX_FAILURES: u32 = 10;
/// So often in a row the server may not show the library.
const MISSING: u32 = 4;
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
const MB: u64 = 1_000_000;

impl Keeper {
    /// Builds it, and says what came of it.
    pub(super) async fn build(&self, wish: Wish) {
        let library = &self.library;
        let clock = &library.server.clock;
        let (began_ms, asked) = (clock.now_ms(), self.source.asked());
        let cancel = CancellationToken::new();
        let mut slot = {
            let mut facts = library.facts.lock();
            facts.cancel = Some(cancel.clone());
            facts.unfinished.take().filter(|_| !wish.has_force)
        };
        let timeout = library.server.settings.library.timeout;
        let spent_ms = slot.as_ref().map_or(0, |crawl| began_ms.saturating_sub(crawl.began_ms));
        let left = timeout.saturating_sub(Duration::from_millis(spent_ms));
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::Cancelled),
            outcome = async {
                // A server that is away for a night takes nothing of the time.
                library.server.breaker.back().await;
                let late = Failure::TimedOut { minutes: timeout.as_secs() / 60 };
                clock.timeout(left, self.attempt(&mut slot, wish)).await.unwrap_or(Err(late))
            } => outcome,
        };
        let requests = self.source.asked() - asked + slot.as_ref().map_or(0, |crawl| crawl.requests);
        let word = match &outcome {
            Ok(()) => "done",
            Err(failure) => failure.word(),
        };
        {
            let mut facts = library.facts.lock();
            facts.cancel = None;
            *facts.builds.entry(word).or_default() += 1;
            facts.cost.requests = self.source.asked();
            if outcome.is_err() {
                facts.cost.build_requests = requests;
                facts.cost.build_ms = clock.now_ms().saturating_sub(began_ms);
            }
            // Where rows are missing although all pages were read, only reading them again helps.
            let is_of_use = |crawl: &Crawl| match &outcome {
                Err(Failure::Unreachable | Failure::Unfit) => true,
                Err(Failure::Changing) => crawl.is_complete(),
                _ => false,
            };
            if slot.as_deref().is_some_and(is_of_use) {
                facts.unfinished = slot.map(|mut crawl| {
                    crawl.requests = requests;
                    crawl
                });
            }
        }
        match outcome {
            Ok(()) => self.succeed(Attempt::Build),
            Err(failure) => self.fail(failure, Attempt::Build),
        }
        library.turn(|progress| progress.phase = Phase::Idle);
    }

    /// One attempt. What was fetched lies in `slot`, also when it comes to nothing.
    async fn attempt(&self, slot: &mut Option<Box<Crawl>>, wish: Wish) -> Result<(), Failure> {
        let clock = &self.library.server.clock;
        let (began_ms, asked) = (clock.now_ms(), self.source.asked());
        let (shelf, server_s) = self.look().await?;
        let crawl = slot.get_or_insert_with(|| {
            let own_s = clock.now_ms() / 1000;
            let began_s = server_s.map_or(own_s, |server_s| server_s.min(own_s));
            // What was said until now is in the pages.
            self.library.wishes.lock().news = super::News::default();
            Box::new(Crawl::begin(shelf, clock.now_ms(), began_s))
        });
        crawl.asked_before = asked;
        self.pages(crawl).await?;
        self.settle(crawl).await?;
        if !wish.has_force {
            self.believe(crawl.len() as u64, crawl.shelf.is_scanning)?;
        }
        let Some(crawl) = slot.take() else { return Ok(()) };
        let requests = crawl.requests + self.source.asked() - asked;
        let build_ms = clock.now_ms().saturating_sub(began_ms.min(crawl.began_ms));
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
                    self.bear(Trouble::Unfit, &mut failures).await?;
                }
                Err(trouble) => drop(self.bear(trouble, &mut failures).await?),
            }
        }
    }

    async fn pages(&self, crawl: &mut Crawl) -> Result<(), Failure> {
        let clock = &self.library.server.clock;
        let (began_ms, before) = (clock.now_ms(), crawl.len() as u64);
        let mut failures = 0;
        while let Step::Page { kind, start, size } = crawl.step() {
            self.tell(Phase::Crawling, crawl, began_ms, before);
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
                        self.bear(Trouble::Unfit, &mut failures).await?;
                        continue;
                    }
                },
                Err(trouble) => {
                    self.count_failure();
                    let is_away = self.bear(trouble, &mut failures).await?;
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
        self.tell(Phase::CatchingUp, crawl, began_ms, before);
        Ok(())
    }

    /// Whether a list is to be believed that has less than half of what is kept. A server that starts shows an empty one
    /// for a moment; what it says again and again is so, or is for [`Keeper::believe`] to judge.
    async fn is_plausible(&self, shelf: &Shelf, kind: ItemKind, total: Option<u64>) -> Result<bool, Failure> {
        let held = self.library.generation();
        let kept = held.map_or(0, |held| held.snapshot.count(kind) as u64);
        let Some(total) = total.filter(|total| total.saturating_mul(2) < kept) else { return Ok(true) };
        for again in 0..AGAIN {
            self.library.server.clock.sleep(PAUSE.0 * (1 << again)).await;
            if self.count(shelf, kind).await? != total {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What changed while pages were read is read again, until the server says that nothing moved.
    async fn settle(&self, crawl: &mut Crawl) -> Result<(), Failure> {
        for pass in 0..=MAX_PASSES {
            let (shelf, _) = self.look().await?;
            let news = std::mem::take(&mut self.library.wishes.lock().news);
            let has_moved = shelf.stamp != crawl.shelf.stamp || !news.is_empty();
            if !has_moved && shelf.stamp.is_none() {
                // Nothing but the counts tells.
                for kind in crawl.kinds() {
                    crawl.recount(*kind, self.count(&shelf, *kind).await?);
                }
            }
            if !has_moved && crawl.is_complete() {
                return Ok(());
            }
            if pass == MAX_PASSES {
                break;
            }
            crawl.shelf = shelf;
            let since_s = crawl.began_s.saturating_sub(OVERLAP_S);
            let known = crawl.len() as u64;
            let gathered = self.gather(&crawl.shelf, &news, true, since_s, known).await?;
            let Some(gathered) = gathered else { return Err(Failure::Changing) };
            gathered.gone.iter().chain(&news.removed).for_each(|key| crawl.remove(key));
            gathered.items.into_values().for_each(|item| crawl.replace(item));
            gathered.totals.into_iter().for_each(|(kind, total)| crawl.recount(kind, total));
        }
        Err(Failure::Changing)
    }

    async fn finish(&self, crawl: Crawl, requests: u64, build_ms: u64) -> Result<(), Failure> {
        let library = &self.library;
        library.turn(|progress| progress.phase = Phase::Indexing);
        let now_ms = library.server.clock.now_ms();
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
        let counts = counts.into_iter().map(|(kind, Count { total, skipped })| {
            let kept = built.snapshot.count(kind) as u64;
            (word_of(kind).to_owned(), (kept, total, skipped))
        });
        let about = About { counts: counts.collect(), ..about };
        self.publish(about, built, now_ms).await;
        tracing::info!(library = %library.id, items, requests, "the library is indexed");
        Ok(())
    }

    /// Asks again and again, for a while.
    pub(super) async fn patiently(&self, shelf: &Shelf, question: Question<'_>) -> Result<Page, Failure> {
        let mut failures = 0;
        loop {
            match self.source.ask(shelf, question).await {
                Ok(page) => return Ok(page),
                Err(trouble) => drop(self.bear(trouble, &mut failures).await?),
            }
        }
    }

    /// How many items of a kind the server has.
    pub(super) async fn count(&self, shelf: &Shelf, kind: ItemKind) -> Result<u64, Failure> {
        self.patiently(shelf, Question::Count(kind)).await?.total.ok_or(Failure::Unfit)
    }

    /// Waits until it is worth to ask again. Returns whether the server was away as a whole.
    async fn bear(&self, trouble: Trouble, failures: &mut u32) -> Result<bool, Failure> {
        let server = &self.library.server;
        if trouble == Trouble::Refused {
            return Err(Failure::Refused);
        }
        if !server.breaker.admits() {
            let phase = self.library.progress.borrow().phase;
            self.library.turn(|progress| progress.phase = Phase::Waiting);
            server.breaker.back().await;
            self.library.turn(|progress| progress.phase = phase);
            return Ok(true);
        }
        *failures += 1;
        if *failures > MAX_FAILURES {
            return Err(match trouble {
                Trouble::Away | Trouble::Silent | Trouble::Refused => Failure::Unreachable,
                Trouble::Missing | Trouble::Unfit => Failure::Unfit,
            });
        }
        let pause = PAUSE.0.saturating_mul(1 << (*failures - 1).min(10)).min(PAUSE.1);
        server.clock.sleep(pause).await;
        Ok(trouble == Trouble::Away)
    }

    fn count_failure(&self) {
        self.library.turn(|progress| progress.failures += 1);
    }

    /// Says how far it is.
    fn tell(&self, phase: Phase, crawl: &Crawl, began_ms: u64, before: u64) {
        let now_ms = self.library.server.clock.now_ms();
        let (items, expected) = (crawl.len() as u64, crawl.expected());
        let elapsed_ms = now_ms.saturating_sub(began_ms);
        let left_ms = left_ms(items - before.min(items), expected.saturating_sub(before), elapsed_ms);
        let requests = crawl.requests + self.source.asked() - crawl.asked_before;
        self.library.turn(|progress| {
            progress.phase = phase;
            progress.items = items;
            progress.expected = expected;
            progress.requests = requests;
            progress.elapsed_ms = now_ms.saturating_sub(crawl.began_ms);
            progress.left_ms = left_ms;
        });
    }

    /// Whether there is room for all of it.
    fn check_memory(&self, crawl: &Crawl) -> Result<(), Failure> {
        let limit = self.libraries.memory_limit_bytes;
        let (here, expected) = (crawl.len() as u64, crawl.expected().max(crawl.len() as u64));
        let packed = crawl.memory_bytes();
        let projected = if here >= ENOUGH_TO_TELL.min(expected) && here > 0 {
            let all = u128::from(packed) * u128::from(expected) / u128::from(here);
            u64::try_from(all).unwrap_or(u64::MAX)
        } else {
            packed
        };
        let own = projected.saturating_add(expected.saturating_mul(INDEX_BYTES));
        // While the new one is built the old one is in use.
        let needed = self.libraries.used_bytes().saturating_add(own);
        if needed <= limit {
            return Ok(());
        }
        Err(Failure::TooLarge { needed_mb: needed.div_ceil(MB), limit_mb: limit / MB })
    }
}
