//! A naive cache: the same promises without the machinery. No hashes, no epochs, no shared tasks, no limits: it keeps
//! every invalidation ever made and checks all of them for every request.

mod read;

use super::fixture::LoadScript;
use crate::{CacheDirective, CacheSettings, CacheStatus, InvalidationMode, LoadErrorKind};

/// (partition, key), by index into [`PARTITIONS`] and [`TEXTS`].
pub(crate) type KeyIndex = (usize, usize);

pub(crate) const PARTITIONS: [&str; 2] = ["anna", "bert"];
pub(crate) const TEXTS: [&str; 3] = ["/a/x", "/a/y", "/b"];
pub(crate) const SETTLE_MS: u64 = 3000;
pub(crate) const SETTLE_FRESH_MS: u64 = 1000;
pub(crate) const HOLD_MS: u64 = 30_000;

/// What an invalidation covers, spelled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NaiveScope {
    Key(KeyIndex),
    Tag(Option<usize>, u8),
    Prefix(Option<usize>, &'static str),
    Partition(usize),
    Everything,
}

#[derive(Debug, Clone)]
pub(crate) struct NaiveInvalidation {
    pub(crate) reach: NaiveScope,
    pub(crate) mode: InvalidationMode,
    pub(crate) settles: bool,
    pub(crate) holds: bool,
    order: u64,
    at_ms: u64,
}

impl NaiveInvalidation {
    pub(crate) fn new(reach: NaiveScope, mode: InvalidationMode, settles: bool, holds: bool) -> Self {
        Self { reach, mode, settles, holds, order: 0, at_ms: 0 }
    }

    /// Whether it covers a value of that key with these tags; `None` for unknown tags, any of which it may cover.
    fn covers(&self, who: KeyIndex, tags: Option<u8>) -> bool {
        match self.reach {
            NaiveScope::Key(key) => key == who,
            NaiveScope::Tag(_, _) if tags.is_none() => true,
            NaiveScope::Tag(partition, tag) => {
                partition.is_none_or(|partition| partition == who.0) && tags.unwrap_or(0) & (1 << tag) != 0
            }
            NaiveScope::Prefix(partition, prefix) => {
                let text = TEXTS[who.1];
                let below = text == prefix || text.starts_with(&format!("{prefix}/"));
                partition.is_none_or(|partition| partition == who.0) && below
            }
            NaiveScope::Partition(partition) => partition == who.0,
            NaiveScope::Everything => true,
        }
    }

    /// Until when nothing covered is stored.
    fn hold_until_ms(&self) -> Option<u64> {
        self.holds.then_some(self.at_ms + HOLD_MS)
    }
}

/// The source's response for a key.
#[derive(Debug, Clone, Default)]
pub(crate) struct NaiveScript {
    pub(crate) says: LoadScript,
    pub(crate) version: u64,
    pub(crate) takes_ms: u64,
    pub(crate) tags: u8,
}

#[derive(Debug, Clone)]
struct NaiveEntry {
    who: KeyIndex,
    version: u64,
    tags: u8,
    order: u64,
    began_ms: u64,
    fresh_until_ms: u64,
    stale_until_ms: u64,
    error_until_ms: u64,
}

#[derive(Debug, Clone)]
struct NaiveFlight {
    who: KeyIndex,
    order: u64,
    began_ms: u64,
    due_ms: u64,
    script: NaiveScript,
    /// Other callers can join it.
    open: bool,
    /// Unshared from the start: its failure concerns only its caller.
    alone: bool,
    /// Order number of the entry it refreshes.
    refreshes: Option<u64>,
}

#[derive(Debug, Clone)]
enum NaiveNegativeEntry {
    Failed { who: KeyIndex, kind: LoadErrorKind, order: u64, began_ms: u64, until_ms: u64 },
    Uncacheable { who: KeyIndex, until_ms: u64 },
}

impl NaiveNegativeEntry {
    fn who(&self) -> KeyIndex {
        match self {
            Self::Failed { who, .. } | Self::Uncacheable { who, .. } => *who,
        }
    }
}

/// The naive cache's response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExpectedResponse {
    Value(CacheStatus, String),
    Passed(u64),
    Failed(LoadErrorKind),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NaiveValidity {
    Clear,
    Marked,
    Purged,
}

