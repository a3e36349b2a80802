//! The half of a read that waits for a load, and answers what came of it or what is kept in its place.

use std::sync::Arc;

use super::{Read, Result, Wait};
use crate::answer::{Answer, Demand, Reason, Served, Tier};
use crate::flight::Landed;
use crate::freshness::judge;
use crate::load::{Failure, FailureKind, Loader};
use crate::policy::{Marking, Verdict};
use crate::value::Entry;

impl<L: Loader, F: FnOnce() -> L> Read<'_, L, F> {
    /// Waits for a flight. `None` means: what it brought is not for this caller, he is to look again.
    pub(super) async fn wait(&mut self, mut wait: Wait<L::Pass>) -> Option<Result<L::Pass>> {
        let (clock, hard) = (&self.engine.clock, self.policy.hard_timeout);
        let mut left = hard;
        if let Some(soft) = wait.soft {
            let soft = soft.min(hard);
            if let Ok(landed) = clock.timeout(soft, &mut wait.follow).await {
                return self.landed(wait, landed).await;
            }
            if let Some(answer) = self.instead_of_waiting() {
                return Some(Ok(answer));
            }
            left = hard.saturating_sub(soft);
        }
        if let Ok(landed) = clock.timeout(left, &mut wait.follow).await {
            return self.landed(wait, landed).await;
        }
        let failure = Failure::new(FailureKind::TimedOut, "the load takes too long");
        Some(self.failed(failure, Reason::Failed(FailureKind::TimedOut)))
    }

    /// What is kept, when the load takes longer than the soft timeout; nothing if it was invalidated meanwhile.
    fn instead_of_waiting(&self) -> Option<Answer<L::Pass>> {
        let now_ms = self.engine.clock.now_ms();
        let (entry, marking) = self.seen()?;
        let usable = marking == Marking::Clear && self.usable(&entry, marking, now_ms);
        usable.then(|| self.serve_old(entry, Reason::SlowLoad, now_ms))
    }

    async fn landed(&mut self, wait: Wait<L::Pass>, landed: Landed) -> Option<Result<L::Pass>> {
        let Wait { follow, why, own, replaces, .. } = wait;
        if !self.engine.desk.serves(&follow.flight, &landed, &self.reach, self.arrived) {
            return None;
        }
        let served = match (own.is_some(), replaces) {
            (false, _) => Served::Joined,
            (true, true) => Served::Refreshed,
            (true, false) => Served::Loaded,
        };
        if served == Served::Joined && !matches!(landed, Landed::Uncacheable) {
            self.cell.joins.one();
        }
        match landed {
            Landed::Kept { entry, refusal, leaving } => {
                let now_ms = self.engine.clock.now_ms();
                entry.note_loaded(now_ms);
                let reason = refusal.map(Reason::NotStored);
                let answer = Answer::kept(entry, served, Tier::Source, now_ms, reason);
                Some(Ok(answer.and_leaving(leaving)))
            }
            Landed::Shared(value) => Some(Ok(Answer::Shared { value, served })),
            Landed::Failed(failure) => {
                let reason = Reason::Failed(failure.kind);
                Some(self.failed(failure, reason))
            }
            Landed::Uncacheable => match own {
                Some(passed) => match passed.await {
                    Ok(passed) => Some(Ok(Answer::Passed(passed))),
                    Err(_) => Some(self.overloaded("the load's result was lost")),
                },
                None => Some(Box::pin(self.alone(why)).await),
            },
        }
    }

    /// Answers an old value in place of a failed load where the failure and the markers allow it.
    pub(super) fn failed(&self, failure: Failure, reason: Reason) -> Result<L::Pass> {
        let serves_old = match self.demand {
            Demand::Own => false,
            Demand::Ask => failure.kind.is_silence(),
            _ => failure.kind.serves_old(),
        };
        if !serves_old {
            return Err(failure);
        }
        let now_ms = self.engine.clock.now_ms();
        let Some((entry, marking)) = self.seen() else { return Err(failure) };
        if !self.usable(&entry, marking, now_ms) {
            return Err(failure);
        }
        let fresh = matches!(judge(&entry, self.policy, now_ms, marking), Verdict::Fresh { .. });
        if fresh && self.demand == Demand::Any {
            entry.note_read(now_ms);
            let tier = self.tier(&entry);
            return Ok(Answer::kept(entry, Served::Hit, tier, now_ms, None));
        }
        Ok(self.serve_old(entry, reason, now_ms))
    }

    pub(super) fn overloaded(&self, message: &'static str) -> Result<L::Pass> {
        let kind = FailureKind::Overloaded;
        self.failed(Failure::new(kind, message), Reason::Failed(kind))
    }

    fn serve_old(&self, entry: Arc<Entry>, reason: Reason, now_ms: u64) -> Answer<L::Pass> {
        self.cell.stale_on_error.one();
        entry.note_read(now_ms);
        let tier = self.tier(&entry);
        Answer::kept(entry, Served::StaleOnError, tier, now_ms, Some(reason))
    }
}
