//! What the desk does with the tier below memory: hands down what it keeps, marks and removes there what it marks
//! and removes here, and takes up what is found there. Without such a tier all of this is nothing.

use std::sync::Arc;

use super::Desk;
use crate::key::Key;
use crate::memo::Memo;
use crate::older_copy::OlderCopy;
use crate::scope::{Invalidation, Scope};
use crate::stamp::{Moment, Stamp};
use crate::value::Entry;

#[cfg(feature = "shuttle")]
impl Desk {
    #[expect(clippy::unused_self, reason = "the model has no tier below")]
    pub(crate) fn older_copy(&self, _key: &Key) -> OlderCopy {
        OlderCopy::Void
    }

    #[expect(clippy::unused_self, reason = "the model has no tier below")]
    pub(crate) fn hand_down(
        &self,
        _key: &Key,
        _entry: &Arc<Entry>,
        _older: OlderCopy,
    ) -> Option<crate::leaving::Leaving> {
        None
    }

    #[expect(clippy::unused_self, reason = "the model has no tier below")]
    pub(crate) fn remove_below(&self, _key: &Key, _than: Stamp) {}
    #[expect(clippy::unused_self, reason = "the model has no tier below")]
    pub(crate) fn remember_below(&self, _key: &Key, _memo: &Arc<Memo>) {}
    #[expect(clippy::unused_self, reason = "the model has no tier below")]
    pub(crate) fn mark_below(&self, _scope: &Scope, _now: Moment, _how: &Invalidation) {}
}

#[cfg(not(feature = "shuttle"))]
pub(crate) use with_disk::Below;

#[cfg(not(feature = "shuttle"))]
mod with_disk {
    use super::{Arc, Desk, Entry, Invalidation, Key, Memo, Moment, OlderCopy, Scope, Stamp};
    use crate::clock::Clock;
    use crate::desk::Booking;
    use crate::disk::ledger::{Known, Ledger};
    use crate::disk::row::Found;
    use crate::disk::{Disk, DiskSettings, Look};
    use crate::leaving::Leaving;
    use crate::load_reason::LoadReason;
    use crate::looks::Looks;
    use crate::policy::{Horizons, Marking};
    use crate::reach::Reach;
    use crate::tally::Cell;
    use crate::value::Draft;
    use crate::warmth::Warmth;

    /// The tier below memory.
    pub(crate) struct Below {
        pub(crate) disk: Disk,
        pub(crate) looks: Looks,
        known: Arc<Known>,
    }

    /// When a look began.
    #[derive(Debug, Clone, Copy)]
    struct Since {
        stamp: Stamp,
        now_ms: u64,
        /// See [`Disk::is_gone`].
        forgotten: u64,
    }

    /// A value of which the time it was stored lies this far ahead was stored before the clock was set back.
    const CLOCK_TOLERANCE_MS: u64 = 2_000;

    impl Desk {
        /// Opens the tier below.
        pub(crate) fn open_below(&mut self, settings: DiskSettings, clock: &Clock) -> Result<(), String> {
            let known = Arc::new(Known::default());
            let (markers, sequence) = (Arc::clone(&self.markers), Arc::clone(self.sequence()));
            let (memos, clock_too) = (Arc::clone(&self.memos), clock.clone());
            let ledger = Ledger { markers, memos, sequence, known: Arc::clone(&known), clock: clock_too };
            let disk = Disk::open(settings, clock.clone(), ledger, Arc::clone(&self.memory))?;
            self.below = Some(Below { disk, looks: Looks::default(), known });
            Ok(())
        }

        /// What was just kept is written later: when whoever waits for it has his answer.
        pub(crate) fn hand_down(&self, key: &Key, entry: &Arc<Entry>, older: OlderCopy) -> Option<Leaving> {
            let below = self.below.as_ref()?;
            let leaving = Leaving::begin(entry, below.disk.bell());
            below.disk.offer(key, entry, below.known.at(entry.created()), older);
            Some(leaving)
        }

        /// What the copy of a key is worth that a new value would replace. To be asked before memory holds that value.
        pub(crate) fn older_copy(&self, key: &Key) -> OlderCopy {
            match self.memory.peek(key) {
                Some(older) if self.marking(&older) != Marking::Purged => OlderCopy::Usable,
                _ => OlderCopy::Void,
            }
        }

        pub(crate) fn remove_below(&self, key: &Key, than: Stamp) {
            if let Some(below) = &self.below {
                below.disk.remove(key, than);
            }
        }

        /// What is remembered beside values is written later, if it is worth it.
        pub(crate) fn remember_below(&self, key: &Key, memo: &Arc<Memo>) {
            if let Some(below) = &self.below {
                below.disk.remember(key, memo);
            }
        }

        pub(crate) fn mark_below(&self, scope: &Scope, now: Moment, how: &Invalidation) {
            if let Some(below) = &self.below {
                below.disk.mark(scope, now, how);
            }
        }

