//! The one thread that writes. It also sweeps, cuts the log, hears what other processes invalidated, and sees to
//! damage: a file that is not ours or not whole is set aside, and a new one begun.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use super::ledger::Ledger;
use super::presence::Presence;
use super::queue::Delivery;
use super::store::{Batch, FILE, Store};
use super::trouble::{Failing, Trouble};

/// Pause between two sweeps when there is nothing to take out.
const SWEEP_EVERY_MS: u64 = 30_000;
/// Pause between two chunks when there is.
const SWEEP_AGAIN_MS: u64 = 20;

/// Pauses before what could not be written is tried again: because somebody else writes, or for another reason.
const LOCKED_PAUSE: Duration = Duration::from_millis(20);
const FAILING_PAUSE: Duration = Duration::from_millis(500);

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It is written, or never will be.
    Done,
    /// Its markers, and its offers too or not, are to be tried again.
    Again { with_offers: bool },
}

/// The writer.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    ledger: Ledger,
    store: Option<Store>,
    /// Which process this is, among all that ever wrote here.
    origin: i64,
    /// Markers up to this one are known.
    known: u64,
    version: i64,
    sweep_at_ms: u64,
    /// Shows this process to others on the same directory.
    presence: Option<Presence>,
    /// The next of 256 folders to look for files that no row names.
    folder: u8,
}

impl Writer {
    /// Opens the store; one that is damaged is set aside first. What was invalidated before is told.
    pub(crate) fn open(shared: Arc<Shared>, ledger: Ledger) -> Result<Self, String> {
        let mut writer = Self {
            origin: (i64::from(std::process::id()) << 32)
                ^ shared.clock.now_ms().cast_signed()
                ^ RandomState::new().hash_one(0).cast_signed(),
            store: None,
            known: 0,
            version: 0,
            sweep_at_ms: 0,
            folder: 0,
            presence: None,
            shared,
            ledger,
        };
        let dir = writer.shared.settings.dir.clone();
        let explain = |failing: &Failing| {
            format!("{}: {}; {}", dir.join(FILE).display(), failing.message, failing.trouble.remedy())
        };
        if let Err(failing) = writer.begin(true) {
            if failing.trouble != Trouble::Damaged {
                return Err(explain(&failing));
            }
            writer.set_aside(&failing);
            writer.begin(true).map_err(|failing| explain(&failing))?;
        }
        writer.presence = Some(Presence::enter(&dir, writer.origin));
        writer.look_around();
        Ok(writer)
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        loop {
            let settings = &self.shared.settings;
            let delivery = self.shared.queue.next(settings.write_linger, settings.shared_lag / 2);
            let (is_last, up_to) = (delivery.is_last, delivery.up_to);
            let outcome = self.deliver(delivery);
            self.hear();
            self.look_around();
            match outcome {
                Outcome::Done => self.tell(up_to),
                _ if is_last => {}
                Outcome::Again { with_offers: true } => std::thread::park_timeout(LOCKED_PAUSE),
                Outcome::Again { with_offers: false } => std::thread::park_timeout(FAILING_PAUSE),
            }
            if is_last {
                break;
            }
            self.tidy();
        }
        if let Some(store) = &self.store {
            drop(store.truncate_wal());
        }
        self.store = None;
        self.shared.done.send_replace(u64::MAX);
    }

    fn begin(&mut self, is_start: bool) -> Result<(), Failing> {
        let settings = &self.shared.settings;
        let store = Store::open(&settings.dir, settings.file_above_bytes)?;
        self.version = store.version()?;
        let placed = store.marks_after(0)?;
        self.known = placed.last().map_or(0, |last| last.seq);
        self.ledger.begin(&placed, store.newest_stamp()?, self.origin, is_start);
        self.shared.counters.bytes.store(store.bytes()?, Ordering::Relaxed);
        self.store = Some(store);
        Ok(())
    }

    /// Writes what came.
    fn deliver(&mut self, delivery: Delivery) -> Outcome {
        let now_ms = self.shared.clock.now_ms();
        if let Some(trouble) = self.shared.take_alarm() {
            self.renew(&Failing::new(trouble, "a reader found it so"));
        }
        if delivery.batch.is_empty() {
            return Outcome::Done;
        }
        let outcome = self.write(&delivery.batch, now_ms);
        match outcome {
            Outcome::Done => self.shared.queue.done(&delivery.batch),
            Outcome::Again { with_offers } => self.shared.queue.put_back(delivery.batch, with_offers),
        }
        outcome
    }

    /// Tells who waits how far the work is done: after the numbers of new markers are known, so that what is loaded
    /// from then on knows them.
    fn tell(&self, up_to: u64) {
        if up_to > *self.shared.done.borrow() {
            self.shared.done.send_replace(up_to);
        }
    }

