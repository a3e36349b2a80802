//! The walk over a tree, by several threads. Directories are read through their open parents, so that a link that takes
//! the place of a directory meanwhile leads nowhere.

use std::io;
use std::os::fd::AsFd;

use parking_lot::{Condvar, Mutex};
use rustix::fs::{Dir, FileType};

use super::file_facts::{FileFacts, stat_at};
use super::{Root, ScanControl, ScanProblems, ScanRules};

/// A file of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedFile {
    /// Its path below the root, with `/`.
    pub path: String,
    /// Facts of the file system about it.
    pub stat: FileFacts,
}

/// Limits of a scan.
#[derive(Debug, Clone, Copy)]
pub struct ScanLimits {
    /// Threads that read.
    pub threads: usize,
    /// Max files.
    pub max_files: usize,
}

/// Is told of each directory, by its path below the root, before it is read.
pub type DirectoryObserver<'a> = &'a (dyn Fn(&str) + Sync);

/// Times the max files, more are not even kept while a tree is read.
const WALK_FACTOR: usize = 2;

impl ScanLimits {
    /// Files that are kept while a tree is read, before the first by path are chosen of them.
    fn most_walked(self) -> u64 {
        self.max_files.saturating_mul(WALK_FACTOR) as u64
    }
}

/// Result of a scan.
#[derive(Debug, Default)]
pub struct ScanResult {
    /// All files, ordered by path.
    pub files: Vec<ScannedFile>,
    /// Files and folders that could not be read.
    pub problems: ScanProblems,
}

impl ScanResult {
    /// Keeps the first files by path, and counts the others. So the files beyond a limit are the same in every scan of
    /// the same tree, in whatever order it was read.
    pub(crate) fn keep_first(&mut self, max_files: usize) {
        self.problems.beyond_limit += self.files.len().saturating_sub(max_files) as u64;
        self.files.truncate(max_files);
    }
}

/// Directories to read, and the number of those not finished.
#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<String>,
    unfinished: usize,
}

struct Walk<'a> {
    root: &'a Root,
    rules: &'a ScanRules,
    limits: ScanLimits,
    control: &'a ScanControl,
    observer: DirectoryObserver<'a>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

/// Reads the whole tree.
///
/// # Errors
/// The root itself cannot be read; or the scan was cancelled (`Interrupted`).
pub fn scan_tree(
    root: &Root,
    rules: &ScanRules,
    limits: ScanLimits,
    control: &ScanControl,
    observer: DirectoryObserver<'_>,
) -> io::Result<ScanResult> {
    // A root that cannot be read is a failure, not a problem within the tree.
    Dir::new(root.open_directory("")?)?;
    let queue = Queue::new(vec![String::new()]);
    let walk = Walk { root, rules, limits, control, observer, queue: Mutex::new(queue), changed: Condvar::new() };
    let mut result = walk.run_all();
    if control.is_cancelled() {
        return Err(io::Error::from(io::ErrorKind::Interrupted));
    }
    if result.problems.unreadable.iter().any(String::is_empty) {
        return Err(io::Error::other("the root cannot be read"));
    }
    result.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    result.keep_first(limits.max_files);
    Ok(result)
}

/// Reads single paths: files, and directories with everything below them.
pub fn scan_paths(
    root: &Root,
    rules: &ScanRules,
    limits: ScanLimits,
    observer: DirectoryObserver<'_>,
    paths: &[String],
) -> ScanResult {
    let control = ScanControl::default();
    let (mut files, mut directories) = (Vec::new(), Vec::new());
    let mut problems = ScanProblems::default();
    for path in paths.iter().filter(|path| path.is_empty() || rules.is_reachable(path)) {
        match if path.is_empty() { Ok(None) } else { root.stat(path) } {
            _ if path.is_empty() => directories.push(String::new()),
            Ok(Some(stat)) if stat.is_directory && rules.is_entered(path) => directories.push(path.clone()),
            Ok(Some(stat)) if !stat.is_directory && rules.is_wanted(path) => {
                files.push(ScannedFile { path: path.clone(), stat });
            }
            Ok(_) => {}
            Err(error) if is_absence(&error) => {}
            Err(error) => {
                problems.unreadable_files += 1;
                problems.unreadable.push(path.clone());
                problems.name(path, &error.to_string());
            }
        }
    }
    let queue = Queue::new(directories);
    let walk =
        Walk { root, rules, limits, control: &control, observer, queue: Mutex::new(queue), changed: Condvar::new() };
    let mut result = walk.run_all();
    result.problems.add(problems);
    result.files.append(&mut files);
    result.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    result.files.dedup_by(|a, b| a.path == b.path);
    result
}

