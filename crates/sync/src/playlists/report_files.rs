//! Writes the report of a scheduled sync beside its file.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use greenroom_library::playlist::export;

use super::report::PlaylistFailure;
use super::run::RunResult;
use super::sync_status::worst_state;
use crate::playlists::watch;
use crate::playlists::watch::{MISSING, REPORT};
use greenroom_config::playlists::ScheduledPlaylist;

/// Folder and name of a report. The name contains the whole file name, because two files may differ only in their
/// extensions.
pub(super) fn report_path(standing: &ScheduledPlaylist, file: Option<&Path>) -> Option<(PathBuf, String)> {
    let name = match file {
        Some(path) => path.file_name()?.to_string_lossy().into_owned(),
        None => standing.title.clone(),
    };
    let temporary = file.and_then(Path::parent).map(Path::to_owned);
    Some((standing.results.clone().or(temporary)?, name))
}

/// Writes the report of all playlists of a source.
pub(super) fn write(folder: &Path, name: &str, results: &[Result<RunResult, PlaylistFailure>]) -> io::Result<()> {
    let reports: Vec<Value> = results.iter().map(report_of).collect();
    let report = match <[Value; 1]>::try_from(reports) {
        Ok([only]) => only,
        Err(several) => json!({"state": worst_state(results), "playlists": several}),
    };
    let missing = missing_of(results);
    std::fs::create_dir_all(folder)?;
    watch::replace(&folder.join(format!("{name}{REPORT}")), &pretty(&report))?;
    let table = folder.join(format!("{name}{MISSING}"));
    match missing {
        Some(missing) => watch::replace(&table, &missing),
        None => match std::fs::remove_file(&table) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

fn report_of(result: &Result<RunResult, PlaylistFailure>) -> Value {
    match result {
        Ok(RunResult::Done(report)) => {
            json!({"state": result.as_ref().map_or("failed", RunResult::name), "report": **report})
        }
        Ok(RunResult::Failed(failure)) | Err(failure) => json!({"state": "failed", "error": failure}),
        Ok(RunResult::Cancelled) => json!({"state": "cancelled"}),
    }
}

/// The missing rows as a table, with the playlist of each where there are several.
fn missing_of(results: &[Result<RunResult, PlaylistFailure>]) -> Option<String> {
    let reports: Vec<_> = results
        .iter()
        .filter_map(|result| match result {
            Ok(RunResult::Done(report)) if !report.missing.is_empty() => Some(report),
            _ => None,
        })
        .collect();
    match (reports.as_slice(), results.len()) {
        ([], _) => None,
        ([only], 1) => Some(only.missing_csv()),
        (several, _) => {
            Some(export::csv_of_playlists(several.iter().map(|report| (report.name.as_str(), &report.missing[..]))))
        }
    }
}

fn pretty(report: &Value) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::report::{AccountReport, PlaylistReport, PlaylistSyncStatus};
    use super::*;

    #[test]
    fn the_report_of_a_cancelled_run_says_so() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let cancelled = AccountReport { standing: PlaylistSyncStatus::Cancelled, ..AccountReport::default() };
        let report = PlaylistReport { accounts: vec![cancelled], ..PlaylistReport::default() };
        write(folder.path(), "Road.csv", &[Ok(RunResult::Done(Arc::new(report)))]).expect("write the file");
        let report = std::fs::read(folder.path().join("Road.csv.report.json")).expect("read the file");
        let report: Value = serde_json::from_slice(&report).expect("parse JSON");
        assert_eq!(report["state"], "cancelled");
    }

    #[test]
    fn files_that_differ_only_in_their_extensions_have_separate_reports() {
        let names = ["a.csv", "a.m3u"].map(|name| {
            let path = Path::new("/lists").join(name);
            path_of(&path)
        });
        assert_ne!(names[0], names[1]);
    }

    fn path_of(file: &Path) -> PathBuf {
        let standing = greenroom_config::playlists::ScheduledPlaylist {
            title: "drop".into(),
            origin: greenroom_config::playlists::ScheduledPlaylistSource::File(file.to_owned()),
            server: "home".into(),
            library: None,
            name: None,
            mode: greenroom_config::playlist_mode::PlaylistMode::Replace,
            shrink: false,
            accounts: Vec::new(),
            policy: greenroom_library::matching::MatchPolicy::Strict,
            every_hours: 24,
            results: None,
        };
        let (folder, name) = report_path(&standing, Some(file)).expect("a file has a folder");
        folder.join(name)
    }
}
