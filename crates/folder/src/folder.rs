//! One folder: its current list, its marks, and what may be asked of it. `folder_task` keeps the list.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use greenroom_cache::Clock;
use greenroom_config::FolderSettings;
use greenroom_library::files::{CaseSensitivity, FileQuery, PathMaps};
use greenroom_state::warnings::Warnings;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::change_history::ChangeHistory;
use crate::cover_store::CoverStore;
use crate::dirty_paths::DirtyPaths;
use crate::duplicates::Duplicates;
use crate::file_entry::FileEntry;
use crate::folder_status::{
    EnrichmentProgress, FolderCounters, FolderReport, FolderState, LastScan, ScanProgress, TreeWatchState,
};
use crate::index::{FolderGeneration, SuspicionReason};
use crate::list::selection::SelectionRequest;
use crate::list::{ListFilter, ListPage, ListQuery, QueryError, Selection, SelectionCache};
use crate::marker_looks::MarkerLooks;
use crate::marks::MarkBook;
use crate::path_index::{FoundPaths, PathIndexCache};
use crate::scan::ScanControl;
use crate::watcher::TreeWatch;

/// Age of a list from which on `refresh` scans anew.
const MIN_REFRESH: Duration = Duration::from_secs(5);

/// Dependencies of all folders.
#[derive(Debug, Clone)]
pub struct FolderContext {
    /// The data directory.
    pub data_dir: PathBuf,
    /// The process clock.
    pub clock: Clock,
    /// Owner of all tasks.
    pub tasks: TaskTracker,
    /// Ends them.
    pub stop: CancellationToken,
    /// Register of warnings.
    pub warnings: Arc<Warnings>,
}

/// State that changes while a folder runs, beside its list.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) is_confirmed: bool,
    pub(crate) suspicion: Option<SuspicionReason>,
    pub(crate) failure: Option<String>,
    pub(crate) watch: TreeWatchState,
    pub(crate) scan: Option<Arc<ScanControl>>,
    pub(crate) last_scan: Option<LastScan>,
    /// When the list was last compared with the tree.
    pub(crate) compared_ms: Timestamp,
    pub(crate) counters: FolderCounters,
    /// The next scan is accepted, however much it loses.
    pub(crate) accept_loss: bool,
    /// A scan is asked for.
    pub(crate) is_scan_wanted: bool,
}

/// Changes that watchers of a folder see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FolderPulse {
    /// Number of the list.
    pub generation: u64,
    /// Version of the marks.
    pub marks: u64,
    /// Trust in the list.
    pub state: FolderState,
    /// Files whose metadata is read.
    pub enriched: usize,
}

/// One folder.
#[derive(Debug)]
pub struct Folder {
    /// Its settings.
    pub settings: FolderSettings,
    pub(crate) context: FolderContext,
    pub(crate) current: ArcSwapOption<FolderGeneration>,
    pub(crate) duplicates: ArcSwap<Duplicates>,
    pub(crate) marks: MarkBook,
    /// Recent changes.
    pub changes: ChangeHistory,
    pub(crate) status: Mutex<Status>,
    pub(crate) scan_requests: Notify,
    pub(crate) marker_looks: MarkerLooks,
    pub(crate) dirty: Arc<DirtyPaths>,
    /// Its watch, unless it is polled.
    pub(crate) tree_watch: ArcSwapOption<TreeWatch>,
    pub(crate) pulse: watch::Sender<FolderPulse>,
    /// Thumbnails of covers.
    pub covers: CoverStore,
    selections: SelectionCache,
    /// Paths of the list that was looked up last.
    paths: PathIndexCache,
}

/// An answer to a list.
#[derive(Debug)]
pub enum ListAnswer {
    /// A page of a complete list.
    Page(Box<ListPage>, Arc<Selection>),
    /// There is no list yet: the first scan still runs, or the folder is away.
    NotYet,
}

