//! The desk: where callers look, board flights and land them, and where invalidations arrive. All that decides
//! "never undone" and "never a crowd" meets here, without a runtime: time is an argument, nothing waits.
//!
//! This is also the one place where tiers are consulted: [`Desk::look`], [`Desk::keep`] and [`Desk::discard`].

mod disk_tier;

use std::sync::Arc;

#[cfg(not(feature = "shuttle"))]
use self::disk_tier::Below;
use crate::clock::millis;
use crate::flight::{Boarding, Flight, Flights, Landed, Lead};
use crate::key::Key;
use crate::leaving::Leaving;
use crate::load::{Failure, Fill};
use crate::load_reason::LoadReason;
use crate::marker::Markers;
use crate::memo::{Memo, Memos};
use crate::memory::Memory;
use crate::policy::{Horizons, Marking, Policy, spread};
use crate::reach::{Reach, Target};
use crate::refusal::Refusal;
use crate::sabotage;
use crate::scope::{Invalidation, Mode, Scope};
use crate::settings::Settings;
use crate::stamp::{Moment, Sequence, Stamp};
use crate::tally::Cell;
use crate::value::{Draft, Entry};
use crate::warmth::Warmth;

pub(crate) struct Desk {
    pub(crate) settings: Settings,
    sequence: Arc<Sequence>,
    pub(crate) markers: Arc<Markers>,
    pub(crate) flights: Arc<Flights>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) memos: Arc<Memos>,
    /// The tier below memory, where there is one.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) below: Option<Below>,
}

/// What a load needs to be told apart and booked when it lands.
#[derive(Debug, Clone)]
pub(crate) struct Booking {
    pub(crate) key: Key,
    pub(crate) policy: Policy,
    pub(crate) why: LoadReason,
    pub(crate) cell: Arc<Cell>,
    pub(crate) warmth: Option<Arc<Warmth>>,
}

impl Desk {
    pub(crate) fn new(settings: Settings) -> Self {
        let settings = settings.coherent();
        Self {
            sequence: Arc::default(),
            markers: Arc::new(Markers::new(settings.max_markers)),
            flights: Arc::new(Flights::new(
                settings.max_flights,
                settings.max_waiters,
                millis(settings.flight_max_age),
            )),
            memory: Arc::new(Memory::new(&settings)),
            memos: Arc::new(Memos::new(settings.max_memo_bytes)),
            #[cfg(not(feature = "shuttle"))]
            below: None,
            settings,
        }
    }

    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn sequence(&self) -> &Arc<Sequence> {
        &self.sequence
    }

    /// A caller's arrival, in the order of loads and invalidations.
    pub(crate) fn arrive(&self, now_ms: u64) -> Moment {
        Moment { stamp: self.sequence.next(now_ms), ms: now_ms }
    }

    /// What is kept under the key, and what the markers say about it.
    #[inline]
    pub(crate) fn look(&self, key: &Key) -> Option<(Arc<Entry>, Marking)> {
        let entry = self.memory.get(key)?;
        let marking = self.marking(&entry);
        Some((entry, marking))
    }

    /// What the markers say about an entry. Costs one comparison while no marker was written since last time.
    #[inline]
    pub(crate) fn marking(&self, entry: &Entry) -> Marking {
        let epoch = self.markers.epoch();
        if entry.found_valid_at() == epoch {
            return Marking::Clear;
        }
        let marking = self.markers.marking(&entry.reach, entry.created());
        if marking == Marking::Clear {
            entry.set_valid_at(epoch);
        }
        marking
    }

    /// What is remembered of the key beside values.
    pub(crate) fn recall(&self, key: &Key, reach: &Reach, now_ms: u64) -> Option<Arc<Memo>> {
        let memo = self.memos.get(key)?;
        let holds = match &*memo {
            Memo::Failed { began, until_ms, .. } => {
                now_ms < *until_ms && !self.markers.since_any_tag(reach, *began)
            }
            Memo::Uncacheable { until_ms, .. } => now_ms < *until_ms,
        };
        holds.then_some(memo)
    }

    /// Joins the load under way for this key, or starts one. Nobody joins a load that began before an invalidation
    /// of what he asks for: `seen` is what he found kept, whose tags the new value may be expected to carry. Where
    /// nothing was kept, the tags are not known, and any tag invalidated meanwhile may be one of them: waiting for
    /// an older load only to find that out would make the reader wait twice.
    pub(crate) fn board(&self, key: &Key, reach: &Reach, seen: Option<&Arc<Entry>>, now_ms: u64) -> Boarding {
        // Whatever was invalidated so far, whatever the clock says.
        let until_now = Moment { stamp: Stamp::from_raw(u64::MAX), ms: now_ms };
        let overtaken = |flight: &Flight| {
            let reaches = [Some(reach), seen.map(|entry| &entry.reach)];
            reaches.into_iter().flatten().any(|reach| self.markers.since(reach, flight.began(), now_ms))
                || (seen.is_none() && self.markers.between(reach, true, flight.began(), until_now))
        };
        let landed_meanwhile = || {
            let seen = seen.map_or(Stamp::ZERO, |entry| entry.created());
            self.memory.peek(key).is_some_and(|entry| entry.created() > seen)
                || self.recall(key, reach, now_ms).is_some()
        };
        self.flights.board(
            key,
            now_ms,
            || self.sequence.next(now_ms),
            |flight| sabotage::takes_out("join") || !overtaken(flight),
            landed_meanwhile,
        )
    }

