//! Executes a request: finds the library, matches the rows once, writes and verifies each user's playlist.

use greenroom_cache::clock::millis;
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
use crate::playlists::client::{FetchedList, PlaylistClient, PlaylistRequestCounters};
use crate::playlists::error::PlaylistError;
use crate::playlists::request::{SyncRequest, SyncSource};
use crate::playlists::resolve::{ResolvedRows, resolve};
use crate::playlists::wait_for_index::{index_not_ready, wait_for_library};
use greenroom_config::playlist_mode::policy_word;
use greenroom_proxy::server::Server;

/// Max wait for another run that writes the same playlist.
const LOCK_TIMEOUT: Duration = Duration::from_secs(600);

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
pub async fn run_sync(playlists: &PlaylistService, run: &SyncRun, request: SyncRequest) {
    let started_us = playlists.clock.now_us();
    let result = match attempt(playlists, run, request, started_us).await {
        Ok(report) => RunResult::Done(Arc::new(report)),
        Err(SyncError::Failure(failure)) => RunResult::Failed(failure),
        Err(SyncError::Cancelled) => RunResult::Cancelled,
    };
    match &result {
        RunResult::Done(report) => {
            let counts = report.counts;
            tracing::info!(
                run = run.id,
                server = report.server,
                rows = counts.rows,
                found = counts.found + counts.version,
                missing = counts.missing,
                writes = report.writes,
                "{}",
                done_message(report.dry_run)
            );
        }
        RunResult::Failed(failure) => {
            tracing::warn!(run = run.id, reason = failure.code, "a playlist was not synchronised");
        }
        RunResult::Cancelled => tracing::info!(run = run.id, "synchronising a playlist was cancelled"),
    }
    playlists.finish(run, result);
}

/// Log message of a run that ended well.
fn done_message(is_dry_run: bool) -> &'static str {
    if is_dry_run { "a playlist was compared, and nothing was written" } else { "a playlist was synchronised" }
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
    unreadable: usize,
    is_changing: bool,
}

impl AccountSync<'_> {
    /// Writes for all accounts in turn.
    async fn write_all(&self, found: &ResolvedRows) -> Vec<AccountReport> {
        let named = self.request.accounts.iter().map(|name| Some(name.as_str()));
        let accounts_to_write: Vec<Option<&str>> =
            if self.request.accounts.is_empty() { vec![None] } else { named.collect() };
        let mut accounts = Vec::new();
        let mut confirmed = HashSet::new();
        for account in accounts_to_write {
            let total = found.tracks.len();
            self.run.set_progress(PlaylistProgress::Writing { account: account.map(str::to_owned), done: 0, total });
            let (report, existing) = self.write(account, found).await;
            let is_cancelled = report.standing == PlaylistSyncStatus::Cancelled;
            accounts.push(report);
            // While files are scanned, tracks may bear the names of others.
            if !self.request.dry_run && !self.is_changing {
                found.confirm(self.playlists, self.library, &existing, &mut confirmed).await;
            }
            if is_cancelled {
                break;
            }
        }
        accounts
    }

    /// Writes for one account. Also returns the playlist's content afterwards.
    async fn write(&self, account: Option<&str>, found: &ResolvedRows) -> (AccountReport, Vec<String>) {
        let client = match PlaylistClient::open(self.server, account, Arc::clone(self.counters)).await {
            Ok(client) => client,
            Err(error) => return (failed(account, error), Vec::new()),
        };
        let writer = PlaylistWriter {
            client: &client,
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
            unreadable: self.unreadable,
            is_changing: self.is_changing,
            written_before: self.request.written_to(account),
            created: &self.playlists.created,
            dry_run: self.request.dry_run,
            account,
        };
        writer.write(&found.tracks).await
    }
}

