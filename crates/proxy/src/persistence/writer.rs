//! The thread that persists grants: new ones within a second, slightly newer ones every two minutes, revocations at
//! once. It sleeps until notified. Once a minute it polls what does not notify it: last contact with each server, warm
//! keys, and whether the file is still the same.

use greenroom_cache::Timestamp;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use greenroom_cache::Clock;

use super::SharedState;
use crate::server::Server;
use crate::warm_keys;
use greenroom_state::db::{ServerRows, StateDb};
use greenroom_state::error::StateError;
use greenroom_state::grants::{LastContact, StoredGrants, StoredWarmKey};

/// Delay of a write, to batch changes.
const WRITE_DELAY: Duration = Duration::from_secs(1);
/// Interval of polling, in the time of its clock.
const POLL_INTERVAL: Duration = Duration::from_secs(60);
/// Min number of polls within the lifetime of a proof by an open socket.
const POLLS_PER_GRANT: u32 = 4;
/// A new time of last contact alone is worth a write only after this time.
const LAST_CONTACT_PRECISION: Duration = Duration::from_secs(120);
/// Proofs by open sockets and times of last contact are written only if a client was active within this time: an idle
/// process writes nothing.
const IDLE_AFTER: Duration = Duration::from_secs(600);
/// Interval of the check of warm keys.
const WARM_CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// A change of read rhythms alone is written after this time.
const RHYTHM_PRECISION: Duration = Duration::from_secs(300);
/// Interval of removing expired rows.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);

/// The writer thread.
pub(super) struct StateWriter {
    pub(super) dir: PathBuf,
    pub(super) shared: Arc<SharedState>,
    pub(super) clock: Clock,
    pub(super) db: Option<StateDb>,
    pub(super) servers: Vec<ServerEntry>,
    /// A write failed: everything must be written again.
    pub(super) is_behind: bool,
    /// Whether the file's content at the start of the process was read.
    pub(super) is_read: bool,
    pub(super) swept_ms: Timestamp,
}

/// One server, with the written times of contact.
pub(super) struct ServerEntry {
    server: Weak<Server>,
    written_contact: LastContact,
    written_warm: Vec<StoredWarmKey>,
    /// When warm keys were checked and written last.
    warm_ms: Timestamp,
    warm_written_ms: Timestamp,
}

impl ServerEntry {
    pub(super) fn new(server: &Arc<Server>) -> Self {
        let written_warm = server.warm_keys.resumed.lock().clone();
        Self {
            server: Arc::downgrade(server),
            written_contact: last_contact_of(server),
            written_warm,
            warm_ms: Timestamp::UNIX_EPOCH,
            warm_written_ms: Timestamp::UNIX_EPOCH,
        }
    }

    /// Merges the stored rows late.
    fn merge(&mut self, db: &StateDb, now_ms: Timestamp) -> Result<(), StateError> {
        let Some(server) = self.server.upgrade() else { return Ok(()) };
        let StoredGrants { last_contact, identities, images, warm, .. } = db.read(server.name(), now_ms)?;
        server.identities.merge(&identities, &images);
        if server.origin.breaker.last_response_and_outage_ms().0 == 0 {
            // The breaker knows already whether it is down.
            server.origin.breaker.restore(last_contact.last_response_ms, Timestamp::UNIX_EPOCH);
        }
        if let Some(response) = last_contact.identity_response.filter(|_| server.origin.identity_response().is_none()) {
            server.origin.record_identity(&response.into());
        }
        // Until they are resumed, no other warm keys replace them on disk.
        *server.warm_keys.resumed.lock() = warm;
        Ok(())
    }

    /// Warm keys to write, if a check is due and they changed.
    fn warm(&mut self, server: &Server, all: bool, now_ms: Timestamp) -> Option<Vec<StoredWarmKey>> {
        // At shutdown the engine drops its warm keys, so the stored ones must stay.
        let is_due = all || now_ms.duration_since(self.warm_ms) >= WARM_CHECK_INTERVAL;
        if !is_due || server.origin.stop.is_cancelled() || !server.warm_keys.resumed.lock().is_empty() {
            return None;
        }
        self.warm_ms = now_ms;
        let warm = server.warm_reads();
        let is_rhythm_due = now_ms.duration_since(self.warm_written_ms) >= RHYTHM_PRECISION;
        let has_changes =
            !warm_keys::are_same_reads(&warm, &self.written_warm) || (is_rhythm_due && warm != self.written_warm);
        if all || has_changes {
            self.warm_written_ms = now_ms;
        }
        (all || has_changes).then_some(warm)
    }

    /// Rows to write; all with `all`. If urgent, includes rows only slightly newer.
    fn changed_rows(&mut self, all: bool, is_urgent: bool, now_ms: Timestamp) -> Option<ServerRows> {
        let server = self.server.upgrade()?;
        let revoked = server.identities.revocations().drain();
        let last_request_ms = server.counters.last_request_ms.load(Ordering::Relaxed);
        let is_idle = now_ms.duration_since(last_request_ms) >= IDLE_AFTER;
        let sockets_ms = (!is_idle).then_some(now_ms);
        let changes = server.identities.drain_changes(all || revoked.all, sockets_ms, is_urgent);
        let has_changes = changes.all || !changes.identities.is_empty() || !changes.images.is_empty();
        let contact = last_contact_of(&server);
        let is_contact_due = contact != self.written_contact
            && (has_changes
                || contact.down_since_ms != self.written_contact.down_since_ms
                || contact.identity_response != self.written_contact.identity_response
                || contact.is_partially_invalidated != self.written_contact.is_partially_invalidated
                || is_urgent
                || (!is_idle
                    && contact.last_response_ms.duration_since(self.written_contact.last_response_ms)
                        >= LAST_CONTACT_PRECISION));
        let last_contact = (is_contact_due || all).then_some(contact);
        let warm = self.warm(&server, all, now_ms);
        let confirmations = server.confirmation.drain_changes(all);
        let is_empty =
            revoked.is_empty() && !has_changes && last_contact.is_none() && warm.is_none() && confirmations.is_none();
        let server = server.name().to_owned();
        (!is_empty).then(|| ServerRows { server, revoked, changes, last_contact, warm, confirmations })
    }
}

