//! Response bodies of the matching API.

use std::collections::BTreeMap;

use greenroom_library::files::FileMatchConfidence;
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::matching;
use serde::Serialize;
use utoipa::ToSchema;

use greenroom_sync::index::{LibraryId, LibraryState};
use greenroom_sync::matching::MatchSource;
use greenroom_sync::matching::identity::ItemIdentity;
use greenroom_sync::matching::overrides::{MatchOverride, MatchOverrideKind};
use greenroom_sync::matching::query::TrackQuery;

/// The kind of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MatchKind)]
pub(super) enum MatchedItemKind {
    Film,
    Show,
    Season,
    Episode,
    Track,
}

impl From<ItemKind> for MatchedItemKind {
    fn from(kind: ItemKind) -> Self {
        match kind {
            ItemKind::Film => Self::Film,
            ItemKind::Show => Self::Show,
            ItemKind::Season => Self::Season,
            ItemKind::Episode => Self::Episode,
            ItemKind::Track => Self::Track,
        }
    }
}

/// An item of a library.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedItem)]
pub(super) struct MatchedItem {
    /// Its library, such as home:3.
    pub(super) library: String,
    /// The media server's key.
    pub(super) key: String,
    pub(super) kind: MatchedItemKind,
    pub(super) title: String,
    /// Its external ids.
    pub(super) guids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artist: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) album: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) year: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration_ms: Option<u32>,
    /// Its file paths on the server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<String>,
}

impl MatchedItem {
    pub(super) fn new(library: &LibraryId, item: &Item) -> Self {
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        Self {
            library: library.to_string(),
            key: item.key.to_string(),
            kind: item.kind.into(),
            title: item.title.to_string(),
            guids: item.guids.iter().map(ToString::to_string).collect(),
            artist: text(&item.grandparent_title),
            album: text(&item.parent_title),
            index: item.index,
            parent_index: item.parent_index,
            year: item.year,
            duration_ms: item.duration_ms,
            files: item.files.iter().map(|file| file.path.to_string()).collect(),
        }
    }
}

/// Match results of tracks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedTracks)]
pub(crate) struct MatchTracksResponse {
    /// The library searched, such as home:3.
    pub(super) library: String,
    /// The generation of its index.
    pub(super) generation: u64,
    pub(super) taken_at_ms: u64,
    pub(super) age_s: u64,
    pub(super) state: LibraryState,
    /// True if the index may be behind the server.
    pub(super) stale: bool,
    pub(super) accepted: usize,
    pub(super) review: usize,
    pub(super) rejected: usize,
    /// One result per track, in the order of the request.
    pub(super) tracks: Vec<MatchedTrack>,
}

/// The match result of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MatchDecision)]
pub(super) enum TrackMatchDecision {
    /// This item is the track.
    Accept,
    /// A person should decide.
    Review,
    /// Not found.
    Reject,
}

impl From<matching::MatchDecision> for TrackMatchDecision {
    fn from(decision: matching::MatchDecision) -> Self {
        match decision {
            matching::MatchDecision::Accept => Self::Accept,
            matching::MatchDecision::Review => Self::Review,
            matching::MatchDecision::Reject => Self::Reject,
        }
    }
}

/// The result for one track.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedTrack)]
pub(super) struct MatchedTrack {
    pub(super) decision: TrackMatchDecision,
    /// Source of the match.
    pub(super) source: MatchSource,
    /// The accepted item.
    pub(super) item: Option<MatchedItem>,
    /// Score of the best candidate, from 0 to 1.1.
    pub(super) score: Option<f64>,
    /// Score of the second best candidate.
    pub(super) runner_up: Option<f64>,
    /// Lead of the best candidate over the next one that is another recording.
    pub(super) margin: f64,
    /// Codes of the reasons for and against the best candidate.
    pub(super) reasons: Vec<&'static str>,
    /// The reasons as text.
    pub(super) why: Option<String>,
    /// The five best candidates.
    pub(super) candidates: Vec<TrackMatchCandidate>,
}

/// A candidate for a track.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchCandidate)]
pub(super) struct TrackMatchCandidate {
    #[serde(flatten)]
    pub(super) item: MatchedItem,
    /// Its score, from 0 to 1.1.
    pub(super) score: f64,
    /// Codes of the reasons for and against it.
    pub(super) reasons: Vec<&'static str>,
    /// The reasons as text.
    pub(super) why: String,
}

/// A library that is not indexed yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchUnindexed)]
pub(super) struct PendingLibrary {
    pub(super) library: String,
    pub(super) title: String,
    pub(super) state: LibraryState,
    /// Percentage read.
    pub(super) percent: Option<u64>,
    /// Estimated seconds left.
    pub(super) left_s: Option<u64>,
}

/// Confidence of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = MatchConfidence)]
pub(crate) enum ConfidenceLevel {
    High,
    Low,
    /// Not found in any library.
    None,
    /// Not found, but not all libraries could be searched.
    Unknown,
}

