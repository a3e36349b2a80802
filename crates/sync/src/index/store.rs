//! Snapshots on disk: one file per library, written beside its place and then renamed. The folder is named by the hash
//! of the configured token, so that another token never finds what this one was shown.
//!
//! A file has four parts: a line with the format, the length of the metadata, the metadata as JSON, the snapshot as
//! [`greenroom_library::snapshot`] writes it; and a checksum over all of it.

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
const ENDING: &str = ".library";
/// Suffix of unreadable files that were set aside; only the last one of each library stays.
const ASIDE: &str = ".damaged";
/// Suffix of files being written.
const BESIDE: &str = ".new";
/// Age at which an unfinished file is deleted.
const UNFINISHED: Duration = Duration::from_secs(24 * 3600);
/// Files of other tokens checked in one sweep.
const MAX_SWEPT: usize = 1_000;
/// Files written by this process.
static WRITTEN: AtomicU64 = AtomicU64::new(0);
/// First bytes of a file.
const MARK: &[u8] = b"greenroom library 1\n";
/// Max bytes of the JSON.
const MAX_ABOUT_BYTES: usize = 64 * 1024;
const CHECK_BYTES: usize = 32;
/// Age at which files of another token are deleted.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);

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
    pub(super) fn save(&self, about: &SnapshotMetadata, snapshot: &Snapshot) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        // The outer one first: each gets the owner of its parent.
        for folder in [self.folder.parent(), Some(self.folder.as_path())].into_iter().flatten() {
            give_to_owner(folder);
        }
        let path = self.path_of(&about.key);
        // A name of its own, because another process or an ending task may be writing the same snapshot.
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let beside = path.with_extension(format!("{}-{number}{BESIDE}", std::process::id()));
        let written = write(&beside, about, snapshot);
        if written.is_err() {
            drop(std::fs::remove_file(&beside));
        }
        written?;
        give_to_owner(&beside);
        std::fs::rename(&beside, &path)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Reads all snapshots, those of libraries with these keys without their items. Unreadable files are set aside and
    /// named.
    pub(super) fn load(&self, now_ms: u64, is_off: impl Fn(&str) -> bool) -> (Vec<StoredSnapshot>, Vec<PathBuf>) {
        let (mut loaded, mut damaged) = (Vec::new(), Vec::new());
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return (loaded, damaged) };
        let start = format!("{}-", self.server);
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.starts_with(&start) || !name.ends_with(ENDING) {
                continue;
            }
            match read(&path, &is_off) {
                // Another server's name may begin with this one's.
                Some((about, _)) if about.server != self.server => {}
                Some((about, snapshot)) if self.path_of(&about.key) == path => {
                    loaded.push((about.clamp_times(now_ms), snapshot));
                }
                _ => {
                    drop(std::fs::rename(&path, path.with_extension(&ASIDE[1..])));
                    damaged.push(path);
                }
            }
        }
        (loaded, damaged)
    }

    /// Deletes files of this server for tokens that have not been used for long.
    pub(super) fn sweep(&self, now_ms: u64) {
        let Some(all) = self.folder.parent() else { return };
        let now = UNIX_EPOCH + Duration::from_millis(now_ms);
        let start = format!("{}-", self.server);
        for folder in std::fs::read_dir(all).into_iter().flatten().flatten().map(|entry| entry.path()).take(MAX_SWEPT) {
            let is_own = folder == self.folder;
            for file in std::fs::read_dir(&folder).into_iter().flatten().flatten().take(MAX_SWEPT) {
                let written = file.metadata().and_then(|file| file.modified());
                let age = written.ok().and_then(|written| now.duration_since(written).ok());
                let name = file.file_name().to_string_lossy().into_owned();
                let lasting = match (name.ends_with(BESIDE), is_own) {
                    (true, _) => UNFINISHED,
                    (false, true) => continue,
                    (false, false) => UNUSED,
                };
                if name.starts_with(&start) && age.is_some_and(|age| age > lasting) {
                    drop(std::fs::remove_file(file.path()));
                }
            }
            // Removes only an empty folder.
            if !is_own {
                drop(std::fs::remove_dir(&folder));
            }
        }
    }

    /// Deletes the files of this library.
    pub(super) fn remove(&self, key: &str) {
        drop(std::fs::remove_file(self.path_of(key)));
    }

    fn path_of(&self, key: &str) -> PathBuf {
        let is_plain = key.len() <= 40 && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let name = if is_plain { key.to_owned() } else { format!("_{}", &blake3::hash(key.as_bytes()).to_hex()[..32]) };
        self.folder.join(format!("{}-{name}{ENDING}", self.server))
    }
}

