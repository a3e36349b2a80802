//! The blocking work of a folder: reading the tree, comparing, publishing, saving.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use greenroom_state::warnings::Warning;

use crate::dirty_paths::{MAX_PATHS, ReportedChanges};
use crate::duplicates::Duplicates;
use crate::file_details::FileDetails;
use crate::file_entry::FileEntry;
use crate::fingerprint::fingerprint;
use crate::folder::Folder;
use crate::folder_status::LastScan;
use crate::index::{
    Comparison, Difference, FolderGeneration, ScanDecision, ScanEvidence, StoredIndex, SuspicionReason, judge_scan,
};
use crate::scan::{
    FileFacts, Root, RootIdentity, ScanControl, ScanLimits, ScanResult, ScanRules, ScannedFile, scan_paths, scan_tree,
};

/// State of the folder's task between pieces of work.
#[derive(Debug, Default)]
pub(crate) struct WorkState {
    pub(crate) next_id: u64,
    /// Number of the file system of the root.
    pub(crate) device: u64,
    /// The root of the last scan that was accepted.
    pub(crate) root: RootIdentity,
    /// Changes were reported that nothing has read yet but a whole scan can.
    pub(crate) is_scan_owed: bool,
    /// Renames that were reported and are not in the list yet.
    pub(crate) renames: Vec<(String, String)>,
    /// Files that the last scan would have lost, if it was suspicious.
    pub(crate) suspicious_loss: Option<usize>,
    /// Whether the list has changed since it was saved.
    pub(crate) is_unsaved: bool,
}

impl WorkState {
    /// Leaves reported changes to the next scan of the whole tree.
    pub(crate) fn owe_scan(&mut self, changes: ReportedChanges) {
        self.is_scan_owed |= changes.are_incomplete || !changes.paths.is_empty();
        self.keep_renames(changes.renames);
    }

    fn keep_renames(&mut self, renames: Vec<(String, String)>) {
        self.renames.extend(renames);
        self.renames.truncate(MAX_PATHS);
    }
}

/// End of the work on reported changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportsEnd {
    /// They are in the list.
    Published,
    /// The whole tree must be read now.
    ScanWanted,
    /// The last scan is suspicious; they wait for the next.
    Deferred,
}

/// A tree that was read whole.
pub(crate) struct FoundTree {
    pub(crate) root: Root,
    pub(crate) rules: ScanRules,
    pub(crate) result: ScanResult,
    /// Changes while it was read.
    pub(crate) changes: ReportedChanges,
}

/// End of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanEnd {
    /// Its list is published, or was as before.
    Accepted,
    /// The list before stays.
    Suspicious,
    /// It was cancelled.
    Cancelled,
}

/// Details that were read, with the facts of the file when that began.
pub(crate) type DetailsById = HashMap<u64, (FileFacts, Arc<FileDetails>)>;

impl Folder {
    pub(crate) fn index_file(&self) -> PathBuf {
        self.context.data_dir.join("folders").join(format!("{}.index", self.settings.name))
    }

    /// Loads the list of the last process, if it can be read.
    pub(crate) fn load(&self, work: &mut WorkState) {
        let file = self.index_file();
        match StoredIndex::load(&file, &self.settings.path) {
            Ok(stored) => {
                *work = WorkState { next_id: stored.next_id, device: stored.device, ..WorkState::default() };
                self.marks.attach(&stored.files);
                let generation = FolderGeneration::new(stored.number + 1, stored.published_ms, stored.files, None);
                self.status.lock().compared_ms = stored.published_ms;
                self.publish(generation);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(folder = self.settings.name, %error, "a folder's saved list cannot be read; it is scanned anew");
            }
        }
    }

