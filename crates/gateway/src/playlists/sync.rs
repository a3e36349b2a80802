//! A wish carried out: the library found, the rows resolved once, each account's playlist written and read back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_library::item::Item;
use greenroom_library::playlist::{Playlist, Row};

use super::Playlists;
use super::courier::{Courier, Tally};
use super::report::{
    self, AccountReport, Counts, DOUBTFUL_RATE, Failure, Outcome, Report, RowReport, Standing,
};
use super::run::{Ending, Progress, Run};
use super::trouble::Trouble;
use super::wish::{Source, Wish, policy_word};
use super::writing::{Desk, Pick};
use crate::library::Library;
use crate::matching::{Resolved, Wanted};
use crate::server::Server;

/// Rows that are looked for at a time, so that progress can be told and somebody can cancel.
const ROWS_AT_ONCE: usize = 500;
/// How often a library is looked at whose first build is waited for.
const LOOK: Duration = Duration::from_millis(500);
/// How long it is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(3 * 3600);

/// Why there is no report.
enum Stop {
    Failure(Failure),
    Cancelled,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// What came of the rows of a source.
struct Found {
    rows: Vec<RowReport>,
    picks: Vec<Pick>,
    items: HashMap<String, Item>,
    missing: Vec<Row>,
    counts: Counts,
}

/// Carries out a wish.
pub async fn carry_out(playlists: &Playlists, run: &Run, wish: Wish) {
    let began_ms = playlists.clock.now_ms();
    let ending = match attempt(playlists, run, wish, began_ms).await {
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
            tracing::warn!(run = run.id, reason = failure.code, "a playlist was not synchronised")
        }
        Ending::Cancelled => tracing::info!(run = run.id, "synchronising a playlist was cancelled"),
    }
    run.end(ending);
}

async fn attempt(playlists: &Playlists, run: &Run, wish: Wish, began_ms: u64) -> Result<Report, Stop> {
    let server = playlists.server(&wish.server)?;
    let tally = Arc::new(Tally::default());
    let library = await_library(playlists, run, &wish, &server).await?;
    let source = read_source(playlists, run, wish.source, &tally).await?;
    let name = wish.name.or_else(|| source.name.clone()).filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| Failure::new("no-name", "say what the playlist is to be called: name"))?;
    run.name.lock().clone_from(&name);
    let generation = library.generation().ok_or_else(|| not_known_yet(&server))?;
    let library_age_s = playlists.clock.now_ms().saturating_sub(generation.taken_at_ms) / 1000;
    drop(generation);
    let found = resolve(playlists, run, &library, &source, wish.policy).await?;
    let chosen: Vec<Option<&str>> = if wish.accounts.is_empty() {
        vec![None]
    } else {
        wish.accounts.iter().map(|name| Some(name.as_str())).collect()
    };
    let habits = playlists.habits_of(&server);
    let mut accounts = Vec::new();
    let mut confirmed: HashSet<String> = HashSet::new();
    for account in chosen {
        run.tell(Progress::Writing {
            account: account.map(str::to_owned),
            done: 0,
            total: found.picks.len(),
        });
        let courier = match Courier::open(&server, account, Arc::clone(&tally)).await {
            Ok(courier) => courier,
            Err(trouble) => {
                accounts.push(failed(account, trouble));
                continue;
            }
        };
        let desk = Desk {
            courier: &courier,
            habits: &habits,
            run,
            clock: &playlists.clock,
            library: &library,
            matching: &playlists.matching,
            policy: wish.policy,
            name: &name,
            mode: wish.mode,
            dry_run: wish.dry_run,
            account,
        };
        let (report, held) = desk.write(&found.picks).await;
        let is_cancelled = report.standing == Standing::Cancelled;
        accounts.push(report);
        if !wish.dry_run {
            confirm(playlists, &library, &found, &held, &mut confirmed).await;
        }
        if is_cancelled {
            break;
        }
    }
    let counts = found.counts;
    let match_rate = if counts.rows == 0 {
        0.0
    } else {
        (counts.rows - counts.missing - counts.ambiguous) as f64 / counts.rows as f64
    };
    let mut warnings = Vec::new();
    if match_rate < DOUBTFUL_RATE {
        playlists.doubt(&library);
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
        took_ms: playlists.clock.now_ms().saturating_sub(began_ms),
        missing: found.missing,
    })
}

