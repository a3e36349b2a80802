//! What is answered about matches, field by field.

use std::collections::BTreeMap;

use greenroom_library::files::Confidence;
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::tracks;
use serde::Serialize;
use utoipa::ToSchema;

use greenroom_sync::index::{LibraryId, State};
use greenroom_sync::matching::Source;
use greenroom_sync::matching::identity::Identity;
use greenroom_sync::matching::pin::{Ruling, RulingKind};
use greenroom_sync::matching::query::Wanted;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MatchKind)]
pub(super) enum Kind {
    Film,
    Show,
    Season,
    Episode,
    Track,
}

impl From<ItemKind> for Kind {
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
pub(super) struct Shown {
    /// Its library, such as home:3.
    pub(super) library: String,
    /// The media server's key.
    pub(super) key: String,
    pub(super) kind: Kind,
    pub(super) title: String,
    /// Its names elsewhere.
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
    /// Its files, as the server calls them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<String>,
}

impl Shown {
    pub(super) fn of(library: &LibraryId, item: &Item) -> Self {
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

/// Which tracks are meant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedTracks)]
pub(crate) struct Tracks {
    /// The library that was asked, such as home:3.
    pub(super) library: String,
    /// Which snapshot of it.
    pub(super) generation: u64,
    pub(super) taken_at_ms: u64,
    pub(super) age_s: u64,
    pub(super) state: State,
    /// The server may have something else by now.
    pub(super) stale: bool,
    pub(super) accepted: usize,
    pub(super) review: usize,
    pub(super) rejected: usize,
    /// One for each that was asked, in that order.
    pub(super) tracks: Vec<Verdict>,
}

/// What is to be done about a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MatchDecision)]
pub(super) enum Decision {
    /// It is this one.
    Accept,
    /// Somebody should look.
    Review,
    /// It is not there.
    Reject,
}

impl From<tracks::Decision> for Decision {
    fn from(decision: tracks::Decision) -> Self {
        match decision {
            tracks::Decision::Accept => Self::Accept,
            tracks::Decision::Review => Self::Review,
            tracks::Decision::Reject => Self::Reject,
        }
    }
}

/// What came of one track.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedTrack)]
pub(super) struct Verdict {
    pub(super) decision: Decision,
    /// Where that comes from.
    pub(super) source: Source,
    /// The item that was accepted.
    pub(super) item: Option<Shown>,
    /// How well the best one fits, from 0 to 1.1.
    pub(super) score: Option<f64>,
    /// The same of the second best.
    pub(super) runner_up: Option<f64>,
    /// How far the best is before the next that is another recording.
    pub(super) margin: f64,
    /// What speaks for and against the best, as words for programs.
    pub(super) reasons: Vec<&'static str>,
    /// The same for people.
    pub(super) why: Option<String>,
    /// The best five.
    pub(super) candidates: Vec<Candidate>,
}

/// An item a track may be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchCandidate)]
pub(super) struct Candidate {
    #[serde(flatten)]
    pub(super) item: Shown,
    /// How well it fits, from 0 to 1.1.
    pub(super) score: f64,
    /// What speaks for and against it, as words for programs.
    pub(super) reasons: Vec<&'static str>,
    /// The same for people.
    pub(super) why: String,
}

/// A library that could not be asked yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchUnindexed)]
pub(super) struct Awaited {
    pub(super) library: String,
    pub(super) title: String,
    pub(super) state: State,
    /// How much of it is read.
    pub(super) percent: Option<u64>,
    /// How long the rest will take.
    pub(super) left_s: Option<u64>,
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = MatchConfidence)]
pub(super) enum Sureness {
    High,
    Low,
    /// It is nowhere.
    None,
    /// It was not found, and not all libraries could be asked.
    Unknown,
}

impl Sureness {
    /// What is not found is nowhere only if all of the libraries could be asked.
    pub(super) fn of(confidence: Confidence, is_whole: bool) -> Self {
        match confidence {
            Confidence::High => Self::High,
            Confidence::Low => Self::Low,
            Confidence::None if is_whole => Self::None,
            Confidence::None => Self::Unknown,
        }
    }
}

/// Which items files belong to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedPaths)]
pub(crate) struct Paths {
    /// The libraries that were asked.
    pub(super) libraries: Vec<String>,
    pub(super) unindexed: Vec<Awaited>,
    pub(super) high: usize,
    pub(super) low: usize,
    pub(super) none: usize,
    pub(super) unknown: usize,
    /// One for each that was asked, in that order.
    pub(super) paths: Vec<FoundPath>,
}

/// What came of one path.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedPath)]
pub(super) struct FoundPath {
    pub(super) confidence: Sureness,
    /// Of the first item.
    pub(super) key: Option<String>,
    pub(super) reasons: Vec<String>,
    pub(super) items: Vec<PlacedItem>,
    /// What it may be where nothing is sure.
    pub(super) candidates: Vec<PlacedItem>,
}

/// An item a file may belong to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedFile)]
pub(super) struct PlacedItem {
    #[serde(flatten)]
    pub(super) item: Shown,
    pub(super) reasons: Vec<String>,
    /// Its files, as whoever asks would call them, where the path maps lead back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) mapped_files: Vec<String>,
}

/// Which items have names.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedIds)]
pub(crate) struct Ids {
    /// The libraries that were asked.
    pub(super) libraries: Vec<String>,
    pub(super) unindexed: Vec<Awaited>,
    pub(super) found: usize,
    pub(super) unknown: usize,
    /// One for each that was asked, in that order.
    pub(super) ids: Vec<FoundId>,
}

/// What came of one name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchedId)]
pub(super) struct FoundId {
    /// In its one spelling; nothing if it is no name.
    pub(super) id: Option<String>,
    pub(super) confidence: Sureness,
    pub(super) reasons: Vec<String>,
    pub(super) items: Vec<Shown>,
}

/// A decision that is kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeptDecision)]
pub(crate) struct Decided {
    /// Its number, by which it is taken back.
    id: i64,
    /// For which library, such as home:3.
    library: String,
    kind: RulingKind,
    /// About what.
    track: Wanted,
    /// The key the item had.
    key: String,
    /// What the item is.
    item: Identity,
    /// Whether it is this very recording, and not another version that was good enough.
    strict: bool,
    made_ms: u64,
}

impl From<&Ruling> for Decided {
    fn from(ruling: &Ruling) -> Self {
        Self {
            id: ruling.id,
            library: ruling.library.to_string(),
            kind: ruling.kind,
            track: ruling.wanted.clone(),
            key: ruling.item_key.clone(),
            item: ruling.identity.clone(),
            strict: ruling.is_strict,
            made_ms: ruling.made_ms,
        }
    }
}

/// Decisions, a page of them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeptDecisions)]
pub(crate) struct Page {
    /// How many there are of each kind.
    pub(super) counts: BTreeMap<String, u64>,
    /// What `after` is for the next page; nothing after the last.
    pub(super) next: Option<i64>,
    pub(super) decisions: Vec<Decided>,
}

/// It was done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchDone)]
pub(crate) struct Done {
    pub(super) success: bool,
}

/// So many decisions were taken back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DecisionsGone)]
pub(crate) struct Gone {
    pub(super) success: bool,
    pub(super) gone: usize,
}

/// So many decisions were read in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DecisionsReadIn)]
pub(crate) struct ReadIn {
    pub(super) success: bool,
    pub(super) kept: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_sync::matching::identity::word;

    #[test]
    fn a_kind_has_the_word_that_decisions_have_for_it() {
        for kind in [ItemKind::Film, ItemKind::Show, ItemKind::Season, ItemKind::Episode, ItemKind::Track] {
            let said = serde_json::to_value(Kind::from(kind)).expect("a word");
            assert_eq!(said, word(kind));
        }
    }

    #[test]
    fn where_a_verdict_is_from_and_how_a_library_does_have_one_word_everywhere() {
        for source in [Source::Pin, Source::Confirmed, Source::Index, Source::Miss, Source::Live] {
            assert_eq!(serde_json::to_value(source).expect("a word"), source.word());
        }
        for state in [
            State::Off,
            State::Idle,
            State::Building,
            State::Current,
            State::Unconfirmed,
            State::Stale,
            State::Failed,
        ] {
            assert_eq!(serde_json::to_value(state).expect("a word"), state.word());
        }
    }
}
