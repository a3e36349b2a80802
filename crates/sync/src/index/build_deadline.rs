//! Deadline of a build.

use std::time::Duration;

use greenroom_cache::Clock;

use greenroom_proxy::server::Server;

/// The time a build has left; time counts only while the server is up.
pub(super) struct BuildDeadline {
    left: Duration,
    /// Start of the current count, in microseconds of the monotonic clock.
    since_us: Option<u64>,
}

impl BuildDeadline {
    /// A deadline with this much time left.
    pub(super) fn new(left: Duration) -> Self {
        Self { left, since_us: None }
    }

    /// Waits until no time is left.
    pub(super) async fn expired(&mut self, server: &Server) {
        loop {
            server.origin.breaker.wait_available().await;
            self.since_us = Some(server.origin.clock.now_us());
            if server.origin.clock.timeout(self.left, server.origin.breaker.wait_down()).await.is_err() {
                return;
            }
            self.left = self.remaining(&server.origin.clock);
            self.since_us = None;
        }
    }

    pub(super) fn remaining(&self, clock: &Clock) -> Duration {
        self.left.saturating_sub(self.since_us.map_or(Duration::ZERO, |since_us| clock.since(since_us)))
    }
}
