//! Snapshots on disk: one file per library, written beside its place and then renamed. The folder is named by the hash
//! of the configured token, so that another token never finds what this one was shown.
//!
//! A file has four parts: a line with the format, the length of the metadata, the metadata as JSON, the snapshot as
//! [`greenroom_library::snapshot`] writes it; and a checksum over all of it.

use greenroom_cache::Timestamp;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use greenroom_cache::Partition;
use greenroom_library::snapshot::Snapshot;
use serde::{Deserialize, Serialize};

use super::LibraryId;
use greenroom_state::secrets::LIBRARIES_FOLDER;
use greenroom_state::secrets::give_to_owner;

/// Suffix of snapshot files.
const EXTENSION: &str = ".library";
/// Suffix of unreadable files that were set aside; only the last one of each library stays.
const DAMAGED_EXTENSION: &str = ".damaged";
/// Suffix of files being written.
const TEMPORARY_EXTENSION: &str = ".new";
/// Age at which an unfinished file is deleted.
const TEMPORARY_FILE_AGE: Duration = Duration::from_secs(24 * 3600);
/// Files of other tokens checked in one sweep.
const MAX_SWEPT: usize = 1_000;
/// Files written by this process.
static WRITE_NUMBER: AtomicU64 = AtomicU64::new(0);
/// First bytes of a file.
const MAGIC: &[u8] = b"greenroom library 1\n";
/// Max bytes of the JSON.
const MAX_METADATA_BYTES: usize = 64 * 1024;
const CHECKSUM_BYTES: usize = 32;
/// Age at which files of another token are deleted.
const UNUSED_FILE_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Metadata of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SnapshotMetadata {
    /// Name of the server.
    pub(super) server: String,
    pub(super) key: String,
    pub(super) title: String,
    /// Name of what it holds.
    pub(super) contents: String,
    /// Number of its generation.
    pub(super) number: u64,
    pub(super) taken_at_ms: u64,
    /// Time of the last full comparison.
    pub(super) whole_at_ms: u64,
    /// Changes before this second are included, by the earlier of the server's clock and ours.
    pub(super) synced_s: u64,
    /// The server's own change stamp.
    pub(super) stamp: Option<String>,
    /// By kind: indexed, the server's count, not indexable.
    pub(super) counts: BTreeMap<String, (u64, u64, u64)>,
    /// Requests of its last build.
    pub(super) build_requests: u64,
    pub(super) build_ms: u64,
}

/// Contents of a file, with the items if requested.
pub(super) type StoredSnapshot = (SnapshotMetadata, Option<Snapshot>);

/// The folder of one server and token.
#[derive(Debug, Clone)]
pub(super) struct SnapshotStore {
    folder: PathBuf,
    server: String,
}

impl SnapshotStore {
    /// The folder of this server's libraries for this token.
    pub(super) fn new(data_dir: &Path, partition: &Partition, server: &str) -> Self {
        let hash = blake3::hash(partition.as_str().as_bytes()).to_hex();
        Self { folder: data_dir.join(LIBRARIES_FOLDER).join(&hash[..32]), server: server.to_owned() }
    }

