//! Report of a library for API and page.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::collections::BTreeMap;

use greenroom_library::item::ItemKind;
use serde::Serialize;
use utoipa::ToSchema;

use super::progress::{BuildPhase, BuildProgress};
use super::{Library, LibraryState};

/// Requests spent on building and following a library.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LibraryCost)]
pub struct LibraryCost {
    /// Requests of the last build, also of a failed one.
    pub build_requests: u64,
    /// Its duration in milliseconds.
    pub build_ms: u64,
    /// Requests of the last incremental round.
    pub following_requests: u64,
    /// Items changed by it.
    pub following_items: u64,
    /// Incremental rounds so far.
    pub following_rounds: u64,
    /// All requests since start.
    pub requests: u64,
}

/// Report of a library.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Library)]
pub struct LibraryReport {
    /// Its id.
    pub id: String,
    /// The server's name.
    pub server: String,
    /// Its title on the server.
    pub title: String,
    /// Kind of its items.
    pub contents: &'static str,
    /// State of the index.
    pub state: &'static str,
    /// Whether it is indexed.
    pub enabled: bool,
    /// The last attempt's error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<LibraryFailureReport>,
    /// Items, by kind.
    pub items: BTreeMap<&'static str, u64>,
    /// The newest snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationReport>,
    /// Changes that it brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_diff: Option<serde_json::Value>,
    /// Requests spent on it.
    pub cost: LibraryCost,
    /// Number of builds by outcome.
    pub builds: BTreeMap<&'static str, u64>,
    /// Progress of the current build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
}

/// Error of the last attempt.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = LibraryFailure)]
pub struct LibraryFailureReport {
    /// Its code.
    pub reason: &'static str,
    /// The error in one sentence.
    pub text: String,
    /// The remedy.
    pub remedy: &'static str,
    /// Since when it stands, in milliseconds since 1970.
    pub since_ms: u64,
}

/// The newest snapshot.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = LibraryGeneration)]
pub struct GenerationReport {
    /// Its number.
    pub number: u64,
    /// End of its crawl, in milliseconds since 1970.
    pub taken_at_ms: u64,
    /// Seconds since then, or since the server last confirmed it.
    pub age_s: u64,
    /// Items in it.
    pub items: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
}

/// Progress of a build.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = LibraryProgress)]
pub struct ProgressReport {
    phase: BuildPhase,
    #[serde(flatten)]
    progress: BuildProgress,
    /// Percentage of items read.
    percent: Option<u64>,
}

impl From<BuildProgress> for ProgressReport {
    fn from(progress: BuildProgress) -> Self {
        Self { phase: progress.phase, percent: progress.percent(), progress }
    }
}

impl Library {
    /// The report; `with_diff` adds the last changes.
    pub fn report(&self, with_diff: bool) -> LibraryReport {
        let title = self.title.lock().clone();
        let status = self.status.lock();
        let state = self.state_with(&status);
        let now_ms = self.server.origin.clock.now();
        let generation = self.generation().map(|generation| {
            let confirmed_ms =
                generation.taken_at_ms.max(Timestamp::from_millis(status.metadata.synced_s.saturating_mul(1000)));
            GenerationReport {
                number: generation.number,
                taken_at_ms: generation.taken_at_ms.as_millis(),
                age_s: millis(now_ms.duration_since(confirmed_ms) / 1000),
                items: generation.snapshot.len() as u64,
                memory_bytes: super::libraries::memory_bytes(&generation.snapshot),
            }
        });
        let stored = |kind: &ItemKind| {
            let count = status.metadata.counts.get(kind_name(*kind)).map_or(0, |count| count.0);
            (kind_name(*kind), count)
        };
        let contents = status.info.as_ref().map(|info| info.contents);
        let kinds = contents.map_or(&[][..], |contents| contents.kinds());
        let items = if generation.is_some() { kinds.iter().map(stored).collect() } else { BTreeMap::new() };
        let failure = Self::failure_of(&status).map(|(failure, since_ms)| LibraryFailureReport {
            reason: failure.name(),
            text: failure.to_string(),
            remedy: failure.remedy(),
            since_ms,
        });
        let progress = self.progress.borrow().clone();
        let diff = status.diff.as_ref().filter(|_| with_diff);
        LibraryReport {
            id: self.id.to_string(),
            server: self.id.server.clone(),
            title,
            contents: contents.map_or("other", |contents| contents.name()),
            state: state.name(),
            enabled: state != LibraryState::Off,
            failure,
            items,
            generation,
            last_diff: diff.map(|diff| crate::index::incremental::diff_json(diff)),
            cost: status.cost.clone(),
            builds: status.builds.clone(),
            progress: progress.is_building().then(|| progress.into()),
        }
    }
}

/// Name of a kind in API and metrics.
pub(super) fn kind_name(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Film => "films",
        ItemKind::Show => "shows",
        ItemKind::Season => "seasons",
        ItemKind::Episode => "episodes",
        ItemKind::Track => "tracks",
    }
}