        /// Takes up what lies below under a key. Memory need not have room for it.
        pub(crate) async fn take_up(
            &self,
            key: &Key,
            cell: &Arc<Cell>,
            now_ms: u64,
            is_last_resort: bool,
        ) -> Option<Arc<Entry>> {
            let (below, since) = self.begin_look(now_ms)?;
            let look = below.disk.look(key, is_last_resort).await;
            self.take(look, since, key, cell, None)
        }

        /// The same for what is to be kept warm.
        pub(crate) async fn take_up_warm(&self, booking: &Booking, now_ms: u64) -> Option<Arc<Entry>> {
            let Booking { key, cell, warmth, .. } = booking;
            let (below, since) = self.begin_look(now_ms)?;
            let look = below.disk.look(key, false).await;
            self.take(look, since, key, cell, warmth.clone())
        }

        fn begin_look(&self, now_ms: u64) -> Option<(&Below, Since)> {
            let below = self.below.as_ref()?;
            let forgotten = below.disk.forgotten();
            Some((below, Since { stamp: self.sequence().next(now_ms), now_ms, forgotten }))
        }

        /// Whether what was found under a key was removed meanwhile. Told under the key's lock, as removals are.
        fn is_gone(&self, key: &Key, created: Stamp, since: Since) -> bool {
            self.below.as_ref().is_some_and(|below| below.disk.is_gone(key, created, since.forgotten))
        }

        fn take(
            &self,
            look: Look,
            since: Since,
            key: &Key,
            cell: &Arc<Cell>,
            warmth: Option<Arc<Warmth>>,
        ) -> Option<Arc<Entry>> {
            match look {
                Look::Nothing => None,
                Look::Queued(entry) => {
                    let _commit = self.memory.commit_lock(key);
                    if self.is_gone(key, entry.created(), since) {
                        return None;
                    }
                    // Refused or not, it is answered.
                    let _refusal = self.memory.put(key, &entry);
                    Some(entry)
                }
                Look::Stored(found) => self.admit(key, *found, since, cell, warmth),
            }
        }

        /// Puts into memory what was found in the store, with what the markers say about it.
        fn admit(
            &self,
            key: &Key,
            found: Found,
            since: Since,
            cell: &Arc<Cell>,
            warmth: Option<Arc<Warmth>>,
        ) -> Option<Arc<Entry>> {
            let (now, now_ms) = (since.stamp, since.now_ms);
            let reach = Reach::new(key, &found.tags);
            // What is loaded from here on takes its place, whatever the clock of whoever loaded it.
            self.sequence().observe(found.created);
            let _commit = self.memory.commit_lock(key);
            if self.is_gone(key, found.created, since) {
                return None;
            }
            let created = match self.markers.marking_of_stored(&reach, found.seen) {
                (Marking::Purged, _) => return None,
                (Marking::Marked, stamp) => found.created.min(stamp),
                // It is newer than what it was compared with, whatever the clocks say of whoever loaded it.
                (Marking::Clear, stamp) if stamp < now => found.created.max(stamp.next()),
                (Marking::Clear, _) => found.created,
            };
            // Whatever is invalidated since the look began is newer than what was found.
            let created = created.min(now);
            let entry = Arc::new(Entry::new(Draft {
                key,
                horizons: within(found.horizons, found.stored_ms, now_ms),
                value: found.value,
                tags: found.tags,
                created,
                created_ms: found.created_ms.min(now_ms),
                stored_ms: found.stored_ms.min(now_ms),
                adapted: found.adapted,
                why: LoadReason::Absent,
                quota: self.memory.quota(reach.partition),
                reach,
                cell: Arc::clone(cell),
                warmth,
                epoch: 0,
            }));
            if self.marking(&entry) == Marking::Purged {
                return None;
            }
            // Refused or not, it is answered.
            let _refusal = self.memory.put(key, &entry);
            Some(entry)
        }
    }

    /// The horizons of a value whose clock was set back meanwhile: how long it has lived nobody knows, so it is
    /// fresh no more, and the windows after that count from now.
    fn within(horizons: Horizons, stored_ms: u64, now_ms: u64) -> Horizons {
        if stored_ms <= now_ms.saturating_add(CLOCK_TOLERANCE_MS) {
            return horizons;
        }
        let after_fresh =
            |until_ms: u64| now_ms.saturating_add(until_ms.saturating_sub(horizons.fresh_until_ms));
        Horizons {
            fresh_until_ms: now_ms,
            stale_until_ms: after_fresh(horizons.stale_until_ms),
            error_until_ms: after_fresh(horizons.error_until_ms),
            refresh_at_ms: horizons.refresh_at_ms.min(now_ms),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_clock_set_back_makes_nothing_live_longer() {
            let horizons = Horizons {
                fresh_until_ms: 1_060_000,
                stale_until_ms: 1_120_000,
                error_until_ms: 2_000_000,
                refresh_at_ms: u64::MAX,
            };
            assert_eq!(within(horizons, 1_000_000, 1_010_000), horizons);
            let now = within(horizons, 1_000_000, 100_000);
            assert_eq!(
                (now.fresh_until_ms, now.stale_until_ms, now.error_until_ms),
                (100_000, 160_000, 1_040_000)
            );
        }
    }
}
