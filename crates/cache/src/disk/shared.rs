//! What all threads of the tier share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::health::Health;
use super::queue::{Progress, Queue};
use super::rewrite::Rule;
use super::settings::DiskSettings;
use super::stats::Counters;
use super::trouble::Failing;
use crate::clock::Clock;

/// What all threads of the tier share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: DiskSettings,
    pub(super) clock: Clock,
    pub(super) queue: Queue,
    pub(super) health: Health,
    pub(super) counters: Counters,
    /// Grows when the file was replaced: whoever reads opens it anew.
    pub(super) generation: AtomicU64,
    /// The writer has the file open and told all its markers: only then may anybody read it.
    pub(super) is_open: AtomicBool,
    /// Somebody found the file damaged; the writer sees to it.
    pub(super) alarm: Mutex<Option<Failing>>,
    /// What the writer has committed: grows before it leaves the queue.
    pub(super) commits: AtomicU64,
    /// Readers end their reads at once while the log is being cut.
    pub(super) cutting: AtomicBool,
    /// Everything up to this ticket is written, or never will be.
    pub(super) done: watch::Sender<Progress>,
}

impl Shared {
    /// Nothing is open yet.
    pub(super) fn new(settings: DiskSettings, clock: Clock) -> Self {
        Self {
            queue: Queue::sparing(settings.max_queued_bytes, Rule::of(&settings)),
            clock,
            health: Health::default(),
            counters: Counters::default(),
            generation: AtomicU64::new(0),
            is_open: AtomicBool::new(false),
            alarm: Mutex::default(),
            commits: AtomicU64::new(0),
            cutting: AtomicBool::new(false),
            done: watch::Sender::default(),
            settings,
        }
    }

    /// Somebody found the file of that generation in trouble. Of one that was replaced since it is no news.
    pub(super) fn raise(&self, failing: Failing, generation: u64) {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_open.load(Ordering::Acquire) && generation == self.generation.load(Ordering::Acquire) {
            *alarm = Some(failing);
            drop(alarm);
            self.queue.ring();
        }
    }

    /// What was raised, unless it is about a file that was replaced meanwhile.
    pub(super) fn take_alarm(&self) -> Option<Failing> {
        self.alarm.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
