//! The cache: the one handle a program holds.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer::{Answer, Demand, Served, Tier};
use crate::clock::Clock;
use crate::desk::Desk;
use crate::diagnosis::Diagnosis;
use crate::engine::Engine;
use crate::freshness::judge;
use crate::key::{Key, Partition};
use crate::load::{Failure, Loader};
use crate::policy::{Policy, Verdict};
use crate::read::Read;
use crate::scope::{Invalidation, Scope};
use crate::settings::Settings;
use crate::stamp::Stamp;
use crate::stats::Stats;
use crate::tally::Tally;
use crate::value::Entry;
use crate::warm_set::WarmSet;
use crate::warmth::Rhythm;

/// A cache. Cloning copies a handle to the same one.
#[derive(Clone)]
pub struct Cache(pub(crate) Arc<Engine>);

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

impl Cache {
    /// A cache whose loads run on `tasks`. Settings that contradict each other are cut to what can hold.
    pub fn new(settings: Settings, clock: Clock, tasks: TaskTracker) -> Self {
        let tally = Tally::new(settings.max_stat_cells.max(1));
        let (warm, stop) = (WarmSet::default(), CancellationToken::new());
        Self(Arc::new(Engine { desk: Desk::new(settings), clock, tasks, tally, warm, stop }))
    }

    /// A cache that also keeps what it loads on disk, so that it outlives the process.
    ///
    /// # Errors
    /// One line that says why there can be no store at that place, and what to do.
    #[cfg(not(feature = "shuttle"))]
    pub fn with_disk(
        settings: Settings,
        disk_settings: crate::disk::DiskSettings,
        clock: Clock,
        tasks: TaskTracker,
    ) -> Result<Self, String> {
        let tally = Tally::new(settings.max_stat_cells.max(1));
        let (warm, stop) = (WarmSet::default(), CancellationToken::new());
        let mut desk = Desk::new(settings);
        desk.open_below(disk_settings, &clock)?;
        Ok(Self(Arc::new(Engine { desk, clock, tasks, tally, warm, stop })))
    }

    /// Waits until every invalidation made so far is durable, no longer than the disk's settings say. Without a
    /// disk there is nothing to wait for. True if all is durable.
    #[cfg(not(feature = "shuttle"))]
    pub async fn settled(&self) -> bool {
        match &self.0.desk.below {
            Some(below) => below.disk.settled().await,
            None => true,
        }
    }

    /// Waits until everything kept so far is written, or can never be; true if it was written, and within `limit`.
    #[cfg(not(feature = "shuttle"))]
    pub async fn flush(&self, limit: std::time::Duration) -> bool {
        match &self.0.desk.below {
            Some(below) => below.disk.flushed(limit).await,
            None => true,
        }
    }

    /// What the disk does, where there is one.
    #[cfg(not(feature = "shuttle"))]
    pub fn disk_stats(&self) -> Option<crate::disk::DiskStats> {
        self.0.desk.below.as_ref().map(|below| below.disk.stats())
    }

    /// What is wrong with the disk at this moment, if anything; it says what a person can do about it.
    #[cfg(not(feature = "shuttle"))]
    pub fn disk_trouble(&self) -> Option<crate::disk::trouble::Trouble> {
        self.0.desk.below.as_ref().and_then(|below| below.disk.trouble())
    }

    /// Whether the disk does less than it should, now and whenever that turns; nothing where there is no disk.
    #[cfg(not(feature = "shuttle"))]
    pub fn disk_turns(&self) -> Option<tokio::sync::watch::Receiver<bool>> {
        self.0.desk.below.as_ref().map(|below| below.disk.turns())
    }

    /// Ends the disk as a crash would: what waits to be written never is.
    #[cfg(test)]
    #[cfg(not(feature = "shuttle"))]
    pub(crate) async fn crash_disk(&self) {
        if let Some(below) = &self.0.desk.below {
            below.disk.crash().await;
        }
    }

    /// Writes what is left and closes the disk. Gives how many entries were lost.
    #[cfg(not(feature = "shuttle"))]
    pub async fn close_disk(&self) -> u64 {
        match &self.0.desk.below {
            Some(below) => below.disk.close().await,
            None => 0,
        }
    }

