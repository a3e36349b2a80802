//! The task of a folder: one piece of work at a time, whatever asks for it.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::disk::network_file_system;
use greenroom_config::WatchMode;

use crate::enrichment::EnrichmentQueue;
use crate::folder::Folder;
use crate::folder_status::TreeWatchState;
use crate::folder_work::{ReportsEnd, ScanEnd, WorkState};
use crate::watcher::{TreeWatch, WatchError};

/// Wait after a report of the system, so that those of one change are read together.
const SETTLE: Duration = Duration::from_millis(250);
/// Wait after a scan that was suspicious, or was cancelled although changes were reported.
const RETRY: Duration = Duration::from_secs(30);
/// Shortest time between two saves of a list.
const SAVE_INTERVAL: Duration = Duration::from_secs(60);

/// Reason for a turn of the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    Stop,
    Scan,
    Reports,
    Enrichment,
    Save,
}

/// Work that may be done next.
#[derive(Debug, Clone, Copy)]
struct WorkPlan {
    next_scan_ms: Timestamp,
    save_at_ms: Option<Timestamp>,
    has_enrichment: bool,
    /// Whether reports were the last to have a turn.
    is_after_reports: bool,
}

impl WorkPlan {
    /// The work that has its turn after reports, so that a tree that changes all the time is saved and its archives are
    /// read.
    fn turn_after_reports(&self, now_ms: Timestamp) -> Option<Occasion> {
        let is_save_due = self.save_at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        match (self.is_after_reports, is_save_due, self.has_enrichment) {
            (false, ..) | (true, false, false) => None,
            (true, true, _) => Some(Occasion::Save),
            (true, false, true) => Some(Occasion::Enrichment),
        }
    }
}

impl Folder {
    /// Starts the folder's task.
    pub fn start(self: &Arc<Self>) {
        let folder = Arc::clone(self);
        self.context.tasks.spawn(async move { folder.run().await });
        if let Some(directory) = self.settings.marker_dir.clone() {
            let folder = Arc::clone(self);
            self.context.tasks.spawn(async move { folder.follow_markers(directory).await });
        }
    }

    /// Whether a scan is asked for that has not begun.
    pub fn is_scan_requested(&self) -> bool {
        self.status.lock().is_scan_wanted
    }

    async fn run(self: Arc<Self>) {
        let mut work = self.block(WorkState::default(), Self::load).await;
        self.send_pulse();
        self.watch().await;
        let mut was_away = false;
        self.status.lock().is_scan_wanted = true;
        let mut enrichment = EnrichmentQueue::default();
        let mut next_scan_ms = self.context.clock.now();
        let (mut saved_ms, mut is_after_reports) = (Timestamp::UNIX_EPOCH, false);
        loop {
            enrichment.refill(&self);
            let save_at_ms = work.is_unsaved.then_some(saved_ms + SAVE_INTERVAL);
            let has_enrichment = enrichment.has_work() && self.status.lock().suspicion.is_none();
            match self.next(WorkPlan { next_scan_ms, save_at_ms, has_enrichment, is_after_reports }).await {
                Occasion::Stop => break,
                Occasion::Scan => {
                    let (end, after) = self.scan_once(work).await;
                    work = after;
                    self.check_watch();
                    next_scan_ms = self.context.clock.now() + Duration::from_millis(self.wait_after(end, &work));
                    self.prune_covers();
                    if end == ScanEnd::Accepted {
                        enrichment.retry();
                        // A disk that came back is another tree to the system, and so is a directory in its place.
                        let is_other = self.tree_watch.load().as_ref().is_some_and(|watch| watch.root() != work.root);
                        if std::mem::take(&mut was_away) || is_other {
                            self.watch().await;
                            next_scan_ms = self.context.clock.now();
                        }
                    }
                    was_away |= end == ScanEnd::Suspicious;
                }
                Occasion::Reports => {
                    self.settle().await;
                    let (after, end) = self.block_for(work, Self::apply_reports).await;
                    work = after;
                    self.check_watch();
                    let now_ms = self.context.clock.now();
                    next_scan_ms = next_scan_ms.min(match end {
                        Some(ReportsEnd::Published) => Timestamp::MAX,
                        Some(ReportsEnd::ScanWanted) | None => now_ms,
                        Some(ReportsEnd::Deferred) => {
                            now_ms + Duration::from_millis(self.wait_after(ScanEnd::Suspicious, &work))
                        }
                    });
                    is_after_reports = true;
                }
                Occasion::Enrichment => {
                    is_after_reports = false;
                    let (batch, device) = (enrichment.take_batch(), work.device);
                    let details = Arc::clone(&self);
                    let read = self.context.tasks.spawn_blocking(move || details.read_details(batch, device)).await;
                    if let Some(details) = read.ok().and_then(|read| enrichment.collect(read, &self)) {
                        work = self.block(work, move |folder, work| folder.apply_details(&details, work)).await;
                    }
                }
                Occasion::Save => {
                    saved_ms = self.context.clock.now();
                    work = self.block(work, Self::save).await;
                }
            }
        }
        self.tree_watch.store(None);
        if let Some(details) = enrichment.finish() {
            work = self.block(work, move |folder, work| folder.apply_details(&details, work)).await;
        }
        if work.is_unsaved {
            self.block(work, Self::save).await;
        }
    }

