//! A wish carried out: the library found, the rows resolved once, each account's playlist written and read back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_library::files::{Case, Confidence};
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::playlist::{Playlist, Row};
use greenroom_library::tracks::{Decision, Policy};

use super::Playlists;
use super::courier::{Courier, Tally};
use super::report::{
    self, AccountReport, Counts, DOUBTFUL_RATE, Failure, Outcome, Report, RowReport, Standing,
};
use super::run::{Ending, Progress, Run};
use super::trouble::Trouble;
use super::wish::{Source, Wish, policy_word};
use super::writing::{Desk, Pick};
use crate::library::{Library, State};
use crate::matching::places::PathAsked;
use crate::matching::{Live, Resolved, Source as Origin, Wanted};
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
    playlists.end(run, ending);
}

async fn attempt(playlists: &Playlists, run: &Run, wish: Wish, began_ms: u64) -> Result<Report, Stop> {
    let server = playlists.server(&wish.server)?;
    let tally = Arc::new(Tally::default());
    let library = await_library(playlists, run, &wish, &server).await?;
    let source = read_source(playlists, run, wish.source, &tally).await?;
    let name = wish.name.or_else(|| source.name.clone()).filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| Failure::new("no-name", "say what the playlist is to be called: name"))?;
    run.name.lock().clone_from(&name);
    let generation = library.generation().ok_or_else(|| not_known_yet(&library))?;
    let library_age_s = playlists.clock.now_ms().saturating_sub(generation.taken_at_ms) / 1000;
    drop(generation);
    let found = resolve(playlists, run, &library, &source, (wish.policy, wish.live)).await?;
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
        playlists.doubt(&library, library_age_s);
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
    let waits = async {
        let library = loop {
            match playlists.library(server, wish.library.as_deref()) {
                Some(library) => break library,
                None if !wish.wait || server.settings.token.is_none() => {
                    return Err(no_library(server, wish));
                }
                // The server was not asked yet which libraries it has, or does not answer.
                None => {}
            }
            run.tell(Progress::WaitingForLibrary { percent: None, left_ms: None });
            playlists.clock.sleep(LOOK).await;
        };
        playlists.warn_of(&library);
        if library.generation().is_some() {
            return Ok(library);
        }
        if !wish.wait {
            library.look_up();
            return Err(not_known_yet(&library));
        }
        let tells = async {
            let mut progress = library.progress();
            loop {
                let (percent, left_ms) = {
                    let now = progress.borrow_and_update();
                    (now.percent(), now.left_ms)
                };
                run.tell(Progress::WaitingForLibrary { percent, left_ms });
                if progress.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            ready = library.ready() => ready.map(drop).map_err(|_| not_known_yet(&library))?,
            () = tells => {}
        }
        Ok(library)
    };
    tokio::select! {
        () = run.cancel.cancelled() => Err(Stop::Cancelled),
        waited = playlists.clock.timeout(LONGEST_WAIT, waits) => match waited {
            Ok(library) => library.map_err(Stop::Failure),
            Err(_) => Err(no_library(server, wish).into()),
        },
    }
}

fn no_library(server: &Server, wish: &Wish) -> Failure {
    let name = server.name();
    if server.settings.token.is_none() {
        let message =
            format!("the music of {name} is not indexed, because the configuration has no token for it");
        return Failure::new("no-token", message);
    }
    if wish.library.is_some() {
        return Failure::new("unknown-library", format!("{name} has no such library that is kept here"));
    }
    let message = format!(
        "it is not known yet which libraries {name} has; wait for it (wait), or try again in a moment"
    );
    Failure::new("library-not-built", message)
}

fn not_known_yet(library: &Library) -> Failure {
    let id = &library.id;
    match library.state() {
        State::Off => Failure::new(
            "library-off",
            format!(
                "the index of library {id} is turned off: turn it on (PUT /api/v1/libraries/{id} with \"enabled\": true)"
            ),
        ),
        State::Failed => {
            let why = library.failure().map(|(failure, _)| failure.to_string()).unwrap_or_default();
            Failure::new("library-not-built", format!("library {id} could not be read: {why}"))
        }
        _ => {
            let far = library.progress().borrow().percent().map(|percent| format!(" ({percent} % is read)"));
            let message = format!(
                "library {id} is being read for the first time{}; wait for it (wait), or ask again later",
                far.unwrap_or_default()
            );
            Failure::new("library-not-built", message)
        }
    }
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
    (policy, live): (Policy, u32),
) -> Result<Found, Stop> {
    let mut live_left = usize::try_from(live).unwrap_or(usize::MAX);
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
        let files = of_files(playlists, library, batch).await;
        let wanted: Vec<Wanted> = batch.iter().map(wanted).collect();
        let may = if live_left == 0 { Live::Off } else { Live::UpTo(live_left) };
        let (_, resolved) = playlists.matching.resolve_with(library, &wanted, policy, may).await;
        // Who was searched for and not found costs as much as who was.
        let searched = |one: &&Resolved| one.source == Origin::Live || one.decision == Decision::Reject;
        live_left = live_left.saturating_sub(resolved.iter().filter(searched).count());
        for (((row, wanted), resolved), file) in batch.iter().zip(wanted).zip(&resolved).zip(files) {
            match file {
                Some(item) => found.take_file(row, wanted, &item),
                None => found.take(row, wanted, resolved),
            }
        }
    }
    Ok(found)
}

/// The tracks whose files the rows name, where that is certain: no title is as sure as the file itself.
async fn of_files(playlists: &Playlists, library: &Arc<Library>, rows: &[Row]) -> Vec<Option<Item>> {
    let mut files = vec![None; rows.len()];
    let named: Vec<(usize, &Row)> = rows.iter().enumerate().filter(|(_, row)| row.path.is_some()).collect();
    if named.is_empty() {
        return files;
    }
    let asked = |(_, row): &(usize, &Row)| PathAsked {
        path: row.path.clone().unwrap_or_default(),
        size_bytes: None,
        duration_s: row.duration_s,
    };
    let maps = Arc::new(library.server.settings.path_maps.clone());
    let libraries = std::slice::from_ref(library);
    let asked = named.iter().map(asked).collect();
    let found = playlists.matching.find_paths(libraries, asked, maps, Case::Exact).await;
    for ((at, _), mut found) in named.into_iter().zip(found) {
        if found.confidence == Confidence::High && found.items.len() == 1 {
            files[at] =
                found.items.pop().map(|placed| placed.item).filter(|item| item.kind == ItemKind::Track);
        }
    }
    files
}

impl Found {
    fn take(&mut self, row: &Row, wanted: Wanted, resolved: &Resolved) {
        self.count(row, wanted, report::judge(row, resolved), resolved.accepted());
    }

    fn take_file(&mut self, row: &Row, wanted: Wanted, item: &Item) {
        self.count(row, wanted, report::of_file(row, item), Some(item));
    }

    fn count(&mut self, row: &Row, wanted: Wanted, mut told: RowReport, accepted: Option<&Item>) {
        if let Some(item) = accepted {
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
    let mut is_news = |pick: &&Pick| held.contains(pick.key.as_str()) && confirmed.insert(pick.key.clone());
    let used = found.picks.iter().filter(&mut is_news);
    let used: Vec<(Wanted, Item)> =
        used.filter_map(|pick| Some((pick.wanted.clone(), found.items.get(&pick.key)?.clone()))).collect();
    if !used.is_empty() {
        playlists.matching.confirm_all(library, used).await;
    }
}