impl SnapshotMetadata {
    /// The id of its library.
    pub(super) fn id(&self) -> LibraryId {
        LibraryId { server: self.server.clone(), key: self.key.clone() }
    }

    /// Limits all times to now, in case an earlier clock was wrong.
    fn clamp_times(self, now_ms: u64) -> Self {
        Self {
            taken_at_ms: self.taken_at_ms.min(now_ms),
            whole_at_ms: self.whole_at_ms.min(now_ms),
            synced_s: self.synced_s.min(now_ms / 1000),
            ..self
        }
    }
}

fn write(path: &Path, about: &SnapshotMetadata, snapshot: &Snapshot) -> io::Result<()> {
    let about = serde_json::to_vec(about)?;
    let length = u32::try_from(about.len()).map_err(io::Error::other)?;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let mut out = ChecksumWriter { out: io::BufWriter::new(file), check: blake3::Hasher::new() };
    out.write_all(MARK)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&about)?;
    snapshot.encode(&mut out)?;
    let check = out.check.finalize();
    let mut file = out.out;
    file.write_all(check.as_bytes())?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn read(path: &Path, is_off: impl Fn(&str) -> bool) -> Option<StoredSnapshot> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.read_to_end(&mut bytes).ok()?;
    let (bytes, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK_BYTES)?)?;
    if blake3::hash(bytes).as_bytes() != check {
        return None;
    }
    let rest = bytes.strip_prefix(MARK)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if length > MAX_ABOUT_BYTES {
        return None;
    }
    let (about, snapshot) = rest.split_at_checked(length)?;
    let about: SnapshotMetadata = serde_json::from_slice(about).ok()?;
    let snapshot = if is_off(&about.key) { None } else { Some(Snapshot::decode(snapshot).ok()?) };
    Some((about, snapshot))
}

/// A writer that computes the checksum.
struct ChecksumWriter {
    out: io::BufWriter<File>,
    check: blake3::Hasher,
}

