//! How well a row fits what is looked for, and what speaks against it.

use super::artist::Credited;
use super::credit::Role;
use super::index::{Row, TrackIndex};
use super::likeness::{Likeness, Manner};
use super::objection::Pair;
use super::question::Question;
use super::reason::Reason;

/// From this on a row is accepted, if nothing speaks against it.
pub(super) const ACCEPT: f32 = 0.90;
/// From this on it is worth a look.
pub(super) const REVIEW: f32 = 0.60;
/// Lengths that are further apart are of two recordings.
pub(super) const FAR_S: u32 = 20;
/// The share of the title in the score; the artist has the rest.
const TITLE: f32 = 0.56;
/// A row against which something speaks fits at most as well as this.
const AGAINST: f32 = 0.70;
/// A row of which it is not sure that it is this song fits at most as well as this.
const DOUBTFUL: f32 = ACCEPT - 0.01;
/// Less alike than this, and it is another title or another artist.
const LEAST_TITLE: f32 = 0.55;
const LEAST_ARTIST: f32 = 0.5;

/// A row, judged.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one fact of the row, and none follows from another"
)]
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) row: u32,
    pub(super) score: f32,
    pub(super) title: f32,
    pub(super) artist: f32,
    pub(super) reasons: Vec<Reason>,
    pub(super) is_against: bool,
    /// Whether it may well be another song or another artist.
    pub(super) is_doubtful: bool,
    pub(super) off_s: Option<u32>,
    pub(super) is_same_album: bool,
    /// How many names only it or only the question has.
    pub(super) strangers: usize,
    pub(super) is_collection: bool,
    /// Whether the titles are written alike.
    pub(super) is_same_text: bool,
}

/// Judges a row whose title and artist are this alike. `None` if it is another song.
pub(super) fn judge(
    index: &TrackIndex,
    question: &Question<'_>,
    row: u32,
    alike: Likeness,
    credited: Credited,
) -> Option<Judged> {
    let artist = credited.likeness;
    if alike.likeness < LEAST_TITLE || artist < LEAST_ARTIST {
        return None;
    }
    let Row { title, credit, album, duration_s } = index.rows[row as usize];
    let (wanted, have) = (question.heading(), index.headings.get(title));
    let album = index.albums[album as usize];
    let off_s = (question.duration_s > 0 && duration_s > 0)
        .then(|| u32::from(question.duration_s.abs_diff(duration_s)));
    let mut reasons = likenesses(alike, artist);
    let mut score = TITLE * alike.likeness + (1.0 - TITLE) * artist;
    let is_exact = alike.likeness >= 0.97;
    score += by_duration(off_s, is_exact, &mut reasons);
    let is_same_album =
        album.key != 0 && album.key == question.album.key && album.versions == question.album.versions;
    if is_same_album {
        score += 0.03;
        reasons.push(Reason::AlbumMatch);
    }
    if (wanted.cut != have.cut) && off_s.is_none_or(|off| off > 8) {
        score -= 0.03;
        reasons.push(Reason::Cut);
    }
    if alike.manner == Manner::Similar && wanted.length.min(have.length) <= 3 {
        score -= 0.10;
    }
    if alike.words_differ {
        reasons.push(Reason::WordsDiffer);
    }
    let before = reasons.len();
    let pair = Pair { index, question, wanted, have, row: &index.rows[row as usize], off_s };
    reasons.extend(pair.objections(alike));
    let is_against = reasons.len() > before;
    if is_against {
        score = score.min(AGAINST);
    }
    let is_doubtful = alike.words_differ || credited.is_doubtful;
    if is_doubtful {
        score = score.min(DOUBTFUL);
    }
    Some(Judged {
        row,
        score: score.clamp(0.0, 1.1),
        title: alike.likeness,
        artist,
        reasons,
        is_against,
        is_doubtful,
        off_s,
        is_same_album,
        strangers: strangers(index, question, credit, have.guests),
        is_collection: index.credits.is_compilation(credit)
            || album.is_collection
            || !album.versions.without(wanted.versions).is_plain(),
        is_same_text: index.headings.text_key(title) == question.text_key(),
    })
}

fn likenesses(alike: Likeness, artist: f32) -> Vec<Reason> {
    let title = match alike.manner {
        Manner::Exact => Reason::TitleExact,
        Manner::Subtitle => Reason::Subtitle,
        Manner::Similar => Reason::TitleSimilar,
        Manner::CutOff => Reason::TitleCutOff,
    };
    let artist = if artist >= 0.99 {
        Reason::ArtistExact
    } else if (artist - 0.95).abs() < 0.001 {
        Reason::ArtistFeature
    } else {
        Reason::ArtistSimilar
    };
    vec![title, artist]
}

fn by_duration(off_s: Option<u32>, is_exact: bool, reasons: &mut Vec<Reason>) -> f32 {
    let Some(off_s) = off_s else { return 0.0 };
    reasons.push(if off_s <= 12 { Reason::DurationMatch { off_s } } else { Reason::DurationFar { off_s } });
    match (off_s, is_exact) {
        (0..=3, _) => 0.03,
        (4..=12, true) => 0.01,
        (4..=12, false) => -0.01,
        (13..=30, true) => -0.05,
        (13..=30, false) => -0.12,
        (_, true) => -0.09,
        (_, false) => -0.18,
    }
}

/// How many names only one of the two has.
fn strangers(index: &TrackIndex, question: &Question<'_>, credit: u32, guests: &[u32]) -> usize {
    let credited = index.credits.names(credit).filter(|(_, role)| *role != Role::Album).map(|(name, _)| name);
    let of_row: Vec<u64> =
        credited.chain(guests.iter().copied()).map(|name| index.roster.key(name)).collect();
    let sought: Vec<u64> = question.names.iter().map(|sought| sought.key).collect();
    let only = |some: &[u64], others: &[u64]| some.iter().filter(|key| !others.contains(key)).count();
    only(&of_row, &sought) + only(&sought, &of_row)
}
