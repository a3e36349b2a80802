//! One read that is not simply a hit: look, decide, board a flight or wait for one, answer.

mod waiting;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::answer::{Answer, Demand, Reason, Served, Tier};
use crate::clock::millis;
use crate::desk::Booking;
use crate::engine::Engine;
use crate::flight::{Boarding, Flight, Follow, Lead};
use crate::freshness::judge;
use crate::key::Key;
use crate::load::{Failure, FailureKind, Loader};
use crate::load_reason::LoadReason;
#[cfg(not(feature = "shuttle"))]
use crate::looks::{Seen, Turn};
use crate::memo::Memo;
use crate::plan::{Plan, Sight, plan};
use crate::policy::{Marking, Policy, Verdict};
use crate::reach::Reach;
use crate::stamp::Moment;
use crate::tally::Cell;
use crate::value::{Entry, RefreshClaim};

/// How often a caller looks again because something landed or was invalidated while he looked. Then he loads for
/// himself.
const MAX_ROUNDS: usize = 8;

/// A read under way.
pub(crate) struct Read<'a, L, F> {
    engine: &'a Arc<Engine>,
    key: &'a Key,
    policy: &'a Policy,
    demand: Demand,
    reach: Reach,
    arrived: Moment,
    cell: Arc<Cell>,
    /// Taken at most once: a caller starts at most one load.
    factory: Option<F>,
    miss_counted: bool,
    /// What was found below memory when this read began.
    below: Option<Arc<Entry>>,
    /// The load that whoever looked there for us went on with.
    offered: Option<Arc<Flight>>,
    loader: std::marker::PhantomData<fn() -> L>,
}

type Result<P> = std::result::Result<Answer<P>, Failure>;

/// What a caller waits for.
struct Wait<P> {
    follow: Follow,
    why: LoadReason,
    /// He waits no longer than this if what is kept can be answered instead.
    soft: Option<Duration>,
    /// Where what is not for keeping arrives, if it is his own load.
    own: Option<oneshot::Receiver<P>>,
    /// Something was kept that had to give way.
    replaces: bool,
}

/// One round's result.
enum Round<P> {
    Answer(Result<P>),
    Wait(Wait<P>),
    Again,
}

impl<'a, L: Loader, F: FnOnce() -> L> Read<'a, L, F> {
    pub(crate) fn new(
        engine: &'a Arc<Engine>,
        key: &'a Key,
        policy: &'a Policy,
        demand: Demand,
        factory: F,
        now_ms: u64,
    ) -> Self {
        Self {
            arrived: engine.desk.arrive(now_ms),
            reach: Reach::of_key(key),
            cell: engine.tally.cell(key.namespace(), policy.class),
            factory: Some(factory),
            miss_counted: false,
            below: None,
            offered: None,
            loader: std::marker::PhantomData,
            engine,
            key,
            policy,
            demand,
        }
    }

    /// Reads to the end.
    pub(crate) async fn run(mut self) -> Result<L::Pass> {
        let first = self.first_round().await;
        let result = self.rounds(first).await;
        self.count_answer(&result);
        result
    }

    /// Counts how a question ended. Each is counted when it is known, so that no figure has to be taken back.
    fn count_answer(&self, result: &Result<L::Pass>) {
        let served = match result {
            Ok(Answer::Kept { served, .. } | Answer::Shared { served, .. }) => Some(*served),
            Ok(Answer::Passed(_)) => Some(Served::Loaded),
            Err(_) => None,
        };
        match served {
            None => self.cell.failed_answers.one(),
            Some(Served::Joined | Served::StaleOnError) => {}
            Some(_) if self.miss_counted => self.cell.loaded.one(),
            Some(_) => {}
        }
        if self.demand == Demand::Offline && served != Some(Served::Hit) {
            self.cell.offline.one();
        }
    }

    /// Without a tier below there is nothing to look for first.
    #[cfg(feature = "shuttle")]
    async fn first_round(&mut self) -> Round<L::Pass> {
        self.round()
    }

    /// What memory does not hold, or holds only for the case that loading fails, may lie below it. While it is being
    /// loaded, somebody has looked.
    #[cfg(not(feature = "shuttle"))]
    async fn first_round(&mut self) -> Round<L::Pass> {
        let engine = self.engine;
        let Some(below) = &engine.desk.below else { return self.round() };
        while self.may_lie_below() {
            match below.looks.turn(self.key) {
                Turn::Lead(lead) => {
                    let (now_ms, is_last_resort) = (engine.clock.now_ms(), self.demand == Demand::Offline);
                    self.below = engine.desk.take_up(self.key, &self.cell, now_ms, is_last_resort).await;
                    let round = self.round();
                    let flight = match &round {
                        Round::Wait(wait) => Some(Arc::clone(&wait.follow.flight)),
                        Round::Answer(_) | Round::Again => None,
                    };
                    lead.tell(Seen { entry: self.below.clone(), flight });
                    return round;
                }
                Turn::Follow(mut told) => {
                    let seen = told.wait_for(Option::is_some).await.ok().and_then(|seen| seen.clone());
                    if let Some(seen) = seen {
                        (self.below, self.offered) = (seen.entry, seen.flight);
                        break;
                    }
                }
            }
        }
        self.round()
    }

