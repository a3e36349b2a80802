//! Honest statistics of all servers together: what was asked, in which way it was answered, and what that spared them.
//!
//! | file | is |
//! |---|---|
//! | [`mod@db`], `retention`, `labels` and `db_handle` | what is kept over a restart |
//! | [`local_midnight`] | when the day began |
//! | [`what_if`] | what other lifetimes would have saved |
//! | [`report`] and `reading` | what is told |
//!
//! What one server records is in [`crate::record`]; whether what was answered is what the server says, in
//! [`crate::shadow::spot_checks`].

pub mod db;
mod db_handle;
#[cfg(test)]
mod idle_tests;
mod labels;
pub mod local_midnight;
mod reading;
pub mod report;
mod retention;
#[cfg(test)]
mod tests;
pub mod what_if;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::class::Class;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

pub use report::{Sampled, SpotSum, Today, WhatIf};

use crate::change_feed::Events;
use crate::record::counts::Count;
use crate::record::minute_bucket::Page;
use crate::record::recent_decisions::Told;
use crate::record::time_series;
use crate::record::time_series::Points;
use crate::record::{Decision, Subject};
use crate::server::Server;
use crate::shadow::spot_checks::Spots;
use db_handle::Shelf;
use greenroom_state::error::Failing;
use greenroom_state::file_lane::FileLane;
use greenroom_state::warnings::Warnings;
use local_midnight::Midnight;
use what_if::Windows;

/// Minutes in which nothing was counted but what we asked for ourselves wait no longer than this to be written: an idle
/// process does not write every minute that it is idle.
const OWN_WAITS_MS: u64 = 3_600_000;
/// Under this name it is kept whether spot checks are made.
const SPOT_CHECKS: &str = "spot-checks";

/// The statistics of all servers.
#[derive(Debug)]
pub struct Statistics {
    servers: Vec<Arc<Server>>,
    clock: Clock,
    midnight: Midnight,
    write_every: Duration,
    shelf: Mutex<Shelf>,
    /// Where the shelf is read and written.
    lane: FileLane,
    /// Rows that had gone before their time when that was last looked at.
    dropped: AtomicU64,
    written: Mutex<Option<Written>>,
}

/// What came of writing statistics down the last time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// When it began.
    pub began_ms: u64,
    /// When it was done.
    pub ended_ms: u64,
    /// What was done, or why it could not be.
    pub outcome: Result<String, String>,
}

/// Which of what was counted is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// All of it.
    All,
    /// All of it if a client was counted; what we asked for ourselves waits for that, or for its hour.
    Due,
}

/// Writes statistics down from time to time, until the process is told to stop.
pub async fn keep(statistics: Arc<Statistics>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = statistics.clock.sleep(statistics.write_every) => {}
        }
        if let Err(reason) = statistics.write_down(Which::Due).await {
            tracing::debug!(reason, "statistics wait to be written");
        }
    }
}

/// Which decisions are meant; what is not said is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this server.
    pub server: Option<String>,
    /// Of this class.
    pub class: Option<String>,
    /// Of this app.
    pub app: Option<String>,
}

impl Statistics {
    /// The statistics of these servers, kept in this directory, with what was kept there before.
    pub fn open(
        dir: &Path,
        settings: &greenroom_config::Statistics,
        (servers, clock): (Vec<Arc<Server>>, Clock),
        warnings: Arc<Warnings>,
    ) -> Self {
        let shelf = Shelf::new(Some(dir.to_owned()), settings.max_bytes, warnings);
        let statistics = Self { write_every: settings.write_every, ..Self::on(shelf, servers, clock) };
        if let Err(failing) = statistics.restore(&mut statistics.shelf.lock()) {
            tracing::warn!(reason = failing.message, "the statistics of before cannot be read yet");
        }
        statistics
    }

    /// The statistics of these servers, as long as the process lives.
    pub fn new(servers: Vec<Arc<Server>>, clock: Clock) -> Self {
        let usual = greenroom_config::Statistics::default();
        Self::on(Shelf::new(None, usual.max_bytes, Arc::default()), servers, clock)
    }

    fn on(shelf: Shelf, servers: Vec<Arc<Server>>, clock: Clock) -> Self {
        let write_every = greenroom_config::Statistics::default().write_every;
        Self {
            servers,
            clock,
            midnight: Midnight::default(),
            write_every,
            shelf: Mutex::new(shelf),
            lane: FileLane::default(),
            dropped: AtomicU64::default(),
            written: Mutex::default(),
        }
    }

