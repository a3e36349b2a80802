//! How a flight starts where other processes have the same store open: at most one of them loads a key at a time,
//! and the others take what it brought from the disk.
//!
//! This spares the source loads and decides nothing else: a claim that is not granted in time, cannot be asked for,
//! or is granted twice costs a load. A process that is alone does none of this.

use std::sync::Arc;

use crate::cache::House;
use crate::desk::Booking;
use crate::flight::Lead;
use crate::key::Key;
use crate::stamp::Stamp;
use crate::value::Entry;

#[cfg(feature = "shuttle")]
impl House {
    #[expect(clippy::unused_async, clippy::unused_self, reason = "the model has no tier below")]
    pub(crate) async fn start(&self, _lead: &Lead, _booking: &Booking, _old: Option<&Arc<Entry>>) -> Start {
        Start::Load(Claimed)
    }
}

/// How a flight goes on.
pub(crate) enum Start {
    /// It loads; other processes wait for the claim it may have.
    Load(Claimed),
    /// Another process has loaded.
    #[cfg_attr(feature = "shuttle", expect(dead_code, reason = "the model has no tier below"))]
    Adopt(Arc<Entry>),
}

#[cfg(feature = "shuttle")]
pub(crate) struct Claimed;

#[cfg(feature = "shuttle")]
impl Claimed {
    #[expect(clippy::unused_async, reason = "the model has no tier below")]
    pub(crate) async fn give_back(self, _house: &House, _kept: Option<(&Key, Stamp)>) {}
}

#[cfg(not(feature = "shuttle"))]
pub(crate) use with_disk::Claimed;

#[cfg(not(feature = "shuttle"))]
mod with_disk {
    use std::time::Duration;

    use super::{Arc, Booking, Entry, House, Key, Lead, Stamp, Start};
    use crate::answer::Demand;
    use crate::clock::millis;
    use crate::disk::claims::{Attempt, Claim};
    use crate::load::LoadReason;
    use crate::policy::{Verdict, judge, spread};

    /// The first and the longest pause between two attempts at a claim.
    const PAUSE_MS: (u64, u64) = (5, 50);
    /// A process is waited for no longer than this share of what our callers wait, so that a load of our own can
    /// still serve them.
    const SHARE_OF_PATIENCE: u32 = 2;
    /// How long a claim is held at most until what was loaded is written.
    const WRITE_PATIENCE: Duration = Duration::from_secs(2);

    /// The claim of a load, where other processes are there to respect it.
    pub(crate) struct Claimed(Option<Claim>);

    impl House {
        /// Waits while another process loads, and takes what it brought.
        pub(crate) async fn start(&self, lead: &Lead, booking: &Booking, old: Option<&Arc<Entry>>) -> Start {
            let alone = Start::Load(Claimed(None));
            let Some(below) = &self.desk.below else { return alone };
            if lead.is_solo() || !below.disk.may_share() {
                return alone;
            }
            let sharing = below.disk.sharing();
            let patience_ms = millis(booking.policy.hard_timeout / SHARE_OF_PATIENCE);
            let mut pause_ms = PAUSE_MS.0;
            loop {
                match below.disk.claims().attempt(&booking.key).await {
                    Attempt::Granted(claim) => {
                        let adopted = self.adopt(booking, old).await;
                        return match adopted {
                            Some(entry) => {
                                sharing.adopted.one();
                                Start::Adopt(entry)
                            }
                            None => Start::Load(Claimed(Some(claim))),
                        };
                    }
                    Attempt::Unknown => {
                        sharing.unclaimed.one();
                        return alone;
                    }
                    Attempt::Taken => {}
                }
                if pause_ms == PAUSE_MS.0 {
                    sharing.waits.one();
                }
                let now_ms = self.clock.now_ms();
                if lead.flight.age_ms(now_ms) >= patience_ms || self.stop.is_cancelled() {
                    sharing.overdue.one();
                    return alone;
                }
                let jitter_ms = spread(booking.key.hash64(), Stamp::end_of(now_ms)) % (pause_ms / 2 + 1);
                tokio::time::sleep(Duration::from_millis(pause_ms + jitter_ms)).await;
                pause_ms = (pause_ms * 2).min(PAUSE_MS.1);
            }
        }

        /// What another process has loaded, if it is as good as a load of our own would be.
        async fn adopt(&self, booking: &Booking, old: Option<&Arc<Entry>>) -> Option<Arc<Entry>> {
            let entry = self.desk.take_up_anew(booking, self.clock.now_ms()).await?;
            if old.is_some_and(|old| entry.created() <= old.created()) {
                return None;
            }
            let now_ms = self.clock.now_ms();
            let verdict = judge(&entry, &booking.policy, now_ms, self.desk.marking(&entry));
            let is_recent = entry.age(now_ms) <= self.desk.settings.reload_within;
            stands_for_a_load(booking.why, booking.demand, verdict, is_recent).then_some(entry)
        }
    }

    /// Whether what lies on disk stands for a load made for this reason.
    fn stands_for_a_load(why: LoadReason, demand: Demand, verdict: Verdict, is_recent: bool) -> bool {
        match (why, verdict) {
            // Whatever he found before, or did not.
            (_, Verdict::Fresh { .. }) if demand.is_anew() => is_recent,
            (LoadReason::Refresh | LoadReason::Warm, Verdict::Fresh { refresh_due }) => !refresh_due,
            (_, Verdict::Fresh { .. }) => true,
            _ => false,
        }
    }

    impl Claimed {
        /// Lets others load: at once, or, if what was loaded is kept, when they can read it.
        pub(crate) async fn give_back(self, house: &House, kept: Option<(&Key, Stamp)>) {
            if let (Some(claim), Some(below), Some((key, created))) = (self.0, &house.desk.below, kept) {
                below.disk.stored(key, created, WRITE_PATIENCE).await;
                drop(claim);
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn only_what_a_load_would_have_brought_stands_for_it() {
            let fresh = |refresh_due| Verdict::Fresh { refresh_due };
            for (why, verdict, is_recent, wanted) in [
                (LoadReason::Absent, fresh(true), false, true),
                (LoadReason::Invalidated, fresh(false), false, true),
                (LoadReason::Invalidated, Verdict::Invalidated { fallback: true }, true, false),
                (LoadReason::Expired, Verdict::Stale, true, false),
                (LoadReason::Expired, Verdict::Expired, true, false),
                (LoadReason::Absent, Verdict::Dead, true, false),
                (LoadReason::Refresh, fresh(false), false, true),
                (LoadReason::Refresh, fresh(true), false, false),
                (LoadReason::Warm, fresh(true), false, false),
            ] {
                let stands = stands_for_a_load(why, Demand::Any, verdict, is_recent);
                assert_eq!(stands, wanted, "{why:?} {verdict:?}");
            }
        }

        #[test]
        fn for_who_asks_anew_only_what_is_recent_stands_whatever_he_found() {
            use LoadReason::{Absent, Demanded, Expired, Invalidated};
            let fresh = Verdict::Fresh { refresh_due: false };
            for demand in [Demand::Reload, Demand::Ask] {
                for why in [Demanded, Absent, Expired, Invalidated] {
                    assert!(stands_for_a_load(why, demand, fresh, true), "{why:?}");
                    assert!(!stands_for_a_load(why, demand, fresh, false), "{why:?}");
                    assert!(!stands_for_a_load(why, demand, Verdict::Stale, true), "{why:?}");
                }
            }
        }
    }
}