    #[cfg(not(feature = "shuttle"))]
    fn may_lie_below(&self) -> bool {
        let (desk, now_ms) = (&self.engine.desk, self.engine.clock.now_ms());
        let verdict =
            desk.memory.peek(self.key).map(|entry| judge(&entry, self.policy, now_ms, desk.marking(&entry)));
        let is_served = matches!(verdict, Some(Verdict::Fresh { .. } | Verdict::Stale));
        self.demand != Demand::Own && !is_served && !desk.flights.is_under_way(self.key)
    }

    /// What is kept under the key, in memory or, found when this read began, below it; and what the markers say.
    fn seen(&self) -> Option<(Arc<Entry>, Marking)> {
        let desk = &self.engine.desk;
        desk.look(self.key)
            .or_else(|| self.below.clone().map(|entry| (Arc::clone(&entry), desk.marking(&entry))))
    }

    /// Where an entry was found.
    fn tier(&self, entry: &Arc<Entry>) -> Tier {
        let is_from_below = self.below.as_ref().is_some_and(|below| below.created() == entry.created());
        if is_from_below { Tier::Disk } else { Tier::Memory }
    }

    async fn rounds(&mut self, first: Round<L::Pass>) -> Result<L::Pass> {
        let mut round = first;
        for _ in 0..MAX_ROUNDS {
            match round {
                Round::Answer(answer) => return answer,
                Round::Again => {}
                Round::Wait(wait) => {
                    if let Some(answer) = self.wait(wait).await {
                        return answer;
                    }
                }
            }
            round = self.round();
        }
        self.alone(LoadReason::Demanded).await
    }

    /// Looks and decides once.
    fn round(&mut self) -> Round<L::Pass> {
        let now_ms = self.engine.clock.now_ms();
        let seen = self.seen();
        let sight = seen.as_ref().map(|(entry, marking)| self.sight(entry, *marking, now_ms));
        if let Some((entry, Marking::Purged)) = &seen {
            self.engine.desk.discard(self.key, entry.created());
        }
        match plan(self.demand, sight) {
            Plan::Serve { served, reason, refresh } => match seen {
                Some((entry, _)) => {
                    Round::Answer(Ok(self.serve_kept(entry, served, reason, refresh, now_ms)))
                }
                None => Round::Again,
            },
            Plan::NotCached => {
                Round::Answer(Err(Failure::new(FailureKind::NotCached, "nothing usable is kept")))
            }
            Plan::LoadAlone { why } => self.start_alone(why, now_ms),
            Plan::Load { why, soft } => {
                self.count_miss(why);
                match self.engine.desk.recall(self.key, &self.reach, now_ms).as_deref() {
                    Some(Memo::Failed { failure, .. }) => {
                        Round::Answer(self.failed(failure.clone(), Reason::FailedLately(failure.kind)))
                    }
                    Some(Memo::Uncacheable { .. }) => self.start_alone(why, now_ms),
                    None => self.board(why, soft, seen, now_ms),
                }
            }
        }
    }

    fn sight(&self, entry: &Entry, marking: Marking, now_ms: u64) -> Sight {
        let age_ms = now_ms.saturating_sub(entry.created_ms());
        Sight {
            verdict: judge(entry, self.policy, now_ms, marking),
            just_loaded: age_ms <= millis(self.engine.desk.settings.reload_within),
        }
    }

    /// Whether it is good for anything yet.
    fn usable(&self, entry: &Entry, marking: Marking, now_ms: u64) -> bool {
        let verdict = judge(entry, self.policy, now_ms, marking);
        !matches!(verdict, Verdict::Dead | Verdict::Invalidated { fallback: false })
    }

    fn serve_kept(
        &mut self,
        entry: Arc<Entry>,
        served: Served,
        mut reason: Option<Reason>,
        refresh: bool,
        now_ms: u64,
    ) -> Answer<L::Pass> {
        match served {
            Served::Stale => &self.cell.stale,
            Served::StaleOnError => &self.cell.stale_on_error,
            _ => &self.cell.hits,
        }
        .one();
        entry.note_read(now_ms);
        if refresh && entry.backs_off(now_ms) {
            reason = reason.map(|_| Reason::BackingOff);
        } else if refresh {
            self.refresh_behind(&entry, now_ms);
        }
        let tier = self.tier(&entry);
        Answer::kept(entry, served, tier, now_ms, reason)
    }

