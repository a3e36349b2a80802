//! Files that hang, as they do on a disk that no longer answers: pipes whose other end says nothing.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// After this time the files answer again by themselves: a test whose threads wait for them fails and does not hang.
const LONGEST: Duration = Duration::from_mins(1);

/// Files that hang until they are told to answer.
pub struct HungFiles {
    /// When this goes, the files answer.
    answer: mpsc::Sender<()>,
    keeper: JoinHandle<Kept>,
}

/// What is left when the files answer.
struct Kept {
    is_late: bool,
    _ends: Vec<File>,
}

fn pipe(path: &Path) {
    drop(std::fs::remove_file(path));
    assert!(Command::new("mkfifo").arg(path).status().expect("it is everywhere").success());
}

/// Opens both ends of a pipe, which never waits.
fn both_ends(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).expect("a pipe opens both ways")
}

impl HungFiles {
    /// Reading this file hangs; when it answers it is as it was before.
    pub fn to_read(path: &Path) -> Self {
        let saved = path.with_extension("saved");
        std::fs::copy(path, &saved).expect("copied");
        pipe(path);
        let (end, path) = (both_ends(path), path.to_owned());
        Self::keeping(move || {
            // First the pipe goes, then its end: whoever came late finds the file.
            std::fs::rename(saved, path).expect("moved back");
            drop(end);
            Vec::new()
        })
    }

    fn keeping(answer: impl FnOnce() -> Vec<File> + Send + 'static) -> Self {
        let (sender, told) = mpsc::channel();
        let keeper = std::thread::spawn(move || {
            let is_late = told.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout);
            Kept { is_late, _ends: answer() }
        });
        Self { answer: sender, keeper }
    }

    /// From now on the files answer, as long as what this returns lives. Fails if they had to answer earlier because
    /// the test itself waited for them.
    #[must_use]
    pub fn answer(self) -> impl Sized {
        drop(self.answer);
        let kept = self.keeper.join().expect("it ends");
        assert!(!kept.is_late, "a thread that serves requests waited for a file that hangs");
        kept
    }
}
