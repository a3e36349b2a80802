//! Honest statistics: what was asked, in which way it was answered, and what that spared the servers.
//!
//! | room | is |
//! |---|---|
//! | [`decision`] | how one request was answered |
//! | [`passage`] | why a request goes past the cache |
//! | [`counts`] | what is counted of some requests; rows add up |
//! | [`histogram`] | how often each size came |
//! | [`ledger`] | what one server was asked, as it happens |
//! | [`page`] | the rows of one minute |
//! | [`points`] | sums by minute, hour and day |
//! | [`ring`] | the last decisions |
//! | [`midnight`] | when the day began |
//! | [`book`] and `shelf` | what is kept over a restart |
//! | [`spot`] | whether what was answered is what the server says |
//! | [`sample`] and [`what_if`] | what other lifetimes would have saved |
//! | [`figures`] | what is told |
//!
//! Every request that a client makes counts once, under the way in which it was answered. What we ask for ourselves
//! (refreshes, warming, loads ahead, events, spot checks) is counted apart and is never a hit. Nothing here knows a
//! path, a query or a token; users are the beginnings of keyed hashes.

pub mod book;
pub mod counts;
pub mod decision;
pub mod figures;
pub mod histogram;
pub mod ledger;
pub mod midnight;
pub mod page;
pub mod passage;
pub mod points;
pub mod ring;
pub mod sample;
mod shelf;
pub mod spot;
#[cfg(test)]
mod tests;
pub mod what_if;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_upstream::class::Class;
use parking_lot::Mutex;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

pub use decision::{Decision, Outcome, Subject, User, Verdict, Why};
pub use ledger::Ledger;
pub use passage::Passage;

use crate::config;
use crate::server::Server;
use crate::state::trouble::Failing;
use crate::warnings::Warnings;
use book::Row;
use counts::{Count, Counts};
use figures::{Curve, Grouping, Line, Span, Sums, Table};
use midnight::Midnight;
use page::By;
use ring::Told;
use shelf::Shelf;
use spot::Spots;
use what_if::{Choice, Windows};

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

/// What happened since midnight, where this machine is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Today {
    /// When the day began.
    pub since_ms: u64,
    /// Requests that apps made.
    pub asked: u64,
    /// Requests to the servers that these caused.
    pub reached: u64,
    /// Requests that we made for ourselves.
    pub own: u64,
    /// Requests that were answered without asking the server.
    pub saved: u64,
    /// What asking would have taken, all together, by how long loads of each class took on average.
    pub seconds_saved: u64,
    /// Answers that were older than fresh.
    pub stale: u64,
    /// The same as a share of what was asked; `null` before anybody asked.
    pub stale_share: Option<f64>,
    /// The oldest answer that was given, pictures and the web client's own files aside.
    pub oldest_s: u64,
    /// Answers that were compared with what the server said at that moment.
    pub spot_checks: SpotSum,
}

/// How spot checks came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpotSum {
    /// How many were made.
    pub made: u64,
    /// Those that found an answer which nothing explains.
    pub wrong: u64,
}

/// What other lifetimes of a class would have saved.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WhatIf {
    /// The server.
    pub server: String,
    /// The class.
    pub class: &'static str,
    /// How long its answers are fresh now.
    pub fresh_s: u64,
    /// What was sampled.
    pub recorded: Sampled,
    /// Other lifetimes, the shortest first; none before anybody asked.
    pub options: Vec<Choice>,
}

/// Traffic that was sampled in the last day, and how much of it reaches the server under the lifetime of now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Sampled {
    /// Since when.
    pub since_ms: u64,
    /// Questions in the sample.
    pub asked: u64,
    /// Of these, the ones that have the server asked.
    pub reached: u64,
}

/// Writes statistics down from time to time, until the process is told to stop.
pub async fn keep(statistics: Arc<Statistics>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = statistics.clock.sleep(statistics.write_every) => {}
        }
        if let Err(reason) = statistics.sync().await {
            tracing::debug!(reason, "statistics wait to be written");
        }
    }
}

