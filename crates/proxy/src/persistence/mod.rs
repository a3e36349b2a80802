//! Keeps what is proven of tokens in the state: one thread writes what changed since the last time, and at once what
//! must not be lost. At the start it gives every server what was kept of it.

#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_cache::disk::network_file_system;
use parking_lot::Mutex;

use crate::known_tokens::KnownTokens;
use crate::server::Server;
use greenroom_state::db::{Book, FILE};
use greenroom_state::error::{Failing, Trouble};
use greenroom_state::flush_signal::Bell;
use greenroom_state::grants::{Kept, MAX_IDENTITIES};
use greenroom_state::warnings::{Severity, Warning, Warnings};
use writer::{Keeper, Member};

/// How long writing what is left may take at the end.
const DRAIN: Duration = Duration::from_secs(5);

/// The state of one data directory.
#[derive(Debug, Default)]
pub struct State {
    shared: Arc<Shared>,
    /// Until the keeper takes it.
    opened: Mutex<Option<Opened>>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Opened {
    dir: PathBuf,
    book: Option<Book>,
}

/// What the keeper shares with everybody.
#[derive(Debug, Default)]
struct Shared {
    bell: Arc<Bell>,
    known_tokens: Arc<KnownTokens>,
    /// Whether somebody keeps.
    is_kept: AtomicBool,
    trouble: Mutex<Option<Trouble>>,
    warnings: Arc<Warnings>,
}

impl Shared {
    fn trouble(&self) -> Option<Trouble> {
        *self.trouble.lock()
    }

    /// Whether nothing is written any more.
    fn is_off(&self) -> bool {
        self.trouble().is_some_and(Trouble::is_final)
    }

    /// Says what is wrong, once.
    fn fail(&self, data_dir: &Path, failing: &Failing) {
        *self.trouble.lock() = Some(failing.trouble);
        let warning = failing.trouble.warning();
        if self.warnings.raise(warning.clone()) {
            tracing::error!(
                file = %data_dir.join(FILE).display(),
                reason = failing.message,
                remedy = %warning.remedy,
                "{}",
                warning.text
            );
        }
    }

    /// It works.
    fn recover(&self, data_dir: &Path) {
        if let Some(before) = self.trouble.lock().take() {
            self.warnings.lower(before.warning().code);
            tracing::info!(file = %data_dir.join(FILE).display(), "the state is kept again");
        }
    }
}

impl State {
    /// Opens the state of this directory. Whatever is wrong with it, it can be worked with: then nothing is kept.
    pub fn open(data_dir: &Path, warnings: &Arc<Warnings>) -> Self {
        if let Some(kind) = network_file_system(data_dir) {
            let warning = remote(&kind);
            tracing::warn!(dir = %data_dir.display(), remedy = %warning.remedy, "{}", warning.text);
            warnings.raise(warning);
        }
        let shared = Shared { warnings: Arc::clone(warnings), ..Shared::default() };
        let (opened, keeper) = (Mutex::default(), Mutex::default());
        let state = Self { shared: Arc::new(shared), opened, keeper };
        let book = Book::open(data_dir).map_err(|failing| {
            state.shared.fail(data_dir, &failing);
            state.shared.known_tokens.set_incomplete();
        });
        *state.opened.lock() = Some(Opened { dir: data_dir.to_owned(), book: book.ok() });
        state
    }

    /// Gives a server what was kept of it. It must not have been asked anything yet. `has_store` says that an earlier
    /// process left answers on disk.
    pub fn restore(&self, server: &Server, has_store: bool) {
        let mut opened = self.opened.lock();
        let Some(opened) = opened.as_mut() else { return };
        let Some(book) = &opened.book else { return };
        let Kept { hearing, is_stranger, identities, images, warm } =
            match book.read(server.name(), server.origin.clock.now_ms()) {
                Ok(kept) => kept,
                Err(failing) => {
                    self.shared.fail(&opened.dir, &failing);
                    self.shared.known_tokens.set_incomplete();
                    opened.book = None;
                    return;
                }
            };
        if identities.len() >= MAX_IDENTITIES {
            // There may be more of them in the file.
            self.shared.known_tokens.set_incomplete();
        }
        server.identities.restore(&identities, &images);
        *server.warm.resumed.lock() = warm;
        // What lies on disk, and in no file of ours, is from processes of which nothing is known.
        if hearing.is_choosy || (is_stranger && has_store) {
            server.invalidation.choosiness.note_kept();
        }
        server.origin.breaker.restore(hearing.heard_ms, hearing.down_since_ms);
        if let Some(introduction) = hearing.introduction {
            server.origin.note_introduction(&introduction.into());
        }
    }

    /// From now on keeps what is proven about these servers. Answers that refuse wait for that for `settle` at most.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn keep(&self, servers: &[Arc<Server>], clock: &Clock, settle: Duration) -> Result<(), String> {
        let Some(Opened { dir, book }) = self.opened.lock().take() else { return Ok(()) };
        for server in servers {
            server.identities.refused().attend(&self.shared.bell, &server.cache, settle);
            server.origin.tasks.spawn(tell_of_outages(Arc::clone(server), Arc::clone(&self.shared.bell)));
        }
        let keeper = Keeper {
            dir,
            shared: Arc::clone(&self.shared),
            clock: clock.clone(),
            is_behind: book.is_none(),
            is_read: book.is_some(),
            book,
            members: servers.iter().map(Member::of).collect(),
            swept_ms: 0,
        };
        let thread = std::thread::Builder::new().name("greenroom-state".into()).spawn(move || keeper.run());
        *self.keeper.lock() =
            Some(thread.map_err(|error| format!("no thread to keep the state with: {error}"))?);
        self.shared.is_kept.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether every token that may be kept on this directory is known.
    pub fn known_tokens(&self) -> Arc<KnownTokens> {
        Arc::clone(&self.shared.known_tokens)
    }

    /// What is wrong with the file.
    pub fn trouble(&self) -> Option<Trouble> {
        self.shared.trouble()
    }

    /// Waits until everything that is proven so far is written, or cannot be; true if it was within five seconds.
    pub async fn flush(&self) -> bool {
        if !self.shared.is_kept.load(Ordering::Acquire) {
            return true;
        }
        let ticket = self.shared.bell.ring();
        tokio::time::timeout(DRAIN, self.shared.bell.is_done(ticket)).await.is_ok()
    }

    /// Writes what is left and ends the keeper. True if that was within five seconds.
    pub async fn close(&self) -> bool {
        let Some(keeper) = self.keeper.lock().take() else { return true };
        self.shared.bell.close();
        let is_done = tokio::time::timeout(DRAIN, self.shared.bell.is_done(u64::MAX)).await.is_ok();
        if is_done {
            drop(keeper.join());
        }
        is_done
    }
}

/// Tells the keeper when a server goes down and when it is back, until the process is told to stop.
async fn tell_of_outages(server: Arc<Server>, bell: Arc<Bell>) {
    let (breaker, stop) = (&server.origin.breaker, &server.origin.stop);
    let telling = async {
        loop {
            breaker.down().await;
            bell.note_news();
            breaker.back().await;
            bell.note_news();
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = telling => {}
    }
}

/// Where the file lies, locks do not hold.
fn remote(kind: &str) -> Warning {
    Warning {
        code: "state-remote",
        severity: Severity::Notice,
        action: None,
        subject: None,
        text: format!("The data directory lies on a network file system ({kind}), where locks do not hold: state.db may be damaged.").into(),
        remedy: "Stop Greenroom, move the directory to a local disk, and name that with data_dir.".into(),
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.shared.bell.close();
    }
}
