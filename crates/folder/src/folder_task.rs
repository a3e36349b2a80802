//! The task of a folder: one piece of work at a time, whatever asks for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::disk::network_file_system;
use greenroom_config::WatchMode;

use crate::enrichment::EnrichmentQueue;
use crate::folder::Folder;
use crate::folder_status::TreeWatchState;
use crate::folder_work::{ScanEnd, WorkState};
use crate::marker_files::{LOOK_INTERVAL, MarkerFiles};
use crate::watcher::{TreeWatch, WatchError};

/// Wait after a report of the system, so that those of one change are read together.
const SETTLE: Duration = Duration::from_millis(250);
/// Wait after a scan that was not believed.
const RETRY: Duration = Duration::from_secs(30);
/// Shortest time between two saves of a list.
const SAVE_INTERVAL_MS: u64 = 60_000;

/// Why the task does something.
enum Occasion {
    Stop,
    Scan,
    Reports,
    Enrichment,
    Save,
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

    /// Follows the comic app's marker files.
    async fn follow_markers(self: Arc<Self>, directory: PathBuf) {
        let mut files = MarkerFiles::default();
        loop {
            let (folder, directory) = (Arc::clone(&self), directory.clone());
            let followed = self.context.tasks.spawn_blocking(move || {
                files.follow(&folder, &directory);
                files
            });
            files = followed.await.unwrap_or_default();
            tokio::select! {
                () = self.context.stop.cancelled() => return,
                () = self.context.clock.sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    async fn run(self: Arc<Self>) {
        let mut work = self.block(WorkState::default(), Self::load).await;
        self.send_pulse();
        let mut watch = self.watch().await;
        let mut was_away = false;
        self.status.lock().is_scan_wanted = true;
        let mut enrichment = EnrichmentQueue::default();
        let mut next_scan_ms = self.context.clock.now_ms();
        let mut saved_ms = 0;
        loop {
            enrichment.refill(&self);
            let save_at_ms = work.is_unsaved.then_some(saved_ms + SAVE_INTERVAL_MS);
            match self.next(next_scan_ms, save_at_ms, enrichment.has_work()).await {
                Occasion::Stop => break,
                Occasion::Scan => {
                    let (end, after) = self.scan_once(work).await;
                    work = after;
                    next_scan_ms = self.context.clock.now_ms() + self.wait_after(end);
                    self.prune_covers();
                    // A disk that came back is another tree to the system.
                    if was_away && end == ScanEnd::Believed {
                        drop(watch.take());
                        watch = self.watch().await;
                        next_scan_ms = self.context.clock.now_ms();
                    }
                    was_away = end == ScanEnd::Doubted;
                }
                Occasion::Reports => {
                    self.settle().await;
                    let needs_scan = Arc::new(std::sync::atomic::AtomicBool::new(false));
                    let result = Arc::clone(&needs_scan);
                    let apply = move |folder: &Self, work: &mut WorkState| {
                        result.store(folder.apply_reports(work), std::sync::atomic::Ordering::Relaxed);
                    };
                    work = self.block(work, apply).await;
                    if needs_scan.load(std::sync::atomic::Ordering::Relaxed) {
                        next_scan_ms = self.context.clock.now_ms();
                    }
                }
                Occasion::Enrichment => {
                    let batch = enrichment.take_batch();
                    let details = Arc::clone(&self);
                    let read = self.context.tasks.spawn_blocking(move || details.read_details(batch)).await;
                    if let Some(details) = read.ok().and_then(|read| enrichment.collect(read, &self)) {
                        work = self.block(work, move |folder, work| folder.apply_details(&details, work)).await;
                    }
                }
                Occasion::Save => {
                    saved_ms = self.context.clock.now_ms();
                    work = self.block(work, Self::save).await;
                }
            }
        }
        drop(watch);
        if let Some(details) = enrichment.finish() {
            work = self.block(work, move |folder, work| folder.apply_details(&details, work)).await;
        }
        if work.is_unsaved {
            self.block(work, Self::save).await;
        }
    }

    /// Waits for the next occasion. Reports and scans come before enrichment.
    async fn next(&self, next_scan_ms: u64, save_at_ms: Option<u64>, has_enrichment: bool) -> Occasion {
        let clock = &self.context.clock;
        let until = |at_ms: u64| clock.sleep(Duration::from_millis(at_ms.saturating_sub(clock.now_ms())));
        if self.status.lock().is_scan_wanted || next_scan_ms <= clock.now_ms() {
            return if self.context.stop.is_cancelled() { Occasion::Stop } else { Occasion::Scan };
        }
        tokio::select! {
            biased;
            () = self.context.stop.cancelled() => Occasion::Stop,
            () = self.scan_requests.notified() => Occasion::Scan,
            () = self.dirty.wait() => Occasion::Reports,
            () = until(next_scan_ms) => Occasion::Scan,
            () = until(save_at_ms.unwrap_or(0)), if save_at_ms.is_some() => Occasion::Save,
            () = std::future::ready(()), if has_enrichment => Occasion::Enrichment,
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
            (ScanEnd::Doubted, WorkState { next_id, ..WorkState::default() })
        })
    }

    /// Runs blocking work that changes the work state.
    async fn block(
        self: &Arc<Self>,
        mut work: WorkState,
        action: impl FnOnce(&Self, &mut WorkState) + Send + 'static,
    ) -> WorkState {
        let folder = Arc::clone(self);
        let next_id = work.next_id;
        let done = self.context.tasks.spawn_blocking(move || {
            action(&folder, &mut work);
            work
        });
        done.await.unwrap_or_else(|error| {
            tracing::error!(folder = self.settings.name, %error, "work on a folder ended unexpectedly");
            // Some numbers may have been given away.
            WorkState { next_id: next_id + 1_000_000, ..WorkState::default() }
        })
    }

    fn wait_after(&self, end: ScanEnd) -> u64 {
        let is_watched = self.status.lock().watch == TreeWatchState::Events;
        let is_polled = self.status.lock().watch == TreeWatchState::Polling;
        let usual = if is_polled && !is_watched { self.settings.poll_interval } else { self.settings.compare_interval };
        let wait = if end == ScanEnd::Doubted { RETRY.min(usual) } else { usual };
        u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
    }

    /// Begins to watch the tree, if the settings and the file system allow it.
    async fn watch(self: &Arc<Self>) -> Option<TreeWatch> {
        let (watch, state) = match self.settings.watch {
            WatchMode::Off => (None, TreeWatchState::Off),
            WatchMode::Poll => (None, TreeWatchState::Polling),
            WatchMode::Auto => self.watch_by_events().await,
        };
        self.status.lock().watch = state;
        watch
    }

    async fn watch_by_events(self: &Arc<Self>) -> (Option<TreeWatch>, TreeWatchState) {
        let (path, dirty, name) = (self.settings.path.clone(), Arc::clone(&self.dirty), self.settings.name.clone());
        let started = self.context.tasks.spawn_blocking(move || match network_file_system(&path) {
            Some(kind) => Err(WatchStart::Network(kind)),
            None => TreeWatch::start(&path, dirty).map_err(WatchStart::Failed),
        });
        let seconds = self.settings.poll_interval.as_secs();
        match started.await {
            Ok(Ok(watch)) => return (Some(watch), TreeWatchState::Events),
            Ok(Err(WatchStart::Network(kind))) => {
                tracing::info!(folder = name, kind, "a folder on a network file system is polled");
            }
            Ok(Err(WatchStart::Failed(WatchError::Limit))) => self.warn(
                "folder-watch-limit",
                format!("The folder \"{name}\" is polled every {seconds} s: the system's limit of watches is reached."),
                "Raise it: sysctl fs.inotify.max_user_watches=1048576, and the same line in /etc/sysctl.d.".into(),
            ),
            Ok(Err(WatchStart::Failed(WatchError::Other(reason)))) => {
                tracing::warn!(folder = name, reason, "a folder cannot be watched and is polled");
            }
            Err(error) => tracing::error!(folder = name, %error, "the watch of a folder ended unexpectedly"),
        }
        (None, TreeWatchState::Polling)
    }
}

/// Why a tree is polled.
enum WatchStart {
    Network(String),
    Failed(WatchError),
}
