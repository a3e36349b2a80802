//! A naive cache: the same promises with none of the machinery. No hashes, no epochs, no shared tasks, no bounds:
//! it keeps every invalidation there ever was and goes through all of them for every question.

mod read;

use super::stage::Says;
use crate::{Demand, FailureKind, Mode, Served, Settings};

/// (partition, key), by index into [`PARTITIONS`] and [`TEXTS`].
pub(crate) type Who = (usize, usize);

pub(crate) const PARTITIONS: [&str; 2] = ["anna", "bert"];
pub(crate) const TEXTS: [&str; 3] = ["/a/x", "/a/y", "/b"];
pub(crate) const SETTLE_MS: u64 = 3000;
pub(crate) const SETTLE_FRESH_MS: u64 = 1000;
pub(crate) const HOLD_MS: u64 = 30_000;

/// What an invalidation covers, in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    Key(Who),
    Tag(Option<usize>, u8),
    Prefix(Option<usize>, &'static str),
    Partition(usize),
    Everything,
}

#[derive(Debug, Clone)]
pub(crate) struct Invalidated {
    pub(crate) reach: Reach,
    pub(crate) mode: Mode,
    pub(crate) settles: bool,
    pub(crate) holds: bool,
    order: u64,
    at_ms: u64,
}

impl Invalidated {
    pub(crate) fn new(reach: Reach, mode: Mode, settles: bool, holds: bool) -> Self {
        Self { reach, mode, settles, holds, order: 0, at_ms: 0 }
    }

    /// Whether it covers a value of that key with these tags; `None` for tags that are not known, which it then
    /// may cover.
    fn covers(&self, who: Who, tags: Option<u8>) -> bool {
        match self.reach {
            Reach::Key(key) => key == who,
            Reach::Tag(_, _) if tags.is_none() => true,
            Reach::Tag(partition, tag) => {
                partition.is_none_or(|partition| partition == who.0) && tags.unwrap_or(0) & (1 << tag) != 0
            }
            Reach::Prefix(partition, prefix) => {
                let text = TEXTS[who.1];
                let below = text == prefix || text.starts_with(&format!("{prefix}/"));
                partition.is_none_or(|partition| partition == who.0) && below
            }
            Reach::Partition(partition) => partition == who.0,
            Reach::Everything => true,
        }
    }

    /// Until when nothing covered is stored.
    fn hold_until_ms(&self) -> Option<u64> {
        self.holds.then_some(self.at_ms + HOLD_MS)
    }
}

/// What the source says about a key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    pub(crate) says: Says,
    pub(crate) version: u64,
    pub(crate) takes_ms: u64,
    pub(crate) tags: u8,
}

#[derive(Debug, Clone)]
struct Kept {
    who: Who,
    version: u64,
    tags: u8,
    order: u64,
    began_ms: u64,
    fresh_until_ms: u64,
    stale_until_ms: u64,
    error_until_ms: u64,
}

#[derive(Debug, Clone)]
struct Flight {
    who: Who,
    order: u64,
    began_ms: u64,
    due_ms: u64,
    script: Script,
    /// Others can join it.
    open: bool,
    /// Nobody ever could: what it fails at is its caller's affair.
    alone: bool,
    /// The order of the entry it refreshes.
    refreshes: Option<u64>,
}

#[derive(Debug, Clone)]
enum Memo {
    Failed { who: Who, kind: FailureKind, order: u64, began_ms: u64, until_ms: u64 },
    Uncacheable { who: Who, until_ms: u64 },
}

impl Memo {
    fn who(&self) -> Who {
        match self {
            Self::Failed { who, .. } | Self::Uncacheable { who, .. } => *who,
        }
    }
}

/// What the naive cache answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    Value(Served, String),
    Passed(u64),
    Failed(FailureKind),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Clear,
    Marked,
    Purged,
}

