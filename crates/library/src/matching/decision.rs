//! Decides the match of a track: accept, review or reject.

use std::cmp::Ordering;

use super::alternatives::{self, AlternativeParse};
use super::artist_credit::CreditRole;
use super::candidates::CandidateSearch;
use super::index::TrackIndex;
use super::query::MatchQuery;
use super::reason::TrackMatchReason;
use super::score::{FAR_DURATION_S, MatchCertainty, REVIEW, ScoredCandidate};
use super::{MatchDecision, MatchPolicy, MatchResult, Track, TrackCandidate};

/// Max candidates in a result.
const MAX_CANDIDATES: usize = 5;
/// A row without an exact title is accepted only if its score leads any other recording by this much. Rows closer
/// together than this count as equally good.
const MIN_MARGIN: f32 = 0.03;
/// Score added by a shared ISRC where neither title nor duration agrees, so that it does not decide alone.
const ISRC_BONUS: f32 = 0.05;

/// Matches one track: by external ids, then by title and artist, then by alternative interpretations of its fields.
pub(super) fn resolve(index: &TrackIndex, track: &Track<'_>, policy: MatchPolicy) -> MatchResult {
    resolve_row(index, track, policy).0
}

/// Like `resolve`, for a row of a list: also returns the other name of the artist, if only that keeps the first
/// candidate from being accepted.
pub(super) fn resolve_row(
    index: &TrackIndex,
    track: &Track<'_>,
    policy: MatchPolicy,
) -> (MatchResult, Option<ArtistRenaming>) {
    let question = MatchQuery::new(index, track);
    if let Some(verdict) = by_id(index, &question) {
        return (verdict, None);
    }
    if policy == MatchPolicy::IdsOnly {
        return (MatchResult::nothing(), None);
    }
    let ranked = rank(index, search(index, &question));
    let renaming = ArtistRenaming::of(index, &question, &ranked);
    let verdict = decide(index, &question, ranked, policy);
    if verdict.decision == MatchDecision::Accept {
        return (verdict, None);
    }
    match resolve_alternatives(index, track, policy) {
        Some(verdict) => (verdict, None),
        None => (verdict, renaming.filter(|renaming| !renaming.is_ambiguous)),
    }
}

/// An artist under another name than the one asked for.
#[derive(Debug, Clone, Copy)]
pub struct ArtistRenaming {
    /// Key of the name asked for.
    pub(super) asked: u64,
    /// The indexed name.
    pub(super) name: u32,
    /// The title.
    pub(super) title_key: u64,
    /// Whether another row is as likely.
    is_ambiguous: bool,
}

impl ArtistRenaming {
    fn of(index: &TrackIndex, question: &MatchQuery<'_>, ranked: &[ScoredCandidate]) -> Option<Self> {
        let best = ranked.first()?;
        let name = best.renamed?;
        let asked = question.names.iter().find(|name| name.role == CreditRole::Primary)?.key;
        let is_far = best.off_s.is_some_and(|off_s| off_s > FAR_DURATION_S);
        let is_other = |judged: &ScoredCandidate| !judged.is_against && judged.renamed != Some(name);
        let is_rival = |judged: &ScoredCandidate| is_other(judged) && best.score - judged.score < MIN_MARGIN;
        let is_ambiguous = is_far || ranked[1..].iter().any(is_rival);
        let title_key = index.titles.get(index.row(best.row).title).core_key;
        Some(Self { asked, name, title_key, is_ambiguous })
    }
}

fn search(index: &TrackIndex, question: &MatchQuery<'_>) -> Vec<ScoredCandidate> {
    let mut search = CandidateSearch::new(index, question);
    search.exact();
    if !search.is_done() {
        search.wide();
        if !search.is_done() {
            search.other_scripts();
        }
    }
    let mut judged = search.into_scored();
    for hash in &question.isrcs {
        for row in rows_of_id(index, *hash) {
            if let Some(judged) = judged.iter_mut().find(|judged| judged.row == row) {
                judged.score = (judged.score + ISRC_BONUS).min(1.1);
                judged.reasons.insert(0, TrackMatchReason::Isrc);
            }
        }
    }
    judged
}

