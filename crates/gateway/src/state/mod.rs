//! State is not cache: what must outlive the process and cannot be had again by asking. It lies in `state.db`, apart
//! from what the cache keeps: it is never set aside, never cleared with the cache, and copied before a new version
//! changes its layout. Kept today: proofs of tokens (as keyed hashes), when each server was last heard of, and what was
//! kept warm for its configured token. Others keep theirs in it: what was said of libraries and lifetimes, decisions on
//! matches, when jobs ran last.
//!
//! | room | is |
//! |---|---|
//! | `proofs` | what is kept, as plain data |
//! | `book` | the file: what is read from it and written to it at a time; `rows`, one by one; `number`, as numbers |
//! | `turn` | who may open it |
//! | `guest` | how rooms with tables of their own open it |
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
pub mod guest;
mod keeper;
pub mod layout;
pub mod number;
pub mod presence;
pub mod proofs;
pub mod refusals;
mod rows;
#[cfg(test)]
mod tests;
pub mod trouble;
pub(crate) mod turn;

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_cache::disk::network_file_system;
use parking_lot::Mutex;

use crate::identity::MAX_IDENTITIES;
use crate::server::Server;
use crate::warnings::{Severity, Warning, Warnings};
use bell::Bell;
use book::{Book, FILE};
use keeper::{Keeper, Member};
use presence::Presence;
use proofs::Kept;
use trouble::{Failing, Trouble};

/// For so long an answer that takes rights away waits to be durable, unless `state.settle_ms` says otherwise.
pub const SETTLE: Duration = Duration::from_millis(50);
/// How long writing what is left may take at the end.
const DRAIN: Duration = Duration::from_secs(5);
/// For so long a look at who else is there holds; it is looked once a second.
const LOOK_HOLDS: Duration = Duration::from_millis(1_500);
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
    /// When that was looked at last, in milliseconds, by the clock of who keeps.
    looked_ms: AtomicU64,
    clock: OnceLock<Clock>,
    /// Whether every token that may be kept here was known all the time: no other process was ever there, and the
    /// file was read whole.
    knows_everybody: AtomicBool,
    /// Whether somebody keeps.
    is_kept: AtomicBool,
    trouble: Mutex<Option<Trouble>>,
    warnings: Arc<Warnings>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            bell: Arc::default(),
            is_alone: AtomicBool::new(true),
            looked_ms: AtomicU64::new(0),
            clock: OnceLock::new(),
            knows_everybody: AtomicBool::new(true),
            is_kept: AtomicBool::new(false),
            trouble: Mutex::default(),
            warnings: Arc::default(),
        }
    }
}

impl Shared {
    fn trouble(&self) -> Option<Trouble> {
        *self.trouble.lock()
    }

    /// Looks who else is there.
    fn look_around(&self, presence: Option<&Presence>) {
        let is_alone = presence.is_some_and(Presence::is_alone);
        self.is_alone.store(is_alone, Ordering::Release);
        if let Some(clock) = self.clock.get() {
            self.looked_ms.store(clock.now_ms(), Ordering::Release);
        }
        if !is_alone {
            self.knows_everybody.store(false, Ordering::Release);
        }
    }

    /// Whether it was looked so long ago that another process may have come.
    fn is_look_old(&self) -> bool {
        self.clock.get().is_some_and(|clock| {
            let age_ms = clock.now_ms().saturating_sub(self.looked_ms.load(Ordering::Acquire));
            clock.real(Duration::from_millis(age_ms)) > LOOK_HOLDS
        })
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
        let presence = Presence::announce(data_dir).ok();
        let shared = Shared { warnings: Arc::clone(warnings), ..Shared::default() };
        let (opened, keeper) = (Mutex::default(), Mutex::default());
        let state = Self { shared: Arc::new(shared), opened, keeper };
        state.shared.look_around(presence.as_ref());
        let begun = Book::open(data_dir).and_then(|book| {
            // In this order: whoever is refused meanwhile is heard of later.
            let (heard, version) = (book.newest_refusal()?, book.version()?);
            Ok((book, heard, version))
        });
        let (book, heard, version) = match begun {
            Ok((book, heard, version)) => (Some(book), heard, version),
            Err(failing) => {
                state.shared.fail(data_dir, &failing);
                state.shared.knows_everybody.store(false, Ordering::Release);
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

    /// Gives a server what was kept of it. It must not have been asked anything yet. `has_store` says that an earlier
    /// process left answers on disk.
    pub fn restore(&self, server: &Server, has_store: bool) {
        let mut opened = self.opened.lock();
        let Some(opened) = opened.as_mut() else { return };
        let Some(book) = &opened.book else { return };
        let Kept { hearing, is_stranger, identities, images, warm } =
            match book.read(server.name(), server.clock.now_ms()) {
                Ok(kept) => kept,
                Err(failing) => {
                    self.shared.fail(&opened.dir, &failing);
                    self.shared.knows_everybody.store(false, Ordering::Release);
                    opened.book = None;
                    return;
                }
            };
        if identities.len() >= MAX_IDENTITIES {
            // There may be more of them in the file.
            self.shared.knows_everybody.store(false, Ordering::Release);
        }
        server.identities.restore(&identities, &images);
        *server.resumed.lock() = warm;
        // What lies on disk, and in no file of ours, is from processes of which nothing is known.
        if hearing.is_choosy || (is_stranger && has_store) {
            server.choosiness.note_kept();
        }
        server.breaker.restore(hearing.heard_ms, hearing.down_since_ms);
        if let Some(introduction) = hearing.introduction {
            server.note_introduction(&introduction.into());
        }
    }

    /// From now on keeps what is proven about these servers. Answers that refuse wait for that for `settle` at most.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn keep(&self, servers: &[Arc<Server>], clock: &Clock, settle: Duration) -> Result<(), String> {
        let Some(Opened { dir, presence, book, heard, version }) = self.opened.lock().take() else {
            return Ok(());
        };
        self.shared.looked_ms.store(clock.now_ms(), Ordering::Release);
        drop(self.shared.clock.set(clock.clone()));
        for server in servers {
            server.identities.refused().attend(&self.shared.bell, &server.cache, settle);
        }
        let keeper = Keeper {
            dir,
            shared: Arc::clone(&self.shared),
            clock: clock.clone(),
            presence,
            is_behind: book.is_none(),
            is_read: book.is_some(),
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
        // Who keeps may be held up by the disk, and another process may have come meanwhile.
        self.shared.is_alone.load(Ordering::Acquire) && !self.shared.is_look_old()
    }

    /// Whether this process knew, since it began, every token that any process on this directory knew.
    pub fn knows_everybody(&self) -> bool {
        self.shared.knows_everybody.load(Ordering::Acquire)
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

/// Waits until nobody opens the file or puts a backup back. Whoever has announced itself before can be sure that none
/// is put back from then on.
///
/// # Errors
/// If somebody does not end.
pub fn await_turn(data_dir: &Path) -> Result<(), String> {
    match turn::take(data_dir, turn::TO_OPEN) {
        Ok(None) => Err(format!(
            "{}: a backup is being put back, or another gateway is starting; start again when it is done",
            data_dir.display()
        )),
        // A directory that cannot be written has said so already.
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.shared.bell.close();
    }
}
