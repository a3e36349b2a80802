//! A wish carried out: the library found, the rows resolved once, each account's playlist written and read back.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_library::playlist::{Playlist, Row};
use tokio::sync::OwnedMutexGuard;

use super::Playlists;
use super::report::{self, AccountReport, DOUBTFUL_RATE, Failure, Report, Standing};
use super::run::{Ending, Progress, Run};
use crate::index::Library;
use crate::playlists::apply::{Desk, Habits};
use crate::playlists::client::{Courier, Tally};
use crate::playlists::error::Trouble;
use crate::playlists::request::{Source, Wish};
use crate::playlists::resolve::{Found, resolve};
use crate::playlists::wait_for_index::{await_library, not_known_yet};
use greenroom_config::playlist_mode::policy_word;
use greenroom_proxy::server::Server;

/// How long another run that writes the same playlist is waited for.
const LONGEST_TURN: Duration = Duration::from_secs(600);

/// Why there is no report.
pub(super) enum Stop {
    Failure(Failure),
    Cancelled,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Carries out a wish.
pub async fn carry_out(playlists: &Playlists, run: &Run, wish: Wish) {
    let began_us = playlists.clock.now_us();
    let ending = match attempt(playlists, run, wish, began_us).await {
        Ok(report) => Ending::Done(Arc::new(report)),
        Err(Stop::Failure(failure)) => Ending::Failed(failure),
        Err(Stop::Cancelled) => Ending::Cancelled,
    };
    match &ending {
        Ending::Done(report) => {
            let counts = report.counts;
            tracing::info!(
                run = run.id,
                server = report.server,
                rows = counts.rows,
                found = counts.found + counts.version,
                missing = counts.missing,
                writes = report.writes,
                "a playlist was synchronised"
            );
        }
        Ending::Failed(failure) => {
            tracing::warn!(run = run.id, reason = failure.code, "a playlist was not synchronised");
        }
        Ending::Cancelled => tracing::info!(run = run.id, "synchronising a playlist was cancelled"),
    }
    playlists.end(run, ending);
}

/// What every account of a wish is written with.
struct Task<'a> {
    playlists: &'a Playlists,
    run: &'a Run,
    library: &'a Arc<Library>,
    server: &'a Arc<Server>,
    wish: &'a Wish,
    name: &'a str,
    tally: &'a Arc<Tally>,
    habits: &'a Habits,
    is_doubtful: bool,
}

impl Task<'_> {
    /// Writes for one account after the other.
    async fn write_all(&self, found: &Found) -> Vec<AccountReport> {
        let named = self.wish.accounts.iter().map(|name| Some(name.as_str()));
        let chosen: Vec<Option<&str>> =
            if self.wish.accounts.is_empty() { vec![None] } else { named.collect() };
        let mut accounts = Vec::new();
        let mut confirmed = HashSet::new();
        for account in chosen {
            let total = found.picks.len();
            self.run.tell(Progress::Writing { account: account.map(str::to_owned), done: 0, total });
            let (report, held) = self.write(account, found).await;
            let is_cancelled = report.standing == Standing::Cancelled;
            accounts.push(report);
            if !self.wish.dry_run {
                found.confirm(self.playlists, self.library, &held, &mut confirmed).await;
            }
            if is_cancelled {
                break;
            }
        }
        accounts
    }

    /// Writes for one account. Tells also what is in its playlist then.
    async fn write(&self, account: Option<&str>, found: &Found) -> (AccountReport, Vec<String>) {
        let courier = match Courier::open(self.server, account, Arc::clone(self.tally)).await {
            Ok(courier) => courier,
            Err(trouble) => return (failed(account, trouble), Vec::new()),
        };
        let desk = Desk {
            courier: &courier,
            habits: self.habits,
            run: self.run,
            clock: &self.playlists.clock,
            library: self.library,
            matching: &self.playlists.matching,
            policy: self.wish.policy,
            name: self.name,
            mode: self.wish.mode,
            may_shrink: self.wish.shrink,
            is_doubtful: self.is_doubtful,
            made: &self.playlists.made,
            dry_run: self.wish.dry_run,
            account,
        };
        desk.write(&found.picks).await
    }
}