    /// Waits for the next occasion. Reports and scans come before enrichment, but not always.
    async fn next(&self, plan: WorkPlan) -> Occasion {
        let clock = &self.context.clock;
        let until = |at_ms: Timestamp| clock.sleep(at_ms.duration_since(clock.now()));
        loop {
            if self.context.stop.is_cancelled() {
                return Occasion::Stop;
            }
            if self.status.lock().is_scan_wanted || plan.next_scan_ms <= clock.now() {
                return Occasion::Scan;
            }
            if let Some(occasion) = plan.turn_after_reports(clock.now()) {
                return occasion;
            }
            tokio::select! {
                biased;
                () = self.context.stop.cancelled() => return Occasion::Stop,
                // The request may be of a scan that has begun since; then none is wanted any more.
                () = self.scan_requests.notified() => {}
                () = self.dirty.wait() => return Occasion::Reports,
                () = until(plan.next_scan_ms) => return Occasion::Scan,
                () = until(plan.save_at_ms.unwrap_or(Timestamp::UNIX_EPOCH)), if plan.save_at_ms.is_some() => return Occasion::Save,
                () = std::future::ready(()), if plan.has_enrichment => return Occasion::Enrichment,
            }
        }
    }

    /// Waits a little, as one change causes several reports.
    async fn settle(&self) {
        tokio::select! {
            () = self.context.stop.cancelled() => {}
            () = self.context.clock.sleep(SETTLE) => {}
        }
    }

    async fn scan_once(self: &Arc<Self>, work: WorkState) -> (ScanEnd, WorkState) {
        let (folder, cancel) = (Arc::clone(self), Arc::clone(self));
        let mut scan = self.context.tasks.spawn_blocking(move || {
            let mut work = work;
            let end = folder.scan(&mut work);
            (end, work)
        });
        let ended = tokio::select! {
            ended = &mut scan => ended,
            () = self.context.stop.cancelled() => {
                // It may begin only now.
                loop {
                    cancel.cancel_scan();
                    tokio::select! {
                        ended = &mut scan => break ended,
                        () = cancel.context.clock.sleep(SETTLE) => {}
                    }
                }
            }
        };
        ended.unwrap_or_else(|error| {
            tracing::error!(folder = self.settings.name, %error, "a folder's scan ended unexpectedly");
            self.status.lock().scan = None;
            let next_id = self.current().and_then(|list| list.files.iter().map(|file| file.id).max()).unwrap_or(0) + 1;
            (ScanEnd::Suspicious, WorkState { next_id, ..WorkState::default() })
        })
    }

    /// Runs blocking work that changes the work state.
    async fn block(
        self: &Arc<Self>,
        work: WorkState,
        action: impl FnOnce(&Self, &mut WorkState) + Send + 'static,
    ) -> WorkState {
        self.block_for(work, action).await.0
    }

