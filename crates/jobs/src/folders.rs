//! Folders of files as jobs: each folder has its own task, which compares its list with the tree on a schedule. This module
//! shows each scan, and can request and cancel it.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Timestamp;
use greenroom_folder::folder_status::{FolderReport, FolderState, TreeWatchState};
use greenroom_folder::{Folder, Folders};

use super::RunRequestResult;
use super::report::{JobOutcome, JobProgress, JobReport, JobState, LastRun};

/// Id prefix of folders.
const ID_PREFIX: &str = "folder:";

/// A job report for every folder.
pub fn reports(folders: &Folders) -> Vec<JobReport> {
    folders.all().iter().map(|folder| report(folder)).collect()
}

fn report(folder: &Folder) -> JobReport {
    let status = folder.report();
    // The longest time between two scans.
    let is_polled = status.watch == TreeWatchState::Polling;
    let every = if is_polled { folder.settings.poll_interval } else { folder.settings.compare_interval };
    let (state, progress) = match &status.progress {
        Some(scan) => {
            let total = scan.expected.map(|expected| expected as u64);
            (JobState::Running, Some(JobProgress { done: scan.files, total }))
        }
        None if folder.is_scan_requested() => (JobState::Waiting, None),
        None => (JobState::Idle, None),
    };
    let last = last_run(&status);
    let next_ms = last.as_ref().map(|last| last.ended_ms.saturating_add(u64::try_from(every.as_millis()).unwrap_or(0)));
    JobReport {
        id: format!("{ID_PREFIX}{}", status.name),
        title: format!("Scan of the folder {}", status.name),
        what: "Compares the list of the folder with its tree. It does not count against the job limit.".to_owned(),
        every_s: Some(every.as_secs()),
        state,
        next_ms,
        progress,
        last,
        may_cancel: state == JobState::Running,
    }
}

/// The last complete scan, or why the last one is not accepted.
fn last_run(status: &FolderReport) -> Option<LastRun> {
    let scan = status.last_scan.as_ref();
    let ended = Timestamp::from_millis(scan.map_or(0, |scan| scan.ended_ms));
    if let (FolderState::Suspicious | FolderState::Rebuilding, Some(problem)) = (status.state, &status.problem) {
        return Some(LastRun::new(ended, ended, JobOutcome::Failed, problem.clone()));
    }
    let scan = scan?;
    let began = ended.saturating_sub(Duration::from_millis(scan.duration_ms));
    Some(LastRun::new(began, ended, JobOutcome::Done, format!("{} files", scan.files)))
}

/// Requests a scan of the folder with this job id.
pub fn run(folders: &Folders, id: &str) -> RunRequestResult {
    match find(folders, id).map(|folder| folder.request_scan(false)) {
        Some(false) => RunRequestResult::Accepted,
        Some(true) => RunRequestResult::NoChange,
        None => RunRequestResult::Unknown,
    }
}

/// Cancels a scan of the folder with this job id.
pub fn cancel(folders: &Folders, id: &str) -> RunRequestResult {
    match find(folders, id).map(|folder| folder.cancel_scan()) {
        Some(true) => RunRequestResult::Accepted,
        Some(false) => RunRequestResult::NoChange,
        None => RunRequestResult::Unknown,
    }
}

fn find<'a>(folders: &'a Folders, id: &str) -> Option<&'a Arc<Folder>> {
    folders.find(id.strip_prefix(ID_PREFIX)?)
}

#[cfg(test)]
mod tests {
    use greenroom_cache::Clock;
    use greenroom_config::FolderSettings;
    use greenroom_folder::FolderContext;
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;

    fn folders(root: &std::path::Path) -> (Folders, FolderContext) {
        let context = FolderContext {
            data_dir: root.join("data"),
            clock: Clock::system(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            warnings: Arc::default(),
        };
        (Folders::open(&[FolderSettings::new("comics", root.join("tree"))], &context), context)
    }

    #[tokio::test]
    async fn a_folder_is_a_job_with_its_last_scan_its_schedule_and_a_run_on_demand() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(root.path().join("tree")).expect("made");
        std::fs::write(root.path().join("tree/1.cbz"), "no archive").expect("written");
        let (folders, context) = folders(root.path());
        let job = || reports(&folders).remove(0);
        assert_eq!((job().id.as_str(), job().state, job().last), ("folder:comics", JobState::Idle, None));
        assert_eq!(run(&folders, "folder:comics"), RunRequestResult::Accepted);
        assert_eq!(job().state, JobState::Waiting);
        folders.start();
        let comics = Arc::clone(&folders.all()[0]);
        let is_scanned = |_: &_| comics.state() == FolderState::Fresh;
        comics.subscribe().wait_for(is_scanned).await.expect("scanned");
        let last = job().last.expect("it ran");
        assert_eq!((last.outcome, last.message.as_str()), (JobOutcome::Done, "1 files"));
        assert_eq!((job().every_s, job().next_ms), (Some(3600), Some(last.ended_ms + 3_600_000)));
        assert_eq!(cancel(&folders, "folder:comics"), RunRequestResult::NoChange);
        assert_eq!(run(&folders, "folder:films"), RunRequestResult::Unknown);
        assert_eq!(run(&folders, "library:comics"), RunRequestResult::Unknown);
        context.stop.cancel();
        context.tasks.close();
        context.tasks.wait().await;
    }

    #[tokio::test]
    async fn a_folder_whose_disk_is_away_is_a_job_that_failed_and_says_why() {
        let root = tempfile::tempdir().expect("a directory");
        let (folders, context) = folders(root.path());
        folders.start();
        let comics = Arc::clone(&folders.all()[0]);
        while comics.report().problem.is_none() {
            tokio::task::yield_now().await;
        }
        let job = reports(&folders).remove(0);
        let last = job.last.expect("it ran");
        assert_eq!(last.outcome, JobOutcome::Failed);
        assert!(!last.message.is_empty());
        context.stop.cancel();
        context.tasks.close();
        context.tasks.wait().await;
    }
}