async fn attempt(playlists: &Playlists, run: &Run, wish: Wish, began_us: u64) -> Result<Report, Stop> {
    let server = playlists.server(&wish.server)?;
    let tally = Arc::new(Tally::default());
    let library = await_library(playlists, run, &wish, &server).await?;
    let source = read_source(playlists, run, &wish.source, &tally).await?;
    let name = wish.name.clone().or_else(|| source.name.clone()).filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| Failure::new("no-name", "say what the playlist is to be called: name"))?;
    let name = name.trim().to_owned();
    playlists.claim(run, &name)?;
    let _turn = if wish.dry_run { None } else { Some(await_turn(playlists, run, &name).await?) };
    let generation = library.generation().ok_or_else(|| not_known_yet(&library))?;
    let library_age_s = playlists.clock.now_ms().saturating_sub(generation.taken_at_ms) / 1000;
    drop(generation);
    let found = resolve(playlists, run, &library, &source, (wish.policy, wish.live)).await?;
    let counts = found.counts;
    let match_rate = if counts.rows == 0 {
        0.0
    } else {
        (counts.rows - counts.missing - counts.ambiguous) as f64 / counts.rows as f64
    };
    let task = Task {
        playlists,
        run,
        library: &library,
        server: &server,
        wish: &wish,
        name: &name,
        tally: &tally,
        habits: &Habits::default(),
        is_doubtful: match_rate < DOUBTFUL_RATE,
    };
    let accounts = task.write_all(&found).await;
    let mut warnings = Vec::new();
    let held_back: usize = accounts.iter().map(|account| account.held_back).sum();
    if held_back > 0 {
        warnings.push(format!(
            "{held_back} entries would have left, and were kept, because most of a playlist would have gone or few rows \
             were found. If that is meant, say so (shrink, --allow-shrink)."
        ));
    }
    if match_rate < DOUBTFUL_RATE {
        Playlists::doubt(&library, library_age_s);
        warnings.push(format!(
            "Only {:.0} % of the rows were found. Is it the right library, and is it up to date? It was last read {} ago.",
            match_rate * 100.0,
            age(library_age_s)
        ));
    }
    Ok(Report {
        name,
        server: server.name().to_owned(),
        library: library.id.to_string(),
        library_age_s,
        mode: wish.mode.word(),
        policy: policy_word(wish.policy),
        dry_run: wish.dry_run,
        format: source.format.word(),
        counts,
        match_rate,
        warnings,
        rows: found.rows,
        bad: source.bad.iter().map(report::bad_row).collect(),
        accounts,
        reads: tally.reads.load(Ordering::Relaxed),
        writes: tally.writes.load(Ordering::Relaxed),
        took_ms: playlists.clock.since_ms(began_us),
        missing: found.missing,
    })
}

/// Waits while another run writes such a playlist.
async fn await_turn(playlists: &Playlists, run: &Run, name: &str) -> Result<OwnedMutexGuard<()>, Stop> {
    let turn = playlists.turns.to_write(&run.server, name);
    tokio::select! {
        () = run.cancel.cancelled() => Err(Stop::Cancelled),
        turn = playlists.clock.timeout(LONGEST_TURN, turn) => turn.map_err(|_| {
            let message = "another run is writing this playlist; run it again later";
            Failure::new("already-running", message).into()
        }),
    }
}

fn failed(account: Option<&str>, trouble: Trouble) -> AccountReport {
    AccountReport {
        account: account.map(str::to_owned),
        standing: Standing::Failed,
        error: Some(trouble.into()),
        ..AccountReport::default()
    }
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

async fn read_source(
    playlists: &Playlists,
    run: &Run,
    source: &Source,
    tally: &Arc<Tally>,
) -> Result<Playlist, Stop> {
    let (server, word, account) = match source {
        Source::Rows(playlist) => return Ok(Playlist::clone(playlist)),
        Source::Server { server, playlist, account } => (server, playlist, account),
    };
    run.tell(Progress::ReadingSource);
    let server = playlists.server(server)?;
    let read = async {
        let courier = Courier::open(&server, account.as_deref(), Arc::clone(tally)).await?;
        let listed = courier.playlist_meant(word).await?;
        let entries = courier.entries(&listed.id).await?;
        Ok::<_, Trouble>((listed.title, entries))
    };
    let (title, entries) = read.await.map_err(|trouble| {
        let failure = Failure::from(trouble);
        Failure { message: format!("the playlist it comes from: {}", failure.message), ..failure }
    })?;
    let row = |(line, entry): (u32, greenroom_dialect::playlists::Entry)| Row {
        line,
        title: entry.title,
        artist: entry.artists.join(", "),
        artists: if entry.artists.len() > 1 { entry.artists } else { Vec::new() },
        album: entry.album,
        duration_s: entry.duration_s,
        ids: entry.ids,
        path: None,
    };
    let rows: Vec<Row> = (1..).zip(entries).map(row).filter(|row| !row.is_empty()).collect();
    if rows.is_empty() {
        return Err(
            Failure::new("no-rows", "the playlist it comes from is empty; nothing was changed").into()
        );
    }
    Ok(Playlist::of_rows(Some(title), rows))
}