    /// Takes up what earlier processes kept, all of it or nothing, once.
    fn restore(&self, shelf: &mut Shelf) -> Result<(), Failing> {
        if shelf.is_restored {
            return Ok(());
        }
        let book = shelf.book()?;
        let now_ms = self.clock.now_ms();
        let is_enabled = book.choice(SPOT_CHECKS)?;
        let kept = self.servers.iter().map(|server| book.points(server.name(), now_ms));
        let kept: Vec<Points> = kept.collect::<Result<_, _>>()?;
        for (server, points) in self.servers.iter().zip(kept) {
            server.record.ledger.restore(points);
            if let Some(is_enabled) = is_enabled {
                server.record.spots.enable(is_enabled != 0);
            }
        }
        shelf.is_restored = true;
        Ok(())
    }

    /// Writes down what was counted since the last time; what was done, in a sentence.
    ///
    /// # Errors
    /// Why it could not: then it waits in memory.
    pub async fn sync(self: &Arc<Self>) -> Result<String, String> {
        self.write_down(Which::All).await
    }

    async fn write_down(self: &Arc<Self>, which: Which) -> Result<String, String> {
        let own = Arc::clone(self);
        let began_ms = self.clock.now_ms();
        let written = self.lane.run(move || own.write(which)).await;
        let outcome = written.unwrap_or_else(|undone| Err(undone.to_string()));
        let ended_ms = self.clock.now_ms();
        *self.written.lock() = Some(Written { began_ms, ended_ms, outcome: outcome.clone() });
        outcome
    }

    /// What came of it the last time.
    pub fn written(&self) -> Option<Written> {
        self.written.lock().clone()
    }

    /// How often it is done.
    pub fn write_every(&self) -> Duration {
        self.write_every
    }

    fn write_every_ms(&self) -> u64 {
        u64::try_from(self.write_every.as_millis()).unwrap_or(u64::MAX)
    }

    /// The same, on this thread.
    fn write(&self, which: Which) -> Result<String, String> {
        let mut shelf = self.shelf.lock();
        let now_ms = self.clock.now_ms();
        self.settle(&mut shelf, now_ms);
        // Before anything of ours is in the book: it would count twice.
        if let Err(failing) = self.restore(&mut shelf) {
            shelf.give_up(&failing);
            return Err(failing.message);
        }
        let mut taken: Vec<_> = self
            .servers
            .iter()
            .map(|server| (Arc::clone(server), server.record.ledger.take_pages()))
            .collect();
        let before_ms = now_ms.saturating_add(self.write_every_ms()).saturating_sub(OWN_WAITS_MS);
        if which == Which::Due && taken.iter().all(|(_, pages)| may_wait(pages, before_ms)) {
            for (server, pages) in taken.drain(..) {
                server.record.ledger.give_back(pages);
            }
        }
        match shelf.write(&taken, now_ms) {
            Ok(rows) => Ok(format!("{rows} rows were written.")),
            Err(failing) => {
                for (server, pages) in taken {
                    server.record.ledger.give_back(pages);
                }
                Err(failing.message)
            }
        }
    }

    /// Takes over what is counted elsewhere: what we asked for ourselves, and what became of refreshes.
    fn settle(&self, shelf: &mut Shelf, now_ms: u64) {
        for server in &self.servers {
            server.settle_own(now_ms);
        }
        let Some(first) = self.servers.first() else { return };
        for class in first.cache.stats().classes {
            let useful = class.refreshes_useful + class.warm_useful + class.ahead_useful;
            let useless = class.refreshes_useless + class.warm_useless + class.ahead_useless;
            let server = self.servers.iter().find(|server| server.name() == class.namespace);
            let (Some(server), Some(of)) = (server, Class::named(class.class)) else { continue };
            let before = shelf.refreshes.insert((class.namespace, class.class), (useful, useless));
            let (useful_before, useless_before) = before.unwrap_or_default();
            let ledger = &server.record.ledger;
            let subject = Subject::Read(of);
            ledger.note(subject, Count::RefreshesUseful, useful.saturating_sub(useful_before), now_ms);
            ledger.note(subject, Count::RefreshesUseless, useless.saturating_sub(useless_before), now_ms);
        }
    }

