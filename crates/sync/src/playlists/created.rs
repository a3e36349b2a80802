//! Record of playlists created by Greenroom. Where a server does not report a playlist's owner, only these count as
//! ours.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use greenroom_state::file_work_queue::FileWorkQueue;

/// File in the data directory with playlist JSON line per playlist.
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
    pub fn contains(&self, playlist: &CreatedPlaylist) -> bool {
        let lines = self.path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        lines
            .lines()
            .any(|line| serde_json::from_str::<CreatedPlaylist>(line).is_ok_and(|existing| existing == *playlist))
    }

    /// Records a created playlist.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(&self, playlist: &CreatedPlaylist) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let line = serde_json::to_string(playlist)? + "\n";
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        file.write_all(line.as_bytes())?;
        if file.metadata()?.len() <= MAX_BYTES as u64 {
            return Ok(());
        }
        let lines = std::fs::read_to_string(path)?;
        let lines: Vec<&str> = lines.lines().collect();
        let newer = lines[lines.len() / 2..].join("\n") + "\n";
        let mut temporary = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        temporary.write_all(newer.as_bytes())?;
        temporary.persist(path).map(drop).map_err(|error| error.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn created_playlists_are_recorded_in_a_bounded_file() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let created = CreatedPlaylists::open(folder.path());
        let playlist = |number: usize| CreatedPlaylist {
            server: "home".into(),
            user: "u".repeat(2000),
            playlist: format!("{number}"),
        };
        assert!(!created.contains(&playlist(0)));
        for number in 0..600 {
            created.record(&playlist(number)).expect("write the file");
        }
        let bytes = std::fs::metadata(folder.path().join(FILE)).expect("read the file").len();
        assert!(bytes <= MAX_BYTES as u64, "{bytes}");
        assert!(
            created.contains(&playlist(599)) && !created.contains(&playlist(0)) && !created.contains(&playlist(600))
        );
        assert!(!CreatedPlaylists::default().contains(&playlist(1)));
    }
}