    /// Runs blocking work that changes the work state, for its result: `None` if it panicked.
    async fn block_for<T: Send + 'static>(
        self: &Arc<Self>,
        mut work: WorkState,
        action: impl FnOnce(&Self, &mut WorkState) -> T + Send + 'static,
    ) -> (WorkState, Option<T>) {
        let folder = Arc::clone(self);
        let next_id = work.next_id;
        let done = self.context.tasks.spawn_blocking(move || {
            let result = action(&folder, &mut work);
            (work, Some(result))
        });
        done.await.unwrap_or_else(|error| {
            tracing::error!(folder = self.settings.name, %error, "work on a folder ended unexpectedly");
            // Some numbers may have been given away.
            (WorkState { next_id: next_id + 1_000_000, ..WorkState::default() }, None)
        })
    }

    fn wait_after(&self, end: ScanEnd, work: &WorkState) -> u64 {
        let is_polled = self.status.lock().watch == TreeWatchState::Polling;
        let usual = if is_polled { self.settings.poll_interval } else { self.settings.compare_interval };
        let is_early = end == ScanEnd::Suspicious || work.is_scan_owed;
        let wait = if is_early { RETRY.min(usual) } else { usual };
        u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
    }

    /// Begins to watch the tree, if the settings and the file system allow it. The next scan adds its directories.
    pub(crate) async fn watch(self: &Arc<Self>) {
        self.tree_watch.store(None);
        let (watch, state) = match self.settings.watch {
            WatchMode::Off => (None, TreeWatchState::Off),
            WatchMode::Poll => (None, TreeWatchState::Polling),
            WatchMode::Auto => self.watch_by_events().await,
        };
        self.tree_watch.store(watch.map(Arc::new));
        self.status.lock().watch = state;
    }

    /// Watches each directory before it is read, unless the tree is polled.
    pub(crate) fn directory_watcher(&self) -> impl Fn(&str) + Sync + use<> {
        let watch = self.tree_watch.load_full();
        move |directory| {
            if let Some(watch) = &watch {
                watch.add(directory);
            }
        }
    }

    /// After the tree was read: beyond the system's limit it is polled, and so it is until it was read whole once.
    pub(crate) fn check_watch(&self) {
        let Some(watch) = self.tree_watch.load_full() else { return };
        let state = match (watch.is_full(), watch.is_whole()) {
            (true, _) => {
                self.tree_watch.store(None);
                self.warn_of_limit();
                TreeWatchState::Polling
            }
            (false, true) => TreeWatchState::Events,
            (false, false) => TreeWatchState::Polling,
        };
        self.status.lock().watch = state;
    }

    async fn watch_by_events(self: &Arc<Self>) -> (Option<TreeWatch>, TreeWatchState) {
        let (path, dirty, name) = (self.settings.path.clone(), Arc::clone(&self.dirty), self.settings.name.clone());
        let extensions = self.settings.extensions.clone();
        let started = self.context.tasks.spawn_blocking(move || match network_file_system(&path) {
            Some(kind) => Err(WatchStart::Network(kind)),
            None => TreeWatch::start(&path, extensions, dirty).map_err(WatchStart::Failed),
        });
        match started.await {
            Ok(Ok(watch)) => return (Some(watch), TreeWatchState::Events),
            Ok(Err(WatchStart::Network(kind))) => {
                tracing::info!(folder = name, kind, "a folder on a network file system is polled");
            }
            Ok(Err(WatchStart::Failed(WatchError::Limit))) => self.warn_of_limit(),
            Ok(Err(WatchStart::Failed(WatchError::Unreadable))) => {
                tracing::warn!(folder = name, "a folder that cannot be read is polled");
            }
            Ok(Err(WatchStart::Failed(WatchError::Other(reason)))) => {
                tracing::warn!(folder = name, reason, "a folder cannot be watched and is polled");
            }
            Err(error) => tracing::error!(folder = name, %error, "the watch of a folder ended unexpectedly"),
        }
        (None, TreeWatchState::Polling)
    }

    fn warn_of_limit(&self) {
        let (name, seconds) = (&self.settings.name, self.settings.poll_interval.as_secs());
        self.warn(
            "folder-watch-limit",
            format!("The folder \"{name}\" is polled every {seconds} s: the system's limit of watches is reached."),
            "Raise it: sysctl fs.inotify.max_user_watches=1048576, and the same line in /etc/sysctl.d.".into(),
        );
    }
}

/// Reason to poll a tree.
enum WatchStart {
    Network(String),
    Failed(WatchError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_that_changes_all_the_time_is_saved_and_its_archives_are_read_between_reports() {
        let plan = WorkPlan {
            next_scan_ms: Timestamp::from_millis(9),
            save_at_ms: Some(Timestamp::from_millis(5)),
            has_enrichment: true,
            is_after_reports: true,
        };
        assert_eq!(plan.turn_after_reports(Timestamp::from_millis(5)), Some(Occasion::Save));
        assert_eq!(plan.turn_after_reports(Timestamp::from_millis(4)), Some(Occasion::Enrichment));
        assert_eq!(WorkPlan { has_enrichment: false, ..plan }.turn_after_reports(Timestamp::from_millis(4)), None);
        assert_eq!(WorkPlan { is_after_reports: false, ..plan }.turn_after_reports(Timestamp::from_millis(5)), None);
    }
}