    /// Starts one refresh behind this read, unless somebody has, or a failure a moment ago speaks against it.
    fn refresh_behind(&mut self, entry: &Arc<Entry>, now_ms: u64) {
        let desk = &self.engine.desk;
        if self.engine.stop.is_cancelled() || desk.recall(self.key, &self.reach, now_ms).is_some() {
            return;
        }
        let Some(claim) = entry.claim_refresh(now_ms) else { return };
        if let Boarding::Lead(lead) = desk.board(self.key, &self.reach, Some(entry), now_ms) {
            self.launch(lead, LoadReason::Refresh, Some(Arc::clone(entry)), Some(claim));
        }
    }

    /// Joins the load under way, or starts it.
    fn board(
        &mut self,
        why: LoadReason,
        soft: bool,
        seen: Option<(Arc<Entry>, Marking)>,
        now_ms: u64,
    ) -> Round<L::Pass> {
        let (engine, kept) = (self.engine, seen.as_ref().map(|(entry, _)| entry));
        let boarding = match self.offered.take() {
            Some(flight) => engine.desk.flights.join(&flight),
            None => engine.desk.board(self.key, &self.reach, kept, now_ms),
        };
        let replaces = seen.as_ref().is_some_and(|(entry, marking)| self.usable(entry, *marking, now_ms));
        let soft = soft.then_some(self.policy.soft_timeout);
        match boarding {
            Boarding::Lead(lead) => {
                let old = seen.and_then(|(entry, marking)| (marking != Marking::Purged).then_some(entry));
                let follow = lead.follow();
                match self.launch(lead, why, old, None) {
                    Some(own) => Round::Wait(Wait { follow, why, soft, own: Some(own), replaces }),
                    // He has loaded before; somebody else's turn.
                    None => Round::Again,
                }
            }
            Boarding::Follow(follow) => {
                let age = Duration::from_millis(follow.flight.age_ms(now_ms));
                let soft = soft.map(|soft| soft.saturating_sub(age));
                Round::Wait(Wait { follow, why, soft, own: None, replaces })
            }
            Boarding::LookAgain => Round::Again,
            Boarding::TooManyFlights => {
                engine.tally.flights_refused.one();
                Round::Answer(self.overloaded("too many loads are under way"))
            }
            Boarding::TooManyWaiters => {
                engine.tally.waiters_refused.one();
                Round::Answer(self.overloaded("too many wait for this load"))
            }
        }
    }

    fn start_alone(&mut self, why: LoadReason, now_ms: u64) -> Round<L::Pass> {
        self.count_miss(why);
        let Some(lead) = self.engine.desk.solo(now_ms) else {
            self.engine.tally.flights_refused.one();
            return Round::Answer(self.overloaded("too many loads are under way"));
        };
        let old = self.seen();
        let old = old.and_then(|(entry, marking)| (marking != Marking::Purged).then_some(entry));
        let replaces = old.as_ref().is_some_and(|entry| self.usable(entry, Marking::Clear, now_ms));
        let follow = lead.follow();
        match self.launch(lead, why, old, None) {
            Some(own) => Round::Wait(Wait { follow, why, soft: None, own: Some(own), replaces }),
            None => Round::Answer(self.overloaded("this caller has loaded already")),
        }
    }

    /// Loads for oneself and answers whatever comes.
    async fn alone(&mut self, why: LoadReason) -> Result<L::Pass> {
        let now_ms = self.engine.clock.now_ms();
        match self.start_alone(why, now_ms) {
            Round::Answer(answer) => answer,
            Round::Wait(wait) => {
                let answer = self.wait(wait).await;
                answer.unwrap_or_else(|| self.overloaded("the load was overtaken"))
            }
            Round::Again => self.overloaded("the load was overtaken"),
        }
    }

    fn launch(
        &mut self,
        lead: Lead,
        why: LoadReason,
        old: Option<Arc<Entry>>,
        claim: Option<RefreshClaim>,
    ) -> Option<oneshot::Receiver<L::Pass>> {
        let factory = self.factory.take()?;
        let loader = Arc::new(factory());
        let warmth = self.policy.warm.then(|| {
            self.engine.keep_warm(self.key, self.policy, &loader, lead.flight.created, lead.flight.began_ms)
        });
        let booking = Booking {
            key: self.key.clone(),
            policy: *self.policy,
            why,
            cell: Arc::clone(&self.cell),
            warmth: warmth.flatten(),
        };
        Some(self.engine.launch(lead, booking, loader, old, claim))
    }

    fn count_miss(&mut self, why: LoadReason) {
        if !std::mem::replace(&mut self.miss_counted, true) {
            self.cell.miss(why);
            if why == LoadReason::Absent && self.engine.desk.memory.take_regret(self.key) {
                self.cell.regrets.one();
            }
        }
    }
}