/// The match of the likeliest alternative interpretation that is accepted, if any.
fn resolve_alternatives(index: &TrackIndex, track: &Track<'_>, policy: MatchPolicy) -> Option<MatchResult> {
    for hypothesis in alternatives::alternatives(track) {
        let AlternativeParse { title, artist, keeps_artists, penalty, reasons } = hypothesis;
        let artists = if keeps_artists { track.artists } else { &[] };
        let read = Track { title: &title, artist: &artist, artists, album_artist: "", ..*track };
        let question = MatchQuery::new(index, &read);
        let mut search = CandidateSearch::new(index, &question);
        search.exact();
        let mut judged = search.into_scored();
        judged.retain(|judged| judged.title >= 0.97 && judged.artist >= 0.90);
        for judged in &mut judged {
            judged.score -= penalty;
            judged.reasons.extend(reasons.iter().cloned());
        }
        let verdict = decide(index, &question, rank(index, judged), policy);
        if verdict.decision == MatchDecision::Accept {
            return Some(verdict);
        }
    }
    None
}

fn rows_of_id(index: &TrackIndex, hash: u64) -> impl Iterator<Item = u32> + '_ {
    index.rows_of_id(hash)
}

/// Decides by external ids, if possible. A shared id is enough; a shared ISRC also needs the same title or a duration
/// within three seconds.
fn by_id(index: &TrackIndex, question: &MatchQuery<'_>) -> Option<MatchResult> {
    let of_hash = |hash: &u64| rows_of_id(index, *hash).min_by_key(|row| (content(index, *row), index.order_of(*row)));
    if let Some(row) = question.ids.iter().find_map(of_hash) {
        return Some(MatchResult::certain(row, TrackMatchReason::Id));
    }
    let core_key = question.heading().core_key;
    let is_it = |row: &u32| {
        let have = index.row(*row);
        let is_known = have.duration_s > 0 && question.duration_s > 0;
        let is_as_long = is_known && have.duration_s.abs_diff(question.duration_s) <= 3;
        let is_same_title = core_key != 0 && index.titles.get(have.title).core_key == core_key;
        is_as_long || is_same_title
    };
    let rows = question.isrcs.iter().flat_map(|hash| rows_of_id(index, *hash)).filter(is_it);
    let row = rows.min_by_key(|row| (content(index, *row), index.order_of(*row)))?;
    Some(MatchResult::certain(row, TrackMatchReason::Isrc))
}

/// Sort key made of a row's content, so that the result does not depend on the order of insertion.
fn content(index: &TrackIndex, row: u32) -> (u64, u64, u64, u16) {
    let row = index.row(row);
    let album = index.album(row.album).text_key;
    (index.titles.text_key(row.title), index.credits.text_key(row.credit), album, row.duration_s)
}

/// Sorts the best candidates first. Ties are broken by content, and only then by order of insertion.
fn rank(index: &TrackIndex, mut judged: Vec<ScoredCandidate>) -> Vec<ScoredCandidate> {
    judged.sort_by(|one, other| compare(index, one, other));
    judged
}

fn compare(index: &TrackIndex, one: &ScoredCandidate, other: &ScoredCandidate) -> Ordering {
    let steps = |judged: &ScoredCandidate| (judged.score * 200.0).round();
    let is_meant = |judged: &ScoredCandidate| judged.is_fit() && judged.is_same_release();
    is_meant(other)
        .cmp(&is_meant(one))
        .then(steps(other).total_cmp(&steps(one)))
        .then(other.is_same_album.cmp(&one.is_same_album))
        .then(one.off_s.unwrap_or(u32::MAX).cmp(&other.off_s.unwrap_or(u32::MAX)))
        .then(other.artist.total_cmp(&one.artist))
        .then(one.strangers.cmp(&other.strangers))
        .then(one.is_collection.cmp(&other.is_collection))
        .then(other.is_same_text.cmp(&one.is_same_text))
        .then_with(|| content(index, one.row).cmp(&content(index, other.row)))
        .then_with(|| index.order_of(one.row).cmp(&index.order_of(other.row)))
}

