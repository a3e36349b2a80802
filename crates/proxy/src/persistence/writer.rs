//! The thread that persists grants: new ones within a second, slightly newer ones every two minutes, revocations at
//! once. It sleeps until notified. Once a minute it polls what does not notify it: last contact with each server, warm
//! keys, and whether the file is still the same.

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
const POLLS_PER_PROOF: u32 = 4;
/// A new time of last contact alone is worth a write only after this time.
const LAST_CONTACT_PRECISION_MS: u64 = 120_000;
/// Proofs by open sockets and times of last contact are written only if a client was active within this time: an idle
/// process writes nothing.
const IDLE_AFTER_MS: u64 = 600_000;
/// Interval of the check of warm keys.
const WARM_EVERY_MS: u64 = 60_000;
/// A change of read rhythms alone is written after this time.
const RHYTHM_PRECISION_MS: u64 = 300_000;
/// Interval of removing expired rows.
const SWEEP_EVERY_MS: u64 = 600_000;

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
    pub(super) swept_ms: u64,
}

/// One server, with the written times of contact.
pub(super) struct ServerEntry {
    server: Weak<Server>,
    kept: LastContact,
    kept_warm: Vec<StoredWarmKey>,
    /// When warm keys were checked and written last.
    warm_ms: u64,
    warm_written_ms: u64,
}

impl ServerEntry {
    pub(super) fn new(server: &Arc<Server>) -> Self {
        let kept_warm = server.warm_keys.resumed.lock().clone();
        Self {
            server: Arc::downgrade(server),
            kept: last_contact_of(server),
            kept_warm,
            warm_ms: 0,
            warm_written_ms: 0,
        }
    }

    /// Merges the stored rows late.
    fn merge(&mut self, book: &StateDb, now_ms: u64) -> Result<(), StateError> {
        let Some(server) = self.server.upgrade() else { return Ok(()) };
        let StoredGrants { last_contact: hearing, identities, images, warm, .. } = book.read(server.name(), now_ms)?;
        server.identities.merge(&identities, &images);
        if server.origin.breaker.last_response_and_outage_ms().0 == 0 {
            // The breaker knows already whether it is down.
            server.origin.breaker.restore(hearing.last_response_ms, 0);
        }
        if let Some(introduction) = hearing.identity_response.filter(|_| server.origin.identity_response().is_none()) {
            server.origin.record_identity(&introduction.into());
        }
        // Until they are resumed, no other warm keys replace them on disk.
        *server.warm_keys.resumed.lock() = warm;
        Ok(())
    }

    /// Warm keys to write, if a check is due and they changed.
    fn warm(&mut self, server: &Server, all: bool, now_ms: u64) -> Option<Vec<StoredWarmKey>> {
        // At shutdown the engine drops its warm keys, so the stored ones must stay.
        let is_due = all || now_ms.saturating_sub(self.warm_ms) >= WARM_EVERY_MS;
        if !is_due || server.origin.stop.is_cancelled() || !server.warm_keys.resumed.lock().is_empty() {
            return None;
        }
        self.warm_ms = now_ms;
        let warm = server.warm_reads();
        let is_rhythm_old = now_ms.saturating_sub(self.warm_written_ms) >= RHYTHM_PRECISION_MS;
        let is_news = !warm_keys::are_same_reads(&warm, &self.kept_warm) || (is_rhythm_old && warm != self.kept_warm);
        if all || is_news {
            self.warm_written_ms = now_ms;
        }
        (all || is_news).then_some(warm)
    }

    /// Rows to write; all with `all`. If urgent, includes rows only slightly newer.
    fn changed_rows(&mut self, all: bool, is_urgent: bool, now_ms: u64) -> Option<ServerRows> {
        let server = self.server.upgrade()?;
        let refused = server.identities.revocations().drain();
        let asked_ms = server.counters.last_request_ms.load(Ordering::Relaxed);
        let is_idle = now_ms.saturating_sub(asked_ms) >= IDLE_AFTER_MS;
        let sockets_ms = (!is_idle).then_some(now_ms);
        let changes = server.identities.drain_changes(all || refused.all, sockets_ms, is_urgent);
        let is_news = changes.all || !changes.identities.is_empty() || !changes.images.is_empty();
        let heard = last_contact_of(&server);
        let is_worth_it = heard != self.kept
            && (is_news
                || heard.down_since_ms != self.kept.down_since_ms
                || heard.identity_response != self.kept.identity_response
                || heard.is_partially_invalidated != self.kept.is_partially_invalidated
                || is_urgent
                || (!is_idle
                    && heard.last_response_ms.saturating_sub(self.kept.last_response_ms) >= LAST_CONTACT_PRECISION_MS));
        let hearing = (is_worth_it || all).then_some(heard);
        let warm = self.warm(&server, all, now_ms);
        let is_empty = refused.is_empty() && !is_news && hearing.is_none() && warm.is_none();
        (!is_empty).then(|| ServerRows {
            server: server.name().to_owned(),
            revoked: refused,
            changes,
            last_contact: hearing,
            warm,
        })
    }
}

