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

/// Scope of an invalidation, spelled out.
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
    pub(crate) scope: NaiveScope,
    pub(crate) mode: InvalidationMode,
    pub(crate) has_grace_period: bool,
    pub(crate) holds: bool,
    order: u64,
    at_ms: u64,
}

impl NaiveInvalidation {
    pub(crate) fn new(scope: NaiveScope, mode: InvalidationMode, has_grace_period: bool, holds: bool) -> Self {
        Self { scope, mode, has_grace_period, holds, order: 0, at_ms: 0 }
    }

    /// Whether it covers a value of that key with these tags; `None` for unknown tags, any of which it may cover.
    fn covers(&self, key: KeyIndex, tags: Option<u8>) -> bool {
        match self.scope {
            NaiveScope::Key(covered) => covered == key,
            NaiveScope::Tag(_, _) if tags.is_none() => true,
            NaiveScope::Tag(partition, tag) => {
                partition.is_none_or(|partition| partition == key.0) && tags.unwrap_or(0) & (1 << tag) != 0
            }
            NaiveScope::Prefix(partition, prefix) => {
                let text = TEXTS[key.1];
                let is_below = text == prefix || text.starts_with(&format!("{prefix}/"));
                partition.is_none_or(|partition| partition == key.0) && is_below
            }
            NaiveScope::Partition(partition) => partition == key.0,
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
    pub(crate) response: LoadScript,
    pub(crate) version: u64,
    pub(crate) takes_ms: u64,
    pub(crate) tags: u8,
}

#[derive(Debug, Clone)]
struct NaiveEntry {
    key: KeyIndex,
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
    key: KeyIndex,
    order: u64,
    began_ms: u64,
    due_ms: u64,
    script: NaiveScript,
    /// Other callers can join it.
    open: bool,
    /// Unshared from the start: its failure concerns only its caller.
    load_alone: bool,
    /// Order number of the entry it refreshes.
    refreshes: Option<u64>,
    /// The entry that its end will confirm, or did confirm.
    confirms: Option<NaiveEntry>,
}

#[derive(Debug, Clone)]
enum NaiveNegativeEntry {
    Failed { key: KeyIndex, kind: LoadErrorKind, order: u64, began_ms: u64, until_ms: u64 },
    Absent { key: KeyIndex, tags: u8, order: u64, began_ms: u64, until_ms: u64 },
    Uncacheable { key: KeyIndex, until_ms: u64 },
}

impl NaiveNegativeEntry {
    fn who(&self) -> KeyIndex {
        match self {
            Self::Failed { key, .. } | Self::Absent { key, .. } | Self::Uncacheable { key, .. } => *key,
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
    key: KeyIndex,
    directive: CacheDirective,
    order: u64,
    arrived_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct NaiveCache {
    pub(crate) now_ms: u64,
    order: u64,
    pub(crate) scripts: [NaiveScript; 3],
    entries: Vec<NaiveEntry>,
    invalidations: Vec<NaiveInvalidation>,
    flights: Vec<NaiveFlight>,
    negatives: Vec<NaiveNegativeEntry>,
    /// An invalidation that happens while a caller waits.
    pub(crate) next_hold_end: Option<(u64, NaiveInvalidation)>,
    pub(crate) loads: usize,
    /// Entries from before this are unconfirmed.
    pub(crate) unconfirmed_before_ms: u64,
    /// Two events in one millisecond have different results depending on their order, which is not specified, so the
    /// history ends here.
    pub(crate) same_time: bool,
}

impl NaiveCache {
    fn next(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    pub(crate) fn invalidate(&mut self, mut invalidated: NaiveInvalidation) {
        (invalidated.order, invalidated.at_ms) = (self.next(), self.now_ms);
        if let (NaiveScope::Key(key), InvalidationMode::Purge) = (&invalidated.scope, invalidated.mode) {
            self.entries.retain(|entry| entry.key != *key);
        }
        self.invalidations.push(invalidated);
    }

    /// Lets time pass until then, or until that flight completes; returns the flight if it did.
    fn run(&mut self, until_ms: u64, flight: Option<u64>) -> Option<NaiveFlight> {
        loop {
            let next = self.flights.iter().min_by_key(|flight| (flight.due_ms, flight.order)).cloned();
            let next_ms = self.next_hold_end.as_ref().map(|(at_ms, _)| *at_ms);
            let due_ms = next.as_ref().map(|next| next.due_ms);
            self.same_time |= next_ms.is_some() && next_ms == due_ms;
            self.same_time |= flight.is_some() && (next_ms == Some(until_ms) || due_ms == Some(until_ms));
            self.same_time |= next.as_ref().is_some_and(|next| self.is_shared(next));
            match (next, next_ms) {
                (next, Some(at_ms)) if at_ms <= until_ms && next.as_ref().is_none_or(|next| at_ms <= next.due_ms) => {
                    self.now_ms = at_ms;
                    let (_, invalidated) = self.next_hold_end.take().unwrap();
                    self.invalidate(invalidated);
                }
                (Some(next), _) if next.due_ms <= until_ms => {
                    self.now_ms = next.due_ms.max(self.now_ms);
                    self.flights.retain(|flight| flight.order != next.order);
                    match &next.confirms {
                        Some(old) if !self.confirm(&next, old) => {
                            self.load_instead(&next);
                            continue;
                        }
                        Some(_) => {}
                        None => self.finish_load(&next),
                    }
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
    fn is_shared(&self, flight: &NaiveFlight) -> bool {
        let is_same_key = |other: &&NaiveFlight| {
            other.order != flight.order && (other.key, other.due_ms) == (flight.key, flight.due_ms)
        };
        flight.due_ms > self.now_ms && self.flights.iter().any(|other| is_same_key(&other))
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.run(self.now_ms + millis, None);
    }

    /// Stores an entry again, unless it was invalidated since its load, was loaded while a write settled, or is not the
    /// newest.
    fn confirm(&mut self, flight: &NaiveFlight, old: &NaiveEntry) -> bool {
        let mut covering = self.invalidations.iter().filter(|one| one.covers(old.key, Some(old.tags)));
        let is_forbidden = covering.any(|one| {
            let is_settling = one.has_grace_period && old.began_ms < one.at_ms + SETTLE_MS;
            let is_held = one.hold_until_ms().is_some_and(|until| old.began_ms <= until);
            one.order > old.order || is_settling || is_held
        });
        if is_forbidden || self.entries.iter().any(|entry| entry.key == old.key && entry.order > flight.order) {
            return false;
        }
        self.entries.retain(|entry| entry.key != old.key);
        self.negatives.retain(|negative| negative.who() != old.key);
        let began_ms = flight.began_ms;
        self.entries.push(NaiveEntry {
            order: flight.order,
            began_ms,
            fresh_until_ms: began_ms + 100_000,
            stale_until_ms: began_ms + 150_000,
            error_until_ms: began_ms + 1_150_000,
            ..old.clone()
        });
        true
    }

    /// The load of a flight that may not confirm its entry.
    fn load_instead(&mut self, flight: &NaiveFlight) {
        self.loads += 1;
        let script = self.scripts[flight.key.1].clone();
        self.flights.push(NaiveFlight {
            due_ms: self.now_ms + script.takes_ms,
            script,
            confirms: None,
            ..flight.clone()
        });
    }

    fn is_unconfirmed(&self, entry: &NaiveEntry) -> bool {
        entry.began_ms < self.unconfirmed_before_ms
    }

    fn finish_load(&mut self, flight: &NaiveFlight) {
        let key = flight.key;
        match flight.script.response {
            LoadScript::Value | LoadScript::Confirm => self.store(flight),
            LoadScript::Share => {
                let is_absence = |negative: &NaiveNegativeEntry| matches!(negative, NaiveNegativeEntry::Absent { .. });
                self.negatives.retain(|negative| negative.who() != key || !is_absence(negative));
            }
            _ if flight.load_alone => {}
            LoadScript::Gone => self.entries.retain(|entry| entry.key != key || entry.order > flight.order),
            LoadScript::Absent => {
                self.entries.retain(|entry| entry.key != key || entry.order > flight.order);
                if let Some(is_settling) = self.storable(flight) {
                    let until_ms = self.now_ms + if is_settling { SETTLE_FRESH_MS } else { 60_000 };
                    let (tags, order, began_ms) = (flight.script.tags, flight.order, flight.began_ms);
                    self.remember(NaiveNegativeEntry::Absent { key, tags, order, began_ms, until_ms });
                }
            }
            LoadScript::Pass => {
                self.remember(NaiveNegativeEntry::Uncacheable { key, until_ms: self.now_ms + 60_000 });
            }
            LoadScript::Fail(kind) => {
                let lasting = u64::try_from(kind.negative_ttl(&CacheSettings::default()).as_millis()).unwrap();
                if lasting > 0 {
                    let (order, began_ms, until_ms) = (flight.order, flight.began_ms, self.now_ms + lasting);
                    self.remember(NaiveNegativeEntry::Failed { key, kind, order, began_ms, until_ms });
                }
            }
            LoadScript::Panic => {}
        }
    }

    /// Whether the result of a load may be stored, and if so, whether a write is settling.
    fn storable(&self, flight: &NaiveFlight) -> Option<bool> {
        let (key, tags) = (flight.key, flight.script.tags);
        let covering: Vec<_> = self.invalidations.iter().filter(|one| one.covers(key, Some(tags))).collect();
        let overtaken = covering.iter().any(|one| one.order > flight.order);
        let held = covering.iter().any(|one| one.hold_until_ms().is_some_and(|until| flight.began_ms <= until));
        let settling = covering.iter().any(|one| one.has_grace_period && flight.began_ms < one.at_ms + SETTLE_MS);
        let newer = self.entries.iter().any(|entry| entry.key == key && entry.order > flight.order);
        (!overtaken && !held && !newer).then_some(settling)
    }

    fn store(&mut self, flight: &NaiveFlight) {
        let (key, tags) = (flight.key, flight.script.tags);
        let Some(settling) = self.storable(flight) else { return };
        let (fresh_ms, stale_ms) = if settling { (SETTLE_FRESH_MS, 0) } else { (100_000, 50_000) };
        self.entries.retain(|entry| entry.key != key);
        self.negatives.retain(|negative| negative.who() != key);
        self.entries.push(NaiveEntry {
            key,
            version: flight.script.version,
            tags,
            order: flight.order,
            began_ms: flight.began_ms,
            fresh_until_ms: self.now_ms + fresh_ms,
            stale_until_ms: self.now_ms + fresh_ms + stale_ms,
            error_until_ms: self.now_ms + 1_150_000,
        });
    }

    fn remember(&mut self, negative: NaiveNegativeEntry) {
        self.negatives.retain(|other| other.who() != negative.who());
        self.negatives.push(negative);
    }

    fn validity(&self, entry: &NaiveEntry) -> NaiveValidity {
        let after = |one: &&NaiveInvalidation| one.order > entry.order && one.covers(entry.key, Some(entry.tags));
        let mut after = self.invalidations.iter().filter(after);
        match after.clone().next() {
            None => NaiveValidity::Clear,
            Some(_) if after.any(|one| one.mode == InvalidationMode::Purge) => NaiveValidity::Purged,
            Some(_) => NaiveValidity::Marked,
        }
    }

    fn cached(&self, key: KeyIndex) -> Option<(NaiveEntry, NaiveValidity)> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some((entry.clone(), self.validity(entry)))
    }

    fn negative(&self, key: KeyIndex) -> Option<NaiveNegativeEntry> {
        let negative = self.negatives.iter().find(|negative| negative.who() == key)?;
        let holds = match negative {
            NaiveNegativeEntry::Failed { order, began_ms, until_ms, .. } => {
                let overtaken = self.invalidations.iter().any(|one| {
                    let held = one.hold_until_ms().is_some_and(|until| *began_ms <= until);
                    one.covers(key, None) && (one.order > *order || held)
                });
                self.now_ms < *until_ms && !overtaken
            }
            NaiveNegativeEntry::Absent { tags, order, began_ms, until_ms, .. } => {
                let overtaken = self.invalidations.iter().any(|one| {
                    let held = one.hold_until_ms().is_some_and(|until| *began_ms <= until && until < self.now_ms);
                    one.covers(key, Some(*tags)) && (one.order > *order || held)
                });
                self.now_ms < *until_ms && !overtaken
            }
            NaiveNegativeEntry::Uncacheable { until_ms, .. } => self.now_ms < *until_ms,
        };
        holds.then(|| negative.clone())
    }

    /// Starts a load. `old` is the entry that it may confirm.
    fn start(&mut self, key: KeyIndex, open: bool, refreshes: Option<u64>, old: Option<NaiveEntry>) -> NaiveFlight {
        let script = self.scripts[key.1].clone();
        let (order, began_ms) = (self.next(), self.now_ms);
        self.loads += 1;
        if open {
            self.flights.iter_mut().filter(|flight| flight.key == key).for_each(|flight| flight.open = false);
        }
        let flight = NaiveFlight {
            key,
            order,
            began_ms,
            due_ms: began_ms + script.takes_ms,
            confirms: old.filter(|_| matches!(script.response, LoadScript::Confirm)),
            script,
            open,
            load_alone: !open,
            refreshes,
        };
        self.flights.push(flight.clone());
        flight
    }

    /// The flight that a caller with this entry may join. Without an entry, any tag may be one of the value's.
    fn joinable(&self, key: KeyIndex, seen: Option<&NaiveEntry>) -> Option<NaiveFlight> {
        let flight = self.flights.iter().find(|flight| flight.key == key && flight.open)?;
        let overtaken = self.invalidations.iter().any(|one| {
            let held = one.hold_until_ms().is_some_and(|until| flight.began_ms <= until && until < self.now_ms);
            one.covers(key, seen.map(|entry| entry.tags)) && (one.order > flight.order || held)
        });
        (!overtaken).then(|| flight.clone())
    }

    /// Whether a flight's result is valid for that caller.
    fn serves(&self, flight: &NaiveFlight, caller: &Caller) -> bool {
        let loaded = matches!(flight.script.response, LoadScript::Value | LoadScript::Confirm);
        let tags = flight.confirms.as_ref().map(|old| old.tags).or(loaded.then_some(flight.script.tags));
        caller.order < flight.order
            || !self.invalidations.iter().any(|one| {
                let between = flight.order < one.order && one.order < caller.order;
                let held =
                    one.hold_until_ms().is_some_and(|until| flight.began_ms <= until && until < caller.arrived_ms);
                one.covers(flight.key, tags) && (between || held)
            })
    }

    fn is_usable(&self, entry: &NaiveEntry, validity: NaiveValidity) -> bool {
        validity != NaiveValidity::Purged && self.now_ms < entry.error_until_ms
    }

    fn text(entry: &NaiveEntry) -> String {
        format!("{} v{}", PARTITIONS[entry.key.0], entry.version)
    }

    /// The cached version of a key.
    pub(crate) fn keeps(&self, key: KeyIndex) -> Option<String> {
        self.cached(key).map(|(entry, _)| Self::text(&entry))
    }
}