impl Folder {
    /// A folder that does not run yet.
    pub fn new(settings: FolderSettings, context: FolderContext) -> Self {
        let marks = MarkBook::open(&context.data_dir, &settings.name, &settings.marks).unwrap_or_else(|error| {
            tracing::error!(folder = settings.name, %error, "the marks of a folder cannot be read");
            MarkBook::unavailable(&settings.marks)
        });
        let changes = ChangeHistory::open(&context.data_dir, &settings.name);
        let covers = CoverStore::new(&context.data_dir.join("folders").join("covers"), &settings);
        Self {
            settings,
            context,
            current: ArcSwapOption::empty(),
            duplicates: ArcSwap::from_pointee(Duplicates::default()),
            marks,
            changes,
            status: Mutex::default(),
            scan_requests: Notify::new(),
            marker_looks: MarkerLooks::default(),
            dirty: Arc::default(),
            tree_watch: ArcSwapOption::empty(),
            pulse: watch::Sender::new(FolderPulse::default()),
            covers,
            selections: SelectionCache::default(),
            paths: PathIndexCache::default(),
        }
    }

    /// Its current list, if there was ever one.
    pub fn current(&self) -> Option<Arc<FolderGeneration>> {
        self.current.load_full()
    }

    /// Waits for the first list, at most `first_wait`.
    pub async fn wait_for_first(&self) -> Option<Arc<FolderGeneration>> {
        self.wait_at_most(self.settings.first_wait).await
    }

    async fn wait_at_most(&self, wait: Duration) -> Option<Arc<FolderGeneration>> {
        let mut pulse = self.pulse.subscribe();
        if let Some(current) = self.current() {
            return Some(current);
        }
        let first = pulse.wait_for(|pulse| pulse.generation > 0);
        drop(self.context.clock.timeout(wait, first).await);
        self.current()
    }

    /// Answers a list. It never waits for a scan but the first.
    ///
    /// # Errors
    /// The query cannot be answered.
    pub async fn list(&self, query: &ListQuery) -> Result<ListAnswer, QueryError> {
        let Some(generation) = self.wait_for_first().await else {
            let mut status = self.status.lock();
            status.counters.lists_too_early += 1;
            return Ok(ListAnswer::NotYet);
        };
        self.count_list();
        self.page(query, &generation)
    }

    /// Counts a list that is answered.
    pub fn count_list(&self) {
        self.status.lock().counters.lists += 1;
    }

    /// The file with this number.
    pub fn find_by_id(&self, id: u64) -> Option<Arc<FileEntry>> {
        self.current.load().as_ref()?.find_by_id(id).cloned()
    }

    /// A page of a list.
    ///
    /// # Errors
    /// The query cannot be answered.
    pub fn page(&self, query: &ListQuery, generation: &FolderGeneration) -> Result<ListAnswer, QueryError> {
        let names = self.marks.names();
        if let ListFilter::Mark(name) = &query.filter
            && !names.contains(name)
        {
            return Err(QueryError::Mark);
        }
        let selection = self.select(query, generation);
        let page = ListPage::new(query, generation, &selection, &names)?;
        Ok(ListAnswer::Page(Box::new(page), selection))
    }

    /// The files of a query, without its page.
    pub fn select(&self, query: &ListQuery, generation: &FolderGeneration) -> Arc<Selection> {
        let (names, duplicates) = (self.marks.names(), self.duplicates.load());
        self.selections.select(SelectionRequest {
            generation,
            marks: self.marks.version(),
            words: &query.words,
            filter: &query.filter,
            sort: query.sort,
            masks: self.marks.masks(self.settings.marks.first(), &query.filter),
            proposed: &duplicates.ids,
            mark_names: &names,
        })
    }

    /// Asks for a scan; one that runs is joined by all that ask. With `accept_loss` its result is accepted.
    /// Returns whether one was running.
    pub fn request_scan(&self, accept_loss: bool) -> bool {
        let is_running = {
            let mut status = self.status.lock();
            status.accept_loss |= accept_loss;
            // A scan that began before the request may have missed what the caller knows of.
            status.is_scan_wanted = true;
            status.scan.is_some()
        };
        self.scan_requests.notify_one();
        is_running
    }

    /// Asks for a scan as a list with `refresh` does: not if the list was compared with the tree a moment ago. Returns
    /// whether one is asked for.
    pub fn refresh(&self) -> bool {
        let is_due = self.age_ms().is_none_or(|age_ms| age_ms >= MIN_REFRESH);
        if is_due {
            self.request_scan(false);
        }
        is_due
    }

