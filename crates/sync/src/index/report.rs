//! What is shown of a library.

use std::collections::BTreeMap;

use greenroom_library::item::ItemKind;
use serde::Serialize;
use utoipa::ToSchema;

use super::progress::{Phase, Progress};
use super::{Library, State};

/// What building and following cost the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LibraryCost)]
pub struct Cost {
    /// Requests of the last build, also of one that came to nothing.
    pub build_requests: u64,
    /// How long it took, in milliseconds.
    pub build_ms: u64,
    /// Requests of the last round of following.
    pub following_requests: u64,
    /// Items it changed.
    pub following_items: u64,
    /// Rounds of following so far.
    pub following_rounds: u64,
    /// All requests since start.
    pub requests: u64,
}

/// What is shown of a library.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Library)]
pub struct Report {
    /// Its id.
    pub id: String,
    /// The server's name.
    pub server: String,
    /// What it is called.
    pub title: String,
    /// What it holds.
    pub contents: &'static str,
    /// How it does.
    pub state: &'static str,
    /// Whether it is kept at all.
    pub enabled: bool,
    /// Why the last attempt came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureReport>,
    /// Items, by kind.
    pub items: BTreeMap<&'static str, u64>,
    /// The newest snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationReport>,
    /// What changed with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_diff: Option<serde_json::Value>,
    /// What it costs the server.
    pub cost: Cost,
    /// By outcome, how many builds there were.
    pub builds: BTreeMap<&'static str, u64>,
    /// How far a build is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
}

/// Why an attempt came to nothing.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = LibraryFailure)]
pub struct FailureReport {
    /// The word for it.
    pub reason: &'static str,
    /// A sentence.
    pub text: String,
    /// What to do.
    pub remedy: &'static str,
    /// Since when it is so, in milliseconds since 1970.
    pub since_ms: u64,
}

/// The newest snapshot.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = LibraryGeneration)]
pub struct GenerationReport {
    /// Its number.
    pub number: u64,
    /// When it was taken, in milliseconds since 1970.
    pub taken_at_ms: u64,
    /// How long ago that was, or the server last confirmed it.
    pub age_s: u64,
    /// Items in it.
    pub items: u64,
    /// Bytes of memory it takes.
    pub memory_bytes: u64,
}

/// How far a build is.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = LibraryProgress)]
pub struct ProgressReport {
    phase: Phase,
    #[serde(flatten)]
    progress: Progress,
    /// How much of the pages is read.
    percent: Option<u64>,
}

impl From<Progress> for ProgressReport {
    fn from(progress: Progress) -> Self {
        Self { phase: progress.phase, percent: progress.percent(), progress }
    }
}

impl Library {
    /// What is shown of it. `with_diff` also what changed last.
    pub fn report(&self, with_diff: bool) -> Report {
        let title = self.title.lock().clone();
        let facts = self.facts.lock();
        let state = self.state_with(&facts);
        let now_ms = self.server.origin.clock.now_ms();
        let generation = self.generation().map(|generation| {
            let confirmed_ms = generation.taken_at_ms.max(facts.about.synced_s.saturating_mul(1000));
            GenerationReport {
                number: generation.number,
                taken_at_ms: generation.taken_at_ms,
                age_s: now_ms.saturating_sub(confirmed_ms) / 1000,
                items: generation.snapshot.len() as u64,
                memory_bytes: super::libraries::memory_bytes(&generation.snapshot),
            }
        });
        let kept = |kind: &ItemKind| {
            let count = facts.about.counts.get(word_of(*kind)).map_or(0, |count| count.0);
            (word_of(*kind), count)
        };
        let contents = facts.shelf.as_ref().map(|shelf| shelf.contents);
        let kinds = contents.map_or(&[][..], |contents| contents.kinds());
        let items = if generation.is_some() { kinds.iter().map(kept).collect() } else { BTreeMap::new() };
        let failure = facts.failure.as_ref().map(|(failure, since_ms)| FailureReport {
            reason: failure.word(),
            text: failure.to_string(),
            remedy: failure.remedy(),
            since_ms: *since_ms,
        });
        let progress = self.progress.borrow().clone();
        let diff = facts.diff.as_ref().filter(|_| with_diff);
        Report {
            id: self.id.to_string(),
            server: self.id.server.clone(),
            title,
            contents: contents.map_or("other", |contents| contents.word()),
            state: state.word(),
            enabled: state != State::Off,
            failure,
            items,
            generation,
            last_diff: diff.map(|diff| crate::index::incremental::shown(diff)),
            cost: facts.cost.clone(),
            builds: facts.builds.clone(),
            progress: progress.is_building().then(|| progress.into()),
        }
    }
}

/// The word for a kind.
pub(super) fn word_of(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Film => "films",
        ItemKind::Show => "shows",
        ItemKind::Season => "seasons",
        ItemKind::Episode => "episodes",
        ItemKind::Track => "tracks",
    }
}
