//! The root of a folder: files and folders are opened below it, never outside and never through a link.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::file_facts::{FileFacts, stat_at};

/// The root of a folder, held open.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    path: PathBuf,
    identity: RootIdentity,
}

/// Identity of a root directory, whatever its path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RootIdentity {
    /// Number of its file system.
    pub device: u64,
    /// Its number in that.
    pub inode: u64,
}

impl Root {
    /// Opens the root. The path itself may be a link, as its owner configured it.
    ///
    /// # Errors
    /// It is not there, no directory, or may not be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&fd)?;
        let identity = RootIdentity { device: stat.st_dev, inode: stat.st_ino };
        Ok(Self { fd, path: path.to_owned(), identity })
    }

    /// Number of the file system it is on.
    pub fn device(&self) -> u64 {
        self.identity.device
    }

    /// Identity of the directory.
    pub fn identity(&self) -> RootIdentity {
        self.identity
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a directory below it; the empty path is the root itself.
    ///
    /// # Errors
    /// It is not there, no directory, behind a link, or may not be read.
    pub fn open_directory(&self, relative: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        if relative.is_empty() {
            Ok(openat(&self.fd, ".", flags | OFlags::CLOEXEC, Mode::empty())?)
        } else {
            self.open_beneath(relative, flags)
        }
    }

    /// Opens a regular file below it for reading.
    ///
    /// # Errors
    /// It is not there, no regular file, behind a link, or may not be read.
    pub fn open_file(&self, relative: &str) -> io::Result<File> {
        // Without NONBLOCK, opening a pipe would block until another process writes to it.
        let file = File::from(self.open_beneath(relative, OFlags::RDONLY | OFlags::NONBLOCK)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
    }

    /// Facts about a path below it, without following links: `None` if it is neither a file nor a directory.
    ///
    /// # Errors
    /// It is not there, behind a link, or may not be read.
    pub fn stat(&self, relative: &str) -> io::Result<Option<FileFacts>> {
        let (parent, name) = relative.rsplit_once('/').unwrap_or(("", relative));
        let directory = self.open_directory(parent)?;
        stat_at(directory.as_fd(), name)
    }

    /// Component by component, so that no link is ever followed on any system.
    fn open_beneath(&self, relative: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let always = OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut components = relative.split('/').peekable();
        let mut directory: Option<OwnedFd> = None;
        while let Some(component) = components.next() {
            if component.is_empty() || component == "." || component == ".." {
                return Err(io::Error::from(io::ErrorKind::InvalidInput));
            }
            let is_last = components.peek().is_none();
            let flags = if is_last { flags } else { OFlags::RDONLY | OFlags::DIRECTORY };
            let at = directory.as_ref().unwrap_or(&self.fd);
            let opened = openat(at, component, flags | always, Mode::empty())?;
            directory = Some(opened);
        }
        directory.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_outside_and_nothing_behind_a_link_is_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let (inside, outside) = (folder.path().join("in"), folder.path().join("out"));
        std::fs::create_dir_all(inside.join("a")).expect("made");
        std::fs::create_dir_all(&outside).expect("made");
        std::fs::write(outside.join("secret.cbz"), "x").expect("written");
        std::fs::write(inside.join("a/b.cbz"), "x").expect("written");
        symlink(&outside, inside.join("link")).expect("linked");
        symlink(outside.join("secret.cbz"), inside.join("c.cbz")).expect("linked");
        let root = Root::open(&inside).expect("it opens");
        assert!(root.open_file("a/b.cbz").is_ok());
        for path in ["link/secret.cbz", "c.cbz", "../out/secret.cbz", "a/../../out/secret.cbz", "/etc/passwd", "", "a"]
        {
            assert!(root.open_file(path).is_err(), "{path}");
        }
        assert!(root.open_directory("link").is_err());
        assert!(matches!(root.stat("c.cbz"), Ok(None)));
    }
}
