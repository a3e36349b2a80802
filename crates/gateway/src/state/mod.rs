//! State is not cache: what must outlive the process and cannot be had again by asking. It lies in `state.db`, apart
//! from what the cache keeps: it is never set aside, never cleared with the cache, and copied before a new version
//! changes its layout. Kept today: proofs of tokens (as keyed hashes), when each server was last heard of, and what was
//! kept warm for its configured token.
//!
//! | room | is |
//! |---|---|
//! | `proofs` | what is kept, as plain data |
//! | `book` | the file: all that is read from it and written to it |
//! | `layout` | how an older file becomes the one of today |
//! | `keeper` | the one thread that writes |
//! | `refusals` | what must not be lost, on its way to it |
//! | `bell` | what wakes it, and tells how far it is |
//! | `presence` | which gateways are alive on this directory |
//! | `trouble` | what is wrong with the file, and what to do |
//! | `archive` | backup and restore |
//!
//! **A refusal comes first.** Proofs are written a second later and may be lost by a crash: then the server is asked
//! once more. A refusal that is lost would give back what the server took, so it is written at once, in the same
//! order in which proofs were, and the answer that says no waits for it, for [`SETTLE`] at most. If the disk takes
//! longer than that and the process is killed meanwhile, the token counts as it did before, until its proof is too
//! old (`auth_ttl`): that is the one case, and no worse than a gateway that was not told yet.

pub mod archive;
pub mod bell;
pub mod book;
mod keeper;
pub mod layout;
pub mod presence;
pub mod proofs;
pub mod refusals;
#[cfg(test)]
mod tests;
pub mod trouble;

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use greenroom_cache::Clock;
use parking_lot::Mutex;

use crate::server::Server;
use crate::warnings::Warnings;
use bell::Bell;
use book::{Book, FILE};
use keeper::{Keeper, Member};
use presence::Presence;
use proofs::Kept;
use trouble::{Failing, Trouble};

/// For so long an answer that takes rights away waits to be durable.
pub const SETTLE: Duration = Duration::from_millis(50);
/// How long writing what is left may take at the end.
const DRAIN: Duration = Duration::from_secs(5);
/// A process that comes to a directory of another waits so long, until that one knows of it.
const INTRODUCTION: Duration = Duration::from_secs(2);

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
    presence: Option<Presence>,
    book: Option<Book>,
    heard: i64,
    version: i64,
}

/// What the keeper shares with everybody.
#[derive(Debug)]
struct Shared {
    bell: Arc<Bell>,
    is_alone: AtomicBool,
    /// Whether somebody keeps.
    is_kept: AtomicBool,
    trouble: Mutex<Option<Trouble>>,
    warnings: Arc<Warnings>,
}

impl Default for Shared {
    fn default() -> Self {
        let (is_alone, is_kept) = (AtomicBool::new(true), AtomicBool::new(false));
        Self { bell: Arc::default(), is_alone, is_kept, trouble: Mutex::default(), warnings: Arc::default() }
    }
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
            tracing::warn!(
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
        let presence = Presence::announce(data_dir).ok();
        let shared = Shared { warnings: Arc::clone(warnings), ..Shared::default() };
        let (opened, keeper) = (Mutex::default(), Mutex::default());
        let state = Self { shared: Arc::new(shared), opened, keeper };
        let is_alone = presence.as_ref().is_some_and(Presence::is_alone);
        state.shared.is_alone.store(is_alone, Ordering::Release);
        let begun = Book::open(data_dir).and_then(|book| {
            // In this order: whoever is refused meanwhile is heard of later.
            let (heard, version) = (book.newest_refusal()?, book.version()?);
            Ok((book, heard, version))
        });
        let (book, heard, version) = match begun {
            Ok((book, heard, version)) => (Some(book), heard, version),
            Err(failing) => {
                state.shared.fail(data_dir, &failing);
                (None, 0, 0)
            }
        };
        *state.opened.lock() = Some(Opened { dir: data_dir.to_owned(), presence, book, heard, version });
        state
    }

    /// Waits until other processes on this directory, if there are any, know of this one.
    pub async fn introduce(&self) {
        if !self.is_alone() {
            tokio::time::sleep(INTRODUCTION).await;
        }
    }

    /// Gives a server what was kept of it. It must not have been asked anything yet.
    pub fn restore(&self, server: &Server) {
        let mut opened = self.opened.lock();
        let Some(opened) = opened.as_mut() else { return };
        let Some(book) = &opened.book else { return };
        let Kept { hearing, identities, images, warm } = match book.read(server.name(), server.clock.now_ms())
        {
            Ok(kept) => kept,
            Err(failing) => {
                self.shared.fail(&opened.dir, &failing);
                opened.book = None;
                return;
            }
        };
        server.identities.restore(&identities, &images);
        *server.resumed.lock() = warm;
        server.breaker.restore(hearing.heard_ms, hearing.down_since_ms);
        if let Some(introduction) = hearing.introduction {
            server.note_introduction(&introduction.into());
        }
    }

    /// From now on keeps what is proven about these servers.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn keep(&self, servers: &[Arc<Server>], clock: &Clock) -> Result<(), String> {
        let Some(Opened { dir, presence, book, heard, version }) = self.opened.lock().take() else {
            return Ok(());
        };
        for server in servers {
            server.identities.refused().attend(&self.shared.bell, &server.cache);
        }
        let keeper = Keeper {
            dir,
            shared: Arc::clone(&self.shared),
            clock: clock.clone(),
            presence,
            is_behind: book.is_none(),
            book,
            origin: RandomState::new().hash_one(std::process::id()).cast_signed(),
            heard,
            version,
            members: servers.iter().map(Member::of).collect(),
            swept_ms: 0,
        };
        let thread = std::thread::Builder::new().name("greenroom-state".into()).spawn(move || keeper.run());
        *self.keeper.lock() =
            Some(thread.map_err(|error| format!("no thread to keep the state with: {error}"))?);
        self.shared.is_kept.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether no other gateway is alive on this directory.
    pub fn is_alone(&self) -> bool {
        self.shared.is_alone.load(Ordering::Acquire)
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

impl Drop for State {
    fn drop(&mut self) {
        self.shared.bell.close();
    }
}
