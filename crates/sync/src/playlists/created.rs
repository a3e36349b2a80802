//! Which playlists were made here. Where a server does not tell whose a playlist is, only these are ours.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use greenroom_state::file_lane::FileLane;

/// The file in the data directory: a line of JSON for each.
const FILE: &str = "playlists-made.jsonl";
/// It is not longer than this; then the older half is forgotten.
const MAX_BYTES: usize = 1024 * 1024;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct One {
    /// The server's name.
    pub server: String,
    /// The user's id there.
    pub user: String,
    /// The playlist's id there.
    pub playlist: String,
}

/// All of them. The file is asked each time: another gateway on the same directory may add to it.
#[derive(Debug, Clone, Default)]
pub struct Made {
    path: Option<PathBuf>,
    /// Where the file is read and written.
    pub lane: FileLane,
}

impl Made {
    /// Those of this data directory.
    pub fn within(data_dir: &Path) -> Self {
        Self { path: Some(data_dir.join(FILE)), lane: FileLane::default() }
    }

    /// The same, with the file read and written in this lane.
    #[must_use]
    pub fn working_in(self, lane: FileLane) -> Self {
        Self { lane, ..self }
    }

    /// Whether this one was made here. It reads a file: it blocks.
    pub fn holds(&self, one: &One) -> bool {
        let lines =
            self.path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        lines.lines().any(|line| serde_json::from_str::<One>(line).is_ok_and(|held| held == *one))
    }

    /// This one was made here.
    ///
    /// # Errors
    /// If it cannot be written down.
    pub fn note(&self, one: &One) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let line = serde_json::to_string(one)? + "\n";
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        file.write_all(line.as_bytes())?;
        if file.metadata()?.len() <= MAX_BYTES as u64 {
            return Ok(());
        }
        let lines = std::fs::read_to_string(path)?;
        let lines: Vec<&str> = lines.lines().collect();
        let kept = lines[lines.len() / 2..].join("\n") + "\n";
        let mut beside = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        beside.write_all(kept.as_bytes())?;
        beside.persist(path).map(drop).map_err(|error| error.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_known_and_its_file_stays_within_bounds() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = Made::within(folder.path());
        let one = |number: usize| One {
            server: "home".into(),
            user: "u".repeat(2000),
            playlist: format!("{number}"),
        };
        assert!(!made.holds(&one(0)));
        for number in 0..600 {
            made.note(&one(number)).expect("written");
        }
        let bytes = std::fs::metadata(folder.path().join(FILE)).expect("it is there").len();
        assert!(bytes <= MAX_BYTES as u64, "{bytes}");
        assert!(made.holds(&one(599)) && !made.holds(&one(0)) && !made.holds(&one(600)));
        assert!(!Made::default().holds(&one(1)));
    }
}