    fn write(&mut self, batch: &Batch, now_ms: u64) -> Outcome {
        let counters = &self.shared.counters;
        let lost = batch.offers.len() as u64;
        // Markers are always tried: it is they that must not be lost.
        if batch.marks.is_empty() && !self.shared.health.may_write(now_ms) {
            counters.failed.fetch_add(lost, Ordering::Relaxed);
            return Outcome::Done;
        }
        if !self.store.as_ref().is_some_and(Store::is_in_place) {
            self.renew(&Failing::new(Trouble::Gone, "it is not there any more"));
        }
        let origin = self.origin;
        let written = match &mut self.store {
            Some(store) => store.write(batch, origin, now_ms),
            None => Err(Failing::new(Trouble::Gone, "there is no store")),
        };
        match written {
            Ok(written) => {
                let counters = &self.shared.counters;
                counters.written.fetch_add(written.stored, Ordering::Relaxed);
                counters.failed.fetch_add(written.failed, Ordering::Relaxed);
                if self.shared.health.wrote() {
                    tracing::info!(dir = %self.shared.settings.dir.display(), "writing to disk works again");
                }
                self.cut_log();
                Outcome::Done
            }
            // Somebody else writes: he ends, or dies, and then it is our turn.
            Err(failing) if failing.trouble == Trouble::Locked => {
                self.failed(&failing, now_ms);
                Outcome::Again { with_offers: true }
            }
            Err(failing) => {
                self.shared.counters.failed.fetch_add(lost, Ordering::Relaxed);
                self.failed(&failing, now_ms);
                if batch.marks.is_empty() { Outcome::Done } else { Outcome::Again { with_offers: false } }
            }
        }
    }

    fn failed(&mut self, failing: &Failing, now_ms: u64) {
        if self.shared.health.failed(failing.trouble, now_ms) {
            tracing::warn!(
                dir = %self.shared.settings.dir.display(),
                reason = failing.message,
                remedy = failing.trouble.remedy(),
                "nothing is written to disk for now ({}); answers go on",
                failing.trouble
            );
        }
        if matches!(failing.trouble, Trouble::Damaged | Trouble::Gone) {
            self.renew(failing);
        }
    }

    /// Begins again: with the file that lies there now, or with a new one if that is no good.
    fn renew(&mut self, failing: &Failing) {
        let is_ours = self.store.as_ref().is_some_and(Store::is_in_place);
        self.store = None;
        if failing.trouble == Trouble::Damaged && is_ours {
            self.set_aside(failing);
        }
        self.shared.queue.drop_offers();
        if let Err(failing) = self.begin(false) {
            if failing.trouble == Trouble::Damaged {
                self.set_aside(&failing);
            }
            drop(self.begin(false));
        }
        self.shared.generation.fetch_add(1, Ordering::Release);
    }

    fn set_aside(&self, failing: &Failing) {
        let dir = &self.shared.settings.dir;
        let aside = dir.join(format!("{FILE}.set-aside"));
        tracing::warn!(
            file = %dir.join(FILE).display(),
            reason = failing.message,
            aside = %aside.display(),
            "the cache on disk is damaged or of another format: it is set aside and a new one begun; {}",
            Trouble::Damaged.remedy()
        );
        set_aside(dir, &aside);
        self.shared.counters.set_aside.fetch_add(1, Ordering::Relaxed);
    }

    /// Hears which markers were placed since: ours with their number, and those of others.
    fn hear(&mut self) {
        let Some(store) = &self.store else { return };
        let heard = store.version().and_then(|version| {
            let placed = store.marks_after(self.known)?;
            Ok((version, placed))
        });
        if let Ok((version, placed)) = heard {
            self.version = version;
            if let Some(last) = placed.last() {
                self.known = last.seq;
                self.ledger.heard(&placed, self.origin);
            }
        }
    }

    /// Looks who else has the store open.
    fn look_around(&mut self) {
        if let Some(presence) = &mut self.presence {
            let has_company = presence.look(self.shared.clock.now_ms());
            self.shared.has_company.store(has_company, Ordering::Relaxed);
        }
    }

    fn tidy(&mut self) {
        let now_ms = self.shared.clock.now_ms();
        if now_ms < self.sweep_at_ms {
            return;
        }
        self.sweep_at_ms = now_ms + SWEEP_EVERY_MS;
        let Some(store) = &mut self.store else { return };
        match store.sweep(now_ms, self.shared.settings.max_bytes) {
            Ok(is_more) => {
                if is_more {
                    self.sweep_at_ms = now_ms + SWEEP_AGAIN_MS;
                }
                drop(store.sweep_folder(self.folder, now_ms));
                self.folder = self.folder.wrapping_add(1);
                self.shared.counters.bytes.store(store.bytes().unwrap_or(0), Ordering::Relaxed);
            }
            Err(failing) => self.failed(&failing, now_ms),
        }
    }

    /// Cuts the log when it has grown too long: readers in back-to-back reads would keep it from ever ending.
    fn cut_log(&self) {
        let Some(store) = &self.store else { return };
        if store.wal_bytes() > self.shared.settings.max_wal_bytes {
            self.shared.cutting.store(true, Ordering::Relaxed);
            drop(store.truncate_wal());
            self.shared.cutting.store(false, Ordering::Relaxed);
        }
    }
}

/// Moves the file and what belongs to it out of the way; what was set aside before goes.
fn set_aside(dir: &Path, aside: &Path) {
    drop(std::fs::rename(dir.join(FILE), aside));
    for tail in ["-wal", "-shm"] {
        drop(std::fs::remove_file(dir.join(format!("{FILE}{tail}"))));
    }
}
