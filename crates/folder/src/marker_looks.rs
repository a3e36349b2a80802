//! Requests to look at the comic app's marker files before their interval ends.

use tokio::sync::{Notify, watch};

/// Looks at the files between those of the interval.
#[derive(Debug, Default)]
pub(crate) struct MarkerLooks {
    requests: Notify,
    counts: watch::Sender<LookCounts>,
}

/// Numbers of looks.
#[derive(Debug, Clone, Copy, Default)]
struct LookCounts {
    begun: u64,
    ended: u64,
}

impl MarkerLooks {
    /// Asks for a look and waits until one that began later has ended.
    pub(crate) async fn look(&self) {
        let mut counts = self.counts.subscribe();
        // The one under way may have missed what the caller knows of.
        let begun = counts.borrow_and_update().begun;
        self.requests.notify_one();
        // The sender lives as long as the folder.
        drop(counts.wait_for(|counts| counts.ended > begun).await);
    }

    /// Waits until a look is asked for.
    pub(crate) async fn requested(&self) {
        self.requests.notified().await;
    }

    /// Notes that a look begins.
    pub(crate) fn begin(&self) {
        self.counts.send_modify(|counts| counts.begun += 1);
    }

    /// Notes that it has ended.
    pub(crate) fn end(&self) {
        self.counts.send_modify(|counts| counts.ended = counts.begun);
    }
}
