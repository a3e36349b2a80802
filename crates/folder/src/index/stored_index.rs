//! The index on disk: the last generation, compressed, replaced as a whole. It is a cache: a file that cannot be read
//! is dropped, and the tree is scanned.

use greenroom_cache::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::file_details::FileDetails;
use crate::file_entry::FileEntry;
use crate::scan::FileFacts;

/// Format of the file.
const FORMAT: u32 = 1;
/// Longest line, in bytes.
const MAX_LINE_BYTES: u64 = 256 * 1024;

/// Saved index of a folder.
#[derive(Debug, Default)]
pub struct StoredIndex {
    /// Its files, ordered by path.
    pub files: Vec<Arc<FileEntry>>,
    /// When it was published.
    pub published_ms: Timestamp,
    /// Its number.
    pub number: u64,
    /// The number of the next new file.
    pub next_id: u64,
    /// Number of the file system of its root.
    pub device: u64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    root: String,
    count: usize,
    published_ms: u64,
    number: u64,
    next_id: u64,
    device: u64,
}

#[derive(Serialize, Deserialize)]
struct Row<D> {
    id: u64,
    path: Box<str>,
    stat: FileFacts,
    added_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<D>,
}

impl StoredIndex {
    /// Writes it beside the last one and renames it into place.
    ///
    /// # Errors
    /// The disk.
    pub fn save(&self, file: &Path, root: &Path) -> io::Result<()> {
        let beside = file.with_extension("tmp");
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        let mut out = zstd::Encoder::new(BufWriter::new(opened), 1)?;
        let header = Header {
            format: FORMAT,
            root: root.to_string_lossy().into_owned(),
            count: self.files.len(),
            published_ms: self.published_ms.as_millis(),
            number: self.number,
            next_id: self.next_id,
            device: self.device,
        };
        serde_json::to_writer(&mut out, &header)?;
        for file in &self.files {
            out.write_all(b"\n")?;
            let row = Row {
                id: file.id,
                path: file.path.clone(),
                stat: file.stat,
                added_ms: file.added_ms.as_millis(),
                details: file.details.as_deref(),
            };
            serde_json::to_writer(&mut out, &row)?;
        }
        let opened = out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        // Otherwise a loss of power could leave an empty file under the final name.
        opened.sync_data()?;
        std::fs::rename(&beside, file)
    }

    /// Reads what was saved for this root.
    ///
    /// # Errors
    /// There is nothing, it is of another root or format, or damaged.
    pub fn load(file: &Path, root: &Path) -> io::Result<Self> {
        let damaged = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason.to_owned());
        let mut lines = BufReader::new(zstd::Decoder::new(File::open(file)?)?);
        let mut line = Vec::new();
        read_line(&mut lines, &mut line)?;
        let header: Header = serde_json::from_slice(&line)?;
        if header.format != FORMAT || header.root != root.to_string_lossy() {
            return Err(damaged("it is of another folder or version"));
        }
        let mut files: Vec<Arc<FileEntry>> = Vec::new();
        while read_line(&mut lines, &mut line)? {
            let row: Row<FileDetails> = serde_json::from_slice(&line)?;
            let mut entry = FileEntry::new(row.id, &row.path, row.stat, Timestamp::from_millis(row.added_ms));
            entry.details = row.details.map(Arc::new);
            if files.last().is_some_and(|last| last.path >= entry.path) {
                return Err(damaged("its files are out of order"));
            }
            files.push(Arc::new(entry));
        }
        if files.len() != header.count {
            return Err(damaged("it is cut off"));
        }
        let Header { published_ms, number, next_id, device, .. } = header;
        Ok(Self { files, published_ms: Timestamp::from_millis(published_ms), number, next_id, device })
    }
}

fn read_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', line)?;
    Ok(read > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded_and_what_is_damaged_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, root) = (folder.path().join("c.index"), Path::new("/srv/c"));
        let stat = FileFacts { size: 1, mtime_ns: -5, inode: 3, birth_ns: 4, is_directory: false };
        let files: Vec<_> = (0..500)
            .map(|at| Arc::new(FileEntry::new(at, &format!("{at:04} é.cbz"), stat, Timestamp::from_millis(9))))
            .collect();
        let index = StoredIndex { files, published_ms: Timestamp::from_millis(1), number: 2, next_id: 501, device: 4 };
        index.save(&file, root).expect("saved");
        let loaded = StoredIndex::load(&file, root).expect("loaded");
        assert_eq!((loaded.files.len(), loaded.number, loaded.next_id, loaded.device), (500, 2, 501, 4));
        assert_eq!((&*loaded.files[7].path, loaded.files[7].stat), ("0007 é.cbz", stat));
        assert!(StoredIndex::load(&file, Path::new("/srv/d")).is_err(), "of another folder");
        let bytes = std::fs::read(&file).expect("read");
        for end in [0, 10, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&file, &bytes[..end]).expect("written");
            assert!(StoredIndex::load(&file, root).is_err(), "cut at {end}");
        }
    }
}