impl Queue {
    fn new(start: Vec<String>) -> Self {
        Self { unfinished: start.len(), waiting: start }
    }
}

impl Walk<'_> {
    /// Reads with all threads.
    fn run_all(&self) -> ScanResult {
        let threads = self.limits.threads.clamp(1, 16);
        let parts: Vec<ScanResult> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| self.run())).collect();
            let own = self.run();
            let others = others.into_iter().filter_map(|thread| thread.join().ok());
            std::iter::once(own).chain(others).collect()
        });
        let mut whole = ScanResult::default();
        for part in parts {
            whole.files.extend(part.files);
            whole.problems.add(part.problems);
        }
        whole
    }

    fn run(&self) -> ScanResult {
        let mut part = ScanResult::default();
        while let Some(directory) = self.take() {
            let mut found = Vec::new();
            if !self.control.is_cancelled()
                && let Err(error) = self.read(&directory, &mut found, &mut part)
            {
                if is_absence(&error) && !directory.is_empty() {
                    part.problems.vanished += 1;
                } else {
                    part.problems.unreadable_directories += 1;
                    part.problems.name(&directory, &error.to_string());
                    part.problems.unreadable.push(directory);
                }
            }
            self.finish(found);
        }
        part
    }

    fn take(&self) -> Option<String> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(directory) = queue.waiting.pop() {
                return Some(directory);
            }
            if queue.unfinished == 0 {
                return None;
            }
            self.changed.wait(&mut queue);
        }
    }

    fn finish(&self, found: Vec<String>) {
        let mut queue = self.queue.lock();
        queue.unfinished = queue.unfinished + found.len() - 1;
        queue.waiting.extend(found);
        self.changed.notify_all();
    }

    fn read(&self, directory: &str, found: &mut Vec<String>, part: &mut ScanResult) -> io::Result<()> {
        (self.observer)(directory);
        let mut entries = Dir::new(self.root.open_directory(directory)?)?;
        self.control.count_directory();
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                part.problems.unusable_names += 1;
                part.problems.name(directory, "a name in it is not UTF-8");
                continue;
            };
            if name == "." || name == ".." {
                continue;
            }
            let path = if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
            match entry.file_type() {
                FileType::Directory if self.rules.is_entered(&path) => found.push(path),
                kind if self.rules.is_beyond(&path, kind == FileType::Directory) => {
                    part.problems.unusable_names += 1;
                    part.problems.name(directory, "a name in it is too long or too deep");
                }
                FileType::Symlink if self.rules.is_wanted(&path) => part.problems.links += 1,
                FileType::RegularFile | FileType::Unknown => {
                    let may_be_directory = entry.file_type() == FileType::Unknown && self.rules.is_entered(&path);
                    if may_be_directory || self.rules.is_wanted(&path) {
                        let stat = stat_at(entries.fd()?.as_fd(), name);
                        self.keep(path, stat, found, part);
                    }
                }
                _ => {}
            }
            if self.control.is_cancelled() {
                break;
            }
        }
        Ok(())
    }

    fn keep(&self, path: String, stat: io::Result<Option<FileFacts>>, found: &mut Vec<String>, part: &mut ScanResult) {
        match stat {
            Ok(Some(stat)) if stat.is_directory => found.push(path),
            Ok(Some(_)) if !self.rules.is_wanted(&path) => {}
            Ok(Some(stat)) => {
                if self.control.count_file() < self.limits.most_walked() {
                    part.files.push(ScannedFile { path, stat });
                } else {
                    part.problems.beyond_limit += 1;
                }
            }
            Ok(None) => {}
            Err(error) if is_absence(&error) => part.problems.vanished += 1,
            Err(error) => {
                part.problems.unreadable_files += 1;
                part.problems.name(&path, &error.to_string());
                // It is not known to be gone.
                part.problems.unreadable.push(path);
            }
        }
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use greenroom_config::FolderSettings;

    use super::*;

    const LIMITS: ScanLimits = ScanLimits { threads: 2, max_files: 1000 };

    fn scan(path: &Path, limits: ScanLimits) -> ScanResult {
        let settings = FolderSettings::new("c", path.to_owned());
        let root = Root::open(path).expect("it opens");
        scan_tree(&root, &ScanRules::new(&settings).0, limits, &ScanControl::default(), &|_| {}).expect("it is read")
    }

    fn paths(result: &ScanResult) -> Vec<&str> {
        result.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn a_tree_is_read_whole_without_links_and_what_is_unusable_is_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        for file in ["a/1.cbz", "a/b/2.CBR", "3.cbt", "a/4.txt", ".hidden/5.cbz"] {
            let file = root.join(file);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
            std::fs::write(file, "x").expect("written");
        }
        std::fs::create_dir(folder.path().join("other")).expect("made");
        std::fs::write(folder.path().join("other/6.cbz"), "x").expect("written");
        symlink(folder.path().join("other"), root.join("link")).expect("linked");
        symlink(folder.path().join("other/6.cbz"), root.join("7.cbz")).expect("linked");
        symlink(&root, root.join("a/round.cbz")).expect("linked");
        std::fs::write(root.join(std::ffi::OsStr::from_bytes(b"\xff.cbz")), "x").expect("written");
        let result = scan(&root, LIMITS);
        assert_eq!(paths(&result), ["3.cbt", "a/1.cbz", "a/b/2.CBR"]);
        assert_eq!((result.problems.links, result.problems.unusable_names), (2, 1));
    }

    #[test]
    fn files_beyond_the_limit_are_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..10 {
            std::fs::write(folder.path().join(format!("{number}.cbz")), "x").expect("written");
        }
        let result = scan(folder.path(), ScanLimits { threads: 1, max_files: 4 });
        assert_eq!((result.files.len(), result.problems.beyond_limit), (4, 6));
    }

    #[test]
    fn files_within_the_limit_are_the_first_by_path_in_whatever_order_the_tree_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in [7, 2, 9, 0, 5, 3, 8, 1, 6, 4] {
            let directory = folder.path().join(format!("{number}"));
            std::fs::create_dir(&directory).expect("made");
            std::fs::write(directory.join("x.cbz"), "x").expect("written");
        }
        for threads in [1, 4] {
            let result = scan(folder.path(), ScanLimits { threads, max_files: 6 });
            let expected: Vec<String> = (0..6).map(|number| format!("{number}/x.cbz")).collect();
            assert_eq!(paths(&result), expected, "{threads}");
            assert_eq!(result.problems.beyond_limit, 4);
        }
    }

    #[test]
    fn names_that_are_too_deep_are_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join(["d"; 70].join("/"))).expect("made");
        std::fs::create_dir_all(folder.path().join(".hidden")).expect("made");
        assert_eq!(scan(folder.path(), LIMITS).problems.unusable_names, 1);
    }

    #[test]
    fn a_file_whose_facts_cannot_be_read_is_not_known_to_be_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (root, settings) = (Root::open(folder.path()).expect("it opens"), FolderSettings::new("c", "/".into()));
        let walk = Walk {
            root: &root,
            rules: &ScanRules::new(&settings).0,
            limits: LIMITS,
            control: &ScanControl::default(),
            observer: &|_| {},
            queue: Mutex::default(),
            changed: Condvar::new(),
        };
        let mut part = ScanResult::default();
        walk.keep("a/1.cbz".into(), Err(io::Error::from_raw_os_error(5)), &mut Vec::new(), &mut part);
        assert_eq!((part.problems.unreadable_files, part.problems.unreadable()), (1, &["a/1.cbz".to_owned()][..]));
    }

    #[test]
    fn single_paths_are_read_as_they_are_now() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("new/deep")).expect("made");
        for file in ["new/deep/1.cbz", "2.cbz", "3.cbz"] {
            std::fs::write(folder.path().join(file), "x").expect("written");
        }
        let settings = FolderSettings::new("c", folder.path().to_owned());
        let root = Root::open(folder.path()).expect("it opens");
        let wanted = ["new", "2.cbz", "gone.cbz", "new/deep"].map(str::to_owned);
        let result = scan_paths(&root, &ScanRules::new(&settings).0, LIMITS, &|_| {}, &wanted);
        assert_eq!(paths(&result), ["2.cbz", "new/deep/1.cbz"]);
    }

    #[test]
    fn a_cancelled_scan_returns_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = FolderSettings::new("c", folder.path().to_owned());
        let control = ScanControl::default();
        control.cancel();
        let root = Root::open(folder.path()).expect("it opens");
        let error = scan_tree(&root, &ScanRules::new(&settings).0, LIMITS, &control, &|_| {}).expect_err("cancelled");
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }
}