    /// Saves the list.
    pub(crate) fn save(&self, work: &mut WorkState) {
        let Some(current) = self.current() else { return };
        let file = self.index_file();
        let stored = StoredIndex {
            files: current.files.clone(),
            published_ms: self.status.lock().compared_ms,
            number: current.number,
            next_id: work.next_id,
            device: work.device,
        };
        let directory = file.parent().map_or(Ok(()), create_private);
        match directory.and_then(|()| stored.save(&file, &self.settings.path)) {
            Ok(()) => work.is_unsaved = false,
            Err(error) => tracing::warn!(folder = self.settings.name, %error, "a folder's list cannot be saved"),
        }
    }

    fn limits(&self) -> ScanLimits {
        // One processor is left to requests.
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = self.settings.scan_threads.min(processors.saturating_sub(1).max(1));
        ScanLimits { threads, max_files: self.settings.max_files }
    }

    /// Reads the whole tree and publishes what changed.
    pub(crate) fn scan(&self, work: &mut WorkState) -> ScanEnd {
        let control = Arc::new(ScanControl::default());
        let accept_loss = {
            let mut status = self.status.lock();
            status.is_scan_wanted = false;
            status.scan = Some(Arc::clone(&control));
            std::mem::take(&mut status.accept_loss)
        };
        self.send_pulse();
        let began_us = self.context.clock.now_us();
        let end = self.scan_with(work, &control, accept_loss, began_us);
        {
            let mut status = self.status.lock();
            status.scan = None;
            match end {
                ScanEnd::Accepted => status.counters.scans += 1,
                ScanEnd::Suspicious => status.counters.suspicious_scans += 1,
                ScanEnd::Cancelled => status.accept_loss |= accept_loss,
            }
        }
        self.send_pulse();
        end
    }

    fn scan_with(&self, work: &mut WorkState, control: &ScanControl, accept_loss: bool, began_us: u64) -> ScanEnd {
        let (rules, problems) = ScanRules::new(&self.settings);
        // What was reported before is in what is read now.
        work.owe_scan(self.dirty.take());
        let opened = Root::open(&self.settings.path);
        let observer = self.directory_watcher();
        let scanned = opened.and_then(|root| Ok((scan_tree(&root, &rules, self.limits(), control, &observer)?, root)));
        let (mut result, root) = match scanned {
            Ok(scanned) => scanned,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return ScanEnd::Cancelled,
            Err(error) => return self.record_suspicion(SuspicionReason::RootAway, Some(&error.to_string())),
        };
        result.problems.named.splice(0..0, problems);
        self.tree_watch.load().iter().for_each(|watch| watch.set_whole());
        let changes = self.dirty.take();
        self.judge(FoundTree { root, rules, result, changes }, work, accept_loss, began_us)
    }

    /// Publishes a tree that was read whole, if it is accepted.
    pub(crate) fn judge(&self, tree: FoundTree, work: &mut WorkState, accept_loss: bool, began_us: u64) -> ScanEnd {
        let FoundTree { root, rules, mut result, changes } = tree;
        // What changed while the tree was read may be in it twice, or not at all.
        self.read_again(&root, &rules, &changes, &mut result);
        let is_scan_missing_some = changes.are_incomplete;
        work.owe_scan(changes);
        let unreadable = path_set(result.problems.unreadable());
        let is_covered = |path: &str| !is_in(&unreadable, path);
        let found = result.files.len();
        let difference = self.compare(&root, std::mem::take(&mut result.files), &is_covered, work);
        let known = self.current.load().as_ref().map_or(0, |current| current.files.len());
        let lost = difference.removed.len();
        let evidence = ScanEvidence {
            known,
            lost,
            found,
            is_other_device: work.device != 0 && work.device != root.device(),
            is_repeated: work.suspicious_loss == Some(lost),
            is_accepted: accept_loss,
        };
        if let ScanDecision::Suspicious(reason) = judge_scan(evidence) {
            work.suspicious_loss = Some(lost);
            return self.record_suspicion(reason, None);
        }
        (work.suspicious_loss, work.is_scan_owed) = (None, false);
        work.renames.clear();
        work.is_unsaved |= work.device != root.device();
        (work.device, work.root) = (root.device(), root.identity());
        {
            let mut status = self.status.lock();
            let ended_ms = self.context.clock.now();
            let duration_ms = self.context.clock.since_ms(began_us);
            status.compared_ms = ended_ms;
            status.last_scan =
                Some(LastScan { ended_ms: ended_ms.as_millis(), duration_ms, files: found, problems: result.problems });
            (status.is_confirmed, status.suspicion, status.failure) = (true, None, None);
            // Reports were lost while it ran: it may have read their directories before.
            status.is_scan_wanted |= is_scan_missing_some;
        }
        self.apply(difference, work);
        ScanEnd::Accepted
    }

