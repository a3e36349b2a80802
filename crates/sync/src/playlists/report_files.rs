//! What came of a playlist that is kept in step, written down beside its file.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::report::Failure;
use super::run::Ending;
use crate::playlists::watch;
use crate::playlists::watch::{MISSING, REPORT};
use greenroom_config::playlists::Standing;

/// Where results go, and what they are called: by the whole name, for two files may differ in their endings alone.
pub(super) fn place_of(standing: &Standing, file: Option<&Path>) -> Option<(PathBuf, String)> {
    let name = match file {
        Some(path) => path.file_name()?.to_string_lossy().into_owned(),
        None => standing.title.clone(),
    };
    let beside = file.and_then(Path::parent).map(Path::to_owned);
    Some((standing.results.clone().or(beside)?, name))
}

/// How it ended, in a word.
pub(super) fn word(ended: &Result<Ending, Failure>) -> &'static str {
    ended.as_ref().map_or("failed", Ending::word)
}

/// Writes it down.
pub(super) fn write_down(folder: &Path, name: &str, ended: &Result<Ending, Failure>) -> io::Result<()> {
    let state = word(ended);
    let (told, missing) = match ended {
        Ok(Ending::Done(report)) => {
            let missing = (!report.missing.is_empty()).then(|| report.missing_csv());
            (json!({"state": state, "report": **report}), missing)
        }
        Ok(Ending::Failed(failure)) | Err(failure) => (json!({"state": state, "error": failure}), None),
        Ok(Ending::Cancelled) => (json!({"state": state}), None),
    };
    std::fs::create_dir_all(folder)?;
    watch::replace(&folder.join(format!("{name}{REPORT}")), &pretty(&told))?;
    let table = folder.join(format!("{name}{MISSING}"));
    match missing {
        Some(missing) => watch::replace(&table, &missing),
        None => match std::fs::remove_file(&table) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

fn pretty(told: &Value) -> String {
    serde_json::to_string_pretty(told).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::report::{AccountReport, Report, Standing};
    use super::*;

    #[test]
    fn a_run_that_was_cancelled_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let cancelled = AccountReport { standing: Standing::Cancelled, ..AccountReport::default() };
        let report = Report { accounts: vec![cancelled], ..Report::default() };
        write_down(folder.path(), "Road.csv", &Ok(Ending::Done(Arc::new(report)))).expect("written");
        let told = std::fs::read(folder.path().join("Road.csv.report.json")).expect("it is there");
        let told: Value = serde_json::from_slice(&told).expect("JSON");
        assert_eq!(told["state"], "cancelled");
    }

    #[test]
    fn files_that_differ_in_their_endings_alone_have_results_of_their_own() {
        let names = ["a.csv", "a.m3u"].map(|name| {
            let path = Path::new("/lists").join(name);
            path_of(&path)
        });
        assert_ne!(names[0], names[1]);
    }

    fn path_of(file: &Path) -> PathBuf {
        let standing = greenroom_config::playlists::Standing {
            title: "drop".into(),
            origin: greenroom_config::playlists::Origin::File(file.to_owned()),
            server: "home".into(),
            library: None,
            name: None,
            mode: greenroom_config::playlist_mode::Mode::Replace,
            shrink: false,
            accounts: Vec::new(),
            policy: greenroom_library::tracks::Policy::Strict,
            every_hours: 24,
            results: None,
        };
        let (folder, name) = place_of(&standing, Some(file)).expect("it has a folder");
        folder.join(name)
    }
}
