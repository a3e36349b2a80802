//! Scores a row's similarity to a query.

use super::artist_credit::CreditRole;
use super::artist_similarity::{ArtistAgreement, ArtistRelation};
use super::index::{TrackIndex, TrackRow};
use super::query::MatchQuery;
use super::reason::TrackMatchReason;
use super::text_difference::TextDifference;
use super::title_similarity::{SimilarityKind, TitleSimilarity};
use super::veto::MatchPair;

/// Minimum score for accepting a row, if nothing speaks against it.
pub(super) const ACCEPT: f32 = 0.90;
/// Minimum score for a review.
pub(super) const REVIEW: f32 = 0.60;
/// Durations further apart than this, in seconds, belong to two recordings.
pub(super) const FAR_DURATION_S: u32 = 20;
/// Durations no further apart than this, in seconds, agree.
const SAME_LENGTH_S: u32 = 2;
/// Weight of the title in the score; the artist has the rest.
const TITLE: f32 = 0.56;
/// Max score of a row with evidence against it.
const AGAINST_FACTOR: f32 = 0.70;
/// Max score of a row that is equal only in part; less than that of an equal one.
const MAX_INEXACT_SCORE: f32 = ACCEPT - 0.01;
/// Subtracted from the score of such a row.
const INEXACT_PENALTY: f32 = 0.10;
/// Max score of a row that may be another song; less than that of the same song in another version.
const MAX_DOUBTFUL_SCORE: f32 = AGAINST_FACTOR - 0.01;
/// Minimum similarity of title and artist.
const MIN_TITLE_SIMILARITY: f32 = 0.55;
const MIN_ARTIST_SIMILARITY: f32 = 0.5;

/// Certainty that a row is the requested track, if no other version is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MatchCertainty {
    /// Title and artist are equal under the normal forms.
    Exact,
    /// One of them is equal but for spelling, a subtitle or a cut, or for a typing error and other evidence agrees.
    Near,
    /// Similar only.
    Doubtful,
}

/// A scored row.
#[expect(clippy::struct_excessive_bools, reason = "each is one fact of the row, and none follows from another")]
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ScoredCandidate {
    pub(super) row: u32,
    pub(super) score: f32,
    pub(super) title: f32,
    pub(super) artist: f32,
    pub(super) reasons: Vec<TrackMatchReason>,
    pub(super) is_against: bool,
    pub(super) certainty: MatchCertainty,
    /// The indexed name, if everything is equal but for the artist, who may be the same under another name.
    pub(super) renamed: Option<u32>,
    pub(super) off_s: Option<u32>,
    pub(super) is_same_album: bool,
    /// Number of names on one side only.
    pub(super) strangers: usize,
    pub(super) is_collection: bool,
    /// Whether the titles are spelled the same.
    pub(super) is_same_text: bool,
}

