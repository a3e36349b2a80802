//! How the naive cache reads: the five cases, one after the other.

use super::super::stage::{POLICY, Says};
use super::{Caller, Expected, Flight, Kept, Mark, Memo, Naive, PARTITIONS, Who};
use crate::{Demand, FailureKind, Served};

const MAX_ROUNDS: usize = 8;

impl Naive {
    /// Reads. `refresh_at_ms` is when the kept value's refresh is due: the one thing that is random.
    pub(crate) fn read(&mut self, who: Who, demand: Demand, refresh_at_ms: Option<u64>) -> Expected {
        let caller = Caller { who, demand, order: self.next(), arrived_ms: self.now_ms };
        for _ in 0..MAX_ROUNDS {
            let seen = self.look(who);
            if let Some((kept, Mark::Purged)) = &seen {
                let order = kept.order;
                self.kept.retain(|kept| kept.order != order);
            }
            if let Some(answer) = self.round(&caller, seen.as_ref(), refresh_at_ms) {
                return answer;
            }
        }
        self.alone(&caller)
    }

    fn round(
        &mut self,
        caller: &Caller,
        seen: Option<&(Kept, Mark)>,
        refresh_at_ms: Option<u64>,
    ) -> Option<Expected> {
        let (who, demand, now_ms) = (caller.who, caller.demand, self.now_ms);
        if demand == Demand::Own {
            return Some(self.alone(caller));
        }
        if demand == Demand::Offline {
            return Some(self.offline(seen));
        }
        let mut soft = false;
        if let Some((kept, Mark::Clear)) = seen {
            let (fresh, stale) = (now_ms < kept.fresh_until_ms, now_ms < kept.stale_until_ms);
            if demand == Demand::Reload && fresh && now_ms - kept.began_ms <= 2000 {
                return Some(Expected::Value(Served::Hit, Self::text(kept)));
            }
            if demand != Demand::Reload && stale {
                let due = !fresh || refresh_at_ms.is_some_and(|at_ms| now_ms >= at_ms);
                if due {
                    self.refresh(kept);
                }
                return Some(Expected::Value(
                    if fresh { Served::Hit } else { Served::Stale },
                    Self::text(kept),
                ));
            }
            soft = demand == Demand::Any && now_ms < kept.error_until_ms;
        }
        if demand == Demand::OnlyIfCached {
            return Some(Expected::Failed(FailureKind::NotCached));
        }
        match self.recall(who) {
            Some(Memo::Failed { kind, .. }) => return Some(self.failed(caller, kind)),
            Some(Memo::Uncacheable { .. }) => return Some(self.alone(caller)),
            None => {}
        }
        let kept = seen.map(|(kept, _)| kept);
        let joined = self.joinable(who, kept);
        let replaces = seen.is_some_and(|(kept, mark)| self.good_for_anything(kept, *mark));
        let own = joined.is_none();
        let flight = joined.unwrap_or_else(|| self.start(who, true, None));
        self.wait(caller, &flight, soft, own, replaces)
    }

    /// What is good for anything, at once.
    fn offline(&self, seen: Option<&(Kept, Mark)>) -> Expected {
        match seen.filter(|(kept, mark)| self.good_for_anything(kept, *mark)) {
            Some((kept, mark)) => {
                let fresh = *mark == Mark::Clear && self.now_ms < kept.fresh_until_ms;
                let served = if fresh { Served::Hit } else { Served::StaleOnError };
                Expected::Value(served, Self::text(kept))
            }
            None => Expected::Failed(FailureKind::NotCached),
        }
    }

    fn refresh(&mut self, kept: &Kept) {
        let running = self.flights.iter().any(|flight| flight.refreshes == Some(kept.order));
        if !running && self.recall(kept.who).is_none() && self.joinable(kept.who, Some(kept)).is_none() {
            self.start(kept.who, true, Some(kept.order));
        }
    }

    fn alone(&mut self, caller: &Caller) -> Expected {
        let seen = self.look(caller.who).filter(|(_, mark)| *mark != Mark::Purged);
        let replaces = seen.is_some_and(|(kept, _)| self.good_for_anything(&kept, Mark::Clear));
        let flight = self.start(caller.who, false, None);
        self.wait(caller, &flight, false, true, replaces).expect("his own load is for him")
    }

    fn wait(
        &mut self,
        caller: &Caller,
        flight: &Flight,
        soft: bool,
        own: bool,
        replaces: bool,
    ) -> Option<Expected> {
        let (began_ms, hard_ms) = (self.now_ms, u64::try_from(POLICY.hard_timeout.as_millis()).unwrap());
        let mut landed = None;
        if soft {
            let soft_ms = u64::try_from(POLICY.soft_timeout.as_millis()).unwrap();
            landed = self.run((flight.began_ms + soft_ms).max(began_ms), Some(flight.order));
            if landed.is_none()
                && let Some((kept, Mark::Clear)) = self.look(caller.who)
                && self.now_ms < kept.error_until_ms
            {
                return Some(Expected::Value(Served::StaleOnError, Self::text(&kept)));
            }
        }
        let landed = landed.or_else(|| self.run(began_ms + hard_ms, Some(flight.order)));
        let Some(landed) = landed else { return Some(self.failed(caller, FailureKind::TimedOut)) };
        if !self.serves(&landed, caller) {
            return None;
        }
        let served = match (own, replaces) {
            (false, _) => Served::Joined,
            (true, true) => Served::Refreshed,
            (true, false) => Served::Loaded,
        };
        let version = landed.script.version;
        Some(match landed.script.says {
            Says::Value | Says::Share => {
                Expected::Value(served, format!("{} v{version}", PARTITIONS[caller.who.0]))
            }
            Says::Gone => Expected::Value(served, "gone".into()),
            Says::Pass if own => Expected::Passed(version),
            Says::Pass => self.alone(caller),
            Says::Fail(kind) => self.failed(caller, kind),
            Says::Panic => self.failed(caller, FailureKind::Panicked),
        })
    }

    fn failed(&self, caller: &Caller, kind: FailureKind) -> Expected {
        let seen = self.look(caller.who).filter(|(kept, mark)| self.good_for_anything(kept, *mark));
        match seen {
            Some((kept, mark)) if kind.serves_old() && caller.demand != Demand::Own => {
                let fresh = mark == Mark::Clear && self.now_ms < kept.fresh_until_ms;
                let hit = fresh && caller.demand == Demand::Any;
                let served = if hit { Served::Hit } else { Served::StaleOnError };
                Expected::Value(served, Self::text(&kept))
            }
            _ => Expected::Failed(kind),
        }
    }
}
