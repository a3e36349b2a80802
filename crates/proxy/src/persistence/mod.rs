//! Persists grants in the state. One thread writes changes from time to time, and revocations at once. At the start it
//! restores each server's stored grants.

#[cfg(test)]
mod tests;
mod writer;

use greenroom_cache::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_cache::disk::network_file_system;
use parking_lot::Mutex;

use crate::server::Server;
use greenroom_state::db::{FILE, StateDb};
use greenroom_state::error::{StateError, StateErrorKind};
use greenroom_state::flush_signal::FlushSignal;
use greenroom_state::grants::{MAX_IDENTITIES, StoredGrants};
use greenroom_state::known_tokens::KnownTokens;
use greenroom_state::warnings::{Severity, Warning, Warnings};
use writer::{ServerEntry, StateWriter};

/// Timeout for the last write at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Persistence of one data directory's state.
#[derive(Debug, Default)]
pub struct StatePersistence {
    shared: Arc<SharedState>,
    /// Until the writer takes it.
    opened: Mutex<Option<OpenedDb>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct OpenedDb {
    dir: PathBuf,
    db: Option<StateDb>,
}

/// State shared with the writer.
#[derive(Debug, Default)]
struct SharedState {
    flush_signal: Arc<FlushSignal>,
    known_tokens: Arc<KnownTokens>,
    /// Whether a writer runs.
    has_writer: AtomicBool,
    error: Mutex<Option<StateErrorKind>>,
    warnings: Arc<Warnings>,
}

impl SharedState {
    fn error(&self) -> Option<StateErrorKind> {
        *self.error.lock()
    }

    /// Whether nothing is written any more.
    fn is_off(&self) -> bool {
        self.error().is_some_and(StateErrorKind::is_final)
    }

    /// Reports an error, once.
    fn fail(&self, data_dir: &Path, error: &StateError) {
        *self.error.lock() = Some(error.kind);
        let warning = error.kind.warning();
        if self.warnings.raise(warning.clone()) {
            tracing::error!(
                file = %data_dir.join(FILE).display(),
                reason = error.message,
                remedy = %warning.remedy,
                "{}",
                warning.text
            );
        }
    }

    /// Clears the error.
    fn recover(&self, data_dir: &Path) {
        if let Some(before) = self.error.lock().take() {
            self.warnings.lower(before.warning().code);
            tracing::info!(file = %data_dir.join(FILE).display(), "the state is saved again");
        }
    }
}

impl StatePersistence {
    /// Opens the state of this directory. Any error is tolerated: then nothing is persisted.
    pub fn open(data_dir: &Path, warnings: &Arc<Warnings>) -> Self {
        if let Some(kind) = network_file_system(data_dir) {
            let warning = remote_filesystem_warning(&kind);
            tracing::warn!(dir = %data_dir.display(), remedy = %warning.remedy, "{}", warning.text);
            warnings.raise(warning);
        }
        let shared = SharedState { warnings: Arc::clone(warnings), ..SharedState::default() };
        let state = Self { shared: Arc::new(shared), opened: Mutex::default(), writer: Mutex::default() };
        let db = StateDb::open(data_dir).map_err(|error| {
            state.shared.fail(data_dir, &error);
            state.shared.known_tokens.set_incomplete();
        });
        *state.opened.lock() = Some(OpenedDb { dir: data_dir.to_owned(), db: db.ok() });
        state
    }

