//! Executes a request: finds the library, matches the rows once, writes and verifies each user's playlist.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_library::playlist::{Playlist, PlaylistRow};
use tokio::sync::OwnedMutexGuard;

use super::PlaylistService;
use super::report::{self, AccountReport, DOUBTFUL_RATE, PlaylistFailure, PlaylistReport, PlaylistSyncStatus};
use super::run::{PlaylistProgress, RunResult, SyncRun};
use crate::index::Library;
use crate::playlists::apply::{PlaylistWriter, ServerQuirks};
use crate::playlists::client::{PlaylistClient, PlaylistRequestCounters};
use crate::playlists::error::PlaylistError;
use crate::playlists::request::{SyncRequest, SyncSource};
use crate::playlists::resolve::{ResolvedRows, resolve};
use crate::playlists::wait_for_index::{not_known_yet, wait_for_library};
use greenroom_config::playlist_mode::policy_word;
use greenroom_proxy::server::Server;

/// Max wait for another run that writes the same playlist.
const LONGEST_TURN: Duration = Duration::from_secs(600);

/// Reason why there is no report.
pub(super) enum SyncError {
    Failure(PlaylistFailure),
    Cancelled,
}

impl From<PlaylistFailure> for SyncError {
    fn from(failure: PlaylistFailure) -> Self {
        Self::Failure(failure)
    }
}

/// Executes a request.
pub async fn run_sync(playlists: &PlaylistService, run: &SyncRun, wish: SyncRequest) {
    let began_us = playlists.clock.now_us();
    let ending = match attempt(playlists, run, wish, began_us).await {
        Ok(report) => RunResult::Done(Arc::new(report)),
        Err(SyncError::Failure(failure)) => RunResult::Failed(failure),
        Err(SyncError::Cancelled) => RunResult::Cancelled,
    };
    match &ending {
        RunResult::Done(report) => {
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
        RunResult::Failed(failure) => {
            tracing::warn!(run = run.id, reason = failure.code, "a playlist was not synchronised");
        }
        RunResult::Cancelled => tracing::info!(run = run.id, "synchronising a playlist was cancelled"),
    }
    playlists.finish(run, ending);
}

/// State shared by all accounts of a request.
struct AccountSync<'a> {
    playlists: &'a PlaylistService,
    run: &'a SyncRun,
    library: &'a Arc<Library>,
    server: &'a Arc<Server>,
    request: &'a SyncRequest,
    name: &'a str,
    counters: &'a Arc<PlaylistRequestCounters>,
    quirks: &'a ServerQuirks,
    is_doubtful: bool,
}

impl AccountSync<'_> {
    /// Writes for all accounts in turn.
    async fn write_all(&self, found: &ResolvedRows) -> Vec<AccountReport> {
        let named = self.request.accounts.iter().map(|name| Some(name.as_str()));
        let chosen: Vec<Option<&str>> = if self.request.accounts.is_empty() { vec![None] } else { named.collect() };
        let mut accounts = Vec::new();
        let mut confirmed = HashSet::new();
        for account in chosen {
            let total = found.tracks.len();
            self.run.set_progress(PlaylistProgress::Writing { account: account.map(str::to_owned), done: 0, total });
            let (report, held) = self.write(account, found).await;
            let is_cancelled = report.standing == PlaylistSyncStatus::Cancelled;
            accounts.push(report);
            if !self.request.dry_run {
                found.confirm(self.playlists, self.library, &held, &mut confirmed).await;
            }
            if is_cancelled {
                break;
            }
        }
        accounts
    }

    /// Writes for one account. Also returns the playlist's content afterwards.
    async fn write(&self, account: Option<&str>, found: &ResolvedRows) -> (AccountReport, Vec<String>) {
        let courier = match PlaylistClient::open(self.server, account, Arc::clone(self.counters)).await {
            Ok(courier) => courier,
            Err(trouble) => return (failed(account, trouble), Vec::new()),
        };
        let desk = PlaylistWriter {
            client: &courier,
            quirks: self.quirks,
            run: self.run,
            clock: &self.playlists.clock,
            library: self.library,
            matching: &self.playlists.matching,
            policy: self.request.policy,
            name: self.name,
            mode: self.request.mode,
            may_shrink: self.request.shrink,
            is_doubtful: self.is_doubtful,
            created: &self.playlists.created,
            dry_run: self.request.dry_run,
            account,
        };
        desk.write(&found.tracks).await
    }
}

