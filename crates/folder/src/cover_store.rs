//! Thumbnails of covers on disk: made once, bounded, the oldest go first. They are a cache, and may be deleted.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use greenroom_config::FolderSettings;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::file_entry::FileEntry;

/// Covers that are made at a time.
const MAX_WORKERS: usize = 1;
/// Requests that may wait for a worker.
const MAX_WAITING: usize = 200;
/// Max files without a cover that are remembered.
const MAX_FAILURES: usize = 20_000;
/// New covers after which the store is pruned.
const PRUNE_AFTER: u64 = 500;

/// Thumbnails of covers of one folder.
#[derive(Debug)]
pub struct CoverStore {
    directory: PathBuf,
    max_bytes: u64,
    pub(crate) workers: Arc<Semaphore>,
    pub(crate) waiting: Arc<Semaphore>,
    failures: Mutex<HashSet<String>>,
    made: Mutex<u64>,
}

/// A cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoverResult {
    /// A JPEG.
    Picture(Vec<u8>),
    /// The file has none.
    Absent,
    /// Too many covers are being made; try again later.
    Busy,
}

impl CoverStore {
    pub(crate) fn new(directory: &Path, settings: &FolderSettings) -> Self {
        Self {
            directory: directory.join(&settings.name),
            max_bytes: settings.cover_cache_bytes,
            workers: Arc::new(Semaphore::new(MAX_WORKERS)),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            failures: Mutex::default(),
            made: Mutex::default(),
        }
    }

    pub(crate) fn key(file: &FileEntry) -> String {
        format!("{}-{:x}-{:x}", file.id, file.stat.mtime_ns, file.stat.size)
    }

    pub(crate) fn read(&self, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.directory.join(format!("{key}.jpg"))).ok()
    }

    pub(crate) fn write(&self, key: &str, picture: &[u8]) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let beside = self.directory.join(format!("{key}.tmp"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(picture)?;
        std::fs::rename(&beside, self.directory.join(format!("{key}.jpg")))
    }

    /// Whether a file was found to have no cover.
    pub(crate) fn has_failed(&self, key: &str) -> bool {
        self.failures.lock().contains(key)
    }

    /// Remembers that a file has no cover.
    pub(crate) fn fail(&self, key: &str) {
        let mut failures = self.failures.lock();
        if failures.len() >= MAX_FAILURES {
            failures.clear();
        }
        failures.insert(key.to_owned());
    }

    /// Counts a new cover. Returns whether it is time to prune.
    pub(crate) fn count(&self) -> bool {
        let mut made = self.made.lock();
        *made += 1;
        made.is_multiple_of(PRUNE_AFTER)
    }

    /// Deletes the oldest thumbnails beyond the limit. It blocks.
    pub(crate) fn prune(&self) {
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return };
        let with_facts = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            let facts = entry.metadata().ok()?;
            Some((facts.modified().unwrap_or(SystemTime::UNIX_EPOCH), facts.len(), entry.path()))
        });
        let mut files: Vec<_> = with_facts.collect();
        let mut bytes: u64 = files.iter().map(|(_, size, _)| size).sum();
        if bytes <= self.max_bytes {
            return;
        }
        files.sort();
        for (_, size, path) in files {
            if bytes <= self.max_bytes / 10 * 9 {
                break;
            }
            if std::fs::remove_file(path).is_ok() {
                bytes -= size;
            }
        }
    }
}