    /// Answers from the cache, or loads. `loader` is called only if this caller starts a load.
    ///
    /// The load runs in a task of its own: dropping this future neither ends it nor hurts others who wait for it.
    pub async fn get_or_load<L: Loader>(
        &self,
        key: &Key,
        policy: &Policy,
        demand: Demand,
        loader: impl FnOnce() -> L,
    ) -> Result<Answer<L::Pass>, Failure> {
        let now_ms = self.0.clock.now_ms();
        if let Some(answer) = self.hit(key, policy, demand, now_ms) {
            return Ok(answer);
        }
        Box::pin(Read::new(&self.0, key, policy, demand, loader, now_ms).run()).await
    }

    /// The common case: a fresh value that needs nothing. No allocation, no lock but the map's own.
    #[inline]
    fn hit<P>(&self, key: &Key, policy: &Policy, demand: Demand, now_ms: u64) -> Option<Answer<P>> {
        if !matches!(demand, Demand::Any | Demand::OnlyIfCached) {
            return None;
        }
        let (entry, marking) = self.0.desk.look(key)?;
        match judge(&entry, policy, now_ms, marking) {
            Verdict::Fresh { refresh_due } if !refresh_due || !entry.may_refresh(now_ms) => {
                entry.cell.hits.one();
                entry.note_read(now_ms);
                Some(Answer::kept(entry, Served::Hit, Tier::Memory, now_ms, None))
            }
            _ => None,
        }
    }

    /// What is kept under the key, of whatever age and however marked. Leaves no trace: for diagnosis.
    pub fn peek(&self, key: &Key) -> Option<Arc<Entry>> {
        self.0.desk.memory.peek(key)
    }

    /// Everything that is known of a key. Leaves no trace: for diagnosis.
    pub fn diagnose(&self, key: &Key) -> Diagnosis {
        self.0.diagnose(key)
    }

    /// Invalidates. When this returns, no later read is answered with anything whose load began before, except in
    /// place of a failed load where `how` allows it.
    pub fn invalidate(&self, scope: &Scope, how: &Invalidation) -> Stamp {
        self.0.tally.invalidations.one();
        self.0.desk.invalidate(scope, how, self.0.clock.now_ms())
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.0.desk.settings
    }

    /// The clock this cache goes by.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The figures at this moment.
    pub fn stats(&self) -> Stats {
        let desk = &self.0.desk;
        let (markers, markers_folded) = desk.markers.count();
        Stats {
            bytes: desk.memory.bytes(),
            max_bytes: desk.settings.max_bytes,
            entries: desk.memory.entries(),
            flights: desk.flights.count() as u64,
            markers: markers as u64,
            markers_folded,
            warm_keys: self.0.warm.len() as u64,
            warm_looked_ms: self.0.warm.looked_ms(),
            ..self.0.tally.snapshot()
        }
    }

    /// Forgets what was counted so far.
    pub fn reset_stats(&self) {
        self.0.tally.reset();
    }

    /// Asks now for every key that is kept warm, in one namespace or in all, and waits for it. Returns how many
    /// were asked for.
    pub async fn warm_now(&self, namespace: Option<&str>) -> usize {
        self.0.warm_all(namespace).await
    }

    /// Refreshes a key that is kept warm, if four fifths of its fresh time have passed: for who knows that a read of it is
    /// to be expected, whatever its rhythm. Counted as warming, and bounded by the same budget. Returns whether a load
    /// began.
    pub fn refresh_due(&self, key: &Key) -> bool {
        self.0.refresh_due(key)
    }

    /// The keys of a partition that are kept warm, and in which rhythm they are read: what to keep over a restart.
    pub fn warm_keys(&self, namespace: &str, partition: &Partition) -> Vec<(Key, Rhythm)> {
        self.0.warm_keys(namespace, partition)
    }

    /// Keeps a key warm as it was before a restart, with a loader of the caller's own, if something is kept for it
    /// on disk. It is no read, and what is loaded for it is counted as warming.
    #[cfg(not(feature = "shuttle"))]
    pub async fn resume_warm<L: Loader>(&self, key: &Key, policy: &Policy, loader: L, rhythm: Rhythm) {
        self.0.resume_warm(key, policy, loader, rhythm).await;
    }

    /// Starts the warmer on the tracker. It stops at [`Self::shutdown`].
    pub fn run_warmer(&self) {
        self.0.tasks.spawn(Arc::clone(&self.0).warm_on());
    }

    /// Stops the warmer, forgets the loaders it kept, and starts no refresh any more. Loads under way end by
    /// themselves; wait for the tracker.
    pub fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.warm.clear();
    }
}
