//! What comes of a question: accepted, worth a look, or not there.

use std::cmp::Ordering;

use super::hypotheses::{self, Hypothesis};
use super::index::TrackIndex;
use super::question::Question;
use super::reason::Reason;
use super::retrieve::Search;
use super::score::{ACCEPT, FAR_S, Judged, REVIEW};
use super::{Candidate, Decision, Policy, Track, Verdict};

/// So many candidates are told.
const MOST_CANDIDATES: usize = 5;
/// A row that is not quite the one must be better than another recording by this much.
const MARGIN: f32 = 0.03;
/// What a shared ISRC adds where it does not decide.
const ISRC: f32 = 0.05;

/// Which track is meant.
pub(super) fn resolve(index: &TrackIndex, track: &Track<'_>, policy: Policy) -> Verdict {
    let question = Question::of(index, track);
    if let Some(verdict) = by_id(index, &question) {
        return verdict;
    }
    if policy == Policy::IdsOnly {
        return Verdict::nothing();
    }
    let ranked = rank(index, search(index, &question));
    let verdict = decide(index, ranked, policy);
    if verdict.decision == Decision::Accept {
        return verdict;
    }
    otherwise(index, track, policy).unwrap_or(verdict)
}

fn search(index: &TrackIndex, question: &Question<'_>) -> Vec<Judged> {
    let mut search = Search::of(index, question);
    search.exact();
    if !search.is_settled() {
        search.wide();
    }
    let mut judged = search.judged();
    for hash in &question.isrcs {
        for row in rows_of_id(index, *hash) {
            if let Some(judged) = judged.iter_mut().find(|judged| judged.row == row) {
                judged.score = (judged.score + ISRC).min(1.1);
                judged.reasons.insert(0, Reason::Isrc);
            }
        }
    }
    judged
}

/// The best of what other readings find, if it is beyond doubt.
fn otherwise(index: &TrackIndex, track: &Track<'_>, policy: Policy) -> Option<Verdict> {
    for hypothesis in hypotheses::others(track) {
        let Hypothesis { title, artist, keeps_artists, penalty, reasons } = hypothesis;
        let artists = if keeps_artists { track.artists } else { &[] };
        let read = Track { title: &title, artist: &artist, artists, album_artist: "", ..*track };
        let question = Question::of(index, &read);
        let mut search = Search::of(index, &question);
        search.exact();
        let mut judged = search.judged();
        judged.retain(|judged| judged.title >= 0.97 && judged.artist >= 0.90);
        for judged in &mut judged {
            judged.score -= penalty;
            judged.reasons.extend(reasons.iter().cloned());
        }
        let verdict = decide(index, rank(index, judged), policy);
        if verdict.decision == Decision::Accept {
            return Some(verdict);
        }
    }
    None
}

fn rows_of_id(index: &TrackIndex, hash: u64) -> impl Iterator<Item = u32> + '_ {
    let start = index.ids.partition_point(|(known, _)| *known < hash);
    index.ids[start..].iter().take_while(move |(known, _)| *known == hash).map(|(_, row)| *row)
}

/// What an id alone decides.
fn by_id(index: &TrackIndex, question: &Question<'_>) -> Option<Verdict> {
    let of_hash = |hash: &u64| rows_of_id(index, *hash).min_by_key(|row| (content(index, *row), *row));
    if let Some(row) = question.ids.iter().find_map(of_hash) {
        return Some(Verdict::certain(row, Reason::Id));
    }
    let core_key = question.heading().core_key;
    let is_it = |row: &u32| {
        let have = index.rows[*row as usize];
        let is_known = have.duration_s > 0 && question.duration_s > 0;
        let is_as_long = is_known && have.duration_s.abs_diff(question.duration_s) <= 3;
        let is_same_title = core_key != 0 && index.headings.get(have.title).core_key == core_key;
        is_as_long || is_same_title
    };
    let rows = question.isrcs.iter().flat_map(|hash| rows_of_id(index, *hash)).filter(is_it);
    let row = rows.min_by_key(|row| (content(index, *row), *row))?;
    Some(Verdict::certain(row, Reason::Isrc))
}

/// What a row says, so that it does not matter which came first.
fn content(index: &TrackIndex, row: u32) -> (u64, u64, u64, u16) {
    let row = index.rows[row as usize];
    let album = index.albums[row.album as usize].text_key;
    (index.headings.text_key(row.title), index.credits.text_key(row.credit), album, row.duration_s)
}

