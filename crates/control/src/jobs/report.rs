//! What is shown of a job.

use serde::Serialize;
use utoipa::ToSchema;

use super::Seen;

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct Report {
    /// The word for it, such as `history` or `library:home:3`.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// What it does, in a sentence.
    pub what: String,
    /// How often it runs by itself, in seconds; null if only when it is asked to.
    pub every_s: Option<u64>,
    /// What it does now.
    pub state: State,
    /// When it runs next by itself, in milliseconds since 1970; null if that is not known.
    pub next_ms: Option<u64>,
    /// How far the run under way is, if it says so.
    pub progress: Option<Progress>,
    /// How it ran last.
    pub last: Option<Last>,
    /// Whether there is something to be ended.
    pub may_cancel: bool,
}

impl Report {
    /// The same with what is known of it elsewhere: the later of both runs counts.
    #[must_use]
    pub(super) fn with(self, seen: Seen) -> Self {
        let ended_ms = |last: &Option<Last>| last.as_ref().map_or(0, |last| last.ended_ms);
        let last = if ended_ms(&seen.last) > ended_ms(&self.last) { seen.last } else { self.last };
        Self { next_ms: seen.next_ms, last, ..self }
    }
}

/// What a job does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = JobState)]
pub enum State {
    /// Nothing.
    Idle,
    /// It waits for a place.
    Waiting,
    /// It runs.
    Running,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobProgress)]
pub struct Progress {
    /// So much is done.
    pub done: u64,
    /// Of so much, as far as that is known.
    pub total: Option<u64>,
}

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = JobOutcome)]
pub enum Outcome {
    /// It did what it does.
    Done,
    /// It came to nothing; the message says why.
    Failed,
    /// Somebody ended it, or the process did.
    Cancelled,
    /// It did what it does, in place of a run that was missed.
    CaughtUp,
}

impl Outcome {
    /// Every outcome.
    pub const EVERY: [Self; 4] = [Self::Done, Self::Failed, Self::Cancelled, Self::CaughtUp];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::CaughtUp => "caught-up",
        }
    }

    /// The outcome of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// How a job ran last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobRun)]
pub struct Last {
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// What was done, or why it was not.
    pub message: String,
}

impl Last {
    /// A run between these moments.
    pub fn new(started_ms: u64, ended_ms: u64, outcome: Outcome, message: String) -> Self {
        let duration_ms = ended_ms.saturating_sub(started_ms);
        Self { started_ms, ended_ms, duration_ms, outcome, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_the_same_word_everywhere() {
        for outcome in Outcome::EVERY {
            assert_eq!(Outcome::named(outcome.word()), Some(outcome));
            assert_eq!(serde_json::to_value(outcome).expect("a word"), outcome.word());
        }
        assert_eq!(Outcome::named("odd"), None);
    }
}
