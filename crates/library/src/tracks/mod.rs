//! Which track of the library is meant: an index over all tracks, and verdicts that may say no.

use std::collections::HashMap;

/// A track as it is named somewhere: by a row of the library or by a row of a playlist. What is not known is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Track<'a> {
    /// Its title.
    pub title: &'a str,
    /// The whole credit, as one text.
    pub artist: &'a str,
    /// Who is credited, one by one; empty if only the whole credit is known.
    pub artists: &'a [&'a str],
    /// Artist of its album.
    pub album_artist: &'a str,
    /// Its album.
    pub album: &'a str,
    /// Length in seconds.
    pub duration_s: Option<u32>,
    /// Names by which others know it: `mbid://…`, `isrc://…`, `plex://…`.
    pub ids: &'a [&'a str],
}

/// What may count as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Only this recording.
    #[default]
    Strict,
    /// Another version of the same song, if this one is not there.
    PreferVersionElseAny,
    /// Only what is named by the same id.
    IdsOnly,
}

/// What is to be done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// It is this one.
    Accept,
    /// Somebody should look: it may be this one, or only another version is there.
    Review,
    /// It is not there.
    Reject,
}

/// Why. A closed set; each has a word and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Title and artist are the same.
    TitleExact,
}

/// A row that might be meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Row of the index, counted from zero in the order they were pushed.
    pub row: u32,
    /// From 0 to 1.1.
    pub score: f32,
    /// What speaks for and against it.
    pub reasons: Vec<Reason>,
}

/// What came of resolving one track.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What is to be done.
    pub decision: Decision,
    /// At most five, the best first; with [`Decision::Accept`] the first is the one.
    pub candidates: Vec<Candidate>,
    /// How far the first is before the next that is another recording.
    pub margin: f32,
}

impl Verdict {
    /// The row that was accepted.
    pub fn accepted(&self) -> Option<u32> {
        (self.decision == Decision::Accept).then(|| self.candidates.first().map(|best| best.row)).flatten()
    }
}

/// Makes an index.
#[derive(Debug, Default)]
pub struct TrackIndexBuilder {
    exact: HashMap<(String, String), Vec<u32>>,
    rows: u32,
}

/// An index over the tracks of one library.
#[derive(Debug, Default)]
pub struct TrackIndex {
    exact: HashMap<(String, String), Vec<u32>>,
    rows: u32,
}

impl TrackIndexBuilder {
    /// Adds a track; returns its row.
    pub fn push(&mut self, track: &Track<'_>) -> u32 {
        let key = (track.artist.to_lowercase(), track.title.to_lowercase());
        self.exact.entry(key).or_default().push(self.rows);
        self.rows += 1;
        self.rows - 1
    }

    /// The index over all that was added.
    pub fn build(self) -> TrackIndex {
        TrackIndex { exact: self.exact, rows: self.rows }
    }
}

impl TrackIndex {
    /// How many tracks it covers.
    pub fn len(&self) -> usize {
        self.rows as usize
    }

    /// Whether it covers none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Which track is meant.
    pub fn resolve(&self, wanted: &Track<'_>, policy: Policy) -> Verdict {
        let _ = policy;
        let key = (wanted.artist.to_lowercase(), wanted.title.to_lowercase());
        let rows = self.exact.get(&key).map_or(&[][..], Vec::as_slice);
        let candidate = |row: &u32| Candidate { row: *row, score: 1.0, reasons: vec![Reason::TitleExact] };
        let candidates: Vec<Candidate> = rows.iter().take(5).map(candidate).collect();
        let decision = if candidates.is_empty() { Decision::Reject } else { Decision::Accept };
        Verdict { decision, candidates, margin: 1.0 }
    }

    /// Which tracks are meant, each as if it were asked alone.
    pub fn resolve_all(&self, wanted: &[Track<'_>], policy: Policy) -> Vec<Verdict> {
        wanted.iter().map(|wanted| self.resolve(wanted, policy)).collect()
    }
}
