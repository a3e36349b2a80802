//! Where every job stands, and who waits for a place.

use std::collections::VecDeque;
use std::time::Duration;

use super::report::{Last, Report, State};
use super::schedule::{Due, Sight, Why, due};
use super::{Elsewhere, Work, millis};
use crate::jobs::context::Turn;
use crate::jobs::definition::Plan;

/// What comes round sooner than this is soon due anyway: its last run is not written down.
const WRITTEN_FROM: Duration = Duration::from_secs(300);
/// A run that came to the same as the one written down before is written again only if the job is rarer than this …
const FREQUENT: Duration = Duration::from_hours(1);
/// … or that one is older than this. After a crash a frequent job runs once too often, which is all.
const WRITTEN_AGAIN_MS: u64 = 24 * 3_600_000;

/// Where every job stands.
#[derive(Default)]
pub(super) struct Board {
    pub(super) jobs: Vec<Job>,
    /// Who waits for a place, by number.
    pub(super) line: VecDeque<usize>,
    pub(super) running: usize,
}

/// One job: what it does, and how it stands.
pub(super) struct Job {
    pub(super) plan: Plan,
    pub(super) work: Work,
    pub(super) elsewhere: Option<Elsewhere>,
    pub(super) known_ms: u64,
    pub(super) stage: Stage,
    pub(super) last: Option<Last>,
    /// The run that was written down last.
    pub(super) written: Option<Last>,
}

/// What a job does now.
pub(super) enum Stage {
    Idle,
    Waiting(Why),
    Running { since_ms: u64, turn: Turn },
}

impl Board {
    pub(super) fn find(&self, id: &str) -> Option<usize> {
        self.jobs.iter().position(|job| job.plan.id == id)
    }

    /// Takes out of the line who needs no place.
    pub(super) fn take_free(&mut self) -> Vec<usize> {
        let Self { jobs, line, .. } = self;
        let free: Vec<usize> = line.iter().copied().filter(|number| !jobs[*number].takes_place()).collect();
        line.retain(|number| jobs[*number].takes_place());
        free
    }

    /// Puts a job that is idle at the end of the line.
    pub(super) fn queue(&mut self, number: usize, why: Why) {
        self.jobs[number].stage = Stage::Waiting(why);
        self.line.push_back(number);
    }
}

impl Job {
    /// What is known of it, if nothing was slept over since then.
    pub(super) fn sight(&self, awake_ms: u64) -> Sight {
        Sight {
            every_ms: self.plan.every.filter(|_| self.elsewhere.is_none()).map(millis),
            is_under_way: !matches!(self.stage, Stage::Idle),
            catches_up: self.plan.catches_up,
            known_ms: self.known_ms,
            ended_ms: self.last.as_ref().map(|last| last.ended_ms),
            awake_ms: awake_ms.max(self.known_ms),
        }
    }

    /// What runs elsewhere is only waited for.
    pub(super) fn takes_place(&self) -> bool {
        self.elsewhere.is_none()
    }

    /// Whether a run is worth a write: who is idle writes nothing.
    pub(super) fn is_worth_writing(&self, last: &Last) -> bool {
        let is_frequent = self.plan.every.is_some_and(|every| every < FREQUENT);
        let says_the_same = |before: &Last| {
            before.outcome == last.outcome
                && before.message == last.message
                && last.ended_ms.saturating_sub(before.ended_ms) < WRITTEN_AGAIN_MS
        };
        let is_known = is_frequent && self.written.as_ref().is_some_and(says_the_same);
        self.plan.catches_up && self.plan.every.is_none_or(|every| every >= WRITTEN_FROM) && !is_known
    }

    pub(super) fn report(&self, now_ms: u64, awake_ms: u64) -> Report {
        let (state, progress) = match &self.stage {
            Stage::Idle => (State::Idle, None),
            Stage::Waiting(_) => (State::Waiting, None),
            Stage::Running { turn, .. } => (State::Running, turn.told()),
        };
        let next_ms = match due(&self.sight(awake_ms), now_ms) {
            Due::At(at_ms) => Some(at_ms),
            Due::Now(_) => Some(now_ms),
            Due::Never => None,
        };
        Report {
            id: self.plan.id.to_owned(),
            title: self.plan.title.to_owned(),
            what: self.plan.what.to_owned(),
            every_s: self.plan.every.map(|every| every.as_secs()),
            state,
            next_ms,
            progress,
            last: self.last.clone(),
            may_cancel: state != State::Idle,
        }
    }
}
