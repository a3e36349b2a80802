//! Reading archives in the background, newest first, one at a time.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use crate::archive::read_details;
use crate::file_details::MetadataState;
use crate::file_entry::FileEntry;
use crate::fingerprint::fingerprint;
use crate::folder::Folder;
use crate::folder_work::DetailsById;
use crate::index::SortOrder;
use crate::scan::Root;

/// Files that are read in one piece of work.
const BATCH: usize = 32;
/// Details are published when this number of files is read, or after [`PUBLISH`].
const PUBLISH_FILES: usize = 2_000;
const PUBLISH: Duration = Duration::from_secs(2);

/// Files whose archives are to be read.
#[derive(Debug, Default)]
pub(crate) struct EnrichmentQueue {
    /// The newest last.
    waiting: Vec<Arc<FileEntry>>,
    generation: u64,
    finished: DetailsById,
    published_ms: Timestamp,
}

impl EnrichmentQueue {
    /// Takes over the files of a new list that are not read yet.
    pub(crate) fn refill(&mut self, folder: &Folder) {
        let Some(current) = folder.current() else { return };
        if !folder.settings.enrich || current.number == self.generation {
            return;
        }
        self.generation = current.number;
        if current.enriched == current.files.len() {
            self.waiting.clear();
            return;
        }
        let files = current.order(SortOrder::Date).iter().map(|place| &current.files[*place as usize]);
        let is_waiting = |file: &&Arc<FileEntry>| {
            let is_read = self.finished.get(&file.id).is_some_and(|(stat, _)| *stat == file.stat);
            file.details.is_none() && !is_read
        };
        self.waiting = files.filter(is_waiting).cloned().collect();
    }

    /// Considers files again that could not be opened.
    pub(crate) fn retry(&mut self) {
        self.generation = 0;
    }

    /// Whether there are files to read.
    pub(crate) fn has_work(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next files.
    pub(crate) fn take_batch(&mut self) -> Vec<Arc<FileEntry>> {
        self.waiting.split_off(self.waiting.len().saturating_sub(BATCH))
    }

    /// Takes what was read; returns what is to be published now.
    pub(crate) fn collect(&mut self, read: DetailsById, folder: &Folder) -> Option<DetailsById> {
        self.finished.extend(read);
        let now_ms = folder.context.clock.now();
        let is_due = self.waiting.is_empty()
            || self.finished.len() >= PUBLISH_FILES
            || now_ms.duration_since(self.published_ms) >= PUBLISH;
        if !is_due {
            return None;
        }
        self.published_ms = now_ms;
        self.finish()
    }

    /// All that is not published yet.
    pub(crate) fn finish(&mut self) -> Option<DetailsById> {
        (!self.finished.is_empty()).then(|| std::mem::take(&mut self.finished))
    }
}

impl Folder {
    /// Reads archives. It blocks. What cannot be opened stays pending: a file that is gone leaves the list by itself, and
    /// a disk that is away says nothing of its files.
    pub(crate) fn read_details(&self, files: Vec<Arc<FileEntry>>, device: u64) -> DetailsById {
        let mut read = HashMap::new();
        let root = Root::open(&self.settings.path).ok().filter(|root| device == 0 || root.device() == device);
        let Some(root) = root else { return read };
        for file in files {
            if self.context.stop.is_cancelled() || self.status.lock().suspicion.is_some() {
                break;
            }
            let Ok(mut opened) = open_listed(&root, &file) else { continue };
            let print = fingerprint(&mut opened).unwrap_or(0);
            let mut details = read_details(opened, &file.format());
            details.fingerprint = print;
            let is_unreadable = details.metadata == MetadataState::Unreadable;
            {
                let mut status = self.status.lock();
                status.counters.archives_read += 1;
                status.counters.archives_unreadable += u64::from(is_unreadable);
            }
            read.insert(file.id, (file.stat, Arc::new(details)));
        }
        read
    }
}

/// Opens a file of the list, if it is still as the list says.
pub(crate) fn open_listed(root: &Root, file: &FileEntry) -> io::Result<File> {
    let opened = root.open_file(&file.path)?;
    let facts = opened.metadata()?;
    let mtime_ns = facts.mtime().saturating_mul(1_000_000_000).saturating_add(facts.mtime_nsec());
    if (facts.len(), mtime_ns) == (file.stat.size, file.stat.mtime_ns) {
        Ok(opened)
    } else {
        Err(io::Error::other("it has changed since the list was made"))
    }
}