    /// Writes one snapshot in place of the previous one.
    pub(super) fn save(&self, metadata: &SnapshotMetadata, snapshot: &Snapshot) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        // The outer one first: each gets the owner of its parent.
        for folder in [self.folder.parent(), Some(self.folder.as_path())].into_iter().flatten() {
            give_to_owner(folder);
        }
        let path = self.path_of(&metadata.key);
        // A name of its own, because another process or an ending task may be writing the same snapshot.
        let number = WRITE_NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(format!("{}-{number}{TEMPORARY_EXTENSION}", std::process::id()));
        let written = write(&temporary, metadata, snapshot);
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary); // The first error is reported.
        }
        written?;
        give_to_owner(&temporary);
        std::fs::rename(&temporary, &path)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Reads all snapshots, those of libraries with these keys without their items. Unreadable files are set aside and
    /// named.
    pub(super) fn load(&self, now_ms: Timestamp, is_off: impl Fn(&str) -> bool) -> (Vec<StoredSnapshot>, Vec<PathBuf>) {
        let (mut loaded, mut damaged) = (Vec::new(), Vec::new());
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return (loaded, damaged) };
        let start = format!("{}-", self.server);
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.starts_with(&start) || !name.ends_with(EXTENSION) {
                continue;
            }
            match read(&path, &is_off) {
                // Another server's name may begin with this one's.
                Some((metadata, _)) if metadata.server != self.server => {}
                Some((metadata, snapshot)) if self.path_of(&metadata.key) == path => {
                    loaded.push((metadata.clamp_times(now_ms), snapshot));
                }
                _ => {
                    let _ = std::fs::rename(&path, path.with_extension(&DAMAGED_EXTENSION[1..])); // It is reported as damaged.
                    damaged.push(path);
                }
            }
        }
        (loaded, damaged)
    }

    /// Deletes files of this server for tokens that have not been used for long.
    pub(super) fn sweep(&self, now_ms: Timestamp) {
        let Some(all) = self.folder.parent() else { return };
        let now = UNIX_EPOCH + Duration::from_millis(now_ms.as_millis());
        let start = format!("{}-", self.server);
        for folder in std::fs::read_dir(all).into_iter().flatten().flatten().map(|entry| entry.path()).take(MAX_SWEPT) {
            let is_own = folder == self.folder;
            for file in std::fs::read_dir(&folder).into_iter().flatten().flatten().take(MAX_SWEPT) {
                let written = file.metadata().and_then(|file| file.modified());
                let age = written.ok().and_then(|written| now.duration_since(written).ok());
                let name = file.file_name().to_string_lossy().into_owned();
                let max_age = match (name.ends_with(TEMPORARY_EXTENSION), is_own) {
                    (true, _) => TEMPORARY_FILE_AGE,
                    (false, true) => continue,
                    (false, false) => UNUSED_FILE_AGE,
                };
                if name.starts_with(&start) && age.is_some_and(|age| age > max_age) {
                    let _ = std::fs::remove_file(file.path()); // The next sweep tries again.
                }
            }
            // Removes only an empty folder.
            if !is_own {
                let _ = std::fs::remove_dir(&folder); // It may hold other files.
            }
        }
    }

    /// Deletes the files of this library.
    pub(super) fn remove(&self, key: &str) {
        let _ = std::fs::remove_file(self.path_of(key)); // There may be none.
    }

    fn path_of(&self, key: &str) -> PathBuf {
        let is_plain = key.len() <= 40 && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let name = if is_plain { key.to_owned() } else { format!("_{}", &blake3::hash(key.as_bytes()).to_hex()[..32]) };
        self.folder.join(format!("{}-{name}{EXTENSION}", self.server))
    }
}

impl SnapshotMetadata {
    /// The id of its library.
    pub(super) fn id(&self) -> LibraryId {
        LibraryId { server: self.server.clone(), key: self.key.clone() }
    }

    /// Limits all times to now, in case an earlier clock was wrong.
    fn clamp_times(self, now_ms: Timestamp) -> Self {
        Self {
            taken_at_ms: self.taken_at_ms.min(now_ms.as_millis()),
            whole_at_ms: self.whole_at_ms.min(now_ms.as_millis()),
            synced_s: self.synced_s.min(now_ms.as_secs()),
            ..self
        }
    }
}

fn write(path: &Path, metadata: &SnapshotMetadata, snapshot: &Snapshot) -> io::Result<()> {
    let metadata = serde_json::to_vec(metadata)?;
    let length = u32::try_from(metadata.len()).map_err(io::Error::other)?;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let mut out = ChecksumWriter { out: io::BufWriter::new(file), checksum: blake3::Hasher::new() };
    out.write_all(MAGIC)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&metadata)?;
    snapshot.encode(&mut out)?;
    let checksum = out.checksum.finalize();
    let mut file = out.out;
    file.write_all(checksum.as_bytes())?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn read(path: &Path, is_off: impl Fn(&str) -> bool) -> Option<StoredSnapshot> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.read_to_end(&mut bytes).ok()?;
    let (bytes, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
    if blake3::hash(bytes).as_bytes() != checksum {
        return None;
    }
    let rest = bytes.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if length > MAX_METADATA_BYTES {
        return None;
    }
    let (metadata, snapshot) = rest.split_at_checked(length)?;
    let metadata: SnapshotMetadata = serde_json::from_slice(metadata).ok()?;
    let snapshot = if is_off(&metadata.key) { None } else { Some(Snapshot::decode(snapshot).ok()?) };
    Some((metadata, snapshot))
}

