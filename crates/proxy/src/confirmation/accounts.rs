//! Accounts that asked lately, with what is needed to take their fingerprints. A credential is kept in memory only.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::identity::Identity;

/// Max accounts whose fingerprints are taken; a household has fewer.
const MAX_ACCOUNTS: usize = 32;
/// An account that asked for nothing in this time is dropped, in milliseconds.
const MAX_IDLE: Duration = Duration::from_millis(24 * 3_600_000);
/// A fingerprint costs some seven requests, so it is taken only for an account that has loaded this often since the last.
const MIN_LOADS: u32 = 8;
/// Min time between two fingerprints of an account, in milliseconds.
const CHECK_INTERVAL: Duration = Duration::from_secs(300);

/// An account that asked.
#[derive(Debug, Clone)]
pub struct ActiveAccount {
    /// One of its identities.
    pub identity: Arc<Identity>,
    /// Headers with that identity's credential.
    pub credential: Arc<Vec<(HeaderName, HeaderValue)>>,
    /// Sections it loaded from; the empty text stands for all.
    pub sections: Vec<String>,
    /// Loads since its last fingerprint.
    pub loads: u32,
    /// When it loaded something last, in milliseconds.
    pub loaded_ms: Timestamp,
    /// When its last fingerprint was taken, in milliseconds.
    pub taken_ms: Option<Timestamp>,
}

impl ActiveAccount {
    /// When its next fingerprint is due, in milliseconds.
    fn due_ms(&self) -> Option<Timestamp> {
        (self.loads >= MIN_LOADS)
            .then(|| self.taken_ms.map_or(Timestamp::UNIX_EPOCH, |taken_ms| taken_ms.saturating_add(CHECK_INTERVAL)))
    }

    /// Whether a last fingerprint is worth its requests: without one, the one before may vouch for nothing.
    fn is_due_at_end(&self) -> bool {
        self.loads >= MIN_LOADS || (self.loads > 0 && self.taken_ms.is_some())
    }
}

/// Accounts that asked.
#[derive(Debug, Default)]
pub struct ActiveAccounts {
    by_partition: Mutex<HashMap<String, ActiveAccount>>,
    is_kept: AtomicBool,
    due: Notify,
}

impl ActiveAccounts {
    /// Records that an account loaded something with user state.
    pub fn record_load(
        &self,
        identity: &Arc<Identity>,
        credential: &Arc<Vec<(HeaderName, HeaderValue)>>,
        section: &str,
        now_ms: Timestamp,
    ) {
        let mut accounts = self.by_partition.lock();
        let partition = identity.partition().as_str().to_owned();
        if accounts.len() >= MAX_ACCOUNTS && !accounts.contains_key(&partition) {
            accounts.retain(|_, account| now_ms.duration_since(account.loaded_ms) < MAX_IDLE);
            if accounts.len() >= MAX_ACCOUNTS {
                return;
            }
        }
        let account = accounts.entry(partition).or_insert_with(|| ActiveAccount {
            identity: Arc::clone(identity),
            credential: Arc::clone(credential),
            sections: Vec::new(),
            loads: 0,
            loaded_ms: now_ms,
            taken_ms: None,
        });
        (account.identity, account.credential) = (Arc::clone(identity), Arc::clone(credential));
        account.loaded_ms = now_ms;
        if !account.sections.iter().any(|known| known == section) {
            account.sections.push(section.to_owned());
        }
        account.loads = account.loads.saturating_add(1);
        if account.loads == MIN_LOADS {
            self.due.notify_one();
        }
    }

    /// The accounts whose fingerprint is due now, or worth taking before the process stops.
    pub fn take_due(&self, now_ms: Timestamp, is_end: bool) -> Vec<ActiveAccount> {
        let mut accounts = self.by_partition.lock();
        let is_idle = |account: &ActiveAccount| now_ms.duration_since(account.loaded_ms) >= MAX_IDLE;
        accounts.retain(|_, account| !account.identity.is_forgotten() && !is_idle(account));
        let mut due = Vec::new();
        for account in accounts.values_mut() {
            if account.due_ms().is_some_and(|due_ms| due_ms <= now_ms) || (is_end && account.is_due_at_end()) {
                (account.loads, account.taken_ms) = (0, Some(now_ms));
                due.push(account.clone());
            }
        }
        due
    }

    /// A fingerprint could not be taken: it is tried again later, and before the process stops.
    pub fn retry(&self, account: &ActiveAccount) {
        if let Some(account) = self.by_partition.lock().get_mut(account.identity.partition().as_str()) {
            account.loads = account.loads.saturating_add(MIN_LOADS);
        }
    }

    /// When the next fingerprint is due, in milliseconds, if any is.
    pub fn next_due_ms(&self) -> Option<Timestamp> {
        self.by_partition.lock().values().filter_map(ActiveAccount::due_ms).min()
    }

    /// Waits until another account is due.
    pub async fn wait_due(&self) {
        self.due.notified().await;
    }

    /// Claims the one task that takes fingerprints.
    pub fn start_keeping(&self) -> bool {
        !self.is_kept.swap(true, Ordering::AcqRel)
    }

    /// Whether that task runs.
    pub fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Acquire)
    }
}