async fn attempt(
    playlists: &PlaylistService,
    run: &SyncRun,
    request: SyncRequest,
    started_us: u64,
) -> Result<PlaylistReport, SyncError> {
    let server = playlists.server(&request.server)?;
    let counters = Arc::new(PlaylistRequestCounters::default());
    let library = wait_for_library(playlists, run, &request, &server).await?;
    let source = read_source(playlists, run, &request.source, &counters).await?;
    let name = request.name.clone().or_else(|| source.name.clone()).filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| PlaylistFailure::new("no-name", "give the playlist a name: name"))?;
    let name = name.trim().to_owned();
    playlists.reserve_name(run, &name)?;
    let _lock = if request.dry_run { None } else { Some(lock_playlist(playlists, run, &name).await?) };
    let generation = library.generation().ok_or_else(|| index_not_ready(&library))?;
    let library_age_s = playlists.clock.now().duration_since(generation.taken_at_ms) / 1000;
    drop(generation);
    let is_changing = library.check_scan().await;
    let how = (request.policy, request.live, is_changing);
    let found = resolve(playlists, run, &library, &source, how).await?;
    let counts = found.counts;
    let match_rate = counts.match_rate();
    let task = AccountSync {
        playlists,
        run,
        library: &library,
        server: &server,
        request: &request,
        name: &name,
        counters: &counters,
        quirks: &ServerQuirks::default(),
        is_doubtful: match_rate < DOUBTFUL_RATE,
        unreadable: counts.bad,
        is_changing,
    };
    let accounts = task.write_all(&found).await;
    let mut warnings: Vec<String> = source.shared_name_note().into_iter().collect();
    let held_back: usize = accounts.iter().map(|account| account.held_back).sum();
    if let Some(reason) = accounts.iter().find_map(|account| account.held_back_reason) {
        warnings.push(report::held_back_warning(held_back, reason, counts.bad));
    }
    if is_changing {
        warnings.insert(0, report::changing_warning(counts.not_yet, request.dry_run));
    } else if match_rate < DOUBTFUL_RATE {
        PlaylistService::request_build_if_old(&library, millis(library_age_s));
        warnings.push(format!(
            "Only {:.0} % of the rows were found. Check that it is the right library and up to date; it was last read {} ago.",
            match_rate * 100.0,
            age(millis(library_age_s))
        ));
    }
    Ok(PlaylistReport {
        name,
        server: server.name().to_owned(),
        library: library.id.to_string(),
        library_age_s: millis(library_age_s),
        is_changing,
        mode: request.mode.word(),
        policy: policy_word(request.policy),
        dry_run: request.dry_run,
        format: source.format.word(),
        encoding: source.encoding.word(),
        counts,
        match_rate,
        warnings,
        rows: found.rows,
        bad: source.row_errors.iter().map(report::bad_row_report).collect(),
        accounts,
        reads: counters.reads.load(Ordering::Relaxed),
        writes: counters.writes.load(Ordering::Relaxed),
        took_ms: playlists.clock.since_ms(started_us),
        missing: found.missing,
    })
}

/// Waits while another run writes the same playlist.
async fn lock_playlist(
    playlists: &PlaylistService,
    run: &SyncRun,
    name: &str,
) -> Result<OwnedMutexGuard<()>, SyncError> {
    let lock = playlists.locks.lock(&run.server, name);
    tokio::select! {
        () = run.cancel.cancelled() => Err(SyncError::Cancelled),
        lock = playlists.clock.timeout(LOCK_TIMEOUT, lock) => lock.map_err(|_| {
            let message = "another run is writing this playlist; run it again later";
            PlaylistFailure::new("already-running", message).into()
        }),
    }
}

fn failed(account: Option<&str>, error: PlaylistError) -> AccountReport {
    AccountReport {
        account: account.map(str::to_owned),
        standing: PlaylistSyncStatus::Failed,
        error: Some(error.into()),
        ..AccountReport::default()
    }
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..3600 => format!("{} min", seconds / 60),
        _ if seconds % 3600 < 60 => format!("{} h", seconds / 3600),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

async fn read_source(
    playlists: &PlaylistService,
    run: &SyncRun,
    source: &SyncSource,
    counters: &Arc<PlaylistRequestCounters>,
) -> Result<Playlist, SyncError> {
    let (server, name_or_id, account) = match source {
        SyncSource::Rows(playlist) => return Ok(Playlist::clone(playlist)),
        SyncSource::Server { server, playlist, account } => (server, playlist, account),
    };
    run.set_progress(PlaylistProgress::ReadingSource);
    let server = playlists.server(server)?;
    let read = async {
        let client = PlaylistClient::open(&server, account.as_deref(), Arc::clone(counters)).await?;
        let listed = client.find_playlist(name_or_id).await?;
        let entries = client.entries(&listed.id).await?;
        Ok::<_, PlaylistError>((listed.title, entries))
    };
    let (title, FetchedList { rows: entries, unreadable }) = read.await.map_err(|error| {
        let failure = PlaylistFailure::from(error);
        PlaylistFailure { message: format!("the source playlist: {}", failure.message), ..failure }
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
    let source = Playlist::from_rows(Some(title), (1..).zip(entries).map(row).collect(), unreadable);
    if source.rows.is_empty() {
        return Err(PlaylistFailure::new("no-rows", "the source playlist is empty; nothing was changed").into());
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::done_message;

    #[test]
    fn a_dry_run_is_not_logged_as_a_write() {
        assert!(done_message(true).contains("nothing was written"));
        assert!(!done_message(true).contains("synchronised"));
        assert_eq!(done_message(false), "a playlist was synchronised");
    }
}