fn last_contact_of(server: &Server) -> LastContact {
    let (last_response_ms, down_since_ms) = server.origin.breaker.last_response_and_outage_ms();
    let is_partially_invalidated = server.invalidation.partial_invalidation.is_requested();
    LastContact {
        last_response_ms: Timestamp::from_millis(last_response_ms),
        down_since_ms: Timestamp::from_millis(down_since_ms),
        identity_response: server.origin.identity_response(),
        is_partially_invalidated,
    }
}

impl StateWriter {
    /// Runs until shutdown.
    pub(super) fn run(mut self) {
        let mut last_ticket = 0;
        let max_sleep = self.max_sleep();
        // Writes what is known at the start, too.
        self.shared.flush_signal.mark_dirty();
        loop {
            let wakeup = self.shared.flush_signal.wait(WRITE_DELAY, max_sleep);
            // A waiting caller needs everything written, even if only slightly newer.
            let is_urgent = wakeup.is_last || wakeup.ticket > last_ticket;
            last_ticket = wakeup.ticket;
            self.flush(is_urgent);
            // Written or failed: failed rows stay pending here, and no caller waits for them.
            self.shared.flush_signal.report_done(wakeup.ticket);
            if wakeup.is_last {
                break;
            }
        }
        self.db = None;
        self.shared.flush_signal.report_done(u64::MAX);
    }

    /// Max sleep while not notified.
    fn max_sleep(&self) -> Duration {
        let servers = self.servers.iter().filter_map(|entry| entry.server.upgrade());
        let socket_intervals = servers.map(|server| server.origin.settings.auth_ttl / POLLS_PER_GRANT);
        let max_sleep = socket_intervals.min().unwrap_or(POLL_INTERVAL).min(POLL_INTERVAL);
        self.clock.real(max_sleep).max(WRITE_DELAY)
    }

    /// Writes pending rows.
    fn flush(&mut self, is_urgent: bool) {
        if self.shared.is_off() {
            return;
        }
        let now_ms = self.clock.now();
        match self.write_changes(is_urgent, now_ms) {
            Ok(()) => {
                self.is_behind = false;
                self.shared.recover(&self.dir);
            }
            Err(error) => {
                self.is_behind = true;
                self.fail(&error);
                // Retries later.
                self.shared.flush_signal.mark_dirty();
            }
        }
    }

    /// Opens the file during the run, because it was replaced or could not be read before. If it was never read, its
    /// rows are merged before the first write.
    fn open(&mut self, now_ms: Timestamp) -> Result<StateDb, StateError> {
        let db = StateDb::open(&self.dir)?;
        if !self.is_read {
            for entry in &mut self.servers {
                entry.merge(&db, now_ms)?;
            }
            self.is_read = true;
        }
        Ok(db)
    }

    fn write_changes(&mut self, is_urgent: bool, now_ms: Timestamp) -> Result<(), StateError> {
        if !self.db.as_ref().is_some_and(StateDb::is_in_place) {
            self.db = None;
            self.is_behind = true;
            self.db = Some(self.open(now_ms)?);
        }
        let Some(db) = &mut self.db else { return Ok(()) };
        let all = self.is_behind;
        let rows: Vec<ServerRows> =
            self.servers.iter_mut().filter_map(|entry| entry.changed_rows(all, is_urgent, now_ms)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        if let Err(error) = db.write(&rows, now_ms) {
            if error.kind.is_final() {
                let _ = db.write_revocations(&rows); // best effort: revoked grants must not come back
            }
            for row in &rows {
                let servers = self.servers.iter().filter_map(|entry| entry.server.upgrade());
                servers
                    .filter(|server| server.name() == row.server)
                    .for_each(|server| server.identities.revocations().put_back(&row.revoked));
            }
            return Err(error);
        }
        for row in rows {
            let entry = self
                .servers
                .iter_mut()
                .find(|entry| entry.server.upgrade().is_some_and(|server| server.name() == row.server));
            if let Some(entry) = entry {
                entry.written_contact = row.last_contact.unwrap_or_else(|| entry.written_contact.clone());
                if let Some(server) = entry.server.upgrade().filter(|_| entry.written_contact.is_partially_invalidated)
                {
                    server.invalidation.partial_invalidation.set_persisted();
                }
                entry.written_warm = row.warm.unwrap_or_else(|| std::mem::take(&mut entry.written_warm));
            }
        }
        if now_ms.duration_since(self.swept_ms) >= SWEEP_INTERVAL {
            self.swept_ms = now_ms;
            db.sweep(now_ms)?;
        }
        Ok(())
    }

    fn fail(&mut self, error: &StateError) {
        self.shared.fail(&self.dir, error);
        if error.kind.is_final() {
            self.db = None;
        }
    }
}