    fn record_suspicion(&self, reason: SuspicionReason, failure: Option<&str>) -> ScanEnd {
        let is_new = {
            let mut status = self.status.lock();
            status.failure = Some(failure.unwrap_or_else(|| reason.sentence()).to_owned());
            status.suspicion.replace(reason) != Some(reason)
        };
        if is_new {
            let reason = reason.sentence();
            tracing::warn!(folder = self.settings.name, reason, error = failure, "a folder's scan is suspicious");
        }
        ScanEnd::Suspicious
    }

    /// Replaces what a scan found at paths that changed meanwhile by what is there now.
    fn read_again(&self, root: &Root, rules: &ScanRules, changes: &ReportedChanges, result: &mut ScanResult) {
        let paths: Vec<String> = changes.paths.iter().filter(|path| !path.is_empty()).cloned().collect();
        if paths.is_empty() {
            return;
        }
        let again = scan_paths(root, rules, self.limits(), &self.directory_watcher(), &paths);
        // What cannot be read any more stays as the scan found it.
        let unreadable = path_set(again.problems.unreadable());
        result.files.retain(|file| !changes.covers(&file.path) || is_in(&unreadable, &file.path));
        result.files.extend(again.files);
        result.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        result.files.dedup_by(|a, b| a.path == b.path);
        result.problems.add(again.problems);
        result.keep_first(self.settings.max_files);
    }

    /// Reads what the system reported as changed, and publishes it unless only a whole scan can be accepted.
    pub(crate) fn apply_reports(&self, work: &mut WorkState) -> ReportsEnd {
        let changes = self.dirty.take();
        let (is_confirmed, is_suspicious) = {
            let status = self.status.lock();
            (status.is_confirmed, status.suspicion.is_some())
        };
        if is_suspicious {
            work.owe_scan(changes);
            return ReportsEnd::Deferred;
        }
        let root = Root::open(&self.settings.path).ok().filter(|root| root.device() == work.device);
        let Some(root) = root.filter(|_| is_confirmed && !changes.are_incomplete) else {
            work.owe_scan(changes);
            return ReportsEnd::ScanWanted;
        };
        let rules = ScanRules::new(&self.settings).0;
        let paths: Vec<String> = changes.paths.iter().cloned().collect();
        let result = scan_paths(&root, &rules, self.limits(), &self.directory_watcher(), &paths);
        let unreadable = path_set(result.problems.unreadable());
        let is_covered = |path: &str| changes.covers(path) && !is_in(&unreadable, path);
        work.keep_renames(changes.renames.clone());
        let mut difference = self.compare(&root, result.files, &is_covered, work);
        let known = self.current.load().as_ref().map_or(0, |current| current.files.len());
        let (lost, found) = (difference.removed.len(), difference.files.len());
        let decision = judge_scan(ScanEvidence { known, lost, found, ..ScanEvidence::default() });
        if decision != ScanDecision::Accepted || result.problems.beyond_limit > 0 {
            work.is_scan_owed = true;
            return ReportsEnd::ScanWanted;
        }
        let refused = difference.refuse_additions(self.settings.max_files);
        if let Some(scan) = &mut self.status.lock().last_scan {
            scan.problems.beyond_limit += refused as u64;
        }
        if !work.is_scan_owed {
            work.renames.clear();
        }
        self.apply(difference, work);
        ReportsEnd::Published
    }