    /// Starts a load of the caller's own.
    pub(crate) fn solo(&self, now_ms: u64) -> Option<Lead> {
        self.flights.solo(self.sequence.next(now_ms), now_ms)
    }

    /// Whether what a flight brought is for a caller who arrived then: not if it may have been invalidated after
    /// the load began and before he came.
    pub(crate) fn serves(&self, flight: &Flight, landed: &Landed, reach: &Reach, arrived: Moment) -> bool {
        if arrived.stamp <= flight.created || sabotage::takes_out("join") {
            return true;
        }
        let (reach, tags_unknown) = landed.reach(reach);
        !self.markers.between(reach, tags_unknown, flight.began(), arrived)
    }

    /// Keeps what a load brought, unless something forbids it. The value is an entry either way.
    pub(crate) fn keep(
        &self,
        booking: &Booking,
        flight: &Flight,
        fill: Fill,
        now_ms: u64,
    ) -> (Arc<Entry>, Option<Refusal>, Option<Leaving>) {
        let Booking { key, why, cell, warmth, .. } = booking;
        let policy = fill.policy.as_ref().unwrap_or(&booking.policy);
        let reach = Reach::new(key, &fill.tags);
        let adapted = fill.policy.is_some();
        let horizons = Horizons::new(policy, now_ms, spread(key.hash64(), flight.created));
        let too_many_tags = fill.tags.len() > self.settings.max_tags;
        let fits = fill.value.len() as u64 <= self.settings.max_entry_bytes;
        let value = if fits { fill.value.compact() } else { fill.value };

        let _commit = self.memory.commit_lock(key);
        let pass = self.markers.fence(&reach, flight.began());
        let max_fresh = pass.ok().and_then(|pass| pass.max_fresh);
        let quota = self.memory.quota(reach.partition);
        let entry = Arc::new(Entry::new(Draft {
            key,
            value,
            tags: fill.tags,
            created: flight.created,
            created_ms: flight.began_ms,
            stored_ms: now_ms,
            horizons: max_fresh.map_or(horizons, |max_fresh| horizons.capped(now_ms, max_fresh)),
            adapted,
            why: *why,
            reach,
            cell: Arc::clone(cell),
            quota,
            warmth: warmth.clone(),
            epoch: pass.map_or(0, |pass| pass.epoch),
        }));
        let older = self.older_copy(key);
        let stored = match pass {
            Err(refusal) => Err(refusal),
            Ok(_) if entry.horizons().error_until_ms <= now_ms => Err(Refusal::NoLifetime),
            Ok(_) if too_many_tags => Err(Refusal::TooManyTags),
            Ok(_) => self.memory.put(key, &entry),
        };
        let leaving = if let Err(refusal) = stored {
            cell.refuse(refusal);
            None
        } else {
            self.memos.forget(key);
            self.hand_down(key, &entry, older)
        };
        (entry, stored.err(), leaving)
    }

    /// Drops what is kept under the key, unless it came from a later load than this.
    pub(crate) fn discard(&self, key: &Key, created: Stamp) {
        let _commit = self.memory.commit_lock(key);
        self.memory.remove_older(key, created);
        self.remove_below(key, created);
    }

    /// Remembers a failure as long as its kind deserves.
    pub(crate) fn remember_failure(&self, key: &Key, flight: &Flight, failure: &Failure, now_ms: u64) {
        let lasting = millis(failure.kind.remembered_for(&self.settings));
        if lasting > 0 {
            let until_ms = now_ms.saturating_add(lasting);
            let memo = Memo::Failed { failure: failure.clone(), began: flight.created, until_ms };
            self.remember(key, memo);
        }
    }

    /// Remembers that the key's value is not for keeping.
    pub(crate) fn remember_uncacheable(&self, key: &Key, flight: &Flight, now_ms: u64) {
        let until_ms = now_ms.saturating_add(millis(self.settings.uncacheable_for));
        self.remember(key, Memo::Uncacheable { began: flight.created, until_ms });
    }

    fn remember(&self, key: &Key, memo: Memo) {
        let memo = Arc::new(memo);
        self.memos.set(key, Arc::clone(&memo));
        self.remember_below(key, &memo);
    }

    /// Invalidates. When this returns, nothing whose load began before is fresh, stale or joined any more.
    pub(crate) fn invalidate(&self, scope: &Scope, how: &Invalidation, now_ms: u64) -> Stamp {
        let draw = || self.sequence.next(now_ms);
        let stamp = self.markers.invalidate(Target::of(scope), draw, how, now_ms);
        self.mark_below(scope, Moment { stamp, ms: now_ms }, how);
        if let (Scope::Key(key), Mode::Purge) = (scope, how.mode) {
            self.discard(key, stamp);
        }
        stamp
    }
}