/// A read under way.
#[derive(Debug, Clone)]
struct Caller {
    who: Who,
    demand: Demand,
    order: u64,
    arrived_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Naive {
    pub(crate) now_ms: u64,
    order: u64,
    pub(crate) scripts: [Script; 3],
    kept: Vec<Kept>,
    invalidations: Vec<Invalidated>,
    flights: Vec<Flight>,
    memos: Vec<Memo>,
    /// An invalidation that happens while somebody waits.
    pub(crate) coming: Option<(u64, Invalidated)>,
    pub(crate) loads: usize,
    /// Two things fell into one millisecond that come out differently by who is first: nobody promises that, so
    /// the history ends here.
    pub(crate) tied: bool,
}

impl Naive {
    fn next(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    pub(crate) fn invalidate(&mut self, mut invalidated: Invalidated) {
        (invalidated.order, invalidated.at_ms) = (self.next(), self.now_ms);
        if let (Reach::Key(key), Mode::Purge) = (&invalidated.reach, invalidated.mode) {
            self.kept.retain(|kept| kept.who != *key);
        }
        self.invalidations.push(invalidated);
    }

    /// Lets time pass until then, or until that flight landed; says whether it did.
    fn run(&mut self, until_ms: u64, flight: Option<u64>) -> Option<Flight> {
        loop {
            let next = self.flights.iter().min_by_key(|flight| (flight.due_ms, flight.order)).cloned();
            let coming_ms = self.coming.as_ref().map(|(at_ms, _)| *at_ms);
            let due_ms = next.as_ref().map(|next| next.due_ms);
            self.tied |= coming_ms.is_some() && coming_ms == due_ms;
            self.tied |= flight.is_some() && (coming_ms == Some(until_ms) || due_ms == Some(until_ms));
            self.tied |= next.as_ref().is_some_and(|next| self.meets_another(next));
            match (next, coming_ms) {
                (next, Some(at_ms))
                    if at_ms <= until_ms && next.as_ref().is_none_or(|next| at_ms <= next.due_ms) =>
                {
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

    /// Whether another load of its key lands in the same millisecond.
    fn meets_another(&self, flight: &Flight) -> bool {
        let meets = |other: &&Flight| {
            other.order != flight.order && (other.who, other.due_ms) == (flight.who, flight.due_ms)
        };
        flight.due_ms > self.now_ms && self.flights.iter().any(|other| meets(&other))
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.run(self.now_ms + millis, None);
    }

    fn land(&mut self, flight: &Flight) {
        let who = flight.who;
        match flight.script.says {
            Says::Value => self.store(flight),
            _ if flight.alone => {}
            Says::Gone => self.kept.retain(|kept| kept.who != who || kept.order > flight.order),
            Says::Pass => self.remember(Memo::Uncacheable { who, until_ms: self.now_ms + 60_000 }),
            Says::Fail(kind) => {
                let lasting = u64::try_from(kind.remembered_for(&Settings::default()).as_millis()).unwrap();
                if lasting > 0 {
                    let (order, began_ms, until_ms) = (flight.order, flight.began_ms, self.now_ms + lasting);
                    self.remember(Memo::Failed { who, kind, order, began_ms, until_ms });
                }
            }
            Says::Share | Says::Panic => {}
        }
    }

    fn store(&mut self, flight: &Flight) {
        let (who, tags) = (flight.who, flight.script.tags);
        let covering: Vec<_> = self.invalidations.iter().filter(|one| one.covers(who, Some(tags))).collect();
        let overtaken = covering.iter().any(|one| one.order > flight.order);
        let held =
            covering.iter().any(|one| one.hold_until_ms().is_some_and(|until| flight.began_ms <= until));
        let settling = covering.iter().any(|one| one.settles && flight.began_ms < one.at_ms + SETTLE_MS);
        let newer = self.kept.iter().any(|kept| kept.who == who && kept.order > flight.order);
        if overtaken || held || newer {
            return;
        }
        let (fresh_ms, stale_ms) = if settling { (SETTLE_FRESH_MS, 0) } else { (100_000, 50_000) };
        self.kept.retain(|kept| kept.who != who);
        self.memos.retain(|memo| memo.who() != who);
        self.kept.push(Kept {
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

    fn remember(&mut self, memo: Memo) {
        self.memos.retain(|other| other.who() != memo.who());
        self.memos.push(memo);
    }

    fn mark(&self, kept: &Kept) -> Mark {
        let after = |one: &&Invalidated| one.order > kept.order && one.covers(kept.who, Some(kept.tags));
        let mut after = self.invalidations.iter().filter(after);
        match after.clone().next() {
            None => Mark::Clear,
            Some(_) if after.any(|one| one.mode == Mode::Purge) => Mark::Purged,
            Some(_) => Mark::Marked,
        }
    }

    fn look(&self, who: Who) -> Option<(Kept, Mark)> {
        let kept = self.kept.iter().find(|kept| kept.who == who)?;
        Some((kept.clone(), self.mark(kept)))
    }

    fn recall(&self, who: Who) -> Option<Memo> {
        let memo = self.memos.iter().find(|memo| memo.who() == who)?;
        let holds = match memo {
            Memo::Failed { order, began_ms, until_ms, .. } => {
                let overtaken = self.invalidations.iter().any(|one| {
                    let held = one.hold_until_ms().is_some_and(|until| *began_ms <= until);
                    one.covers(who, None) && (one.order > *order || held)
                });
                self.now_ms < *until_ms && !overtaken
            }
            Memo::Uncacheable { until_ms, .. } => self.now_ms < *until_ms,
        };
        holds.then(|| memo.clone())
    }

    fn start(&mut self, who: Who, open: bool, refreshes: Option<u64>) -> Flight {
        let script = self.scripts[who.1].clone();
        let (order, began_ms) = (self.next(), self.now_ms);
        self.loads += 1;
        if open {
            self.flights.iter_mut().filter(|flight| flight.who == who).for_each(|flight| flight.open = false);
        }
        let flight = Flight {
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

    /// The flight a caller may join who found this kept. If he found nothing, any tag may be one of the value's.
    fn joinable(&self, who: Who, seen: Option<&Kept>) -> Option<Flight> {
        let flight = self.flights.iter().find(|flight| flight.who == who && flight.open)?;
        let overtaken = self.invalidations.iter().any(|one| {
            let held =
                one.hold_until_ms().is_some_and(|until| flight.began_ms <= until && until < self.now_ms);
            one.covers(who, seen.map(|kept| kept.tags)) && (one.order > flight.order || held)
        });
        (!overtaken).then(|| flight.clone())
    }

    /// Whether what a flight brought is for that caller.
    fn serves(&self, flight: &Flight, caller: &Caller) -> bool {
        let tags = matches!(flight.script.says, Says::Value).then_some(flight.script.tags);
        caller.order < flight.order
            || !self.invalidations.iter().any(|one| {
                let between = flight.order < one.order && one.order < caller.order;
                let held = one
                    .hold_until_ms()
                    .is_some_and(|until| flight.began_ms <= until && until < caller.arrived_ms);
                one.covers(flight.who, tags) && (between || held)
            })
    }

    fn good_for_anything(&self, kept: &Kept, mark: Mark) -> bool {
        mark != Mark::Purged && self.now_ms < kept.error_until_ms
    }

    fn text(kept: &Kept) -> String {
        format!("{} v{}", PARTITIONS[kept.who.0], kept.version)
    }

    /// What is kept of a key: its version.
    pub(crate) fn keeps(&self, who: Who) -> Option<String> {
        self.look(who).map(|(kept, _)| Self::text(&kept))
    }
}
