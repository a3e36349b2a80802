//! Record of playlists created by Greenroom. Where a server does not report a playlist's owner, only these count as
//! ours.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use greenroom_state::file_work_queue::FileWorkQueue;

/// File in the data directory with one JSON line per playlist.
const FILE: &str = "playlists-made.jsonl";
/// Max size; beyond, the older half is dropped.
const MAX_BYTES: usize = 1024 * 1024;

/// A created playlist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedPlaylist {
    /// The server's name.
    pub server: String,
    /// The user's id on the server.
    pub user: String,
    /// The playlist's id on the server.
    pub playlist: String,
}

/// All created playlists. Each lookup reads the file, because another gateway on the same directory may add to it.
#[derive(Debug, Clone, Default)]
pub struct CreatedPlaylists {
    path: Option<PathBuf>,
    /// The queue of its file operations.
    pub lane: FileWorkQueue,
}

impl CreatedPlaylists {
    /// Those of this data directory.
    pub fn open(data_dir: &Path) -> Self {
        Self { path: Some(data_dir.join(FILE)), lane: FileWorkQueue::default() }
    }

    /// Uses this queue for file operations.
    #[must_use]
    pub fn with_lane(self, lane: FileWorkQueue) -> Self {
        Self { lane, ..self }
    }

    /// Whether this playlist was created by Greenroom. Blocks on a file.
    pub fn contains(&self, one: &CreatedPlaylist) -> bool {
        let lines = self.path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        lines.lines().any(|line| serde_json::from_str::<CreatedPlaylist>(line).is_ok_and(|held| held == *one))
    }

    /// Records a created playlist.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(&self, one: &CreatedPlaylist) -> io::Result<()> {
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
        let made = CreatedPlaylists::open(folder.path());
        let one = |number: usize| CreatedPlaylist {
            server: "home".into(),
            user: "u".repeat(2000),
            playlist: format!("{number}"),
        };
        assert!(!made.contains(&one(0)));
        for number in 0..600 {
            made.record(&one(number)).expect("written");
        }
        let bytes = std::fs::metadata(folder.path().join(FILE)).expect("it is there").len();
        assert!(bytes <= MAX_BYTES as u64, "{bytes}");
        assert!(made.contains(&one(599)) && !made.contains(&one(0)) && !made.contains(&one(600)));
        assert!(!CreatedPlaylists::default().contains(&one(1)));
    }
}