/// Scores a row with these similarities of title and artist. `None` if it is another song.
pub(super) fn score_row(
    index: &TrackIndex,
    question: &MatchQuery<'_>,
    row: u32,
    alike: TitleSimilarity,
    credited: ArtistAgreement,
) -> Option<ScoredCandidate> {
    let artist = credited.similarity;
    if alike.similarity < MIN_TITLE_SIMILARITY || artist < MIN_ARTIST_SIMILARITY {
        return None;
    }
    let TrackRow { title, credit, album, duration_s } = *index.row(row);
    let (wanted, have) = (question.heading(), index.titles.get(title));
    let album = index.album(album);
    let off_s =
        (question.duration_s > 0 && duration_s > 0).then(|| u32::from(question.duration_s.abs_diff(duration_s)));
    let mut reasons = likenesses(alike, artist);
    let mut score = TITLE * alike.similarity + (1.0 - TITLE) * artist;
    let is_exact = alike.similarity >= 0.97;
    score += by_duration(off_s, is_exact, &mut reasons);
    let is_same_album = album.key != 0 && album.key == question.album.key && album.versions == question.album.versions;
    if is_same_album {
        score += 0.03;
        reasons.push(TrackMatchReason::AlbumMatch);
    }
    if (wanted.cut != have.cut) && off_s.is_none_or(|off| off > 8) {
        score -= 0.03;
        reasons.push(TrackMatchReason::Cut);
    }
    if alike.kind == SimilarityKind::Similar && wanted.length.min(have.length) <= 3 {
        score -= 0.10;
    }
    let before = reasons.len();
    let pair = MatchPair { index, query: question, wanted, have, row: index.row(row), off_s };
    reasons.extend(pair.vetoes(alike));
    let is_against = reasons.len() > before;
    reasons.extend(difference_reason(alike));
    let is_same_edition = is_same_album && album.edition_key == question.album.edition_key;
    let evidence =
        MatchEvidence { is_as_long: off_s.is_some_and(|off_s| off_s <= SAME_LENGTH_S), is_same_album, is_same_edition };
    let certainty = certainty(index, row, alike, credited, &evidence);
    let is_renamed = alike.kind == SimilarityKind::Exact
        && !alike.words_differ
        && !is_against
        && matches!(credited.relation, ArtistRelation::Misspelt | ArtistRelation::Renamed)
        && certainty == MatchCertainty::Doubtful
        && is_held_by_one(index, row, credited.name);
    let renamed = is_renamed.then_some(credited.name);
    match certainty {
        MatchCertainty::Exact => {}
        MatchCertainty::Near => score = (score - INEXACT_PENALTY).min(MAX_INEXACT_SCORE),
        MatchCertainty::Doubtful => score = score.min(MAX_DOUBTFUL_SCORE),
    }
    if is_against {
        let is_exact = certainty == MatchCertainty::Exact;
        score = score.min(if is_exact { AGAINST_FACTOR } else { MAX_DOUBTFUL_SCORE });
    }
    Some(ScoredCandidate {
        row,
        score: score.clamp(0.0, 1.1),
        title: alike.similarity,
        artist,
        reasons,
        is_against,
        certainty,
        renamed,
        off_s,
        is_same_album,
        strangers: strangers(index, question, credit, have.guests),
        is_collection: index.credits.is_compilation(credit)
            || album.is_collection
            || !album.versions.without(wanted.versions).is_plain(),
        is_same_text: index.titles.text_key(title) == question.text_key(),
    })
}

/// Scores a row with the same title that is by an artist in another script, if album and length agree.
pub(super) fn score_other_script(index: &TrackIndex, question: &MatchQuery<'_>, row: u32) -> Option<ScoredCandidate> {
    let TrackRow { credit, album, duration_s, .. } = *index.row(row);
    let album = index.album(album);
    let off_s = u32::from(question.duration_s.abs_diff(duration_s));
    let is_same_release = album.key == question.album.key
        && album.versions == question.album.versions
        && duration_s > 0
        && off_s <= SAME_LENGTH_S;
    if !is_same_release || !question.scripts.is_apart_from(index.credits.scripts(credit)) {
        return None;
    }
    let reasons = vec![
        TrackMatchReason::TitleExact,
        TrackMatchReason::ScriptDiffers,
        TrackMatchReason::DurationMatch { off_s },
        TrackMatchReason::AlbumMatch,
    ];
    Some(ScoredCandidate {
        row,
        score: REVIEW,
        title: 1.0,
        artist: 0.0,
        reasons,
        is_against: false,
        certainty: MatchCertainty::Doubtful,
        renamed: None,
        off_s: Some(off_s),
        is_same_album: true,
        strangers: 0,
        is_collection: index.credits.is_compilation(credit),
        is_same_text: false,
    })
}

impl ScoredCandidate {
    /// Whether it may be accepted, as far as title, artist and version are concerned.
    pub(super) fn is_fit(&self) -> bool {
        let least = if self.certainty == MatchCertainty::Exact { ACCEPT } else { ACCEPT - INEXACT_PENALTY };
        self.certainty != MatchCertainty::Doubtful && !self.is_against && self.score >= least
    }

    /// Whether album and length agree.
    pub(super) fn is_same_release(&self) -> bool {
        self.is_same_album && self.off_s.is_some_and(|off_s| off_s <= SAME_LENGTH_S)
    }
}

/// Evidence beside title and artist.
struct MatchEvidence {
    is_as_long: bool,
    is_same_album: bool,
    /// Whether the albums are equal with their edition.
    is_same_edition: bool,
}