fn failed(account: Option<&str>, trouble: Trouble) -> AccountReport {
    AccountReport {
        account: account.map(str::to_owned),
        standing: Standing::Failed,
        playlist: None,
        is_new: false,
        added: 0,
        removed: 0,
        already: 0,
        not_visible: Vec::new(),
        length: 0,
        diff: None,
        error: Some(trouble.into()),
    }
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// The library, once something is known of it.
async fn await_library(
    playlists: &Playlists,
    run: &Run,
    wish: &Wish,
    server: &Arc<Server>,
) -> Result<Arc<Library>, Stop> {
    let meant = || playlists.library(server, wish.library.as_deref());
    let known = |library: &Option<Arc<Library>>| {
        library.as_ref().is_some_and(|library| library.generation().is_some())
    };
    let mut library = meant();
    if !known(&library) && wish.wait {
        run.tell(Progress::WaitingForLibrary);
        let waits = async {
            while !known(&library) {
                playlists.clock.sleep(LOOK).await;
                library = meant();
            }
        };
        tokio::select! {
            () = run.cancel.cancelled() => return Err(Stop::Cancelled),
            _ = playlists.clock.timeout(LONGEST_WAIT, waits) => {}
        }
    }
    match library {
        Some(library) if library.generation().is_some() => Ok(library),
        None if wish.library.is_some() => {
            let message =
                format!("the server {} has no such library of music that is kept here", server.name());
            Err(Failure::new("unknown-library", message).into())
        }
        _ => Err(not_known_yet(server).into()),
    }
}

fn not_known_yet(server: &Server) -> Failure {
    let message = format!(
        "nothing is known of the music of {} yet: its first build runs or is turned off, or there is no token. Wait for \
         it (wait), or look at the state of its libraries",
        server.name()
    );
    Failure::new("library-not-built", message)
}

async fn read_source(
    playlists: &Playlists,
    run: &Run,
    source: Source,
    tally: &Arc<Tally>,
) -> Result<Playlist, Stop> {
    let (server, word, account) = match source {
        Source::Rows(playlist) => return Ok(*playlist),
        Source::Server { server, playlist, account } => (server, playlist, account),
    };
    run.tell(Progress::ReadingSource);
    let server = playlists.server(&server)?;
    let read = async {
        let courier = Courier::open(&server, account.as_deref(), Arc::clone(tally)).await?;
        let listed = courier.playlist_meant(&word).await?;
        let entries = courier.entries(&listed.id).await?;
        Ok::<_, Trouble>((listed.title, entries))
    };
    let (title, entries) = read.await.map_err(|trouble| {
        let failure = Failure::from(trouble);
        Failure { message: format!("the playlist it comes from: {}", failure.message), ..failure }
    })?;
    let row = |(line, entry): (u32, greenroom_upstream::playlists::Entry)| Row {
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

/// Every row is looked for once, whoever it is written for.
async fn resolve(
    playlists: &Playlists,
    run: &Run,
    library: &Arc<Library>,
    source: &Playlist,
    policy: greenroom_library::tracks::Policy,
) -> Result<Found, Stop> {
    let total = source.rows.len();
    let mut found = Found {
        rows: Vec::with_capacity(total),
        picks: Vec::new(),
        items: HashMap::new(),
        missing: Vec::new(),
        counts: Counts { rows: total, bad: source.bad_count, ..Counts::default() },
    };
    for batch in source.rows.chunks(ROWS_AT_ONCE) {
        if run.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        run.tell(Progress::Resolving { done: found.rows.len(), total });
        let wanted: Vec<Wanted> = batch.iter().map(wanted).collect();
        let resolved = playlists.matching.resolve(library, &wanted, policy).await;
        for ((row, wanted), resolved) in batch.iter().zip(wanted).zip(&resolved) {
            found.take(row, wanted, resolved);
        }
    }
    Ok(found)
}

impl Found {
    fn take(&mut self, row: &Row, wanted: Wanted, resolved: &Resolved) {
        let mut told = report::judge(row, resolved);
        if let Some(item) = resolved.accepted() {
            let key = item.key.to_string();
            if self.items.contains_key(&key) {
                told.outcome = Outcome::Duplicate;
            } else {
                self.picks.push(Pick { key: key.clone(), label: row.label(), wanted });
                self.items.insert(key, item.clone());
            }
        }
        let counts = &mut self.counts;
        match told.outcome {
            Outcome::Found => counts.found += 1,
            Outcome::Version => counts.version += 1,
            Outcome::Ambiguous => counts.ambiguous += 1,
            Outcome::Missing => counts.missing += 1,
            Outcome::Duplicate => counts.duplicate += 1,
        }
        if matches!(told.outcome, Outcome::Missing | Outcome::Ambiguous) {
            self.missing.push(row.clone());
        }
        self.rows.push(told);
    }
}

fn wanted(row: &Row) -> Wanted {
    Wanted {
        title: row.title.clone(),
        artist: row.artist.clone(),
        artists: row.artists.clone(),
        album: row.album.clone(),
        duration_s: row.duration_s,
        ids: row.ids.clone(),
    }
}

/// What was found, written and read back was right.
async fn confirm(
    playlists: &Playlists,
    library: &Arc<Library>,
    found: &Found,
    held: &[String],
    confirmed: &mut HashSet<String>,
) {
    let held: HashSet<&str> = held.iter().map(String::as_str).collect();
    for pick in &found.picks {
        if held.contains(pick.key.as_str())
            && let Some(item) = found.items.get(&pick.key)
            && confirmed.insert(pick.key.clone())
        {
            playlists.matching.confirm(library, &pick.wanted, item).await;
        }
    }
}