    /// Makes spot checks from now on, or none; kept over a restart.
    ///
    /// # Errors
    /// If it cannot be kept: then nothing has changed.
    pub async fn enable_spot_checks(self: &Arc<Self>, is_enabled: bool) -> Result<(), String> {
        let own = Arc::clone(self);
        let choose = move || own.shelf.lock().book()?.choose(SPOT_CHECKS, i64::from(is_enabled));
        let chosen = self.lane.run(choose).await;
        chosen.map_err(|undone| undone.to_string())?.map_err(|failing: Failing| failing.message)?;
        self.servers.iter().for_each(|server| server.record.spots.enable(is_enabled));
        Ok(())
    }

    /// Whether spot checks are made, and of how many hits one is.
    pub fn spot_checks(&self) -> (bool, u64) {
        let mut spots = self.servers.iter().map(|server| &server.record.spots);
        (spots.clone().any(Spots::is_enabled), spots.next().map_or(0, Spots::one_in))
    }

    /// What other lifetimes of a class would have saved; nothing if there is no such server.
    pub fn what_if(&self, server: &str, class: Class) -> Option<WhatIf> {
        let server = self.chosen(Some(server)).next()?;
        let lifetime = server.lifetime(class, class.lifetime(server.origin.settings.kind));
        let is_signalled = !lifetime.user_state || server.events() == Events::Followed;
        let (window, fresh_s) = if is_signalled && lifetime.fresh_with_signal_s > lifetime.fresh_s {
            ("fresh_with_signal_s", lifetime.fresh_with_signal_s)
        } else {
            ("fresh_s", lifetime.fresh_s)
        };
        let windows =
            Windows { fresh_ms: u64::from(fresh_s) * 1000, stale_ms: u64::from(lifetime.stale_s) * 1000 };
        let recorded = server.record.ledger.recorded(class, self.clock.now_ms());
        let now = what_if::play_all(&recorded, windows);
        Some(WhatIf {
            server: server.name().to_owned(),
            class: class.name(),
            window,
            fresh_s: u64::from(fresh_s),
            recorded: Sampled { since_ms: recorded.since_ms, asked: now.asked, reached: now.reached },
            options: what_if::choices(class.name(), &recorded, windows),
        })
    }

    /// Rows that went before their time, and minutes that were put together because too many waited.
    pub fn dropped(&self) -> u64 {
        let folded: u64 = self.servers.iter().map(|server| server.record.ledger.folded()).sum();
        // Who writes may be held up by the disk: then the figure of before has to do.
        if let Some(shelf) = self.shelf.try_lock() {
            self.dropped.store(shelf.dropped(), Ordering::Relaxed);
        }
        self.dropped.load(Ordering::Relaxed) + folded
    }

    /// What happened since midnight, at one server or at all.
    pub fn today(&self, only: Option<&str>) -> Today {
        let now_ms = self.clock.now_ms();
        let since_ms = self.midnight.before(now_ms);
        let mut sum = time_series::Point::default();
        for server in self.chosen(only) {
            server.settle_own(now_ms);
            sum.add(&server.record.ledger.sum(since_ms));
        }
        Today {
            since_ms,
            asked: sum.asked,
            reached: sum.reached,
            own: sum.own,
            saved: sum.saved,
            seconds_saved: sum.saved_ms / 1000,
            stale: sum.stale,
            stale_share: (sum.judged > 0).then(|| sum.stale as f64 / sum.judged as f64),
            oldest_s: sum.oldest_ms / 1000,
            spot_checks: SpotSum { made: sum.spots, wrong: sum.spots_wrong },
        }
    }

    /// The last decisions with a greater number than this, the newest first, each with its server's name.
    pub fn decisions<'a>(&'a self, filter: &'a Filter, after: u64, most: usize) -> Vec<(&'a str, Told)> {
        let is_meant = |decision: &Decision| {
            filter.class.as_deref().is_none_or(|class| class == decision.subject.name())
                && filter.app.as_deref().is_none_or(|app| app == decision.app.name)
        };
        let mut told: Vec<_> = self
            .chosen(filter.server.as_deref())
            .flat_map(|server| {
                let told = server.record.ledger.decisions(after, most, is_meant).into_iter();
                told.map(|told| (server.name(), told))
            })
            .collect();
        told.sort_by_key(|(_, told)| std::cmp::Reverse(told.number));
        told.truncate(most);
        told
    }

    fn chosen<'a>(&'a self, only: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Server>> {
        self.servers.iter().filter(move |server| only.is_none_or(|only| only == server.name()))
    }
}

/// Whether these pages hold only what we asked for ourselves, and none from before this moment.
fn may_wait(pages: &[Arc<Page>], before_ms: u64) -> bool {
    pages.iter().all(|page| page.is_own_only() && page.minute_ms > before_ms)
}
