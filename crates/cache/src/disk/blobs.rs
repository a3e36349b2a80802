//! Large bodies: one file each, written whole under a temporary name and then renamed. A file counts only once a row
//! references it, so a crash leaves at worst an unreferenced file.

use crate::timestamp::Timestamp;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use crate::hybrid_timestamp::HybridTimestamp;

/// Extension of a file that is not renamed yet.
const TEMPORARY_EXTENSION: &str = "new";

/// The folder of all bodies.
#[derive(Debug, Clone)]
pub(crate) struct BlobStore(PathBuf);

impl BlobStore {
    pub(crate) fn new(dir: &Path) -> Self {
        Self(dir.join("bodies"))
    }

    /// File name of a body: hash of its key and timestamp of its load, so no two loads share a file.
    pub(crate) fn name(hash: i64, created: HybridTimestamp) -> String {
        let hash = hash.cast_unsigned();
        format!("{:02x}/{hash:016x}-{:016x}", hash >> 56, created.raw())
    }

    pub(crate) fn write(&self, name: &str, body: &[u8]) -> io::Result<()> {
        let path = self.0.join(name);
        let temporary = path.with_extension(TEMPORARY_EXTENSION);
        let mut file = match create(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().unwrap_or(&self.0);
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
                create(&temporary)?
            }
            other => other?,
        };
        let written = file.write_all(body).and_then(|()| std::fs::rename(&temporary, &path));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary); // A later sweep removes it.
        }
        written
    }

    /// Reads a body of at most `max_bytes`. A name that points elsewhere counts as missing.
    pub(crate) fn read(&self, name: &str, max_bytes: usize) -> io::Result<Bytes> {
        if !is_blob_name(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut body = Vec::new();
        File::open(self.0.join(name))?.take(max_bytes as u64 + 1).read_to_end(&mut body)?;
        Ok(body.into())
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        is_blob_name(name) && self.0.join(name).exists()
    }

    /// Length of a body, if it exists.
    pub(crate) fn length(&self, name: &str) -> Option<u64> {
        is_blob_name(name).then(|| std::fs::metadata(self.0.join(name)).ok()).flatten().map(|file| file.len())
    }

    pub(crate) fn remove(&self, name: &str) {
        if is_blob_or_temporary(name) {
            let _ = std::fs::remove_file(self.0.join(name)); // A later sweep removes what remains.
        }
    }

    pub(crate) fn remove_all(&self, names: &[String]) {
        for name in names {
            self.remove(name);
        }
    }

    /// The files of one of 256 folders, unfinished ones included, each with its modification time.
    pub(crate) fn list_folder(&self, folder: u8) -> Vec<(String, Timestamp)> {
        let Ok(entries) = std::fs::read_dir(self.0.join(format!("{folder:02x}"))) else { return Vec::new() };
        entries
            .flatten()
            .filter_map(|entry| {
                let name = format!("{folder:02x}/{}", entry.file_name().to_str()?);
                if !is_blob_or_temporary(&name) {
                    return None;
                }
                let modified = entry.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
                Some((name, Timestamp::from_millis(crate::clock::millis(modified))))
            })
            .collect()
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Whether a file is one of ours, finished or not.
fn is_blob_or_temporary(name: &str) -> bool {
    let stem = name.strip_suffix(TEMPORARY_EXTENSION).and_then(|name| name.strip_suffix('.'));
    is_blob_name(stem.unwrap_or(name))
}

/// Whether a text is a name as [`BlobStore::name`] makes them: a damaged row must not open other files.
fn is_blob_name(name: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.len() == 36
        && name.is_ascii()
        && name.as_bytes()[2] == b'/'
        && name.as_bytes()[19] == b'-'
        && hex(&name[..2])
        && hex(&name[3..19])
        && hex(&name[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_back_and_only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let bodies = BlobStore::new(dir.path());
        let name = BlobStore::name(-7, HybridTimestamp::from_raw(9));
        bodies.write(&name, b"long").expect("written");
        assert_eq!(bodies.read(&name, 4).expect("read"), Bytes::from_static(b"long"));
        assert_eq!(bodies.list_folder(0xff)[0].0, name);
        let mode = std::fs::metadata(dir.path().join("bodies").join(&name)).expect("it is there").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        bodies.remove(&name);
        assert!(bodies.read(&name, 4).is_err());
    }

    #[test]
    fn a_damaged_name_opens_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("secret"), b"x").expect("written");
        let bodies = BlobStore::new(dir.path());
        for name in ["../secret", "/etc/passwd", "", "ff/../../secret", "ff/00000000000000zz-0000000000000000"] {
            assert!(bodies.read(name, 10).is_err(), "{name}");
        }
    }
}
