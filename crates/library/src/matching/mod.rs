//! Finds the track of a library that a playlist row means: an index over all tracks, and results that may be
//! negative.
//!
//! Modules:
//! - Reading text: `mojibake` (encodings, look-alikes), `script`, `normalize` and `contractions` (words), `version`,
//!   `version_words` and `qualifier` (versions), `title_segments` and `parse` (titles), `artist_credit` (credits),
//!   `alternatives` (other interpretations).
//! - Storing the library: `vocabulary`, `title_table`, `artist_table`, `postings`, `index` over them with `index_builder`, and `patch` (the
//!   next index out of the last).
//! - Answering a query: `query`, `candidates` (rows to score), `title_similarity` and `artist_similarity` (with
//!   `word_scale`, `word_forms` and `edit_distance`), `text_difference` and `own_words` (what makes another text),
//!   `veto` (evidence against a similar row), `score`, `decision`, `list` (rows that explain each other), and
//!   `reason`.

mod alternatives;
mod artist_credit;
mod artist_similarity;
mod artist_table;
mod candidates;
mod contractions;
mod decision;
mod edit_distance;
mod index;
mod index_builder;
mod list;
mod mojibake;
mod normalize;
mod own_words;
mod parse;
mod patch;
mod postings;
mod qualifier;
mod query;
mod reason;
mod score;
mod script;
mod text_difference;
mod title_segments;
mod title_similarity;
mod title_table;
mod version;
mod version_words;
mod veto;
mod vocabulary;
mod word_forms;
mod word_scale;

pub use decision::ArtistRenaming;
pub use index::TrackIndex;
pub use index_builder::TrackIndexBuilder;
pub use list::ListEvidence;
pub(crate) use patch::{AddedTrack, with_track};
pub use reason::TrackMatchReason;
pub use version::{TrackVersion, TrackVersions};

/// A track of a library or of a playlist row. Unknown fields are empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Track<'a> {
    /// Its title.
    pub title: &'a str,
    /// The whole credit as one text.
    pub artist: &'a str,
    /// Credited artists one by one; empty if only the whole credit is known.
    pub artists: &'a [&'a str],
    /// Artist of its album.
    pub album_artist: &'a str,
    /// Its album.
    pub album: &'a str,
    /// Duration in seconds.
    pub duration_s: Option<u32>,
    /// External ids: `mbid://…`, `isrc://…`, `plex://…`.
    pub ids: &'a [&'a str],
}

/// Recordings that count as a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatchPolicy {
    /// Only the same recording.
    #[default]
    Strict,
    /// Another version of the same song, if the recording itself is not in the library.
    PreferVersionElseAny,
    /// Only tracks with the same external id.
    IdsOnly,
}

/// Decision about one track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchDecision {
    /// Matched.
    Accept,
    /// Needs a review: a similar track, or only another version, is in the library.
    Review,
    /// Not in the library.
    Reject,
}

/// A candidate for the track.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackCandidate {
    /// Row of the index, from 0 in the order of insertion.
    pub row: u32,
    /// From 0 to 1.1.
    pub score: f32,
    /// Evidence for and against it.
    pub reasons: Vec<TrackMatchReason>,
}

/// Result of matching one track.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchResult {
    /// The decision.
    pub decision: MatchDecision,
    /// At most five, best first; with [`MatchDecision::Accept`] the first is the match.
    pub candidates: Vec<TrackCandidate>,
    /// Score of the first above that of the next different recording.
    pub margin: f32,
}

impl MatchResult {
    /// Row of the match, if accepted.
    pub fn accepted(&self) -> Option<u32> {
        (self.decision == MatchDecision::Accept).then(|| self.candidates.first().map(|best| best.row)).flatten()
    }
}

impl TrackIndex {
    /// Matches one track.
    pub fn resolve(&self, wanted: &Track<'_>, policy: MatchPolicy) -> MatchResult {
        decision::resolve(self, wanted, policy)
    }

    /// Matches one track of a list. Also returns the other name of the artist, if only that keeps the first candidate
    /// from being accepted: [`ListEvidence`] tells whether other rows show the same.
    pub fn resolve_in_list(&self, wanted: &Track<'_>, policy: MatchPolicy) -> (MatchResult, Option<ArtistRenaming>) {
        decision::resolve_row(self, wanted, policy)
    }

    /// Matches the tracks of one list. An artist to whom three of them give the same other name is believed to be
    /// the same.
    pub fn resolve_all(&self, wanted: &[Track<'_>], policy: MatchPolicy) -> Vec<MatchResult> {
        list::resolve_all(self, wanted, policy)
    }
}