async fn attempt(
    playlists: &PlaylistService,
    run: &SyncRun,
    wish: SyncRequest,
    began_us: u64,
) -> Result<PlaylistReport, SyncError> {
    let server = playlists.server(&wish.server)?;
    let tally = Arc::new(PlaylistRequestCounters::default());
    let library = wait_for_library(playlists, run, &wish, &server).await?;
    let source = read_source(playlists, run, &wish.source, &tally).await?;
    let name = wish.name.clone().or_else(|| source.name.clone()).filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| PlaylistFailure::new("no-name", "say what the playlist is to be called: name"))?;
    let name = name.trim().to_owned();
    playlists.reserve_name(run, &name)?;
    let _turn = if wish.dry_run { None } else { Some(lock_playlist(playlists, run, &name).await?) };
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
    let task = AccountSync {
        playlists,
        run,
        library: &library,
        server: &server,
        request: &wish,
        name: &name,
        counters: &tally,
        quirks: &ServerQuirks::default(),
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
        PlaylistService::request_compare(&library, library_age_s);
        warnings.push(format!(
            "Only {:.0} % of the rows were found. Is it the right library, and is it up to date? It was last read {} ago.",
            match_rate * 100.0,
            age(library_age_s)
        ));
    }
    Ok(PlaylistReport {
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
        bad: source.row_errors.iter().map(report::bad_row_report).collect(),
        accounts,
        reads: tally.reads.load(Ordering::Relaxed),
        writes: tally.writes.load(Ordering::Relaxed),
        took_ms: playlists.clock.since_ms(began_us),
        missing: found.missing,
    })
}

/// Waits while another run writes the same playlist.
async fn lock_playlist(
    playlists: &PlaylistService,
    run: &SyncRun,
    name: &str,
) -> Result<OwnedMutexGuard<()>, SyncError> {
    let turn = playlists.locks.lock(&run.server, name);
    tokio::select! {
        () = run.cancel.cancelled() => Err(SyncError::Cancelled),
        turn = playlists.clock.timeout(LONGEST_TURN, turn) => turn.map_err(|_| {
            let message = "another run is writing this playlist; run it again later";
            PlaylistFailure::new("already-running", message).into()
        }),
    }
}

fn failed(account: Option<&str>, trouble: PlaylistError) -> AccountReport {
    AccountReport {
        account: account.map(str::to_owned),
        standing: PlaylistSyncStatus::Failed,
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
    playlists: &PlaylistService,
    run: &SyncRun,
    source: &SyncSource,
    tally: &Arc<PlaylistRequestCounters>,
) -> Result<Playlist, SyncError> {
    let (server, word, account) = match source {
        SyncSource::Rows(playlist) => return Ok(Playlist::clone(playlist)),
        SyncSource::Server { server, playlist, account } => (server, playlist, account),
    };
    run.set_progress(PlaylistProgress::ReadingSource);
    let server = playlists.server(server)?;
    let read = async {
        let courier = PlaylistClient::open(&server, account.as_deref(), Arc::clone(tally)).await?;
        let listed = courier.find_playlist(word).await?;
        let entries = courier.entries(&listed.id).await?;
        Ok::<_, PlaylistError>((listed.title, entries))
    };
    let (title, entries) = read.await.map_err(|trouble| {
        let failure = PlaylistFailure::from(trouble);
        PlaylistFailure { message: format!("the playlist it comes from: {}", failure.message), ..failure }
    })?;
    let row = |(line, entry): (u32, greenroom_dialect::playlists::PlaylistEntry)| PlaylistRow {
        line,
        title: entry.title,
        artist: entry.artists.join(", "),
        artists: if entry.artists.len() > 1 { entry.artists } else { Vec::new() },
        album: entry.album,
        duration_s: entry.duration_s,
        ids: entry.ids,
        path: None,
    };
    let rows: Vec<PlaylistRow> = (1..).zip(entries).map(row).filter(|row| !row.is_empty()).collect();
    if rows.is_empty() {
        return Err(PlaylistFailure::new("no-rows", "the playlist it comes from is empty; nothing was changed").into());
    }
    Ok(Playlist::from_rows(Some(title), rows))
}
