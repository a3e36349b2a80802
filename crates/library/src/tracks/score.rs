//! How well a row fits what is looked for, and what speaks against it.

use super::credit::Role;
use super::heading::Heading;
use super::index::{Album, Row, TrackIndex};
use super::likeness::{Likeness, Manner};
use super::question::Question;
use super::reason::Reason;
use super::version::{Version, Versions};

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
/// Less alike than this, and it is another title or another artist.
const LEAST_TITLE: f32 = 0.55;
const LEAST_ARTIST: f32 = 0.5;
/// Descriptions of remixes and concerts that share less than this are of two.
const SAME_REMIX: f32 = 0.55;
const SAME_EVENT: f32 = 0.75;

/// A row, judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) row: u32,
    pub(super) score: f32,
    pub(super) title: f32,
    pub(super) artist: f32,
    pub(super) reasons: Vec<Reason>,
    pub(super) is_against: bool,
    pub(super) off_s: Option<u32>,
    pub(super) is_same_album: bool,
    pub(super) is_collection: bool,
    /// Whether the titles agree to the letter.
    pub(super) is_same_text: bool,
}

/// Judges a row whose title and artist are this alike. `None` if it is another song.
pub(super) fn judge(
    index: &TrackIndex,
    question: &Question<'_>,
    row: u32,
    alike: &Likeness,
    artist: f32,
) -> Option<Judged> {
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
    let is_same_album = album.key != 0 && album.key == question.album.key;
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
    if !alike.is_same_text {
        versions(index, question, &wanted, &have, &album, credit, off_s, &mut reasons);
        numbers(alike, &wanted, &have, &mut reasons);
    }
    let is_against = reasons.len() > before;
    if is_against {
        score = score.min(AGAINST);
    }
    Some(Judged {
        row,
        score: score.clamp(0.0, 1.1),
        title: alike.likeness,
        artist,
        reasons,
        is_against,
        off_s,
        is_same_album,
        is_collection: index.credits.is_compilation(credit) || album.is_collection,
        is_same_text: alike.is_same_text,
    })
}

fn likenesses(alike: &Likeness, artist: f32) -> Vec<Reason> {
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

/// What an album's title says of its tracks, so that they need not say it.
const OF_ALBUMS: [Version; 6] = [
    Version::Live,
    Version::Acoustic,
    Version::Instrumental,
    Version::Karaoke,
    Version::Demo,
    Version::Mixed,
];

#[expect(clippy::too_many_arguments, reason = "each is one fact that is weighed")]
fn versions(
    index: &TrackIndex,
    question: &Question<'_>,
    wanted: &Heading<'_>,
    have: &Heading<'_>,
    album: &Album,
    credit: u32,
    off_s: Option<u32>,
    reasons: &mut Vec<Reason>,
) {
    let implied_here = album.versions.only(&OF_ALBUMS);
    let implied_there = question.album.versions.only(&OF_ALBUMS);
    let missing_here = wanted.versions.without(have.versions).without(implied_here);
    let missing_there = have.versions.without(wanted.versions).without(implied_there);
    if !missing_here.with(missing_there).is_plain() {
        reasons.push(Reason::VersionMismatch { want: wanted.versions, have: have.versions });
        return;
    }
    let both = |version| wanted.versions.has(version) && have.versions.has(version);
    let is_described = Versions::default().with(wanted.versions).only(&DESCRIBED);
    if !is_described.is_plain() && wanted.versions == have.versions {
        let overlap = overlap(index, question, wanted.by, have.by);
        if overlap < SAME_REMIX && !is_credited(index, question, wanted, have, credit) {
            reasons.push(Reason::RemixMismatch);
        }
    }
    if both(Version::Live) {
        let overlap = overlap(index, question, wanted.event, have.event);
        let is_same = match off_s {
            Some(0..=2) => true,
            Some(3..=10) | None => overlap >= SAME_EVENT,
            Some(_) => false,
        };
        if !is_same {
            reasons.push(Reason::LiveEventMismatch);
        }
    }
}

/// Versions of which there are several, told apart by what stands beside the word.
const DESCRIBED: [Version; 4] = [Version::Remix, Version::Named, Version::Translated, Version::Arranged];

/// How much of two descriptions is the same, by number of words; one if both say nothing.
fn overlap(index: &TrackIndex, question: &Question<'_>, wanted: &[u32], have: &[u32]) -> f32 {
    let _ = index;
    if wanted.is_empty() && have.is_empty() {
        return 1.0;
    }
    if wanted.is_empty() || have.is_empty() {
        return 0.0;
    }
    let text = |words: &[u32]| words.iter().map(|word| question.words.text(*word)).collect::<String>();
    let is_near = |one: u32, other: u32| {
        let (one, other) = (question.words.text(one), question.words.text(other));
        one.len() >= 5 && super::typo::distance(one, other, 1).is_some()
    };
    if text(wanted) == text(have) {
        return 1.0;
    }
    let found =
        |word: &&u32, others: &[u32]| others.iter().any(|other| other == *word || is_near(*other, **word));
    let here = wanted.iter().filter(|word| found(word, have)).count();
    let there = have.iter().filter(|word| found(word, wanted)).count();
    (here + there) as f32 / (wanted.len() + have.len()) as f32
}

/// Whether one side names no remixer, and the one that the other names is among its artists.
fn is_credited(
    index: &TrackIndex,
    question: &Question<'_>,
    wanted: &Heading<'_>,
    have: &Heading<'_>,
    credit: u32,
) -> bool {
    if !wanted.by.is_empty() && !have.by.is_empty() {
        return false;
    }
    let named = if wanted.by.is_empty() { have.by } else { wanted.by };
    let is_named = |words: &[u32]| !words.is_empty() && words.iter().all(|word| named.contains(word));
    if wanted.by.is_empty() {
        question.names.iter().any(|name| name.role != Role::Primary && is_named(&name.words))
    } else {
        index
            .credits
            .names(credit)
            .any(|(name, role)| role != Role::Primary && is_named(index.roster.words(name)))
    }
}

fn numbers(alike: &Likeness, wanted: &Heading<'_>, have: &Heading<'_>, reasons: &mut Vec<Reason>) {
    let mut parts = [wanted.parts.to_vec(), have.parts.to_vec()];
    parts.iter_mut().for_each(|parts| parts.sort_unstable());
    if parts[0] == parts[1] {
        if alike.numbers_differ {
            reasons.push(Reason::NumberMismatch);
        }
        return;
    }
    // "Song 2" and "Song, Pt. 2" say the same.
    let number = |one: &[u32], core: &[u32]| one.iter().all(|part| core.contains(part));
    let is_said_otherwise = alike.numbers_differ
        && (parts[0].is_empty() && number(&parts[1], wanted.core)
            || parts[1].is_empty() && number(&parts[0], have.core));
    if !is_said_otherwise {
        reasons.push(Reason::PartMismatch);
    }
}