    /// Cancels a running scan. Returns whether one was running.
    pub fn cancel_scan(&self) -> bool {
        let mut status = self.status.lock();
        let Some(scan) = status.scan.clone() else { return false };
        if !scan.is_cancelled() {
            scan.cancel();
            status.counters.cancelled += 1;
        }
        true
    }

    /// Files that seem to be duplicates.
    pub fn duplicates(&self) -> Arc<Duplicates> {
        self.duplicates.load_full()
    }

    /// Names of all marks, by bit.
    pub fn mark_names(&self) -> Arc<Vec<String>> {
        self.marks.names()
    }

    /// Version of the marks.
    pub fn marks_version(&self) -> u64 {
        self.marks.version()
    }

    /// Changes of the list, the marks and the state.
    pub fn subscribe(&self) -> watch::Receiver<FolderPulse> {
        self.pulse.subscribe()
    }

    pub(crate) fn send_pulse(&self) {
        let current = self.current();
        let pulse = FolderPulse {
            generation: current.as_ref().map_or(0, |current| current.number),
            marks: self.marks.version(),
            state: self.state(),
            enriched: current.map_or(0, |current| current.enriched),
        };
        self.pulse.send_if_modified(|last| std::mem::replace(last, pulse) != pulse);
    }

    /// Looks up files by path, in the list as it is now. The index of a list is made at its first lookup. `None` before
    /// the first list. Blocks the thread for as long as sorting the paths takes.
    pub fn find_paths(&self, queries: &[FileQuery<'_>], maps: &PathMaps, case: CaseSensitivity) -> Option<FoundPaths> {
        Some(self.paths.find(&self.settings.path, self.current()?, (queries, maps, case)))
    }

    /// Trust in its list.
    pub fn state(&self) -> FolderState {
        state(&self.status.lock(), self.current.load().is_some())
    }

    /// Share of the metadata that is read.
    pub fn enriched(&self) -> EnrichmentProgress {
        let current = self.current.load();
        let (done, of) = current.as_ref().map_or((0, 0), |current| (current.enriched, current.files.len()));
        EnrichmentProgress { done, of, is_on: self.settings.enrich }
    }

    /// Progress of a running scan.
    pub fn progress(&self) -> Option<ScanProgress> {
        let expected = self.current.load().as_ref().map(|current| current.files.len());
        let status = self.status.lock();
        let scan = status.scan.as_ref()?;
        Some(ScanProgress { files: scan.files(), directories: scan.directories(), expected })
    }

    /// Time since the list was last compared with the tree.
    pub fn age_ms(&self) -> Option<Duration> {
        self.current.load().as_ref()?;
        Some(self.context.clock.now().duration_since(self.status.lock().compared_ms))
    }

    /// Everything it shows of itself.
    pub fn report(&self) -> FolderReport {
        let (progress, age_ms, enriched) = (self.progress(), self.age_ms(), self.enriched());
        let current = self.current.load();
        let status = self.status.lock();
        FolderReport {
            name: self.settings.name.clone(),
            path: self.settings.path.display().to_string(),
            state: state(&status, current.is_some()),
            suspicion: status.suspicion,
            problem: status
                .suspicion
                .map(|suspicion| suspicion.sentence().to_owned())
                .or_else(|| status.failure.clone()),
            generation: current.as_ref().map_or(0, |current| current.number),
            age_ms: age_ms.map(millis),
            files: current.as_ref().map_or(0, |current| current.files.len()),
            progress,
            last_scan: status.last_scan.clone(),
            enriched,
            watch: status.watch,
            marks: self.marks.names().iter().filter(|name| !name.is_empty()).cloned().collect(),
            compat: self.settings.compat,
            counters: status.counters,
        }
    }
}

fn state(status: &Status, has_list: bool) -> FolderState {
    if status.suspicion.is_some() && has_list {
        FolderState::Suspicious
    } else if has_list && !status.is_confirmed {
        FolderState::Confirming
    } else if status.scan.is_some() || !has_list {
        FolderState::Rebuilding
    } else {
        FolderState::Fresh
    }
}
