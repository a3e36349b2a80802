//! Whether the server is down, and what follows from it.
//!
//! Rooms: [`machine`] (the decision), `probe` (the one request that is made while it is down). This file is their
//! owner: it counts what came of every request, lets the server be probed, and tells everybody who has to know.
//!
//! After a probe succeeds the server is *returning* for a moment: event sockets that were cut attach again first,
//! then reads are let through. In the other order, what is read meanwhile would have to be read once more, because
//! nobody tells what happened before the socket was there.

pub mod machine;
mod probe;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

pub use machine::{Change, Machine, Outage, Outcome, State};

use crate::Origin;
use crate::fact::Fact;

/// How long a server that is back is kept waiting for event sockets to attach before reads are let through.
const ATTACHING: Duration = Duration::from_secs(2);

/// Where a server stands for those who wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It can be asked.
    There,
    /// It is down.
    Down,
    /// It is back: sockets attach, reads wait a moment.
    Returning,
}

/// The breaker of one server.
#[derive(Debug)]
pub struct Breaker {
    machine: Mutex<Machine>,
    /// The outage as it was when the server came back, until sockets have attached.
    last_outage: Mutex<Option<Outage>>,
    /// What [`Phase`] says, for those who only look: not [`Phase::There`].
    is_shut: AtomicBool,
    phase: watch::Sender<Phase>,
    /// Event sockets that were cut and are not attached again.
    attaching: watch::Sender<usize>,
    probe_wanted: Notify,
    /// How often a probe gave a verdict.
    judged: watch::Sender<u64>,
    opened: AtomicU64,
    probes: AtomicU64,
    unattached: AtomicU64,
    /// When the server last was in trouble that a restart looks like, in milliseconds.
    troubled_ms: AtomicU64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            machine: Mutex::default(),
            last_outage: Mutex::default(),
            is_shut: AtomicBool::new(false),
            phase: watch::Sender::new(Phase::There),
            attaching: watch::Sender::new(0),
            probe_wanted: Notify::new(),
            judged: watch::Sender::new(0),
            opened: AtomicU64::new(0),
            probes: AtomicU64::new(0),
            unattached: AtomicU64::new(0),
            troubled_ms: AtomicU64::new(0),
        }
    }
}

/// How often what happened, since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The server went down.
    pub opened: u64,
    /// It was asked whether it is back.
    pub probes: u64,
    /// Reads were let through before every event socket had attached again.
    pub unattached: u64,
}

/// An event socket that was cut and is not attached again, as long as this lives.
#[derive(Debug)]
pub struct Attaching<'a>(&'a Breaker);

impl Drop for Attaching<'_> {
    fn drop(&mut self) {
        self.0.attaching.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Breaker {
    /// Whether requests may go to the server.
    pub fn admits(&self) -> bool {
        !self.is_shut.load(Ordering::Acquire)
    }

    /// Notes what came of a request for `key`.
    pub fn note(&self, key: u64, outcome: Outcome, now_ms: u64) {
        if matches!(outcome, Outcome::Unreachable | Outcome::Unwilling) {
            self.note_trouble(now_ms);
        }
        if self.machine.lock().note(key, outcome, now_ms) {
            self.probe_wanted.notify_one();
        }
    }

    /// Notes that the server starts, was restarted, or lost its sockets.
    pub fn note_trouble(&self, now_ms: u64) {
        self.troubled_ms.store(now_ms, Ordering::Release);
    }

    /// When the server last was in trouble that a restart looks like; 0 if never.
    pub fn troubled_ms(&self) -> u64 {
        self.troubled_ms.load(Ordering::Acquire)
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.machine.lock().state()
    }

    /// The outage, as long as requests are held back.
    #[inline]
    pub fn outage(&self) -> Option<Outage> {
        if self.admits() {
            return None;
        }
        self.machine.lock().outage().or(*self.last_outage.lock())
    }

    /// When the server answered last, and since when it is down; 0 for never and not.
    pub fn heard(&self) -> (u64, u64) {
        let machine = self.machine.lock();
        (machine.heard_ms(), machine.outage().map_or(0, |outage| outage.since_ms))
    }

    /// Takes over how an earlier process left the server: see [`Machine::restore`].
    pub fn restore(&self, heard_ms: u64, down_since_ms: u64) {
        self.machine.lock().restore(heard_ms, down_since_ms);
        if down_since_ms > 0 {
            self.enter(Phase::Down);
        }
    }

    /// Waits until it is known whether a server that was down before this process began still is.
    pub async fn is_judged(&self) {
        if !self.admits() {
            drop(self.judged.subscribe().wait_for(|judged| *judged > 0).await);
        }
    }

    /// What happened since start.
    pub fn counts(&self) -> Counts {
        Counts {
            opened: self.opened.load(Ordering::Relaxed),
            probes: self.probes.load(Ordering::Relaxed),
            unattached: self.unattached.load(Ordering::Relaxed),
        }
    }

    /// Waits until the server is down.
    pub async fn down(&self) {
        self.reaches(|phase| phase == Phase::Down).await;
    }

    /// Waits until the server is not down; sockets may attach from here on.
    pub async fn back(&self) {
        self.reaches(|phase| phase != Phase::Down).await;
    }

    /// Waits until requests may go to the server.
    pub async fn there(&self) {
        self.reaches(|phase| phase == Phase::There).await;
    }

    /// Event sockets that were cut and are not attached again.
    pub fn cut_sockets(&self) -> usize {
        *self.attaching.borrow()
    }

    /// An event socket was cut.
    pub fn attaching(&self) -> Attaching<'_> {
        self.attaching.send_modify(|count| *count += 1);
        Attaching(self)
    }

    async fn reaches(&self, holds: impl Fn(Phase) -> bool) {
        let mut phase = self.phase.subscribe();
        // The sender lives as long as we do.
        drop(phase.wait_for(|phase| holds(*phase)).await);
    }

    fn enter(&self, phase: Phase) {
        self.is_shut.store(phase != Phase::There, Ordering::Release);
        self.phase.send_replace(phase);
    }
}