/// The best first. What decides between equals is what the rows say, and only at the very end which came first.
fn rank(index: &TrackIndex, mut judged: Vec<Judged>) -> Vec<Judged> {
    judged.sort_by(|one, other| compare(index, one, other));
    judged
}

fn compare(index: &TrackIndex, one: &Judged, other: &Judged) -> Ordering {
    let steps = |judged: &Judged| (judged.score * 200.0).round();
    steps(other)
        .total_cmp(&steps(one))
        .then(other.is_same_album.cmp(&one.is_same_album))
        .then(one.off_s.unwrap_or(u32::MAX).cmp(&other.off_s.unwrap_or(u32::MAX)))
        .then(other.artist.total_cmp(&one.artist))
        .then(one.strangers.cmp(&other.strangers))
        .then(one.is_collection.cmp(&other.is_collection))
        .then(other.is_same_text.cmp(&one.is_same_text))
        .then_with(|| content(index, one.row).cmp(&content(index, other.row)))
        .then(one.row.cmp(&other.row))
}

fn decide(index: &TrackIndex, mut ranked: Vec<Judged>, policy: Policy) -> Verdict {
    let Some(best) = ranked.first() else { return Verdict::nothing() };
    let margin = best.score - rival(index, &ranked).map_or(0.0, |rival| rival.score);
    let is_far = best.off_s.is_some_and(|off_s| off_s > FAR_S);
    let is_alone = !has_other_subtitle(index, &ranked) && (best.title >= 0.97 || margin >= MARGIN);
    let is_sure = is_alone || best.is_same_album;
    let is_fit = best.score >= ACCEPT && !best.is_against && !best.is_doubtful;
    let is_another =
        best.title >= 0.97 && best.artist >= 0.95 && !best.is_doubtful && (best.is_against || is_far);
    let is_another_song =
        best.reasons.iter().any(|reason| matches!(reason, Reason::PartMismatch | Reason::NumberMismatch));
    let mut decision = if is_fit && !is_far && is_sure {
        Decision::Accept
    } else if best.score >= REVIEW || is_another {
        Decision::Review
    } else {
        Decision::Reject
    };
    if is_fit && !is_far && !is_sure {
        ranked[0].reasons.push(Reason::Ambiguous);
    }
    if decision == Decision::Review
        && policy == Policy::PreferVersionElseAny
        && is_another
        && !is_another_song
    {
        decision = Decision::Accept;
        ranked[0].reasons.push(Reason::AnyVersion);
    }
    ranked.truncate(MOST_CANDIDATES);
    let told = |judged: Judged| Candidate { row: judged.row, score: judged.score, reasons: judged.reasons };
    Verdict { decision, candidates: ranked.into_iter().map(told).collect(), margin }
}

/// The best row that is another recording than the first.
fn rival<'a>(index: &TrackIndex, ranked: &'a [Judged]) -> Option<&'a Judged> {
    let class = |judged: &Judged| {
        let heading = index.headings.get(index.rows[judged.row as usize].title);
        (heading.core_key, heading.versions)
    };
    let best = class(ranked.first()?);
    // A row that a star stands for is no rival of one that says the same without.
    let is_rival = |judged: &&Judged| !judged.is_against && class(judged) != best && judged.title < 1.0;
    ranked[1..].iter().find(is_rival)
}

/// Whether the first row has a subtitle that was not asked for, and another row as good has another.
fn has_other_subtitle(index: &TrackIndex, ranked: &[Judged]) -> bool {
    let subtitle = |judged: &Judged| index.headings.get(index.rows[judged.row as usize].title).subtitle;
    let is_added =
        |judged: &Judged| judged.reasons.contains(&Reason::Subtitle) && !subtitle(judged).is_empty();
    let Some(best) = ranked.first().filter(|best| is_added(best)) else { return false };
    ranked[1..].iter().any(|other| {
        let is_as_good = !other.is_against && !other.is_doubtful && best.score - other.score < MARGIN;
        is_as_good && is_added(other) && subtitle(other) != subtitle(best)
    })
}

impl Verdict {
    fn nothing() -> Self {
        Self { decision: Decision::Reject, candidates: Vec::new(), margin: 0.0 }
    }

    fn certain(row: u32, reason: Reason) -> Self {
        let candidate = Candidate { row, score: 1.0, reasons: vec![reason] };
        Self { decision: Decision::Accept, candidates: vec![candidate], margin: 1.0 }
    }
}