/// A read in progress.
#[derive(Debug, Clone)]
struct Caller {
    who: KeyIndex,
    demand: CacheDirective,
    order: u64,
    arrived_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct NaiveCache {
    pub(crate) now_ms: u64,
    order: u64,
    pub(crate) scripts: [NaiveScript; 3],
    kept: Vec<NaiveEntry>,
    invalidations: Vec<NaiveInvalidation>,
    flights: Vec<NaiveFlight>,
    memos: Vec<NaiveNegativeEntry>,
    /// An invalidation that happens while a caller waits.
    pub(crate) coming: Option<(u64, NaiveInvalidation)>,
    pub(crate) loads: usize,
    /// Two events in one millisecond have different results depending on their order, which is not specified, so the
    /// history ends here.
    pub(crate) tied: bool,
}

impl NaiveCache {
    fn next(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    pub(crate) fn invalidate(&mut self, mut invalidated: NaiveInvalidation) {
        (invalidated.order, invalidated.at_ms) = (self.next(), self.now_ms);
        if let (NaiveScope::Key(key), InvalidationMode::Purge) = (&invalidated.reach, invalidated.mode) {
            self.kept.retain(|kept| kept.who != *key);
        }
        self.invalidations.push(invalidated);
    }

    /// Lets time pass until then, or until that flight completes; returns the flight if it did.
    fn run(&mut self, until_ms: u64, flight: Option<u64>) -> Option<NaiveFlight> {
        loop {
            let next = self.flights.iter().min_by_key(|flight| (flight.due_ms, flight.order)).cloned();
            let coming_ms = self.coming.as_ref().map(|(at_ms, _)| *at_ms);
            let due_ms = next.as_ref().map(|next| next.due_ms);
            self.tied |= coming_ms.is_some() && coming_ms == due_ms;
            self.tied |= flight.is_some() && (coming_ms == Some(until_ms) || due_ms == Some(until_ms));
            self.tied |= next.as_ref().is_some_and(|next| self.meets_another(next));
            match (next, coming_ms) {
                (next, Some(at_ms)) if at_ms <= until_ms && next.as_ref().is_none_or(|next| at_ms <= next.due_ms) => {
                    self.now_ms = at_ms;
                    let (_, invalidated) = self.coming.take().unwrap();
                    self.invalidate(invalidated);
                }
                (Some(next), _) if next.due_ms <= until_ms => {
                    self.now_ms = next.due_ms.max(self.now_ms);
                    self.flights.retain(|flight| flight.order != next.order);
                    self.land(&next);
                    if flight == Some(next.order) {
                        return Some(next);
                    }
                }
                _ => {
                    self.now_ms = until_ms;
                    return None;
                }
            }
        }
    }

    /// Whether another load of its key completes in the same millisecond.
    fn meets_another(&self, flight: &NaiveFlight) -> bool {
        let meets = |other: &&NaiveFlight| {
            other.order != flight.order && (other.who, other.due_ms) == (flight.who, flight.due_ms)
        };
        flight.due_ms > self.now_ms && self.flights.iter().any(|other| meets(&other))
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.run(self.now_ms + millis, None);
    }

    fn land(&mut self, flight: &NaiveFlight) {
        let who = flight.who;
        match flight.script.says {
            LoadScript::Value => self.store(flight),
            _ if flight.alone => {}
            LoadScript::Gone => self.kept.retain(|kept| kept.who != who || kept.order > flight.order),
            LoadScript::Pass => {
                self.remember(NaiveNegativeEntry::Uncacheable { who, until_ms: self.now_ms + 60_000 });
            }
            LoadScript::Fail(kind) => {
                let lasting = u64::try_from(kind.negative_ttl(&CacheSettings::default()).as_millis()).unwrap();
                if lasting > 0 {
                    let (order, began_ms, until_ms) = (flight.order, flight.began_ms, self.now_ms + lasting);
                    self.remember(NaiveNegativeEntry::Failed { who, kind, order, began_ms, until_ms });
                }
            }
            LoadScript::Share | LoadScript::Panic => {}
        }
    }

    fn store(&mut self, flight: &NaiveFlight) {
        let (who, tags) = (flight.who, flight.script.tags);
        let covering: Vec<_> = self.invalidations.iter().filter(|one| one.covers(who, Some(tags))).collect();
        let overtaken = covering.iter().any(|one| one.order > flight.order);
        let held = covering.iter().any(|one| one.hold_until_ms().is_some_and(|until| flight.began_ms <= until));
        let settling = covering.iter().any(|one| one.settles && flight.began_ms < one.at_ms + SETTLE_MS);
        let newer = self.kept.iter().any(|kept| kept.who == who && kept.order > flight.order);
        if overtaken || held || newer {
            return;
        }
        let (fresh_ms, stale_ms) = if settling { (SETTLE_FRESH_MS, 0) } else { (100_000, 50_000) };
        self.kept.retain(|kept| kept.who != who);
        self.memos.retain(|memo| memo.who() != who);
        self.kept.push(NaiveEntry {
            who,
            version: flight.script.version,
            tags,
            order: flight.order,
            began_ms: flight.began_ms,
            fresh_until_ms: self.now_ms + fresh_ms,
            stale_until_ms: self.now_ms + fresh_ms + stale_ms,
            error_until_ms: self.now_ms + 1_150_000,
        });
    }

    fn remember(&mut self, memo: NaiveNegativeEntry) {
        self.memos.retain(|other| other.who() != memo.who());
        self.memos.push(memo);
    }

    fn mark(&self, kept: &NaiveEntry) -> NaiveValidity {
        let after = |one: &&NaiveInvalidation| one.order > kept.order && one.covers(kept.who, Some(kept.tags));
        let mut after = self.invalidations.iter().filter(after);
        match after.clone().next() {
            None => NaiveValidity::Clear,
            Some(_) if after.any(|one| one.mode == InvalidationMode::Purge) => NaiveValidity::Purged,
            Some(_) => NaiveValidity::Marked,
        }
    }

    fn look(&self, who: KeyIndex) -> Option<(NaiveEntry, NaiveValidity)> {
        let kept = self.kept.iter().find(|kept| kept.who == who)?;
        Some((kept.clone(), self.mark(kept)))
    }

    fn recall(&self, who: KeyIndex) -> Option<NaiveNegativeEntry> {
        let memo = self.memos.iter().find(|memo| memo.who() == who)?;
        let holds = match memo {
            NaiveNegativeEntry::Failed { order, began_ms, until_ms, .. } => {
                let overtaken = self.invalidations.iter().any(|one| {
                    let held = one.hold_until_ms().is_some_and(|until| *began_ms <= until);
                    one.covers(who, None) && (one.order > *order || held)
                });
                self.now_ms < *until_ms && !overtaken
            }
            NaiveNegativeEntry::Uncacheable { until_ms, .. } => self.now_ms < *until_ms,
        };
        holds.then(|| memo.clone())
    }

    fn start(&mut self, who: KeyIndex, open: bool, refreshes: Option<u64>) -> NaiveFlight {
        let script = self.scripts[who.1].clone();
        let (order, began_ms) = (self.next(), self.now_ms);
        self.loads += 1;
        if open {
            self.flights.iter_mut().filter(|flight| flight.who == who).for_each(|flight| flight.open = false);
        }
        let flight = NaiveFlight {
            who,
            order,
            began_ms,
            due_ms: began_ms + script.takes_ms,
            script,
            open,
            alone: !open,
            refreshes,
        };
        self.flights.push(flight.clone());
        flight
    }

    /// The flight that a caller with this entry may join. Without an entry, any tag may be one of the value's.
    fn joinable(&self, who: KeyIndex, seen: Option<&NaiveEntry>) -> Option<NaiveFlight> {
        let flight = self.flights.iter().find(|flight| flight.who == who && flight.open)?;
        let overtaken = self.invalidations.iter().any(|one| {
            let held = one.hold_until_ms().is_some_and(|until| flight.began_ms <= until && until < self.now_ms);
            one.covers(who, seen.map(|kept| kept.tags)) && (one.order > flight.order || held)
        });
        (!overtaken).then(|| flight.clone())
    }

    /// Whether a flight's result is valid for that caller.
    fn serves(&self, flight: &NaiveFlight, caller: &Caller) -> bool {
        let tags = matches!(flight.script.says, LoadScript::Value).then_some(flight.script.tags);
        caller.order < flight.order
            || !self.invalidations.iter().any(|one| {
                let between = flight.order < one.order && one.order < caller.order;
                let held =
                    one.hold_until_ms().is_some_and(|until| flight.began_ms <= until && until < caller.arrived_ms);
                one.covers(flight.who, tags) && (between || held)
            })
    }

    fn good_for_anything(&self, kept: &NaiveEntry, mark: NaiveValidity) -> bool {
        mark != NaiveValidity::Purged && self.now_ms < kept.error_until_ms
    }

    fn text(kept: &NaiveEntry) -> String {
        format!("{} v{}", PARTITIONS[kept.who.0], kept.version)
    }

    /// The cached version of a key.
    pub(crate) fn keeps(&self, who: KeyIndex) -> Option<String> {
        self.look(who).map(|(kept, _)| Self::text(&kept))
    }
}
