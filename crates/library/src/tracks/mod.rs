//! Which track of the library is meant: an index over all tracks, and verdicts that may say no.
//!
//! How a text is read: `repair` (encodings, look-alikes), `fold` (words), `wording` and `qualifier` (what says which
//! version), `pieces` and `parse` (a title taken apart), `credit` (who is credited), `hypotheses` (other readings).
//! How the library is kept: `vocabulary`, `heading`, `roster`, `postings`, and `index` over them.
//! How a question is answered: `question`, `retrieve` (rows worth judging), `likeness` and `artist` (how alike, with
//! `word_forms` and `typo`), `objection` (what speaks against a row that fits), `score`, `verdict`, and `reason`.

mod artist;
mod credit;
mod fold;
mod heading;
mod hypotheses;
mod index;
mod likeness;
mod objection;
mod parse;
mod pieces;
mod postings;
mod qualifier;
mod question;
mod reason;
mod repair;
mod retrieve;
mod roster;
mod score;
mod typo;
mod verdict;
mod version;
mod vocabulary;
mod word_forms;
mod wording;

pub use index::{TrackIndex, TrackIndexBuilder};
pub use reason::Reason;
pub use version::{Version, Versions};

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

impl TrackIndex {
    /// Which track is meant.
    pub fn resolve(&self, wanted: &Track<'_>, policy: Policy) -> Verdict {
        verdict::resolve(self, wanted, policy)
    }

    /// Which tracks are meant, each as if it were asked alone.
    pub fn resolve_all(&self, wanted: &[Track<'_>], policy: Policy) -> Vec<Verdict> {
        wanted.iter().map(|wanted| self.resolve(wanted, policy)).collect()
    }
}
