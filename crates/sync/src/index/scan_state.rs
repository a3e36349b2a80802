//! Whether the server scans the library's files: until its tags are read, and the index has followed, tracks may stand
//! there with the names of their files.

use super::Library;
use crate::index::client::LibraryClient;

/// A scan, from the point of view of the index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ScanState {
    /// None is known.
    #[default]
    Idle,
    /// It runs.
    Scanning,
    /// It ended, and the index has not followed it yet.
    CatchingUp {
        /// Whether a round that began after its end is under way.
        has_begun: bool,
    },
}

impl ScanState {
    /// What follows when the server reports whether it scans.
    pub(super) fn reported(self, is_scanning: bool) -> Self {
        match self {
            _ if is_scanning => Self::Scanning,
            Self::Scanning => Self::CatchingUp { has_begun: false },
            other => other,
        }
    }

    /// What follows when a round begins.
    pub(super) fn begun(self) -> Self {
        match self {
            Self::CatchingUp { .. } => Self::CatchingUp { has_begun: true },
            other => other,
        }
    }

    /// What follows when a round ends.
    pub(super) fn ended(self, has_succeeded: bool) -> Self {
        match self {
            Self::CatchingUp { has_begun: true } if has_succeeded => Self::Idle,
            Self::CatchingUp { .. } => Self::CatchingUp { has_begun: false },
            other => other,
        }
    }
}

impl Library {
    /// Takes over whether the server scans the library.
    pub(super) fn report_scan(&self, is_scanning: bool) {
        let now_ms = self.server.origin.clock.now_ms();
        let (before, after) = {
            let mut status = self.status.lock();
            let before = status.scan;
            status.scan = before.reported(is_scanning);
            (before, status.scan)
        };
        if before == after {
            return;
        }
        if after == (ScanState::CatchingUp { has_begun: false }) {
            tracing::info!(library = %self.id, "the server has scanned the library: the index follows");
            self.pending.lock().changes.moved(now_ms);
            self.wake.notify_one();
        } else {
            tracing::info!(library = %self.id, "the server is scanning the library");
        }
        self.update_progress(|_| {});
    }

    /// Whether the server scans it, or did so and the index has not followed yet.
    pub fn is_changing(&self) -> bool {
        self.status.lock().scan != ScanState::Idle
    }

    /// Asks the server whether it scans the library now, and returns whether the library is changing. Without an answer
    /// what was known before holds.
    pub async fn check_scan(&self) -> bool {
        if let Some(client) = LibraryClient::new(&self.server)
            && let Ok(is_scanning) = client.is_scanning(&self.id.key).await
        {
            self.report_scan(is_scanning);
        }
        self.is_changing()
    }

    /// Waits until the server has scanned it and the index has followed.
    pub async fn scan_ended(&self) {
        let mut progress = self.progress();
        while self.is_changing() {
            progress.borrow_and_update();
            if !self.is_changing() || progress.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_is_over_once_a_round_that_began_after_it_has_succeeded() {
        let ended = ScanState::Idle.reported(true).begun().reported(false);
        assert_eq!(ended, ScanState::CatchingUp { has_begun: false });
        assert_eq!(ended.ended(true), ended, "that round began while it ran");
        assert_eq!(ended.begun().ended(false), ended, "it failed");
        assert_eq!(ended.begun().ended(true), ScanState::Idle);
        assert_eq!(ended.begun().reported(true).ended(true), ScanState::Scanning, "another scan began");
        assert_eq!(ScanState::Idle.reported(false), ScanState::Idle);
    }
}