impl Write for ChecksumWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.check.update(&bytes[..written]);
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

    fn about(server: &str, key: &str) -> SnapshotMetadata {
        SnapshotMetadata { server: server.into(), key: key.into(), number: 7, ..SnapshotMetadata::default() }
    }

    #[test]
    fn what_was_saved_is_loaded_for_the_same_token_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        store.save(&about("home", "3"), &snapshot(100)).expect("it can be saved");
        store.save(&about("home", "odd/../key"), &snapshot(2)).expect("it can be saved");
        let (mut loaded, damaged) = store.load(u64::MAX, |_| false);
        loaded.sort_by_key(|(about, _)| about.key.clone());
        assert_eq!(damaged, Vec::<PathBuf>::new());
        assert_eq!(
            loaded.iter().map(|(_, snapshot)| snapshot.as_ref().map_or(0, Snapshot::len)).collect::<Vec<_>>(),
            [100, 2]
        );
        assert_eq!(loaded[0].0, about("home", "3"));
        assert!(
            SnapshotStore::new(folder.path(), &Partition::new("other"), "home").load(u64::MAX, |_| false).0.is_empty()
        );
        assert!(
            SnapshotStore::new(folder.path(), &Partition::new("one"), "den").load(u64::MAX, |_| false).0.is_empty()
        );
        store.remove("3");
        assert_eq!(store.load(u64::MAX, |_| false).0.len(), 1);
    }

    #[test]
    fn files_are_the_owners_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        store.save(&about("home", "3"), &snapshot(1)).expect("it can be saved");
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&store.path_of("3")), 0o600);
        assert_eq!(mode(&store.folder), 0o700);
    }

    #[test]
    fn any_byte_that_is_not_what_was_written_sets_the_file_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        store.save(&about("home", "3"), &snapshot(3)).expect("it can be saved");
        let path = store.path_of("3");
        let whole = std::fs::read(&path).expect("it is there");
        for at in (0..whole.len()).step_by(7) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x20;
            std::fs::write(&path, flipped).expect("written");
            assert!(read(&path, |_| false).is_none(), "byte {at}");
        }
        for length in [0, 1, CHECK_BYTES, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).expect("written");
            assert!(read(&path, |_| false).is_none(), "{length} bytes");
        }
        let (loaded, damaged) = store.load(u64::MAX, |_| false);
        assert!(loaded.is_empty() && damaged == [path.clone()]);
        assert!(!path.exists() && path.with_extension("damaged").exists());
    }

    #[test]
    fn what_was_kept_for_a_token_that_is_not_used_any_more_goes_after_a_month() {
        let folder = tempfile::tempdir().expect("a folder");
        let (own, other) = (Partition::new("one"), Partition::new("other"));
        let (own, other) =
            (SnapshotStore::new(folder.path(), &own, "home"), SnapshotStore::new(folder.path(), &other, "home"));
        own.save(&about("home", "3"), &snapshot(1)).expect("it can be saved");
        other.save(&about("home", "3"), &snapshot(1)).expect("it can be saved");
        let written = std::fs::metadata(other.path_of("3")).and_then(|file| file.modified()).expect("a time");
        let written = written.duration_since(UNIX_EPOCH).expect("it is later").as_secs() * 1000;
        let month_ms = 31 * 24 * 3_600_000;
        SnapshotStore::new(folder.path(), &Partition::new("one"), "den").sweep(written + month_ms);
        own.sweep(written + month_ms / 2);
        assert_eq!(
            (own.load(u64::MAX, |_| false).0.len(), other.load(u64::MAX, |_| false).0.len()),
            (1, 1),
            "another server's, or not long enough"
        );
        own.sweep(written + month_ms);
        assert_eq!((own.load(u64::MAX, |_| false).0.len(), other.folder.exists()), (1, false));
    }

    #[test]
    fn what_is_half_written_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        store.save(&about("home", "3"), &snapshot(3)).expect("it can be saved");
        std::fs::write(store.path_of("4").with_extension("new"), b"half").expect("written");
        assert_eq!(store.load(u64::MAX, |_| false).0.len(), 1);
    }

    #[test]
    fn of_a_library_that_is_off_only_what_is_known_about_it_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        for key in ["3", "4"] {
            store.save(&about("home", key), &snapshot(5)).expect("it can be saved");
        }
        let (mut loaded, _) = store.load(u64::MAX, |key| key == "3");
        loaded.sort_by_key(|(about, _)| about.key.clone());
        let items: Vec<Option<usize>> =
            loaded.iter().map(|(_, snapshot)| snapshot.as_ref().map(Snapshot::len)).collect();
        assert_eq!(items, [None, Some(5)]);
        assert_eq!(loaded[0].0.number, 7, "its numbers go on");
    }

    #[test]
    fn times_that_are_still_to_come_were_those_of_a_wrong_clock() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        let wrong = SnapshotMetadata { taken_at_ms: 9_000, whole_at_ms: 8_000, synced_s: 9, ..about("home", "3") };
        store.save(&wrong, &snapshot(1)).expect("it can be saved");
        let read = |now_ms| store.load(now_ms, |_| false).0.remove(0).0;
        assert_eq!(read(10_000), wrong);
        assert_eq!(read(5_000), SnapshotMetadata { taken_at_ms: 5_000, whole_at_ms: 5_000, synced_s: 5, ..wrong });
    }

    #[test]
    fn two_that_write_the_same_library_do_not_mix() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        std::thread::scope(|scope| {
            for count in 1..=8 {
                let store = &store;
                scope.spawn(move || {
                    for _ in 0..20 {
                        store.save(&about("home", "3"), &snapshot(count * 50)).expect("it can be saved");
                    }
                });
            }
        });
        let (loaded, damaged) = store.load(u64::MAX, |_| false);
        assert_eq!((loaded.len(), damaged.len()), (1, 0));
        let files = std::fs::read_dir(&store.folder).expect("the folder").count();
        assert_eq!(files, 1, "nothing is left beside it");
    }

    #[test]
    fn what_was_never_finished_goes_after_a_day() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SnapshotStore::new(folder.path(), &Partition::new("one"), "home");
        store.save(&about("home", "3"), &snapshot(1)).expect("it can be saved");
        let half = store.folder.join("home-3.1-1.new");
        std::fs::write(&half, b"half").expect("written");
        let written = std::fs::metadata(&half).and_then(|file| file.modified()).expect("a time");
        let written = written.duration_since(UNIX_EPOCH).expect("it is later").as_secs() * 1000;
        store.sweep(written + 3_600_000);
        assert!(half.exists(), "it may be under way");
        store.sweep(written + 2 * 24 * 3_600_000);
        assert!(!half.exists() && store.load(u64::MAX, |_| false).0.len() == 1);
    }
}