/// Probes the server whenever the machine wants it, until the server is stopped.
pub async fn keep(server: Arc<Origin>) {
    let stop = server.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = probing(&server) => {}
    }
}

async fn probing(server: &Origin) {
    let breaker = &server.breaker;
    loop {
        let due_ms = breaker.machine.lock().probe_due_ms();
        let Some(due_ms) = due_ms else {
            breaker.probe_wanted.notified().await;
            continue;
        };
        let wait_ms = due_ms.saturating_sub(server.clock.now_ms());
        if wait_ms > 0 {
            server.clock.sleep(Duration::from_millis(wait_ms)).await;
            continue;
        }
        let now_ms = server.clock.now_ms();
        breaker.machine.lock().begin_probe(now_ms, jitter(server, now_ms));
        breaker.probes.fetch_add(1, Ordering::Relaxed);
        let is_well = probe::is_well(server).await;
        let now_ms = server.clock.now_ms();
        let (before, change) = {
            let mut machine = breaker.machine.lock();
            (machine.outage(), machine.probed(is_well, now_ms))
        };
        match change {
            Change::None => {}
            Change::Opened => open(server),
            Change::Closed => close(server, before, now_ms).await,
        }
        breaker.judged.send_modify(|judged| *judged += 1);
    }
}

fn open(server: &Origin) {
    server.breaker.opened.fetch_add(1, Ordering::Relaxed);
    server.breaker.enter(Phase::Down);
    tracing::warn!(server = server.name(), "the server is down; reads are answered from the cache");
    server.facts.tell(&Fact::ServerDown { server: server.name().to_owned() });
}

async fn close(server: &Origin, outage: Option<Outage>, now_ms: u64) {
    let breaker = &server.breaker;
    *breaker.last_outage.lock() = outage;
    breaker.note_trouble(now_ms);
    breaker.enter(Phase::Returning);
    let mut attaching = breaker.attaching.subscribe();
    let attached = attaching.wait_for(|count| *count == 0);
    let has_waited_in_vain = server.clock.timeout(ATTACHING, attached).await.is_err();
    if has_waited_in_vain {
        // Who has not attached by now does it while reads pass already.
        breaker.unattached.fetch_add(1, Ordering::Relaxed);
    }
    breaker.enter(Phase::There);
    tracing::info!(server = server.name(), "the server is back");
    let after_ms = outage.map_or(0, |outage| now_ms.saturating_sub(outage.since_ms));
    server.facts.tell(&Fact::ServerUp { server: server.name().to_owned(), after_ms });
}

/// A number that differs from server to server and from time to time.
fn jitter(server: &Origin, now_ms: u64) -> u64 {
    key_of(server.name()) ^ key_of(&now_ms.to_string())
}

/// What stands for one thing that is asked for.
pub fn key_of(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_server_that_is_back_may_be_asked_only_when_sockets_have_attached() {
        let breaker = Breaker::default();
        for (phase, is_back, is_there) in
            [(Phase::There, true, true), (Phase::Down, false, false), (Phase::Returning, true, false)]
        {
            breaker.enter(phase);
            assert_eq!(breaker.back().now_or_never().is_some(), is_back, "{phase:?}");
            assert_eq!(breaker.there().now_or_never().is_some(), is_there, "{phase:?}");
            assert_eq!(breaker.admits(), is_there, "{phase:?}");
        }
    }
}
