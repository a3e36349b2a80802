//! Short work with files, one piece after the other in the order in which it came, on a thread that may block.
//!
//! A disk that does not answer holds one thread for each lane, however often it is asked: what comes meanwhile waits in a
//! queue of limited length or is refused, and nobody waits longer than [`PATIENCE`].

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// Pieces of work that may wait in a lane, unless it is told otherwise.
pub const QUEUE_LIMIT: usize = 64;
/// Longest wait for a piece of work. It is real time, also where the clock of the process runs faster: disks do not.
pub const PATIENCE: Duration = Duration::from_mins(1);

type Work = Box<dyn FnOnce() + Send>;

/// Why a piece of work gave no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// Too much waits already: the disk does not keep up, or does not answer.
    Refused,
    /// It takes longer than [`PATIENCE`]; it may be done later.
    Late,
    /// It broke down.
    BrokeDown,
}

impl std::fmt::Display for Undone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Refused => "the disk does not answer, and too much waits for it already",
            Self::Late => "the disk does not answer",
            Self::BrokeDown => "it broke down by a fault of this program; the log says where",
        })
    }
}

/// A lane. Clones are the same lane.
#[derive(Debug, Clone, Default)]
pub struct FileLane {
    tasks: TaskTracker,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit: usize,
    queue: Mutex<Queue>,
    refused: AtomicU64,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    /// Whether a thread works on it.
    is_served: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self { limit: QUEUE_LIMIT, queue: Mutex::default(), refused: AtomicU64::new(0) }
    }
}

impl FileLane {
    /// A lane whose threads are counted by `tasks`.
    pub fn new(tasks: TaskTracker) -> Self {
        Self { tasks, shared: Arc::default() }
    }

    /// The same with a queue of this length.
    #[must_use]
    pub fn with_limit(self, limit: usize) -> Self {
        Self { tasks: self.tasks, shared: Arc::new(Shared { limit, ..Shared::default() }) }
    }

    /// Does `work` and waits for its result. It is done even if the caller stops waiting.
    ///
    /// # Errors
    /// If too much waits already, it takes too long, or the work panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let (result, told) = oneshot::channel();
        let work = move || drop(result.send(work()));
        if !self.push(Box::new(work), self.shared.limit) {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Undone::Refused);
        }
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(told) => told.map_err(|_| Undone::BrokeDown),
            Err(_) => Err(Undone::Late),
        }
    }

    /// Does `work` after what waits; nobody waits for it. It is never refused, so each call must give back what a call of
    /// [`FileLane::run`] took.
    pub fn finish(&self, work: impl FnOnce() + Send + 'static) {
        self.push(Box::new(work), usize::MAX);
    }

    /// Pieces of work that were refused.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Puts work into the queue if fewer than `limit` wait there.
    fn push(&self, work: Work, limit: usize) -> bool {
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

impl Shared {
    /// Does what waits until nothing does.
    fn serve(&self) {
        loop {
            let mut queue = self.queue.lock();
            let Some(work) = queue.waiting.pop_front() else {
                queue.is_served = false;
                return;
            };
            drop(queue);
            // What it panics with was printed; who waits for it hears that it broke down.
            drop(std::panic::catch_unwind(AssertUnwindSafe(work)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_disk_that_hangs_holds_one_thread_and_what_is_too_much_is_refused_and_counted() {
        let lane = FileLane::default().with_limit(2);
        let (answer, answers) = mpsc::channel::<()>();
        let hung = lane.run(move || answers.recv().is_err());
        tokio::pin!(hung);
        assert!(futures_util::poll!(hung.as_mut()).is_pending());
        // The first is taken off the queue by its thread, the other two wait there.
        while !lane.shared.queue.lock().waiting.is_empty() {
            tokio::task::yield_now().await;
        }
        let (second, third) = (lane.run(|| 2), lane.run(|| 3));
        let all = async { tokio::join!(hung, second, third) };
        tokio::pin!(all);
        assert!(futures_util::poll!(all.as_mut()).is_pending());
        assert_eq!(lane.shared.queue.lock().waiting.len(), 2);
        assert_eq!(lane.run(|| 4).await, Err(Undone::Refused));
        assert_eq!((lane.refused(), lane.tasks.len()), (1, 1));
        drop(answer);
        assert_eq!(all.await, (Ok(true), Ok(2), Ok(3)));
        assert_eq!(lane.run(|| 5).await, Ok(5), "the lane goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_for_a_disk_that_hangs() {
        let lane = FileLane::default();
        let (answer, answers) = mpsc::channel::<()>();
        let hung = lane.run(move || answers.recv().is_err());
        tokio::pin!(hung);
        assert!(futures_util::poll!(hung.as_mut()).is_pending());
        tokio::time::advance(PATIENCE).await;
        assert_eq!(hung.await, Err(Undone::Late));
        drop(answer);
        assert_eq!(lane.run(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn work_is_done_in_order_and_also_where_nobody_waits_for_it() {
        let lane = FileLane::default();
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
        let lane = FileLane::default();
        assert_eq!(lane.run(|| -> u32 { panic!("on purpose") }).await, Err(Undone::BrokeDown));
        assert_eq!(lane.run(|| 1).await, Ok(1));
    }
}