/// Rows of one server and name put together.
fn together(rows: Vec<Row>) -> Vec<Row> {
    let mut sums: BTreeMap<(String, String), Counts> = BTreeMap::new();
    for row in rows {
        sums.entry((row.server, row.name)).or_default().merge(&row.counts);
    }
    sums.into_iter().map(|((server, name), counts)| Row { server, name, counts }).collect()
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
        settings: &config::Statistics,
        (servers, clock): (Vec<Arc<Server>>, Clock),
        warnings: Arc<Warnings>,
    ) -> Self {
        let shelf = Shelf::new(Some(dir.to_owned()), settings.max_bytes, warnings);
        let statistics = Self { write_every: settings.write_every, ..Self::on(shelf, servers, clock) };
        if let Err(failing) = statistics.restore() {
            tracing::warn!(reason = failing.message, "the statistics of before cannot be read");
        }
        statistics
    }

    /// The statistics of these servers, as long as the process lives.
    pub fn new(servers: Vec<Arc<Server>>, clock: Clock) -> Self {
        let usual = config::Statistics::default();
        Self::on(Shelf::new(None, usual.max_bytes, Arc::default()), servers, clock)
    }

    fn on(shelf: Shelf, servers: Vec<Arc<Server>>, clock: Clock) -> Self {
        let write_every = config::Statistics::default().write_every;
        Self {
            servers,
            clock,
            midnight: Midnight::default(),
            write_every,
            shelf: Mutex::new(shelf),
            written: Mutex::default(),
        }
    }

    fn restore(&self) -> Result<(), Failing> {
        let mut shelf = self.shelf.lock();
        let book = shelf.book()?;
        let now_ms = self.clock.now_ms();
        let is_enabled = book.choice(SPOT_CHECKS)?;
        for server in &self.servers {
            server.ledger.restore(book.points(server.name(), now_ms)?);
            if let Some(is_enabled) = is_enabled {
                server.spots.enable(is_enabled != 0);
            }
        }
        Ok(())
    }

    /// Writes down what was counted since the last time; what was done, in a sentence.
    ///
    /// # Errors
    /// Why it could not: then it waits in memory.
    pub async fn sync(self: &Arc<Self>) -> Result<String, String> {
        let own = Arc::clone(self);
        let began_ms = self.clock.now_ms();
        let written = tokio::task::spawn_blocking(move || own.write()).await;
        let outcome = written.unwrap_or_else(|_| Err("writing statistics failed; see the log".to_owned()));
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

    /// The same, on this thread.
    fn write(&self) -> Result<String, String> {
        let mut shelf = self.shelf.lock();
        let now_ms = self.clock.now_ms();
        self.settle(&mut shelf, now_ms);
        let taken: Vec<_> =
            self.servers.iter().map(|server| (Arc::clone(server), server.ledger.take_pages())).collect();
        let rows: usize = taken.iter().flat_map(|(_, pages)| pages).map(|page| page.rows().count()).sum();
        match shelf.write(&taken, now_ms) {
            Ok(()) => Ok(format!("{rows} rows were written.")),
            Err(failing) => {
                for (server, pages) in taken {
                    server.ledger.give_back(pages);
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
            let ledger = &server.ledger;
            let subject = Subject::Read(of);
            ledger.note(subject, Count::RefreshesUseful, useful.saturating_sub(useful_before), now_ms);
            ledger.note(subject, Count::RefreshesUseless, useless.saturating_sub(useless_before), now_ms);
        }
    }

    /// What was counted in a span of time, the busiest first.
    ///
    /// # Errors
    /// If what is kept cannot be read.
    pub async fn rows(
        self: &Arc<Self>,
        grouping: Grouping,
        only: Option<String>,
        span: Span,
    ) -> Result<Table, String> {
        let own = Arc::clone(self);
        let read = move || own.read(grouping, only.as_deref(), span).map_err(|failing| failing.message);
        let table = tokio::task::spawn_blocking(read).await;
        table.map_err(|_| "reading statistics failed; see the log".to_owned())?
    }

    fn read(&self, grouping: Grouping, only: Option<&str>, span: Span) -> Result<Table, Failing> {
        let mut shelf = self.shelf.lock();
        let now_ms = self.clock.now_ms();
        self.settle(&mut shelf, now_ms);
        let range = span.rows(now_ms);
        let own_rows = self.gather(&mut shelf, By::Own, only, &range)?;
        let mut rows = self.gather(&mut shelf, grouping.by(), only, &range)?;
        if grouping == Grouping::Server {
            for row in &mut rows {
                row.name.clone_from(&row.server);
            }
            rows = together(rows);
        }
        let mut own = Counts::default();
        own_rows.iter().for_each(|row| own.merge(&row.counts));
        let mut rows: Vec<Line> = rows.into_iter().map(|row| Line::of(row, grouping)).collect();
        let busiest = |one: &Line| (Reverse(one.sums.asked), one.server.clone(), one.name.clone());
        rows.sort_by_cached_key(busiest);
        Ok(Table { by: grouping, since_ms: range.since_ms, until_ms: now_ms, rows, own: Sums::of(&own) })
    }

    /// What was counted of every class of every server in a span of time.
    ///
    /// # Errors
    /// If what is kept cannot be read.
    pub async fn counted(self: &Arc<Self>, span: Span) -> Result<Vec<Row>, String> {
        let own = Arc::clone(self);
        let read = move || {
            let range = span.rows(own.clock.now_ms());
            own.gather(&mut own.shelf.lock(), By::Class, None, &range)
        };
        let rows = tokio::task::spawn_blocking(read).await;
        rows.map_err(|error| error.to_string())?.map_err(|failing| failing.message)
    }

    /// What is kept of a range, and what waits to be.
    fn gather(
        &self,
        shelf: &mut Shelf,
        by: By,
        only: Option<&str>,
        range: &book::Range,
    ) -> Result<Vec<Row>, Failing> {
        let mut rows = shelf.book()?.rows(only, by, range)?;
        for server in self.chosen(only) {
            server.ledger.look(|page| {
                if page.minute_ms >= range.since_ms {
                    let of_kind = page.rows().filter(|(kind, ..)| *kind == by);
                    rows.extend(of_kind.map(|(_, name, counts)| Row {
                        server: server.name().to_owned(),
                        name,
                        counts: counts.clone(),
                    }));
                }
            });
        }
        Ok(together(rows))
    }

    /// A curve of what was asked, at one server or at all.
    pub fn series(&self, only: Option<&str>, span: Span) -> Curve {
        let now_ms = self.clock.now_ms();
        let (step, each_ms, since_ms) = span.curve(now_ms);
        let points: Vec<_> =
            self.chosen(only).flat_map(|server| server.ledger.points(step, since_ms)).collect();
        figures::curve(&points, (each_ms, since_ms), now_ms)
    }

    /// Makes spot checks from now on, or none; kept over a restart.
    ///
    /// # Errors
    /// If it cannot be kept: then nothing has changed.
    pub async fn enable_spot_checks(self: &Arc<Self>, is_enabled: bool) -> Result<(), String> {
        let own = Arc::clone(self);
        let choose = move || own.shelf.lock().book()?.choose(SPOT_CHECKS, i64::from(is_enabled));
        let chosen = tokio::task::spawn_blocking(choose).await;
        chosen.map_err(|error| error.to_string())?.map_err(|failing: Failing| failing.message)?;
        self.servers.iter().for_each(|server| server.spots.enable(is_enabled));
        Ok(())
    }

    /// Whether spot checks are made, and of how many hits one is.
    pub fn spot_checks(&self) -> (bool, u64) {
        let mut spots = self.servers.iter().map(|server| &server.spots);
        (spots.clone().any(Spots::is_enabled), spots.next().map_or(0, Spots::one_in))
    }

    /// What other lifetimes of a class would have saved; nothing if there is no such server.
    pub fn what_if(&self, server: &str, class: Class) -> Option<WhatIf> {
        let server = self.chosen(Some(server)).next()?;
        let settings = &server.settings;
        let lifetime = settings.lifetime(class, class.lifetime(settings.kind));
        let windows = Windows {
            fresh_ms: u64::from(lifetime.fresh_s) * 1000,
            stale_ms: u64::from(lifetime.stale_s) * 1000,
        };
        let recorded = server.ledger.recorded(class, self.clock.now_ms());
        let now = what_if::play_all(&recorded, windows);
        Some(WhatIf {
            server: server.name().to_owned(),
            class: class.name(),
            fresh_s: u64::from(lifetime.fresh_s),
            recorded: Sampled { since_ms: recorded.since_ms, asked: now.asked, reached: now.reached },
            options: what_if::choices(class.name(), &recorded, windows),
        })
    }

    /// Rows that went before their time, and minutes that were put together because too many waited.
    pub fn dropped(&self) -> u64 {
        let folded: u64 = self.servers.iter().map(|server| server.ledger.folded()).sum();
        // Who writes may be held up by the disk: then the figure of before has to do.
        self.shelf.try_lock().map_or(0, |shelf| shelf.dropped()) + folded
    }

    /// What happened since midnight, at one server or at all.
    pub fn today(&self, only: Option<&str>) -> Today {
        let now_ms = self.clock.now_ms();
        let since_ms = self.midnight.before(now_ms);
        let mut sum = points::Point::default();
        for server in self.chosen(only) {
            server.settle_own(now_ms);
            sum.add(&server.ledger.sum(since_ms));
        }
        Today {
            since_ms,
            asked: sum.asked,
            reached: sum.reached,
            own: sum.own,
            saved: sum.saved,
            seconds_saved: sum.saved_ms / 1000,
            stale: sum.stale,
            stale_share: (sum.asked > 0).then(|| sum.stale as f64 / sum.asked as f64),
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
                let told = server.ledger.decisions(after, most, is_meant).into_iter();
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