fn certainty(
    index: &TrackIndex,
    row: u32,
    alike: TitleSimilarity,
    credited: ArtistAgreement,
    evidence: &MatchEvidence,
) -> MatchCertainty {
    let is_title_exact = alike.kind == SimilarityKind::Exact && !alike.words_differ;
    let is_same_release = evidence.is_as_long && evidence.is_same_album;
    let is_slip = matches!(alike.difference, TextDifference::Slip | TextDifference::LoneSlip);
    let has_evidence = evidence.is_as_long || evidence.is_same_album;
    let is_sure = match credited.relation {
        ArtistRelation::Same if is_title_exact => return MatchCertainty::Exact,
        // A typing error may make another word, which no list of words tells for sure.
        ArtistRelation::Same if !alike.words_differ => !is_slip || has_evidence,
        // A title that differs in more than spelling is believed only if few letters differ.
        ArtistRelation::Same if alike.difference == TextDifference::Words => is_same_release && alike.is_close,
        ArtistRelation::Same => evidence.is_as_long && evidence.is_same_edition,
        ArtistRelation::Respelt if is_title_exact && !is_slip => true,
        ArtistRelation::Respelt | ArtistRelation::Misspelt => !alike.words_differ && has_evidence,
        ArtistRelation::Renamed => is_title_exact && has_evidence && is_held_by_one(index, row, credited.name),
        ArtistRelation::Similar => is_title_exact && evidence.is_as_long && evidence.is_same_edition,
        ArtistRelation::Other => false,
    };
    if is_sure { MatchCertainty::Near } else { MatchCertainty::Doubtful }
}

/// Whether all rows with this row's title are by this name.
fn is_held_by_one(index: &TrackIndex, row: u32, name: u32) -> bool {
    let key = index.titles.get(index.row(row).title).core_key;
    let titles = index.titles_of_key.get_by_hash(key).iter().filter(|title| index.titles.get(**title).core_key == key);
    let mut rows = titles.flat_map(|title| index.rows_of_title.get(*title));
    rows.all(|row| index.credits.names(index.row(*row).credit).any(|(other, _)| other == name))
}

fn difference_reason(alike: TitleSimilarity) -> Option<TrackMatchReason> {
    if !alike.words_differ {
        return None;
    }
    match alike.difference {
        TextDifference::Order => Some(TrackMatchReason::OrderDiffers),
        TextDifference::Form => Some(TrackMatchReason::FormDiffers),
        TextDifference::Opposite => Some(TrackMatchReason::OppositeDiffers),
        TextDifference::Number => None,
        _ => Some(TrackMatchReason::WordsDiffer),
    }
}

fn likenesses(alike: TitleSimilarity, artist: f32) -> Vec<TrackMatchReason> {
    let title = match alike.kind {
        SimilarityKind::Exact => TrackMatchReason::TitleExact,
        SimilarityKind::Subtitle => TrackMatchReason::Subtitle,
        SimilarityKind::Similar => TrackMatchReason::TitleSimilar,
        SimilarityKind::CutOff => TrackMatchReason::TitleCutOff,
    };
    let artist = if artist >= 0.99 {
        TrackMatchReason::ArtistExact
    } else if (artist - 0.95).abs() < 0.001 {
        TrackMatchReason::ArtistFeature
    } else {
        TrackMatchReason::ArtistSimilar
    };
    vec![title, artist]
}

fn by_duration(off_s: Option<u32>, is_exact: bool, reasons: &mut Vec<TrackMatchReason>) -> f32 {
    let Some(off_s) = off_s else { return 0.0 };
    reasons.push(if off_s <= 12 {
        TrackMatchReason::DurationMatch { off_s }
    } else {
        TrackMatchReason::DurationFar { off_s }
    });
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

/// Number of names on one side only.
fn strangers(index: &TrackIndex, question: &MatchQuery<'_>, credit: u32, guests: &[u32]) -> usize {
    let credited = index.credits.names(credit).filter(|(_, role)| *role != CreditRole::Album).map(|(name, _)| name);
    let of_row: Vec<u64> = credited.chain(guests.iter().copied()).map(|name| index.artists.key(name)).collect();
    let sought: Vec<u64> = question.names.iter().map(|sought| sought.key).collect();
    let only = |some: &[u64], others: &[u64]| some.iter().filter(|key| !others.contains(key)).count();
    only(&of_row, &sought) + only(&sought, &of_row)
}