impl ConfidenceLevel {
    /// A missing item is certainly absent only if all libraries could be searched.
    pub(crate) fn from_confidence(confidence: FileMatchConfidence, is_complete: bool) -> Self {
        match confidence {
            FileMatchConfidence::High => Self::High,
            FileMatchConfidence::Low => Self::Low,
            FileMatchConfidence::None if is_complete => Self::None,
            FileMatchConfidence::None => Self::Unknown,
        }
    }
}

/// Items by path.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedPaths)]
pub(crate) struct MatchPathsResponse {
    /// The libraries searched.
    pub(super) libraries: Vec<String>,
    pub(super) unindexed: Vec<PendingLibrary>,
    pub(super) high: usize,
    pub(super) low: usize,
    pub(super) none: usize,
    pub(super) unknown: usize,
    /// One result per path, in the order of the request.
    pub(super) paths: Vec<PathMatchResult>,
}

/// The result for one path.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedPath)]
pub(super) struct PathMatchResult {
    pub(super) confidence: ConfidenceLevel,
    /// Key of the first item.
    pub(super) key: Option<String>,
    pub(super) reasons: Vec<String>,
    pub(super) items: Vec<PathMatchItem>,
    /// Candidates, if there is no certain match.
    pub(super) candidates: Vec<PathMatchItem>,
}

/// A candidate for a file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedFile)]
pub(super) struct PathMatchItem {
    #[serde(flatten)]
    pub(super) item: MatchedItem,
    pub(super) reasons: Vec<String>,
    /// Its files in the caller's paths, where the path maps can be reversed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) mapped_files: Vec<String>,
}

/// Items by external id.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedIds)]
pub(crate) struct MatchIdsResponse {
    /// The libraries searched.
    pub(super) libraries: Vec<String>,
    pub(super) unindexed: Vec<PendingLibrary>,
    pub(super) found: usize,
    pub(super) unknown: usize,
    /// One result per id, in the order of the request.
    pub(super) ids: Vec<IdMatchResult>,
}

/// The result for one id.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedId)]
pub(super) struct IdMatchResult {
    /// The id in canonical form; absent if it is not a valid id.
    pub(super) id: Option<String>,
    pub(super) confidence: ConfidenceLevel,
    pub(super) reasons: Vec<String>,
    pub(super) items: Vec<MatchedItem>,
}

/// A stored match override.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeptDecision)]
pub(crate) struct OverrideResponse {
    /// Its number, by which it can be deleted.
    id: i64,
    /// Its library, such as home:3.
    library: String,
    kind: MatchOverrideKind,
    /// The track it is about.
    track: TrackQuery,
    /// The item's key when it was stored.
    key: String,
    /// The item.
    item: ItemIdentity,
    /// True if it stands for exactly this recording, not for an acceptable other version.
    strict: bool,
    made_ms: u64,
}

impl From<&MatchOverride> for OverrideResponse {
    fn from(stored: &MatchOverride) -> Self {
        Self {
            id: stored.id,
            library: stored.library.to_string(),
            kind: stored.kind,
            track: stored.query.clone(),
            key: stored.item_key.clone(),
            item: stored.identity.clone(),
            strict: stored.is_strict,
            made_ms: stored.created_ms.as_millis(),
        }
    }
}

/// A page of match overrides.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeptDecisions)]
pub(crate) struct OverridesPage {
    /// Number of overrides by kind.
    pub(super) counts: BTreeMap<String, u64>,
    /// `after` of the next page; absent on the last page.
    pub(super) next: Option<i64>,
    pub(super) decisions: Vec<OverrideResponse>,
}

/// The action succeeded.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchDone)]
pub(crate) struct MatchActionResponse {
    pub(super) success: bool,
}

/// Number of deleted match overrides.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DecisionsGone)]
pub(crate) struct OverridesDeletedResponse {
    pub(super) success: bool,
    pub(super) gone: usize,
}

/// Number of imported match overrides.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DecisionsReadIn)]
pub(crate) struct OverridesImportedResponse {
    pub(super) success: bool,
    pub(super) kept: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_sync::matching::identity::kind_name;

    #[test]
    fn an_item_kind_has_the_same_name_as_in_overrides() {
        for kind in [ItemKind::Film, ItemKind::Show, ItemKind::Season, ItemKind::Episode, ItemKind::Track] {
            let name = serde_json::to_value(MatchedItemKind::from(kind)).expect("a string");
            assert_eq!(name, kind_name(kind));
        }
    }

    #[test]
    fn match_sources_and_library_states_have_one_name_everywhere() {
        for source in
            [MatchSource::Pin, MatchSource::Confirmed, MatchSource::Index, MatchSource::Miss, MatchSource::Live]
        {
            assert_eq!(serde_json::to_value(source).expect("a string"), source.name());
        }
        for state in [
            LibraryState::Off,
            LibraryState::Idle,
            LibraryState::Building,
            LibraryState::Current,
            LibraryState::Changing,
            LibraryState::Unconfirmed,
            LibraryState::Stale,
            LibraryState::Failed,
        ] {
            assert_eq!(serde_json::to_value(state).expect("a string"), state.name());
        }
    }
}