/// A writer that computes the checksum.
struct ChecksumWriter {
    out: io::BufWriter<File>,
    checksum: blake3::Hasher,
}

impl Write for ChecksumWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.checksum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use greenroom_library::item::{Item, ItemKind};
    use greenroom_library::snapshot::SnapshotBuilder;

    use super::*;

    fn snapshot(count: u32) -> Snapshot {
        let mut builder = SnapshotBuilder::default();
        for key in 0..count {
            builder.push(Item::new(ItemKind::Track, &key.to_string(), "Thrown Away"));
        }
        builder.build()
    }

    fn metadata(server: &str, key: &str) -> SnapshotMetadata {
        SnapshotMetadata { server: server.into(), key: key.into(), number: 7, ..SnapshotMetadata::default() }
    }

    #[test]
    fn a_saved_snapshot_is_loaded_only_for_the_same_token() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        store.save(&metadata("home", "3"), &snapshot(100)).expect("save the snapshot");
        store.save(&metadata("home", "odd/../key"), &snapshot(2)).expect("save the snapshot");
        let (mut loaded, damaged) = store.load(Timestamp::MAX, |_| false);
        loaded.sort_by_key(|(metadata, _)| metadata.key.clone());
        assert_eq!(damaged, Vec::<PathBuf>::new());
        assert_eq!(
            loaded.iter().map(|(_, snapshot)| snapshot.as_ref().map_or(0, Snapshot::len)).collect::<Vec<_>>(),
            [100, 2]
        );
        assert_eq!(loaded[0].0, metadata("home", "3"));
        assert!(
            SnapshotStore::new(folder.path(), &Partition::new("other"), "home")
                .load(Timestamp::MAX, |_| false)
                .0
                .is_empty()
        );
        assert!(
            SnapshotStore::new(folder.path(), &Partition::new("one"), "den")
                .load(Timestamp::MAX, |_| false)
                .0
                .is_empty()
        );
        store.remove("3");
        assert_eq!(store.load(Timestamp::MAX, |_| false).0.len(), 1);
    }

    #[test]
    fn files_can_be_read_only_by_their_owner() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        store.save(&metadata("home", "3"), &snapshot(1)).expect("save the snapshot");
        let mode = |path: &Path| std::fs::metadata(path).expect("read what was written").permissions().mode() & 0o777;
        assert_eq!(mode(&store.path_of("3")), 0o600);
        assert_eq!(mode(&store.folder), 0o700);
    }

    #[test]
    fn a_file_with_any_changed_byte_is_set_aside() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        store.save(&metadata("home", "3"), &snapshot(3)).expect("save the snapshot");
        let path = store.path_of("3");
        let whole = std::fs::read(&path).expect("read what was written");
        for at in (0..whole.len()).step_by(7) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x20;
            std::fs::write(&path, flipped).expect("write the file");
            assert!(read(&path, |_| false).is_none(), "byte {at}");
        }
        for length in [0, 1, CHECKSUM_BYTES, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).expect("write the file");
            assert!(read(&path, |_| false).is_none(), "{length} bytes");
        }
        let (loaded, damaged) = store.load(Timestamp::MAX, |_| false);
        assert!(loaded.is_empty() && damaged == [path.clone()]);
        assert!(!path.exists() && path.with_extension("damaged").exists());
    }

    #[test]
    fn snapshots_of_an_unused_token_are_removed_after_a_month() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let (own, other) = (Partition::new("one"), Partition::new("other"));
        let (own, other) =
            (SnapshotStore::new(folder.path(), &own, "home"), SnapshotStore::new(folder.path(), &other, "home"));
        own.save(&metadata("home", "3"), &snapshot(1)).expect("save the snapshot");
        other.save(&metadata("home", "3"), &snapshot(1)).expect("save the snapshot");
        let written =
            std::fs::metadata(other.path_of("3")).and_then(|file| file.modified()).expect("read the modification time");
        let written = written.duration_since(UNIX_EPOCH).expect("the time is after the epoch").as_secs() * 1000;
        let month_ms = 31 * 24 * 3_600_000;
        SnapshotStore::new(folder.path(), &Partition::new("one"), "den")
            .sweep(Timestamp::from_millis(written + month_ms));
        own.sweep(Timestamp::from_millis(written + month_ms / 2));
        assert_eq!(
            (own.load(Timestamp::MAX, |_| false).0.len(), other.load(Timestamp::MAX, |_| false).0.len()),
            (1, 1),
            "another server's, or not long enough"
        );
        own.sweep(Timestamp::from_millis(written + month_ms));
        assert_eq!((own.load(Timestamp::MAX, |_| false).0.len(), other.folder.exists()), (1, false));
    }

    #[test]
    fn an_unfinished_file_is_not_loaded() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        store.save(&metadata("home", "3"), &snapshot(3)).expect("save the snapshot");
        std::fs::write(store.path_of("4").with_extension("new"), b"half").expect("write the file");
        assert_eq!(store.load(Timestamp::MAX, |_| false).0.len(), 1);
    }

    #[test]
    fn only_the_metadata_of_a_library_that_is_off_are_read() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        for key in ["3", "4"] {
            store.save(&metadata("home", key), &snapshot(5)).expect("save the snapshot");
        }
        let (mut loaded, _) = store.load(Timestamp::MAX, |key| key == "3");
        loaded.sort_by_key(|(metadata, _)| metadata.key.clone());
        let items: Vec<Option<usize>> =
            loaded.iter().map(|(_, snapshot)| snapshot.as_ref().map(Snapshot::len)).collect();
        assert_eq!(items, [None, Some(5)]);
        assert_eq!(loaded[0].0.number, 7, "its generation numbers continue");
    }

    #[test]
    fn stored_times_in_the_future_are_clamped_to_now() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        let wrong = SnapshotMetadata { taken_at_ms: 9_000, whole_at_ms: 8_000, synced_s: 9, ..metadata("home", "3") };
        store.save(&wrong, &snapshot(1)).expect("save the snapshot");
        let read = |now_ms| store.load(now_ms, |_| false).0.remove(0).0;
        assert_eq!(read(Timestamp::from_millis(10_000)), wrong);
        assert_eq!(
            read(Timestamp::from_millis(5_000)),
            SnapshotMetadata { taken_at_ms: 5_000, whole_at_ms: 5_000, synced_s: 5, ..wrong }
        );
    }

    #[test]
    fn concurrent_writers_of_a_library_do_not_mix_their_files() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        std::thread::scope(|scope| {
            for count in 1..=8 {
                let store = &store;
                scope.spawn(move || {
                    for _ in 0..20 {
                        store.save(&metadata("home", "3"), &snapshot(count * 50)).expect("save the snapshot");
                    }
                });
            }
        });
        let (loaded, damaged) = store.load(Timestamp::MAX, |_| false);
        assert_eq!((loaded.len(), damaged.len()), (1, 0));
        let files = std::fs::read_dir(&store.folder).expect("read the folder").count();
        assert_eq!(files, 1, "no temporary file remains");
    }

    #[test]
    fn unfinished_files_are_removed_after_a_day() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        store.save(&metadata("home", "3"), &snapshot(1)).expect("save the snapshot");
        let half = store.folder.join("home-3.1-1.new");
        std::fs::write(&half, b"half").expect("write the file");
        let written = std::fs::metadata(&half).and_then(|file| file.modified()).expect("read the modification time");
        let written = written.duration_since(UNIX_EPOCH).expect("the time is after the epoch").as_secs() * 1000;
        store.sweep(Timestamp::from_millis(written + 3_600_000));
        assert!(half.exists(), "it may still be written");
        store.sweep(Timestamp::from_millis(written + 2 * 24 * 3_600_000));
        assert!(!half.exists() && store.load(Timestamp::MAX, |_| false).0.len() == 1);
    }
}