    fn compare(
        &self,
        root: &Root,
        scanned: Vec<ScannedFile>,
        is_covered: &dyn Fn(&str) -> bool,
        work: &WorkState,
    ) -> Difference {
        let current = self.current();
        let comparison = Comparison {
            known: current.as_ref().map_or(&[][..], |current| &current.files),
            scanned,
            is_covered,
            reported_renames: &work.renames,
            is_still_there: &|path, stat| {
                root.stat(path).is_ok_and(|now| now.is_some_and(|now| now.is_same_file(stat)))
            },
            fingerprint: &|path| root.open_file(path).and_then(|mut file| fingerprint(&mut file)).ok(),
            next_id: work.next_id.max(1),
            now_ms: self.context.clock.now(),
        };
        comparison.compare()
    }

    /// Publishes a difference, if there is one or no list yet.
    fn apply(&self, mut difference: Difference, work: &mut WorkState) {
        work.next_id = difference.next_id;
        let before = self.current();
        if difference.is_empty() && before.is_some() {
            self.send_pulse();
            return;
        }
        let number = before.as_ref().map_or(0, |before| before.number) + 1;
        let files = std::mem::take(&mut difference.files);
        let generation = FolderGeneration::new(number, self.context.clock.now(), files, before.as_deref());
        if let Err(error) = self.marks.follow(&difference, || self.publish(generation)) {
            tracing::warn!(folder = self.settings.name, %error, "marks of renamed files could not be written");
        }
        // The first list is no change.
        if before.is_some()
            && let Err(error) = self.changes.record(&difference, self.context.clock.now())
        {
            tracing::warn!(folder = self.settings.name, %error, "changes of a folder could not be recorded");
        }
        work.is_unsaved = true;
        {
            let mut status = self.status.lock();
            let counters = &mut status.counters;
            counters.added += difference.added.len() as u64;
            counters.removed += difference.removed.len() as u64;
            counters.renamed += difference.renamed.len() as u64;
            counters.changed += difference.changed.len() as u64;
        }
        self.send_pulse();
    }

    /// Publishes details that were read. A file that changed meanwhile keeps none.
    pub(crate) fn apply_details(&self, details: &DetailsById, work: &mut WorkState) {
        let Some(before) = self.current() else { return };
        let with_details = |file: &Arc<FileEntry>| match details.get(&file.id) {
            Some((stat, details)) if *stat == file.stat => {
                Arc::new(FileEntry { details: Some(Arc::clone(details)), ..(**file).clone() })
            }
            _ => Arc::clone(file),
        };
        let files = before.files.iter().map(with_details).collect();
        let generation = FolderGeneration::new(before.number + 1, before.published_ms, files, Some(&before));
        let publish = || self.publish(generation);
        if let Err(error) = self.marks.follow(&Difference::default(), publish) {
            tracing::warn!(folder = self.settings.name, %error, "marks could not be written");
        }
        work.is_unsaved = true;
        self.send_pulse();
    }

    fn publish(&self, generation: FolderGeneration) {
        let duplicates = Duplicates::find(&generation);
        self.status.lock().counters.generations += 1;
        // A list reads the duplicates beside it: a file that is new in them is in no older list.
        self.duplicates.store(Arc::new(duplicates));
        self.current.store(Some(Arc::new(generation)));
    }

    /// Warns of a setup that notices changes late.
    pub(crate) fn warn(&self, code: &'static str, text: String, remedy: String) {
        tracing::warn!(folder = self.settings.name, remedy, "{text}");
        self.context.warnings.raise(Warning::notice(code, text, remedy).about(self.settings.name.clone()));
    }
}

fn path_set(paths: &[String]) -> HashSet<String> {
    paths.iter().cloned().collect()
}

/// Whether a path is one of these or below one; everything is below the root.
fn is_in(paths: &HashSet<String>, path: &str) -> bool {
    !paths.is_empty()
        && (paths.contains("")
            || paths.contains(path)
            || path.match_indices('/').any(|(at, _)| paths.contains(&path[..at])))
}

fn create_private(directory: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}
