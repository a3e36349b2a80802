//! Runs a sync again once the server has scanned its files: what was not found may be there then.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::PlaylistService;
use super::request::SyncRequest;
use super::run::{RunResult, SyncRun};

/// Max syncs that wait for the end of a scan; further ones do not run again by themselves.
const MAX_WAITING: u64 = 64;
/// Pause before another attempt to start, while too many runs are active …
const RETRY_DELAY: Duration = Duration::from_secs(30);
/// … and the number of attempts.
const MAX_ATTEMPTS: usize = 20;

/// A request that may run again.
pub(super) struct SyncRepetition {
    request: SyncRequest,
}

impl SyncRepetition {
    /// The request as it would run again; `None` if it may not.
    pub(super) fn of(request: &SyncRequest) -> Option<Self> {
        let repeats = request.repeats.checked_sub(1)?;
        Some(Self { request: SyncRequest { repeats, ..request.clone() } })
    }

    /// Runs the request again once the scan has ended that the run met. Returns at once if it met none.
    pub(super) async fn run_after_scan(mut self, playlists: &Arc<PlaylistService>, run: &Arc<SyncRun>) {
        let Some(RunResult::Done(report)) = run.result() else { return };
        let server = playlists.server(&self.request.server).ok();
        let library = server.and_then(|server| playlists.library(&server, self.request.library.as_deref()));
        let (true, Some(library)) = (report.is_changing, library) else { return };
        if playlists.waiting_for_scan.fetch_add(1, Ordering::AcqRel) >= MAX_WAITING {
            playlists.waiting_for_scan.fetch_sub(1, Ordering::AcqRel);
            playlists.count_outcome("refused");
            tracing::warn!(run = run.id, "too many playlists wait for the end of a scan: this one does not run again");
            return;
        }
        tokio::select! {
            () = run.cancel.cancelled() => {}
            _ = library.scan_ended() => {
                let written = report.rows.iter().filter_map(|row| Some(row.item.as_ref()?.key.clone()));
                self.request.written_before.extend(written);
                self.start(playlists, run).await;
            }
        }
        playlists.waiting_for_scan.fetch_sub(1, Ordering::AcqRel);
    }

    async fn start(self, playlists: &Arc<PlaylistService>, run: &Arc<SyncRun>) {
        for _ in 0..MAX_ATTEMPTS {
            let name = run.name.lock().clone();
            let newest = playlists.runs().into_iter().find(|other| other.writes_to(&run.server, &name));
            if newest.is_some_and(|newest| newest.id != run.id) {
                // A person has synced it meanwhile, perhaps from other rows.
                return;
            }
            match playlists.start(self.request.clone()) {
                Ok(again) => {
                    tracing::info!(
                        run = run.id,
                        again = again.id,
                        "the scan has ended: a playlist is synchronised again"
                    );
                    return;
                }
                Err(failure) if failure.code == "too-many-runs" => playlists.clock.sleep(RETRY_DELAY).await,
                Err(failure) => {
                    tracing::warn!(run = run.id, reason = failure.code, "a playlist cannot be synchronised again");
                    return;
                }
            }
        }
    }
}
