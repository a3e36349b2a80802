//! The time a build has left.

use std::time::Duration;

use greenroom_cache::Clock;

use greenroom_proxy::server::Server;

/// The time a build has left: only what passes while the server can be asked counts.
pub(super) struct Patience {
    left: Duration,
    /// Since when it counts, in microseconds as they are measured.
    since_us: Option<u64>,
}

impl Patience {
    /// So much is left.
    pub(super) fn of(left: Duration) -> Self {
        Self { left, since_us: None }
    }

    /// Waits until nothing is left.
    pub(super) async fn ends(&mut self, server: &Server) {
        loop {
            server.origin.breaker.there().await;
            self.since_us = Some(server.origin.clock.now_us());
            if server.origin.clock.timeout(self.left, server.origin.breaker.down()).await.is_err() {
                return;
            }
            self.left = self.left_now(&server.origin.clock);
            self.since_us = None;
        }
    }

    pub(super) fn left_now(&self, clock: &Clock) -> Duration {
        self.left.saturating_sub(self.since_us.map_or(Duration::ZERO, |since_us| clock.since(since_us)))
    }
}
