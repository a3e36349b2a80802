//! Whether the server scans the library's files: until its tags are read, and the index has followed, tracks may stand
//! there with the names of their files.

use std::time::Duration;

use greenroom_dialect::crawl::LibraryInfo;

use super::Library;
use crate::index::client::LibraryClient;

/// Max wait for the end of a scan; a server that says for longer that it scans may never say that it has ended.
const MAX_SCAN_WAIT: Duration = Duration::from_secs(24 * 3600);

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
    /// The next state after the server has reported whether it scans.
    pub(super) fn reported(self, is_scanning: bool) -> Self {
        match self {
            _ if is_scanning => Self::Scanning,
            Self::Scanning => Self::CatchingUp { has_begun: false },
            other => other,
        }
    }

    /// The next state at the start of a round.
    pub(super) fn begun(self) -> Self {
        match self {
            Self::CatchingUp { .. } => Self::CatchingUp { has_begun: true },
            other => other,
        }
    }

    /// The next state at the end of a round.
    pub(super) fn ended(self, has_succeeded: bool) -> Self {
        match self {
            Self::CatchingUp { has_begun: true } if has_succeeded => Self::Idle,
            Self::CatchingUp { .. } => Self::CatchingUp { has_begun: false },
            other => other,
        }
    }
}

impl Library {
    /// Takes over whether the server scans the library. While its index is off, none is known: no round would follow it.
    pub(super) fn report_scan(&self, is_scanning: bool) {
        let now_ms = self.server.origin.clock.now();
        let (before, after) = {
            let mut status = self.status.lock();
            let before = status.scan;
            status.scan = if self.is_on(&status) { before.reported(is_scanning) } else { ScanState::Idle };
            (before, status.scan)
        };
        if before == after {
            return;
        }
        match after {
            ScanState::CatchingUp { .. } => {
                tracing::info!(library = %self.id, "the server has scanned the library: the index follows");
                self.pending.lock().changes.moved(now_ms);
                self.wake.notify_one();
            }
            ScanState::Scanning => tracing::info!(library = %self.id, "the server is scanning the library"),
            ScanState::Idle => {}
        }
        self.update_progress(|_| {});
    }

    /// Whether the server scans it, as far as known.
    pub(super) fn is_scanned(&self) -> bool {
        self.status.lock().scan == ScanState::Scanning
    }

    /// Its entry in the list of libraries, with the scan state that the server reports, or the last known one.
    pub(super) async fn with_scan(&self, client: &LibraryClient, info: LibraryInfo) -> LibraryInfo {
        let scan = client.scans(std::slice::from_ref(&info), false).await.pop().flatten();
        LibraryInfo { is_scanning: scan.unwrap_or_else(|| self.is_scanned()), ..info }
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

    /// Waits until the server has scanned it and the index has followed, or the library is removed or turned off. Returns
    /// false if that takes longer than 24 hours.
    pub async fn scan_ended(&self) -> bool {
        let mut progress = self.progress();
        let ended = async {
            while self.is_changing() {
                progress.borrow_and_update();
                if !self.is_changing() || progress.changed().await.is_err() {
                    return;
                }
            }
        };
        self.server.origin.clock.timeout(MAX_SCAN_WAIT, ended).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::index::Libraries;
    use crate::index::tests::{known, server};

    /// Longer than any wait for a scan.
    const TWO_DAYS: Duration = Duration::from_secs(48 * 3600);

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_the_end_of_a_scan_is_bounded() {
        let library = known(&Libraries::default(), &server(), "3");
        library.report_scan(true);
        let ended = tokio::time::timeout(TWO_DAYS, library.scan_ended()).await;
        assert_eq!(ended, Ok(false), "the server never says that it has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn turning_a_library_off_ends_the_wait_for_its_scan() {
        let library = known(&Libraries::default(), &server(), "3");
        library.report_scan(true);
        library.set_enabled(false);
        assert!(!library.is_changing());
        assert_eq!(tokio::time::timeout(TWO_DAYS, library.scan_ended()).await, Ok(true));
        library.report_scan(true);
        assert!(!library.is_changing(), "no round would follow the scan of a library that is off");
        library.set_enabled(true);
        library.report_scan(true);
        assert!(library.is_changing());
    }

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