    /// Restores a server's stored grants, before its first request. `has_store`: an earlier process left entries on
    /// disk.
    pub fn restore(&self, server: &Server, has_store: bool) {
        let mut opened = self.opened.lock();
        let Some(opened) = opened.as_mut() else { return };
        let Some(db) = &opened.db else { return };
        let StoredGrants { last_contact, is_new, identities, images, warm, confirmations } =
            match db.read(server.name(), server.origin.clock.now()) {
                Ok(stored) => stored,
                Err(error) => {
                    self.shared.fail(&opened.dir, &error);
                    self.shared.known_tokens.set_incomplete();
                    opened.db = None;
                    return;
                }
            };
        if identities.len() >= MAX_IDENTITIES {
            // The file may hold more than were read.
            self.shared.known_tokens.set_incomplete();
        }
        server.identities.restore(&identities, &images);
        *server.warm_keys.resumed.lock() = warm;
        server.confirmation.restore(&confirmations);
        // Entries on disk without a row in the state come from processes about which nothing is known.
        if last_contact.is_partially_invalidated || (is_new && has_store) {
            server.invalidation.partial_invalidation.set_persisted();
        }
        server.origin.breaker.restore(last_contact.last_response_ms, last_contact.down_since_ms);
        if let Some(response) = last_contact.identity_response {
            server.origin.record_identity(&response.into());
        }
    }

    /// Starts persisting the grants of these servers. Responses that revoke a token wait for the write, for `max_wait` at
    /// most.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start_writer(&self, servers: &[Arc<Server>], clock: &Clock, max_wait: Duration) -> Result<(), String> {
        let Some(OpenedDb { dir, db }) = self.opened.lock().take() else { return Ok(()) };
        for server in servers {
            server.identities.revocations().connect_writer(&self.shared.flush_signal, &server.cache, max_wait);
            server.origin.tasks.spawn(notify_outages(Arc::clone(server), Arc::clone(&self.shared.flush_signal)));
        }
        let writer = StateWriter {
            dir,
            shared: Arc::clone(&self.shared),
            clock: clock.clone(),
            is_behind: db.is_none(),
            is_read: db.is_some(),
            db,
            servers: servers.iter().map(ServerEntry::new).collect(),
            swept_ms: Timestamp::UNIX_EPOCH,
        };
        let thread = std::thread::Builder::new().name("greenroom-state".into()).spawn(move || writer.run());
        *self.writer.lock() =
            Some(thread.map_err(|error| format!("the state writer thread cannot be started: {error}"))?);
        self.shared.has_writer.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether every token with entries in this directory is known.
    pub fn known_tokens(&self) -> Arc<KnownTokens> {
        Arc::clone(&self.shared.known_tokens)
    }

    /// Current error of the file.
    pub fn error(&self) -> Option<StateErrorKind> {
        self.shared.error()
    }

    /// Waits until all current grants are written or have failed; true if that took less than five seconds.
    pub async fn flush(&self) -> bool {
        if !self.shared.has_writer.load(Ordering::Acquire) {
            return true;
        }
        let ticket = self.shared.flush_signal.request_flush();
        tokio::time::timeout(DRAIN_TIMEOUT, self.shared.flush_signal.wait_done(ticket)).await.is_ok()
    }

    /// Writes the rest and ends the writer. True if that took less than five seconds.
    pub async fn close(&self) -> bool {
        let Some(writer) = self.writer.lock().take() else { return true };
        self.shared.flush_signal.close();
        let is_done = tokio::time::timeout(DRAIN_TIMEOUT, self.shared.flush_signal.wait_done(u64::MAX)).await.is_ok();
        if is_done {
            let _ = writer.join(); // a panic of the writer was logged by its thread;
        }
        is_done
    }
}

/// Notifies the writer of outages and recoveries, until shutdown.
async fn notify_outages(server: Arc<Server>, flush_signal: Arc<FlushSignal>) {
    let (breaker, stop) = (&server.origin.breaker, &server.origin.stop);
    let notify = async {
        loop {
            breaker.wait_down().await;
            flush_signal.mark_dirty();
            breaker.wait_back().await;
            flush_signal.mark_dirty();
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = notify => {}
    }
}

/// File locks do not work on this filesystem.
fn remote_filesystem_warning(kind: &str) -> Warning {
    Warning {
        code: "state-remote",
        severity: Severity::Notice,
        action: None,
        subject: None,
        text: format!("The data directory is on a network file system ({kind}), where locks are unreliable: state.db may be damaged.").into(),
        remedy: "Stop Greenroom, move the directory to a local disk, and set data_dir to it.".into(),
    }
}

impl Drop for StatePersistence {
    fn drop(&mut self) {
        self.shared.flush_signal.close();
    }
}
