//! Reads playlist files and writes reports beside them. Reads only regular files and never writes through a link, so
//! that a process that can write to the folder cannot choose what else this process reads or overwrites.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use greenroom_library::playlist;
use rustix::fs::{Mode, OFlags};

/// Max files per folder.
pub(super) const MAX_FILES: usize = 500;
/// Extensions of playlists.
const EXTENSIONS: [&str; 9] = ["m3u", "m3u8", "pls", "csv", "tsv", "json", "jspf", "jsonl", "xspf"];
/// Suffix of reports.
pub(super) const REPORT: &str = ".report.json";
pub(super) const MISSING: &str = ".missing.csv";

/// Attributes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileStat {
    pub(super) modified_ms: u128,
    pub(super) bytes: u64,
}

/// Files found, and problems.
#[derive(Debug, Default)]
pub(super) struct WatchScan {
    pub(super) files: Vec<(PathBuf, FileStat)>,
    /// One sentence per problem for a person to fix.
    pub(super) problems: Vec<String>,
}

/// Scans one file.
pub(super) fn scan_file(path: &Path) -> WatchScan {
    match stat(path) {
        Ok(stat) => WatchScan { files: vec![(path.to_owned(), stat)], problems: Vec::new() },
        Err(error) => WatchScan { files: Vec::new(), problems: vec![format!("{}: {error}", path.display())] },
    }
}

/// Scans all playlists in a folder.
pub(super) fn scan_folder(folder: &Path) -> WatchScan {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            return WatchScan { files: Vec::new(), problems: vec![format!("{}: {error}", folder.display())] };
        }
    };
    let mut paths: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_playlist(path)).collect();
    paths.sort();
    let mut scan = WatchScan::default();
    if paths.len() > MAX_FILES {
        scan.problems.push(format!(
            "{}: {} playlists exceed the limit of {MAX_FILES} files and are ignored",
            folder.display(),
            paths.len() - MAX_FILES
        ));
        paths.truncate(MAX_FILES);
    }
    for path in paths {
        match stat(&path) {
            Ok(stat) => scan.files.push((path, stat)),
            // It was deleted since the listing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => scan.problems.push(format!("{}: {error}", path.display())),
        }
    }
    scan
}

fn stat(path: &Path) -> io::Result<FileStat> {
    let metadata = std::fs::symlink_metadata(path)?;
    if !metadata.is_file() {
        return Err(not_a_regular_file());
    }
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(FileStat { modified_ms: modified.as_millis(), bytes: metadata.len() })
}

fn not_a_regular_file() -> io::Error {
    io::Error::other("it is a link, a folder or a device, not a regular file")
}

/// Whether a file may be a playlist and is not a report.
fn is_playlist(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    !name.starts_with('.') && !name.ends_with(REPORT) && !name.ends_with(MISSING) && EXTENSIONS.contains(&extension)
}

/// Reads the playlists of a file.
pub(super) fn read(path: &Path) -> Result<Vec<playlist::Playlist>, String> {
    let cannot = |error: io::Error| format!("it cannot be read: {error}");
    let limit = playlist::MAX_BYTES as u64;
    // It may have been replaced since the scan; opening a pipe without a writer would block.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| cannot(error.into()))?;
    let file = File::from(opened);
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return Err(cannot(not_a_regular_file()));
    }
    if metadata.len() > limit {
        return Err(playlist::PlaylistParseError::TooLong.to_string());
    }
    let bytes = read_all(file, limit).map_err(cannot)?;
    let hint = path.file_name().unwrap_or_default().to_string_lossy();
    playlist::read_all(&bytes, &hint).map_err(|unreadable| unreadable.to_string())
}

fn read_all(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Replaces a file atomically: readers get the old one or the new one, complete.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // A new file with an unpredictable name; renaming it replaces a link instead of writing through it.
    let mut temporary = tempfile::Builder::new()
        .prefix(".greenroom-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn greenrooms_own_files_are_never_read_as_playlists() {
        for name in ["a.csv.report.json", "a.csv.missing.csv", ".greenroom-1a.csv", ".hidden.csv", "notes.txt", "a"] {
            assert!(!is_playlist(Path::new(name)), "{name}");
        }
        for name in ["a.m3u8", "A.CSV", "list.jspf", "report.json"] {
            assert!(is_playlist(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn links_and_pipes_are_neither_read_nor_followed_by_writes() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("secret"), "title,artist\nA,B\n").expect("write the file");
        symlink(at("secret"), at("link.csv")).expect("create the link");
        std::fs::write(at("own.csv"), "title,artist\nA,B\n").expect("write the file");
        assert!(std::process::Command::new("mkfifo").arg(at("pipe.csv")).status().expect("run the command").success());
        let scan = scan_folder(folder.path());
        assert_eq!(scan.files.len(), 1, "{scan:?}");
        assert_eq!(scan.problems.len(), 2, "{scan:?}");
        assert!(read(&at("own.csv")).is_ok());
        for name in ["link.csv", "pipe.csv"] {
            read(&at(name)).expect_err("it is not a regular file");
        }
        symlink(at("secret"), at("own.csv.report.json")).expect("create the link");
        replace(&at("own.csv.report.json"), "new").expect("write the file");
        assert_eq!(std::fs::read_to_string(at("secret")).expect("read the file"), "title,artist\nA,B\n");
        assert_eq!(std::fs::read_to_string(at("own.csv.report.json")).expect("read the file"), "new");
    }

    #[test]
    fn missing_files_and_files_beyond_the_limit_are_reported() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        assert_eq!(scan_file(&folder.path().join("none.csv")).problems.len(), 1);
        assert_eq!(scan_folder(&folder.path().join("none")).problems.len(), 1);
        for number in 0..MAX_FILES + 3 {
            std::fs::write(folder.path().join(format!("{number:04}.csv")), "").expect("write the file");
        }
        let scan = scan_folder(folder.path());
        assert_eq!(scan.files.len(), MAX_FILES);
        assert!(scan.problems[0].contains("3 playlists exceed"), "{scan:?}");
    }
}
