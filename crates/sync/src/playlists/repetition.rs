//! Runs a sync again once the server has scanned its files: what was not found may be there then.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::PlaylistService;
use super::account_report::AccountReport;
use super::request::{SyncRequest, WrittenTracks};
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

    /// The request as it runs after these results: not for an account whose playlist is another's, and each of the
    /// others knows the tracks that were written to its playlist. `None` if there is nothing to run again.
    fn after(mut self, accounts: &[AccountReport]) -> Option<Self> {
        let exists = |account: &&AccountReport| account.error.as_ref().is_some_and(|error| error.code == "exists");
        for refused in accounts.iter().filter(exists) {
            let name = refused.account.as_ref()?;
            self.request.accounts.retain(|account| account != name);
            self.request.written_before.retain(|tracks| tracks.account.as_ref() != Some(name));
            if self.request.accounts.is_empty() {
                // An empty list would mean the owner.
                return None;
            }
        }
        for account in accounts.iter().filter(|account| !exists(account) && !account.written.is_empty()) {
            let written = &mut self.request.written_before;
            match written.iter_mut().find(|tracks| tracks.account == account.account) {
                Some(tracks) => tracks.keys.extend(account.written.iter().cloned()),
                None => {
                    written.push(WrittenTracks { account: account.account.clone(), keys: account.written.clone() });
                }
            }
        }
        Some(self)
    }

    /// Runs the request again once the scan has ended that the run met. Returns at once if it met none.
    pub(super) async fn run_after_scan(self, playlists: &Arc<PlaylistService>, run: &Arc<SyncRun>) {
        let Some(RunResult::Done(report)) = run.result() else { return };
        let server = playlists.server(&self.request.server).ok();
        let library = server.and_then(|server| playlists.library(&server, self.request.library.as_deref()));
        let (true, Some(library)) = (report.is_changing, library) else { return };
        let Some(repetition) = self.after(&report.accounts) else { return };
        if playlists.waiting_for_scan.fetch_add(1, Ordering::AcqRel) >= MAX_WAITING {
            playlists.waiting_for_scan.fetch_sub(1, Ordering::AcqRel);
            playlists.count_outcome("refused");
            tracing::warn!(run = run.id, "too many playlists wait for the end of a scan: this one does not run again");
            return;
        }
        tokio::select! {
            () = run.cancel.cancelled() => {}
            has_ended = library.scan_ended() => {
                if has_ended {
                    repetition.start(playlists, run).await;
                } else {
                    tracing::warn!(run = run.id, "a scan does not end: a playlist is not synchronised again");
                }
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

#[cfg(test)]
mod tests {
    use greenroom_config::playlist_mode::PlaylistMode;
    use greenroom_library::matching::MatchPolicy;

    use super::*;
    use crate::playlists::error::PlaylistError;
    use crate::playlists::report::PlaylistFailure;
    use crate::playlists::request::SyncSource;

    fn repetition(accounts: &[&str]) -> SyncRepetition {
        let source = SyncSource::Server { server: "home".into(), playlist: "Source".into(), account: None };
        SyncRepetition {
            request: SyncRequest {
                source,
                server: "home".into(),
                library: None,
                name: Some("Weekly".into()),
                mode: PlaylistMode::Create,
                shrink: false,
                accounts: accounts.iter().map(|account| (*account).to_owned()).collect(),
                policy: MatchPolicy::Strict,
                dry_run: false,
                live: 0,
                wait: false,
                repeats: 1,
                written_before: Vec::new(),
            },
        }
    }

    fn written(account: Option<&str>, keys: &[&str]) -> AccountReport {
        let written = keys.iter().map(|key| (*key).to_owned()).collect();
        AccountReport { account: account.map(str::to_owned), written, ..AccountReport::default() }
    }

    fn failed(account: Option<&str>, error: PlaylistError) -> AccountReport {
        AccountReport { error: Some(PlaylistFailure::from(error)), ..written(account, &[]) }
    }

    #[test]
    fn a_playlist_of_another_is_not_written_after_a_scan() {
        let accounts = [failed(Some("ann"), PlaylistError::Exists), written(Some("bob"), &["1", "2"])];
        let again = repetition(&["ann", "bob"]).after(&accounts).expect("it runs again for the other");
        assert_eq!(again.request.accounts, ["bob"]);
        assert_eq!(again.request.written_to(Some("bob")), ["1", "2"]);
        assert!(again.request.written_to(Some("ann")).is_empty() && again.request.written_to(None).is_empty());
        assert!(repetition(&["ann"]).after(&accounts[..1]).is_none(), "no account would mean the owner");
        assert!(repetition(&[]).after(&[failed(None, PlaylistError::Exists)]).is_none());
    }

    #[test]
    fn each_account_knows_the_tracks_of_all_runs_and_a_failure_that_may_pass_is_tried_again() {
        let first = repetition(&["ann", "bob"])
            .after(&[written(Some("ann"), &["1"]), failed(Some("bob"), PlaylistError::Unreachable)]);
        let second = first.and_then(|first| first.after(&[written(Some("ann"), &["2"]), written(Some("bob"), &["3"])]));
        let request = second.expect("it runs again").request;
        assert_eq!(request.accounts, ["ann", "bob"]);
        assert_eq!(
            (request.written_to(Some("ann")), request.written_to(Some("bob"))),
            (&["1".into(), "2".into()][..], &["3".into()][..])
        );
        let owner = repetition(&[]).after(&[written(None, &["1"])]).expect("it runs again");
        assert_eq!(owner.request.written_to(None), ["1"]);
    }
}
