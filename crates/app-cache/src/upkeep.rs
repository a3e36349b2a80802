//! Work beside the calls: writing deferred puts, removing dead entries, and the end.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app_caches::AppCaches;
use crate::counters::AppCacheEvent;
use crate::error::AppCacheError;
use crate::registry::Registry;
use crate::store::{self, WriteJob, WriteTransaction, received};

/// Time that deferred puts are collected before they are written.
const FLUSH_AFTER: Duration = Duration::from_millis(20);
/// Interval of sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// Max time that the last writes may take at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

impl AppCaches {
    /// Opens the store if there is one, or a cache is configured, and starts the work beside the calls. A store that
    /// cannot be opened now is tried again by every call.
    pub async fn start(&self, tasks: &TaskTracker, stop: &CancellationToken) -> Result<(), AppCacheError> {
        tasks.spawn(flush_deferred(Arc::clone(&self.registry), stop.clone()));
        tasks.spawn(sweep(Arc::clone(&self.registry), stop.clone()));
        if self.registry.has_store() || !self.registry.all().is_empty() {
            self.registry.store().await?;
            // What the last process was removing when it ended.
            self.registry.removals.sweep_due.notify_one();
        }
        Ok(())
    }

    /// Writes what is deferred and closes the store. Returns whether all of it was written in time.
    pub async fn close(&self) -> bool {
        self.registry.flush_all();
        let Some(store) = self.registry.opened() else { return true };
        let Some(thread) = store.writer.close() else { return true };
        let joined = tokio::task::spawn_blocking(move || thread.join().is_ok());
        // In real time, because disks do not run faster with an accelerated clock.
        matches!(tokio::time::timeout(CLOSE_TIMEOUT, joined).await, Ok(Ok(true)))
    }
}

async fn flush_deferred(registry: Arc<Registry>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = registry.flush_due.notified() => {}
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(FLUSH_AFTER) => {}
            () = stop.cancelled() => {}
        }
        registry.flush_all();
    }
}

async fn sweep(registry: Arc<Registry>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = registry.clock.sleep(SWEEP_INTERVAL) => {}
            () = registry.removals.sweep_due.notified() => {}
            () = stop.cancelled() => return,
        }
        while !stop.is_cancelled() && registry.opened().is_some() {
            match sweep_once(&registry).await {
                Ok(true) => {}
                Ok(false) | Err(_) => break,
            }
        }
    }
}

pub(crate) async fn sweep_once(registry: &Registry) -> Result<bool, AppCacheError> {
    let Some(store) = registry.opened() else { return Ok(false) };
    let (sender, result) = tokio::sync::oneshot::channel();
    let removals = Arc::clone(&registry.removals);
    let over: Vec<_> = registry.all().into_iter().filter(|cache| cache.is_over()).collect();
    let run = move |change: &mut WriteTransaction<'_>| {
        let mut is_more = store::sweep(change, &removals.numbers())?;
        for cache in &over {
            let evicted = store::evict(change, &cache.name, &cache.settings)?;
            cache.counters.add(AppCacheEvent::Evicted, evicted);
            is_more |= evicted > 0;
        }
        Ok(is_more)
    };
    let job = WriteJob::new(run, move |result| {
        let _ = sender.send(result); // The sweeper may have ended.
    });
    store.writer.queue(job)?;
    received(result).await
}
