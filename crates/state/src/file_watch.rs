//! Files that others may change while the process runs (tokens, certificates) are looked at by one task. Whoever serves
//! requests reads what is in memory and never waits for a disk.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Time between two looks at the files. A change counts after this time at the latest, if the disk answers. It is real
/// time, also where the clock of the process runs faster: disks do not.
pub const EVERY: Duration = Duration::from_secs(5);

/// A value in memory that follows a file.
pub trait Watched: Send + Sync {
    /// Name of the files in the log.
    fn files(&self) -> String;

    /// Reads the files if they changed, and takes over what they hold. It reads files: it blocks.
    fn reload(&self);
}

/// A watched value and the look at its files that is under way.
struct Watch {
    watched: Arc<dyn Watched>,
    look: Option<JoinHandle<()>>,
    is_silent: bool,
}

/// Looks at the files every [`EVERY`] until the process is told to stop. At most one look at the files of one value is
/// under way: a disk that does not answer holds one thread for each, and the others are looked at as before.
pub async fn keep(watched: Vec<Arc<dyn Watched>>, tasks: TaskTracker, stop: CancellationToken) {
    let watch = |watched| Watch { watched, look: None, is_silent: false };
    let mut watches: Vec<Watch> = watched.into_iter().map(watch).collect();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        for watch in &mut watches {
            watch.look(&tasks);
        }
    }
}

impl Watch {
    /// Begins a look, unless the one before has not ended.
    fn look(&mut self, tasks: &TaskTracker) {
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

    /// A value whose files answer when they are told to.
    struct Slow {
        begun: AtomicUsize,
        ended: AtomicUsize,
        answers: Mutex<mpsc::Receiver<()>>,
    }

    impl Watched for Slow {
        fn files(&self) -> String {
            "slow".to_owned()
        }

        fn reload(&self) {
            self.begun.fetch_add(1, Ordering::SeqCst);
            let is_answered = self.answers.lock().recv().is_ok();
            self.ended.fetch_add(usize::from(is_answered), Ordering::SeqCst);
        }
    }

    fn slow() -> (Arc<Slow>, mpsc::Sender<()>) {
        let (answer, answers) = mpsc::channel();
        let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        (Arc::new(Slow { begun, ended, answers: Mutex::new(answers) }), answer)
    }

    /// Lets time pass until this holds.
    async fn pass_until(holds: impl Fn() -> bool) {
        while !holds() {
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
        let both: Vec<Arc<dyn Watched>> = vec![hung.clone(), other.clone()];
        tasks.spawn(keep(both, tasks.clone(), stop.clone()));
        tokio::task::yield_now().await;
        pass_until(|| other.ended.load(Ordering::SeqCst) >= 10).await;
        assert_eq!(
            (hung.begun.load(Ordering::SeqCst), tasks.len() <= 3),
            (1, true),
            "one thread waits for it"
        );
        answer.send(()).expect("it is heard");
        answer.send(()).expect("it is heard");
        pass_until(|| hung.ended.load(Ordering::SeqCst) >= 2).await;
        drop((answer, others_answer));
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}
