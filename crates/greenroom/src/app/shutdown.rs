//! The end of a process: alone, or in favour of another that takes over its connections.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Process;

/// Time that requests in flight may take to finish after the stop signal.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval between two checks for work in flight.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

impl Process {
    /// Shuts down: accepts nothing new, lets requests in flight finish within ten seconds, then writes pending data.
    /// Returns whether all of it completed.
    pub async fn stop(self) -> bool {
        self.end(STOP_TIMEOUT).await
    }

    /// Waits until another process has taken the listening sockets; it is announced to that process that
    /// [`Self::drain_and_stop`] follows.
    pub async fn wait_until_taken_over(&self) {
        let handover = self.listener_handover.lock().take();
        match handover {
            Some(handover) => {
                handover.wait_for_takeover(&self.data_dir, self.takeover.idle + self.takeover.drain).await;
            }
            None => std::future::pending().await,
        }
    }

    /// Makes way for the process that took over: each client that sends another request gets `Connection: close`, so
    /// that its next connection reaches the new process; connections idle after that are closed. Then stops.
    pub async fn drain_and_stop(self) -> bool {
        self.draining.cancel();
        tokio::time::sleep(self.takeover.idle).await;
        let drain = self.takeover.drain;
        self.end(drain).await
    }

    async fn end(self, drain: Duration) -> bool {
        self.stop.cancel();
        // Otherwise the system would go on accepting connections.
        drop(self.listener_handover.lock().take());
        self.cache.shutdown();
        for (server, _) in &self.servers {
            server.modes.switch.stop_shadow_run();
        }
        self.tasks.close();
        // Real time, because disks do not run faster with an accelerated clock.
        #[expect(clippy::disallowed_methods, reason = "a deadline in real time")]
        let until = Instant::now() + drain;
        let is_quiet = timeout_at(until, self.is_quiet()).await.is_ok();
        let written = tokio::time::timeout(STOP_TIMEOUT, self.statistics.flush()).await;
        if let Err(reason) = written.unwrap_or_else(|_| Err("the disk does not respond".to_owned())) {
            tracing::warn!(reason, "the last minutes of statistics could not be written");
        }
        self.remote_store.stop().await;
        let lost = self.cache.close_disk().await;
        if lost > 0 {
            tracing::warn!(lost, "the disk was too slow at shutdown: some cached responses were not written");
        }
        if !self.app_caches.close().await {
            tracing::warn!("the disk was too slow at shutdown: the newest deferred writes of apps may be lost");
        }
        if !self.state.close().await {
            tracing::warn!("the disk was too slow at shutdown: the newest grants of tokens were not written");
        }
        // Only now may another process start. It does not wait for media streams, which play on here.
        drop(self.lock);
        is_quiet && timeout_at(until, self.tasks.wait()).await.is_ok()
    }

    /// Waits until nothing is in flight but pass-through bodies, on which no stored data depends.
    async fn is_quiet(&self) {
        let media = || self.servers.iter().map(|(server, _)| server.limits.passing.count()).sum::<usize>();
        let passing = || media() + self.apis.iter().map(|(server, _)| server.limits.passing.count()).sum::<usize>();
        // Each of them is on a connection, which is one of the tasks.
        while self.tasks.len() > passing() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}
