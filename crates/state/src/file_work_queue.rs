//! Runs short file operations in order on a blocking thread.
//!
//! A disk that hangs blocks one thread per queue, however many operations come: further ones wait in a queue of limited
//! length or are refused, and no caller waits longer than [`PATIENCE`].

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// Default limit of waiting operations.
pub const QUEUE_LIMIT: usize = 64;
/// Max wait for an operation. It is real time even if the process clock runs faster, because disks do not.
pub const PATIENCE: Duration = Duration::from_mins(1);

type WorkFn = Box<dyn FnOnce() + Send>;

/// Reason why an operation has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileWorkError {
    /// The queue is full: the disk is too slow, or hangs.
    Refused,
    /// It took longer than [`PATIENCE`]; it may still complete.
    TimedOut,
    /// It panicked.
    Panicked,
}

impl std::fmt::Display for FileWorkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Refused => "the disk does not answer, and too much waits for it already",
            Self::TimedOut => "the disk does not answer",
            Self::Panicked => "it broke down by a fault of this program; the log says where",
        })
    }
}

/// A queue. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct FileWorkQueue {
    tasks: TaskTracker,
    shared: Arc<FileWorkState>,
}

#[derive(Debug)]
struct FileWorkState {
    limit: usize,
    queue: Mutex<Queue>,
    refused: AtomicU64,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<WorkFn>,
    /// Whether a thread works on it.
    is_served: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl Default for FileWorkState {
    fn default() -> Self {
        Self { limit: QUEUE_LIMIT, queue: Mutex::default(), refused: AtomicU64::new(0) }
    }
}

impl FileWorkQueue {
    /// A queue whose threads are tracked by `tasks`.
    pub fn new(tasks: TaskTracker) -> Self {
        Self { tasks, shared: Arc::default() }
    }

    /// The queue with this limit.
    #[must_use]
    pub fn with_limit(self, limit: usize) -> Self {
        Self { tasks: self.tasks, shared: Arc::new(FileWorkState { limit, ..FileWorkState::default() }) }
    }

    /// Runs `work` and waits for its result. It runs even if the caller stops waiting.
    ///
    /// # Errors
    /// The queue is full, the work times out or panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, FileWorkError> {
        let (result, told) = oneshot::channel();
        // The caller may have stopped waiting; the work was done all the same.
        let work = move || {
            let _ = result.send(work());
        };
        if !self.push(Box::new(work), self.shared.limit) {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            return Err(FileWorkError::Refused);
        }
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(told) => told.map_err(|_| FileWorkError::Panicked),
            Err(_) => Err(FileWorkError::TimedOut),
        }
    }

    /// Queues `work` without waiting. It is never refused, so each call must undo something that a call of
    /// [`FileWorkQueue::run`] acquired.
    pub fn finish(&self, work: impl FnOnce() + Send + 'static) {
        self.push(Box::new(work), usize::MAX);
    }

    /// Number of refused operations.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Queues work if fewer than `limit` operations wait.
    fn push(&self, work: WorkFn, limit: usize) -> bool {
        let mut queue = self.shared.queue.lock();
        if queue.waiting.len() >= limit {
            return false;
        }
        queue.waiting.push_back(work);
        if !queue.is_served {
            queue.is_served = true;
            let shared = Arc::clone(&self.shared);
            if let Ok(handle) = Handle::try_current() {
                self.tasks.spawn_blocking_on(move || shared.serve(), &handle);
            } else {
                // Without a runtime no thread serves requests.
                drop(queue);
                shared.serve();
            }
        }
        true
    }
}

impl FileWorkState {
    /// Runs queued operations until none is left.
    fn serve(&self) {
        loop {
            let mut queue = self.queue.lock();
            let Some(work) = queue.waiting.pop_front() else {
                queue.is_served = false;
                return;
            };
            drop(queue);
            // The panic message was printed; the caller receives the error.
            let _ = std::panic::catch_unwind(AssertUnwindSafe(work));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_disk_that_hangs_holds_one_thread_and_what_is_too_much_is_refused_and_counted() {
        let lane = FileWorkQueue::default().with_limit(2);
        let (answer, answers) = mpsc::channel::<()>();
        let hung = lane.run(move || answers.recv().is_err());
        tokio::pin!(hung);
        assert!(futures_util::poll!(hung.as_mut()).is_pending());
        // The thread takes the first off the queue, the other two wait there.
        let taken_off = async {
            while !lane.shared.queue.lock().waiting.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE / 2, taken_off).await.expect("a thread takes the first one");
        let (second, third) = (lane.run(|| 2), lane.run(|| 3));
        let all = async { tokio::join!(hung, second, third) };
        tokio::pin!(all);
        assert!(futures_util::poll!(all.as_mut()).is_pending());
        assert_eq!(lane.shared.queue.lock().waiting.len(), 2);
        assert_eq!(lane.run(|| 4).await, Err(FileWorkError::Refused));
        assert_eq!((lane.refused(), lane.tasks.len()), (1, 1));
        drop(answer);
        assert_eq!(all.await, (Ok(true), Ok(2), Ok(3)));
        assert_eq!(lane.run(|| 5).await, Ok(5), "the lane goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_for_a_disk_that_hangs() {
        let lane = FileWorkQueue::default();
        let (answer, answers) = mpsc::channel::<()>();
        let hung = lane.run(move || answers.recv().is_err());
        tokio::pin!(hung);
        assert!(futures_util::poll!(hung.as_mut()).is_pending());
        tokio::time::advance(PATIENCE).await;
        assert_eq!(hung.await, Err(FileWorkError::TimedOut));
        drop(answer);
        assert_eq!(lane.run(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn work_is_done_in_order_and_also_where_nobody_waits_for_it() {
        let lane = FileWorkQueue::default();
        let done = Arc::new(Mutex::new(Vec::new()));
        let note = |number: u32| {
            let done = Arc::clone(&done);
            move || done.lock().push(number)
        };
        {
            let abandoned = lane.run(note(1));
            tokio::pin!(abandoned);
            let _is_begun = futures_util::poll!(abandoned.as_mut());
        }
        lane.finish(note(2));
        lane.run(note(3)).await.expect("it is done");
        assert_eq!(*done.lock(), [1, 2, 3]);
    }

    #[tokio::test]
    async fn work_that_breaks_down_leaves_the_lane_to_the_next() {
        let lane = FileWorkQueue::default();
        assert_eq!(lane.run(|| -> u32 { panic!("on purpose") }).await, Err(FileWorkError::Panicked));
        assert_eq!(lane.run(|| 1).await, Ok(1));
    }
}
