//! What the writer does when the store fails: says so once, with what to do, and begins again where it can.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::batch::Batch;
use super::lock::{self, DirectoryLock, LockError};
use super::spelling;
use super::store::{self, FILE, Store};
use super::trouble::{Failing, Trouble};
use super::writer::Writer;
use crate::scope::Scope;
use crate::stamp::Stamp;
use crate::stored_marker::Mark;

/// Pause between two renewals.
const RENEW_PAUSE_MS: u64 = 1_000;

/// How long a process that is about to end is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// What is to be done about a store that cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// It is moved out of the way, and a new one begun.
    SetAside,
    /// It is left as it is, and opened another time.
    Leave,
}

impl Remedy {
    /// A store of another format was written by another version. One that is put in the place of ours while we run is
    /// somebody's to see to.
    fn of(trouble: Trouble, had_one: bool) -> Self {
        match trouble {
            Trouble::Damaged => Self::SetAside,
            Trouble::Format if !had_one => Self::SetAside,
            _ => Self::Leave,
        }
    }
}

impl Writer {
    /// Opens the store for the first time. Where that fails it is tried again while the cache does without.
    pub(super) fn start(&mut self) {
        let begun = self.begin_or_set_aside(true);
        self.shared.queue.drop_offers(self.ledger.known.era());
        match begun {
            Ok(()) => self.shared.is_open.store(true, Ordering::Release),
            Err(failing) => {
                self.store = None;
                self.say(&failing, self.shared.clock.now_ms());
            }
        }
    }

    /// Locks the directory, unless that is done and it is still the same directory.
    pub(super) fn own(&mut self) -> Result<(), LockError> {
        if !self.lock.as_ref().is_some_and(DirectoryLock::is_in_place) {
            self.lock = None;
            self.lock = Some(DirectoryLock::take(&self.shared.settings.dir, lock::FILE, LOCK_PATIENCE)?);
        }
        Ok(())
    }

    fn begin_or_set_aside(&mut self, is_start: bool) -> Result<(), Failing> {
        self.own().map_err(|error| match error {
            LockError::Failed(error) => error.into(),
            LockError::Held(holder) => Failing::new(Trouble::Locked, format!("{holder} uses this directory")),
        })?;
        let inode = store::inode_in(&self.shared.settings.dir);
        let begun = self.begin(is_start);
        let Err(failing) = &begun else { return begun };
        self.store = None;
        if Remedy::of(failing.trouble, self.had_one()) == Remedy::Leave {
            return begun;
        }
        self.set_aside(failing, inode);
        self.begin(is_start)
    }

    /// Something failed. Damage and loss are mended where possible; everything else passes by itself or does not.
    pub(super) fn failed(&mut self, failing: &Failing, now_ms: u64) {
        if !matches!(failing.trouble, Trouble::Damaged | Trouble::Gone) {
            return self.say(failing, now_ms);
        }
        let is_ours = self.store.as_ref().is_some_and(Store::is_in_place);
        if is_ours && failing.trouble == Trouble::Gone {
            // A reader could not open it, and we could: that passes.
            return;
        }
        let inode = self.store.take().map(|store| store.inode);
        if now_ms < self.renew_at_ms {
            // A disk that damages whatever is begun on it: not in a circle.
            self.shared.is_open.store(false, Ordering::Release);
            return self.say(failing, now_ms);
        }
        self.renew_at_ms = now_ms + RENEW_PAUSE_MS;
        if failing.trouble == Trouble::Damaged && is_ours {
            self.set_aside(failing, inode);
        }
        self.reopen(now_ms);
        if failing.trouble == Trouble::Gone && self.store.is_some() {
            tracing::warn!(
                dir = %self.shared.settings.dir.display(),
                reason = failing.message,
                remedy = failing.trouble.remedy(),
                "the cache on disk is gone: a new one is begun"
            );
        }
    }