fn last_contact_of(server: &Server) -> LastContact {
    let (heard_ms, down_since_ms) = server.origin.breaker.last_response_and_outage_ms();
    let is_choosy = server.invalidation.partial_invalidation.is_requested();
    LastContact {
        last_response_ms: heard_ms,
        down_since_ms,
        identity_response: server.origin.identity_response(),
        is_partially_invalidated: is_choosy,
    }
}

impl StateWriter {
    /// Runs until shutdown.
    pub(super) fn run(mut self) {
        let mut heard = 0;
        let longest = self.max_sleep();
        // Writes what is known at the start, too.
        self.shared.flush_signal.mark_dirty();
        loop {
            let call = self.shared.flush_signal.wait(WRITE_DELAY, longest);
            // A waiting caller needs everything written, even if only slightly newer.
            let is_urgent = call.is_last || call.ticket > heard;
            heard = call.ticket;
            self.flush(is_urgent);
            // Written or failed: failed rows stay pending here, and no caller waits for them.
            self.shared.flush_signal.report_done(call.ticket);
            if call.is_last {
                break;
            }
        }
        self.db = None;
        self.shared.flush_signal.report_done(u64::MAX);
    }

    /// Max sleep while not notified.
    fn max_sleep(&self) -> Duration {
        let servers = self.servers.iter().filter_map(|member| member.server.upgrade());
        let proofs = servers.map(|server| server.origin.settings.auth_ttl / POLLS_PER_PROOF);
        let longest = proofs.min().unwrap_or(POLL_INTERVAL).min(POLL_INTERVAL);
        self.clock.real(longest).max(WRITE_DELAY)
    }

    /// Writes pending rows.
    fn flush(&mut self, is_urgent: bool) {
        if self.shared.is_off() {
            return;
        }
        let now_ms = self.clock.now_ms();
        match self.write_changes(is_urgent, now_ms) {
            Ok(()) => {
                self.is_behind = false;
                self.shared.recover(&self.dir);
            }
            Err(failing) => {
                self.is_behind = true;
                self.fail(&failing);
                // Retries later.
                self.shared.flush_signal.mark_dirty();
            }
        }
    }

    /// Opens the file during the run, because it was replaced or could not be read before. If it was never read, its
    /// rows are merged before the first write.
    fn open(&mut self, now_ms: u64) -> Result<StateDb, StateError> {
        let book = StateDb::open(&self.dir)?;
        if !self.is_read {
            for member in &mut self.servers {
                member.merge(&book, now_ms)?;
            }
            self.is_read = true;
        }
        Ok(book)
    }

    fn write_changes(&mut self, is_urgent: bool, now_ms: u64) -> Result<(), StateError> {
        if !self.db.as_ref().is_some_and(StateDb::is_in_place) {
            self.db = None;
            self.is_behind = true;
            self.db = Some(self.open(now_ms)?);
        }
        let Some(book) = &mut self.db else { return Ok(()) };
        let all = self.is_behind;
        let pages: Vec<ServerRows> =
            self.servers.iter_mut().filter_map(|member| member.changed_rows(all, is_urgent, now_ms)).collect();
        if pages.is_empty() {
            return Ok(());
        }
        if let Err(failing) = book.write(&pages, now_ms) {
            if failing.kind.is_final() {
                // The least to be done: revoked grants must not come back.
                drop(book.write_revocations(&pages));
            }
            for page in &pages {
                let found = self.servers.iter().filter_map(|member| member.server.upgrade());
                found
                    .filter(|server| server.name() == page.server)
                    .for_each(|server| server.identities.revocations().put_back(&page.revoked));
            }
            return Err(failing);
        }
        for page in pages {
            let member = self
                .servers
                .iter_mut()
                .find(|member| member.server.upgrade().is_some_and(|server| server.name() == page.server));
            if let Some(member) = member {
                member.kept = page.last_contact.unwrap_or_else(|| member.kept.clone());
                if let Some(server) = member.server.upgrade().filter(|_| member.kept.is_partially_invalidated) {
                    server.invalidation.partial_invalidation.set_persisted();
                }
                member.kept_warm = page.warm.unwrap_or_else(|| std::mem::take(&mut member.kept_warm));
            }
        }
        if now_ms.saturating_sub(self.swept_ms) >= SWEEP_EVERY_MS {
            self.swept_ms = now_ms;
            book.sweep(now_ms)?;
        }
        Ok(())
    }

    fn fail(&mut self, failing: &StateError) {
        self.shared.fail(&self.dir, failing);
        if failing.kind.is_final() {
            self.db = None;
        }
    }
}
