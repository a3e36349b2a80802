//! The writing thread. Writes that wait at the same moment share one transaction; each is answered after its commit.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::thread::JoinHandle;

use greenroom_cache::Clock;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::transaction::{CacheSize, WriteTransaction};
use crate::error::AppCacheError;
use crate::name::CacheName;

/// Max writes that wait. Further ones are refused.
const MAX_WAITING: usize = 4096;
/// Max writes of one transaction.
const MAX_BATCH: usize = 256;

type Run = Box<dyn FnOnce(&mut WriteTransaction<'_>) -> Result<(), AppCacheError> + Send>;
type Finish = Box<dyn FnOnce(Result<(), AppCacheError>) + Send>;
/// Receives the sizes of caches after each commit, in the order of the commits; none for a cache that was removed.
pub(crate) type SizeListener = Box<dyn Fn(&CacheName, Option<CacheSize>) + Send>;

/// A write, and what follows its commit or its failure.
pub(crate) struct WriteJob {
    run: Run,
    finish: Finish,
}

impl WriteJob {
    /// A write whose result goes to `finish` once it is committed. If a write fails for a reason of its own, such as a
    /// value that is no integer, it must have changed nothing: the other writes of the transaction are committed.
    pub(crate) fn new<T: Send + 'static>(
        run: impl FnOnce(&mut WriteTransaction<'_>) -> Result<T, AppCacheError> + Send + 'static,
        finish: impl FnOnce(Result<T, AppCacheError>) + Send + 'static,
    ) -> Self {
        let made = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&made);
        let run = move |change: &mut WriteTransaction<'_>| {
            let result = run(change);
            let failure = result.as_ref().err().copied();
            *kept.lock() = Some(result);
            failure.map_or(Ok(()), Err)
        };
        let finish = move |committed: Result<(), AppCacheError>| {
            let result = made.lock().take();
            finish(match (committed, result) {
                (Err(error), _) => Err(error),
                (Ok(()), Some(result)) => result,
                (Ok(()), None) => Err(AppCacheError::ShuttingDown),
            });
        };
        Self { run: Box::new(run), finish: Box::new(finish) }
    }
}

/// Failures that concern the whole transaction; the others are those of one write.
fn is_of_storage(error: AppCacheError) -> bool {
    matches!(error, AppCacheError::Unavailable | AppCacheError::DiskFull | AppCacheError::Damaged)
}

/// Sends writes to the writing thread.
#[derive(Debug)]
pub(crate) struct Writer {
    jobs: Mutex<Option<mpsc::Sender<WriteJob>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system starts no thread.
    pub(crate) fn start(db: Connection, clock: Clock, on_size: SizeListener) -> Result<Self, AppCacheError> {
        let (jobs, waiting) = mpsc::channel(MAX_WAITING);
        let thread = std::thread::Builder::new()
            .name("app-cache-writer".into())
            .spawn(move || write_all(&db, waiting, &clock, &on_size))
            .map_err(|_| AppCacheError::Unavailable)?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)) })
    }

    /// Queues a write. Writes are done in the order in which they were queued.
    ///
    /// # Errors
    /// Too many writes wait, or the process ends.
    pub(crate) fn queue(&self, job: WriteJob) -> Result<(), AppCacheError> {
        let jobs = self.jobs.lock();
        let jobs = jobs.as_ref().ok_or(AppCacheError::ShuttingDown)?;
        jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppCacheError::Busy,
            mpsc::error::TrySendError::Closed(_) => AppCacheError::Unavailable,
        })
    }

    /// Accepts no more writes. The thread ends once all that wait are done; it is returned to be waited for.
    pub(crate) fn close(&self) -> Option<JoinHandle<()>> {
        self.jobs.lock().take();
        self.thread.lock().take()
    }
}

fn write_all(db: &Connection, mut waiting: mpsc::Receiver<WriteJob>, clock: &Clock, on_size: &SizeListener) {
    while let Some(first) = waiting.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < MAX_BATCH {
            let Ok(next) = waiting.try_recv() else { break };
            batch.push(next);
        }
        let (runs, ends): (Vec<Run>, Vec<Finish>) = batch.into_iter().map(|job| (job.run, job.finish)).unzip();
        let committed = commit(db, runs, clock.now());
        if let Ok(sizes) = &committed {
            for (name, size) in sizes {
                on_size(name, *size);
            }
        }
        let result = committed.map(|_| ());
        if let Err(error) = result {
            tracing::warn!(error = error.name(), writes = ends.len(), "writes to the caches of apps failed");
        }
        for finish in ends {
            finish(result);
        }
    }
}

fn commit(
    db: &Connection,
    runs: Vec<Run>,
    now_ms: Timestamp,
) -> Result<Vec<(CacheName, Option<CacheSize>)>, AppCacheError> {
    let work = || {
        let mut change = WriteTransaction::begin(db, now_ms)?;
        for run in runs {
            match run(&mut change) {
                Err(error) if is_of_storage(error) => return Err(error),
                _ => {}
            }
        }
        Ok(change.commit()?)
    };
    let committed = work();
    if committed.is_err() && !db.is_autocommit() {
        let _ = db.execute_batch("ROLLBACK"); // The first error is the one to report.
    }
    committed
}

/// Receives the result of a write.
pub(crate) async fn received<T>(result: oneshot::Receiver<Result<T, AppCacheError>>) -> Result<T, AppCacheError> {
    result.await.unwrap_or(Err(AppCacheError::ShuttingDown))
}