fn decide(
    index: &TrackIndex,
    question: &MatchQuery<'_>,
    mut ranked: Vec<ScoredCandidate>,
    policy: MatchPolicy,
) -> MatchResult {
    let Some(best) = ranked.first() else { return MatchResult::nothing() };
    let margin = best.score - rival(index, &ranked).map_or(0.0, |rival| rival.score);
    let is_far = best.off_s.is_some_and(|off_s| off_s > FAR_DURATION_S);
    let is_alone = !has_other_subtitle(index, &ranked) && (best.title >= 0.97 || margin >= MIN_MARGIN);
    let is_sure = is_alone || best.is_same_album;
    let is_fit = best.is_fit();
    let lacks_guest = is_fit && !best.is_same_release() && lacks_guest(index, question, &ranked);
    let is_another = best.title >= 0.97 && best.artist >= 0.95 && !is_doubtful(best) && (best.is_against || is_far);
    let is_another_song = best
        .reasons
        .iter()
        .any(|reason| matches!(reason, TrackMatchReason::PartMismatch | TrackMatchReason::NumberMismatch));
    let mut decision = if is_fit && !is_far && is_sure && !lacks_guest {
        MatchDecision::Accept
    } else if best.score >= REVIEW || is_another {
        MatchDecision::Review
    } else {
        MatchDecision::Reject
    };
    if lacks_guest {
        ranked[0].reasons.push(TrackMatchReason::GuestMissing);
    }
    if is_fit && !is_far && !is_sure {
        ranked[0].reasons.push(TrackMatchReason::Ambiguous);
    }
    if decision == MatchDecision::Review
        && policy == MatchPolicy::PreferVersionElseAny
        && is_another
        && !is_another_song
    {
        decision = MatchDecision::Accept;
        ranked[0].reasons.push(TrackMatchReason::AnyVersion);
    }
    ranked.truncate(MAX_CANDIDATES);
    let told =
        |judged: ScoredCandidate| TrackCandidate { row: judged.row, score: judged.score, reasons: judged.reasons };
    MatchResult { decision, candidates: ranked.into_iter().map(told).collect(), margin }
}

/// Whether a guest who was asked for is missing in the first candidate, but takes part in another version of it.
fn lacks_guest(index: &TrackIndex, question: &MatchQuery<'_>, ranked: &[ScoredCandidate]) -> bool {
    let Some((best, others)) = ranked.split_first() else { return false };
    let takes_part = |judged: &ScoredCandidate, key: u64| {
        let row = index.row(judged.row);
        let guests = index.titles.get(row.title).guests.iter().copied();
        index.credits.names(row.credit).map(|(name, _)| name).chain(guests).any(|name| index.artists.key(name) == key)
    };
    let is_sibling = |judged: &&ScoredCandidate| judged.title >= 0.97 && judged.is_against && !is_doubtful(judged);
    let guests = question.names.iter().filter(|name| name.role == CreditRole::Credited);
    let mut missing = guests.filter(|guest| !takes_part(best, guest.key));
    missing.any(|guest| others.iter().filter(is_sibling).any(|other| takes_part(other, guest.key)))
}

fn is_doubtful(judged: &ScoredCandidate) -> bool {
    judged.certainty == MatchCertainty::Doubtful
}

/// The best candidate that is another recording than the first one.
fn rival<'a>(index: &TrackIndex, ranked: &'a [ScoredCandidate]) -> Option<&'a ScoredCandidate> {
    let class = |judged: &ScoredCandidate| {
        let heading = index.titles.get(index.row(judged.row).title);
        (heading.core_key, heading.versions)
    };
    let best = class(ranked.first()?);
    // A title that differs only in masked letters (`f***`) has full similarity: it is the same recording, no rival.
    let is_rival = |judged: &&ScoredCandidate| !judged.is_against && class(judged) != best && judged.title < 1.0;
    ranked[1..].iter().find(is_rival)
}

/// Whether the first candidate has a subtitle that the query lacks, and an equally good one has a different subtitle.
fn has_other_subtitle(index: &TrackIndex, ranked: &[ScoredCandidate]) -> bool {
    let subtitle = |judged: &ScoredCandidate| index.titles.get(index.row(judged.row).title).subtitle;
    let is_added =
        |judged: &ScoredCandidate| judged.reasons.contains(&TrackMatchReason::Subtitle) && !subtitle(judged).is_empty();
    let Some(best) = ranked.first().filter(|best| is_added(best)) else { return false };
    ranked[1..].iter().any(|other| {
        let is_as_good = !other.is_against && !is_doubtful(other) && best.score - other.score < MIN_MARGIN;
        is_as_good && is_added(other) && subtitle(other) != subtitle(best)
    })
}

impl MatchResult {
    fn nothing() -> Self {
        Self { decision: MatchDecision::Reject, candidates: Vec::new(), margin: 0.0 }
    }

    fn certain(row: u32, reason: TrackMatchReason) -> Self {
        let candidate = TrackCandidate { row, score: 1.0, reasons: vec![reason] };
        Self { decision: MatchDecision::Accept, candidates: vec![candidate], margin: 1.0 }
    }
}
