//! Facts of the file system about a file.

use std::io;
use std::os::fd::BorrowedFd;

use serde::{Deserialize, Serialize};

/// Facts of the file system about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Bytes.
    pub size: u64,
    /// Time of the last change of its content, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Its number in the file system.
    pub inode: u64,
    /// Time it was created, in nanoseconds since 1970; 0 if the file system does not tell.
    pub birth_ns: i64,
    /// Whether it is a directory.
    #[serde(skip)]
    pub is_directory: bool,
}

impl FileFacts {
    /// Whether both are of one file, whatever its name and content: the same number, and as numbers are used again, the
    /// same time of creation or else the same content.
    pub fn is_same_file(&self, other: &Self) -> bool {
        let has_birth = self.birth_ns != 0 && other.birth_ns != 0;
        self.inode == other.inode
            && if has_birth { self.birth_ns == other.birth_ns } else { self.has_same_content(other) }
    }

    /// Whether size and time tell no change of content.
    pub fn has_same_content(&self, other: &Self) -> bool {
        self.size == other.size && self.mtime_ns == other.mtime_ns
    }
}

/// Reads it for a name in an open directory, without following links: `None` if it is neither a regular file nor a
/// directory.
#[cfg(target_os = "linux")]
pub(super) fn stat_at(directory: BorrowedFd<'_>, name: &str) -> io::Result<Option<FileFacts>> {
    use rustix::fs::{AtFlags, FileType, StatxFlags, statx};

    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let found = statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, wanted)?;
    let nanoseconds = |seconds: i64, part: u32| seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(part));
    let has_birth = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    let kind = FileType::from_raw_mode(found.stx_mode.into());
    let stat = FileFacts {
        size: found.stx_size,
        mtime_ns: nanoseconds(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
        inode: found.stx_ino,
        birth_ns: if has_birth { nanoseconds(found.stx_btime.tv_sec, found.stx_btime.tv_nsec) } else { 0 },
        is_directory: kind == FileType::Directory,
    };
    Ok(matches!(kind, FileType::RegularFile | FileType::Directory).then_some(stat))
}

/// Reads it for a name in an open directory, without following links: `None` if it is neither a regular file nor a
/// directory.
#[cfg(not(target_os = "linux"))]
pub(super) fn stat_at(directory: BorrowedFd<'_>, name: &str) -> io::Result<Option<FileFacts>> {
    use rustix::fs::{AtFlags, FileType, statat};

    let found = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = FileType::from_raw_mode(found.st_mode);
    let stat = FileFacts {
        size: u64::try_from(found.st_size).unwrap_or_default(),
        mtime_ns: found.st_mtime.saturating_mul(1_000_000_000).saturating_add(found.st_mtime_nsec.into()),
        inode: found.st_ino,
        birth_ns: 0,
        is_directory: kind == FileType::Directory,
    };
    Ok(matches!(kind, FileType::RegularFile | FileType::Directory).then_some(stat))
}
