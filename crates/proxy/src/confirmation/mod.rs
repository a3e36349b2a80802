//! Knowledge of changes that were not heard: from when on the server's events arrive, and what vouches for entries
//! that were loaded before.
//!
//! An entry from before a gap is unconfirmed. Two things together vouch for it: a check of the library, which tells
//! that no item changed since the library was last watched without a gap, and, if its body has user state, the
//! account's fingerprint, which is as it was when events were still heard. [`crate::confirmation_check`] asks the
//! server for both; this module remembers the answers and decides.

mod accounts;
mod feed_times;
mod fingerprints;
mod library_checks;

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_dialect::changed_since::ChangeCounter;
use greenroom_state::confirmations::StoredConfirmations;
use parking_lot::Mutex;
use tokio::sync::Notify;

pub use accounts::{ActiveAccount, ActiveAccounts};
use feed_times::FeedTimes;
pub use fingerprints::FingerprintRecords;
pub use library_checks::{CheckKind, LibraryRecords};

/// Max accounts whose newest fingerprint is remembered. Beyond, all are taken again.
const MAX_FLIGHTS: usize = 1_024;

/// Confirmation of entries of one server.
#[derive(Debug, Default)]
pub struct Confirmation {
    feed: FeedTimes,
    /// Fingerprints of accounts.
    pub fingerprints: Mutex<FingerprintRecords>,
    /// Checks of sections, or of the whole library.
    pub library: Mutex<LibraryRecords>,
    /// Accounts whose credential is known because they asked.
    pub accounts: ActiveAccounts,
    /// One check of the library at a time.
    pub library_flight: tokio::sync::Mutex<LibraryFlight>,
    /// The newest fingerprints by partition, one at a time.
    fingerprint_flights: Mutex<HashMap<String, FingerprintFlight>>,
    /// Images loaded from the first moment on are confirmed as of the second; both in milliseconds.
    images_from_ms: AtomicTimestamp,
    images_confirmed_ms: AtomicTimestamp,
    /// Whether there is something to write to the state.
    is_changed: AtomicBool,
    /// Until then the server's events are listened to after the stop signal.
    last_taken: Notify,
    has_last_taken: AtomicBool,
}

/// The newest fingerprints of one account, by section. Locked while one is taken.
pub type FingerprintFlight = Arc<tokio::sync::Mutex<HashMap<String, TakenFingerprint>>>;

/// A fingerprint; no value if it could not be taken.
#[derive(Debug, Clone)]
pub struct TakenFingerprint {
    /// The fingerprint.
    pub value: Option<Arc<str>>,
    /// The moment before the server was asked, in milliseconds.
    pub taken_ms: Timestamp,
}

/// State of the checks of the library.
#[derive(Debug, Default)]
pub struct LibraryFlight {
    /// When the last check failed, in milliseconds; zero if it succeeded.
    pub failed_ms: Timestamp,
    /// The counters that were read last, and when.
    pub counters: Option<(Timestamp, Vec<ChangeCounter>)>,
}

impl Confirmation {
    /// The server's events arrive from now on. Everything that was loaded before is unconfirmed.
    pub fn feed_started(&self, now_ms: Timestamp) {
        self.feed.started(now_ms);
        self.fingerprints.lock().close_spans();
    }

    /// The server's events no longer arrive.
    pub fn feed_lost(&self) {
        self.feed.lost();
        self.fingerprints.lock().close_spans();
    }

    /// Whether the server's events arrive.
    pub fn is_feed_whole(&self) -> bool {
        self.feed.whole_since_ms().is_some()
    }

    /// Since when they have arrived without a gap.
    pub fn whole_since_ms(&self) -> Option<Timestamp> {
        self.feed.whole_since_ms()
    }

    /// Whether they arrived and were lost.
    pub fn is_feed_lost(&self) -> bool {
        self.feed.is_lost()
    }

    /// The end of the last gap, in milliseconds: nothing from before it is confirmed by what was found out before it.
    pub fn gap_end_ms(&self, started_ms: Timestamp, last_leap_ms: Timestamp) -> Timestamp {
        self.feed.gap_end_ms().max(started_ms).max(last_leap_ms)
    }

    /// The newest fingerprints of an account.
    pub fn fingerprint_flight(&self, partition: &str) -> FingerprintFlight {
        let mut flights = self.fingerprint_flights.lock();
        if flights.len() >= MAX_FLIGHTS {
            flights.clear();
        }
        Arc::clone(flights.entry(partition.to_owned()).or_default())
    }

    /// Before this moment images are unconfirmed, if the last gap ended at `gap_end_ms`: they are all confirmed
    /// together.
    pub fn images_unconfirmed_before_ms(&self, gap_end_ms: Timestamp) -> Timestamp {
        let confirmed_ms = self.images_confirmed_ms.load(Ordering::Acquire);
        let from_ms = self.images_from_ms.load(Ordering::Acquire);
        if confirmed_ms >= gap_end_ms { from_ms.min(gap_end_ms) } else { gap_end_ms }
    }

    /// Whether images were checked since the last gap.
    pub fn are_images_checked(&self, gap_end_ms: Timestamp) -> bool {
        self.images_confirmed_ms.load(Ordering::Acquire) >= gap_end_ms
    }

    /// Everything that changed since `from_ms` was noticed until `checked_ms`.
    pub fn confirm_images(&self, from_ms: Timestamp, checked_ms: Timestamp) {
        self.images_from_ms.store(from_ms, Ordering::Release);
        self.images_confirmed_ms.fetch_max(checked_ms, Ordering::AcqRel);
    }

    /// Restores what an earlier process stored.
    pub fn restore(&self, stored: &StoredConfirmations) {
        self.fingerprints.lock().restore(&stored.fingerprints);
        self.library.lock().restore(&stored.checks);
    }

    /// Records that there is something to write.
    pub fn mark_changed(&self) {
        self.is_changed.store(true, Ordering::Release);
    }

    /// The confirmations to write, if they changed or with `all`.
    pub fn drain_changes(&self, all: bool) -> Option<StoredConfirmations> {
        (self.is_changed.swap(false, Ordering::AcqRel) || all).then(|| StoredConfirmations {
            fingerprints: self.fingerprints.lock().stored(),
            checks: self.library.lock().stored(),
        })
    }

    /// Records that the last fingerprints of this process are taken.
    pub fn set_last_taken(&self) {
        self.has_last_taken.store(true, Ordering::Release);
        self.last_taken.notify_waiters();
    }

    /// Waits, after the stop signal, until the last fingerprints are taken: until then a change must be heard.
    pub async fn wait_last_taken(&self) {
        let mut taken = std::pin::pin!(self.last_taken.notified());
        taken.as_mut().enable();
        if self.accounts.is_kept() && !self.has_last_taken.load(Ordering::Acquire) {
            taken.await;
        }
    }
}
