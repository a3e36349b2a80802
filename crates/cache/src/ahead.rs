//! Loading ahead: what nobody asked for yet, but somebody is likely to. Only what a read would have to load, counted
//! apart from clients' questions, and as useful once it is read.

use std::sync::Arc;

use crate::cache::Cache;
use crate::desk::Booking;
use crate::engine::Engine;
use crate::flight::{Boarding, Landed, Lead};
use crate::freshness::judge;
use crate::key::Key;
use crate::load::{Failure, FailureKind, Loader};
use crate::load_reason::LoadReason;
use crate::policy::{Marking, Policy, Verdict};
use crate::reach::Reach;
use crate::value::{Entry, Value};

/// What came of loading ahead.
#[derive(Debug)]
pub enum Ahead<P> {
    /// A read would be answered at once with what is kept: nothing was loaded.
    Kept,
    /// Somebody loads it already.
    UnderWay,
    /// It was loaded a moment ago, and failed or was not for keeping; or a limit is reached, or the cache closes.
    Withheld,
    /// It was loaded.
    Loaded(Value),
    /// What came is not for keeping.
    Passed(P),
}

impl Cache {
    /// Whether a read of this key would be answered at once, fresh or stale. Leaves no trace, except that memory takes
    /// up what lies below it.
    pub async fn is_kept(&self, key: &Key, policy: &Policy) -> bool {
        self.0.find_ahead(key, policy).await.is_none()
    }

    /// A client was given what is kept under this key by another way: by joining a load that filled it.
    pub fn note_read(&self, key: &Key) {
        if let Some(entry) = self.0.desk.memory.peek(key) {
            entry.note_read(self.0.clock.now_ms());
        }
    }

    /// Loads what a read would have to load, for nobody. Whoever asks meanwhile joins.
    ///
    /// # Errors
    /// If the load failed.
    pub async fn load_ahead<L: Loader>(
        &self,
        key: &Key,
        policy: &Policy,
        loader: impl FnOnce() -> L,
    ) -> Result<Ahead<L::Pass>, Failure> {
        let engine = &self.0;
        let Some(seen) = engine.find_ahead(key, policy).await else { return Ok(Ahead::Kept) };
        let (reach, now_ms) = (Reach::of_key(key), engine.clock.now_ms());
        if engine.stop.is_cancelled() || engine.desk.recall(key, &reach, now_ms).is_some() {
            return Ok(Ahead::Withheld);
        }
        let lead = match engine.desk.board(key, &reach, seen.as_ref(), now_ms) {
            Boarding::Lead(lead) => lead,
            Boarding::Follow(_) => return Ok(Ahead::UnderWay),
            Boarding::LookAgain => return Ok(Ahead::Kept),
            Boarding::TooManyFlights | Boarding::TooManyWaiters => return Ok(Ahead::Withheld),
        };
        engine.fly_ahead(lead, (key, policy), seen, loader()).await
    }

    /// The same, whatever is kept, by a load that nobody else can join.
    ///
    /// # Errors
    /// If the load failed.
    pub async fn load_ahead_alone<L: Loader>(
        &self,
        key: &Key,
        policy: &Policy,
        loader: impl FnOnce() -> L,
    ) -> Result<Ahead<L::Pass>, Failure> {
        let engine = &self.0;
        match engine.desk.solo(engine.clock.now_ms()) {
            Some(lead) => engine.fly_ahead(lead, (key, policy), None, loader()).await,
            None => Ok(Ahead::Withheld),
        }
    }
}

impl Engine {
    /// What is kept that a read could not be answered with at once; `None` if it could.
    async fn find_ahead(&self, key: &Key, policy: &Policy) -> Option<Option<Arc<Entry>>> {
        let now_ms = self.clock.now_ms();
        let answers = |entry: &Arc<Entry>| {
            let verdict = judge(entry, policy, now_ms, self.desk.marking(entry));
            matches!(verdict, Verdict::Fresh { .. } | Verdict::Stale)
        };
        let kept = self.desk.memory.peek(key);
        if kept.as_ref().is_some_and(answers) {
            return None;
        }
        #[cfg(not(feature = "shuttle"))]
        let kept = {
            let cell = self.tally.cell(key.namespace(), policy.class);
            self.desk.take_up(key, &cell, now_ms, false).await.or(kept)
        };
        if kept.as_ref().is_some_and(answers) { None } else { Some(kept) }
    }

    async fn fly_ahead<L: Loader>(
        self: &Arc<Self>,
        lead: Lead,
        (key, policy): (&Key, &Policy),
        seen: Option<Arc<Entry>>,
        loader: L,
    ) -> Result<Ahead<L::Pass>, Failure> {
        let booking = Booking {
            key: key.clone(),
            policy: *policy,
            why: LoadReason::Ahead,
            cell: self.tally.cell(key.namespace(), policy.class),
            warmth: None,
        };
        let old = seen.filter(|entry| self.desk.marking(entry) != Marking::Purged);
        let follow = lead.follow();
        let passed = self.launch(lead, booking, Arc::new(loader), old, None);
        match self.clock.timeout(policy.hard_timeout, follow).await {
            Ok(Landed::Kept { entry, .. }) => Ok(Ahead::Loaded(entry.value().clone())),
            Ok(Landed::Shared(value)) => Ok(Ahead::Loaded(value)),
            Ok(Landed::Uncacheable) => Ok(passed.await.map_or(Ahead::Withheld, Ahead::Passed)),
            Ok(Landed::Failed(failure)) => Err(failure),
            Err(_) => Err(Failure::new(FailureKind::TimedOut, "the load takes too long")),
        }
    }
}