    /// Everything was cleared, and there is no room left to take it out row by row, or even to say so: all of it goes at
    /// once, and a new store is begun.
    pub(super) fn make_room(&mut self, failing: &Failing, now_ms: u64) {
        let inode = self.store.as_ref().map(|store| store.inode);
        let Some(inode) = inode.filter(|_| now_ms >= self.renew_at_ms) else {
            return self.say(failing, now_ms);
        };
        self.renew_at_ms = now_ms + RENEW_PAUSE_MS;
        self.store = None;
        // What a reader makes of a file that goes under it is no news.
        self.shared.is_open.store(false, Ordering::Release);
        let dir = &self.shared.settings.dir;
        match store::throw_away(dir, inode) {
            Ok(false) => {}
            Ok(true) => tracing::info!(
                dir = %dir.display(),
                "the cache on disk is cleared; there was no room for less than to begin a new one"
            ),
            Err(failing) => self.say(&failing, now_ms),
        }
        drop(self.shared.take_alarm());
        self.reopen(now_ms);
    }

    /// Opens what lies in the store's place now, or a new one if that is no good.
    pub(super) fn reopen(&mut self, now_ms: u64) {
        self.shared.is_open.store(false, Ordering::Release);
        self.store = None;
        let begun = self.begin_or_set_aside(false);
        // Only now: from here on offers say what they know in the numbers of this store.
        self.shared.queue.drop_offers(self.ledger.known.era());
        match begun {
            Ok(()) => {
                self.shared.generation.fetch_add(1, Ordering::Release);
                self.shared.is_open.store(true, Ordering::Release);
                if self.shared.health.mended() {
                    tracing::info!(dir = %self.shared.settings.dir.display(), "writing to disk works again");
                }
            }
            Err(failing) => {
                self.store = None;
                self.say(&failing, now_ms);
            }
        }
    }

    /// What lies in a store that was not there for all that was invalidated does not count.
    pub(super) fn distrust(&mut self, reason: &str) -> Result<(), Failing> {
        let now_ms = self.shared.clock.now_ms();
        let Some(store) = &mut self.store else { return Ok(()) };
        if store.is_empty()? {
            return Ok(());
        }
        let all = purge_of_all(self.ledger.sequence.next(now_ms));
        store.write(&Batch { marks: vec![all], ..Batch::default() }, self.origin, now_ms)?;
        tracing::warn!(
            dir = %self.shared.settings.dir.display(),
            reason,
            "what is kept on disk may be outdated and is not used; {}",
            Trouble::Damaged.remedy()
        );
        self.listen()
    }

    /// Says a trouble once, and turns writes off where trying again at once would be in vain.
    fn say(&self, failing: &Failing, now_ms: u64) {
        if self.shared.health.failed(failing.trouble, now_ms) {
            tracing::warn!(
                dir = %self.shared.settings.dir.display(),
                reason = failing.message,
                remedy = failing.trouble.remedy(),
                "nothing is written to disk for now ({}); answers go on",
                failing.trouble
            );
        }
    }

    /// Moves the file that failed out of the way, if it is the one that lies there still.
    fn set_aside(&self, failing: &Failing, inode: Option<u64>) {
        let dir = &self.shared.settings.dir;
        let Some(inode) = inode else { return };
        match store::set_aside(dir, inode) {
            Ok(None) => return,
            Ok(Some(aside)) => tracing::warn!(
                file = %dir.join(FILE).display(),
                reason = failing.message,
                aside = %aside.display(),
                "the cache on disk is damaged or of another format: it is set aside and a new one begun; {}",
                Trouble::Damaged.remedy()
            ),
            Err(failing) => return self.say(&failing, self.shared.clock.now_ms()),
        }
        self.shared.counters.set_aside.fetch_add(1, Ordering::Relaxed);
    }
}

/// A marker after which nothing counts that was there before.
pub(super) fn purge_of_all(stamp: Stamp) -> Mark {
    Mark {
        scope: spelling::spell(&Scope::All),
        purges: true,
        stamp,
        hold_until: Stamp::default(),
        settle_until_ms: 0,
        settle_fresh_ms: 0,
    }
}
