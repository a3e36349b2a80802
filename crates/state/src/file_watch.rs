//! Reloads files that may change while the process runs (tokens, certificates) in one task. Requests use the values in
//! memory and never wait for a disk.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Interval of checks. A change takes effect within this time, if the disk responds. It is real time even if the
/// process clock runs faster, because disks do not.
pub const EVERY: Duration = Duration::from_secs(5);

/// A value in memory that follows a file.
pub trait FileReloader: Send + Sync {
    /// Name of the files in the log.
    fn files(&self) -> String;

    /// Reads the files if they changed, and applies their contents. Blocks on files.
    fn reload(&self);
}

/// A watched value and its current reload.
struct WatchEntry {
    watched: Arc<dyn FileReloader>,
    look: Option<JoinHandle<()>>,
    is_silent: bool,
}

/// Checks the files every [`EVERY`] until the process stops. At most one reload per value runs at a time: a disk that
/// hangs blocks one thread per value, and the others are checked as before.
pub async fn watch_files(watched: Vec<Arc<dyn FileReloader>>, tasks: TaskTracker, stop: CancellationToken) {
    let watch = |watched| WatchEntry { watched, look: None, is_silent: false };
    let mut watches: Vec<WatchEntry> = watched.into_iter().map(watch).collect();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        for watch in &mut watches {
            watch.start_reload(&tasks);
        }
    }
}

impl WatchEntry {
    /// Starts a reload, unless the previous one is still running.
    fn start_reload(&mut self, tasks: &TaskTracker) {
        if self.look.as_ref().is_some_and(|look| !look.is_finished()) {
            if !self.is_silent {
                self.is_silent = true;
                let files = self.watched.files();
                tracing::warn!(files, "the disk does not answer: what was read before stays valid");
            }
            return;
        }
        if self.is_silent {
            self.is_silent = false;
            tracing::info!(files = self.watched.files(), "the disk answers again");
        }
        let watched = Arc::clone(&self.watched);
        self.look = Some(tasks.spawn_blocking(move || watched.reload()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use parking_lot::Mutex;

    use super::*;

    /// A value whose files respond on demand.
    struct SlowReloader {
        begun: AtomicUsize,
        ended: AtomicUsize,
        answers: Mutex<mpsc::Receiver<()>>,
    }

    impl FileReloader for SlowReloader {
        fn files(&self) -> String {
            "slow".to_owned()
        }

        fn reload(&self) {
            self.begun.fetch_add(1, Ordering::SeqCst);
            let is_answered = self.answers.lock().recv().is_ok();
            self.ended.fetch_add(usize::from(is_answered), Ordering::SeqCst);
        }
    }

    fn slow() -> (Arc<SlowReloader>, mpsc::Sender<()>) {
        let (answer, answers) = mpsc::channel();
        let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        (Arc::new(SlowReloader { begun, ended, answers: Mutex::new(answers) }), answer)
    }

    /// Waits until the condition holds, or fails. Threads read the files, so the time is real.
    #[expect(clippy::disallowed_methods, reason = "the clock room's time is paused here")]
    async fn pass_until(awaited: &str, holds: impl Fn() -> bool) {
        let began = std::time::Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_mins(1), "it never came: {awaited}");
            tokio::time::advance(EVERY).await;
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn files_that_hang_hold_one_thread_and_are_looked_at_again_when_they_answer() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let ((hung, answer), (other, others_answer)) = (slow(), slow());
        for _ in 0..10 {
            others_answer.send(()).expect("it is heard");
        }
        let both: Vec<Arc<dyn FileReloader>> = vec![hung.clone(), other.clone()];
        tasks.spawn(watch_files(both, tasks.clone(), stop.clone()));
        tokio::task::yield_now().await;
        pass_until("the other file is read ten times", || other.ended.load(Ordering::SeqCst) >= 10).await;
        assert_eq!((hung.begun.load(Ordering::SeqCst), tasks.len() <= 3), (1, true), "one thread waits for it");
        answer.send(()).expect("it is heard");
        answer.send(()).expect("it is heard");
        pass_until("the file that hung is read twice", || hung.ended.load(Ordering::SeqCst) >= 2).await;
        drop((answer, others_answer));
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}
