//! Properties of matching whatever the texts are: a result is bounded, and the order of the rows changes none.

use greenroom_library::matching::{
    MatchDecision, MatchPolicy, MatchResult, Track, TrackCandidate, TrackIndex, TrackIndexBuilder,
};

use super::request::split_once;

/// So many rows are enough to be alike in every way.
const MOST_ROWS: usize = 24;

/// Checks what must hold of a library and of what is looked for in it: two lists of rows, between them a line `---`. A
/// row's fields stand between bars: title, artist, album, seconds, names credited one by one and ids (each separated by
/// semicolons), artist of the album.
pub fn check(bytes: &[u8]) {
    let (library, wanted) = split_once(bytes, b"\n---\n");
    let (library, wanted) = (String::from_utf8_lossy(library), String::from_utf8_lossy(wanted));
    let rows: Vec<&str> = library.lines().take(MOST_ROWS).collect();
    let turned: Vec<&str> = rows.iter().rev().copied().collect();
    let (index, other) = (index(&rows), self::index(&turned));
    for wanted in wanted.lines().take(MOST_ROWS).chain(rows.iter().copied()) {
        for policy in [MatchPolicy::Strict, MatchPolicy::PreferVersionElseAny, MatchPolicy::IdsOnly] {
            let verdict = with_track(wanted, |track| index.resolve(track, policy));
            bounded(&verdict, rows.len());
            let again = with_track(wanted, |track| other.resolve(track, policy));
            assert_eq!(decisions(&verdict, &rows), decisions(&again, &turned), "in another order: {wanted:?}");
        }
    }
}

fn with_track<R>(row: &str, then: impl FnOnce(&Track<'_>) -> R) -> R {
    let mut fields = row.split('|');
    let mut next = || fields.next().unwrap_or_default();
    let (title, artist, album, seconds) = (next(), next(), next(), next());
    let several = |text: &'_ str| text.split(';').filter(|one| !one.is_empty()).map(str::to_owned).collect();
    let (artists, ids): (Vec<String>, Vec<String>) = (several(next()), several(next()));
    let artists: Vec<&str> = artists.iter().map(String::as_str).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let duration_s = seconds.parse().ok();
    then(&Track { title, artist, artists: &artists, album_artist: next(), album, duration_s, ids: &ids })
}

fn index(rows: &[&str]) -> TrackIndex {
    let mut builder = TrackIndexBuilder::default();
    for row in rows {
        with_track(row, |track| builder.push(track));
    }
    builder.build()
}

fn bounded(verdict: &MatchResult, rows: usize) {
    assert!(verdict.candidates.len() <= 5, "{verdict:?}");
    assert_eq!(verdict.accepted().is_some(), verdict.decision == MatchDecision::Accept, "{verdict:?}");
    for candidate in &verdict.candidates {
        assert!((candidate.row as usize) < rows, "{verdict:?}");
        assert!((0.0..=1.1).contains(&candidate.score), "{verdict:?}");
        assert!(!candidate.reasons.is_empty(), "{verdict:?}");
    }
}

/// The decision, and what is said of each candidate; rows that say the same may stand for each other.
fn decisions(verdict: &MatchResult, rows: &[&str]) -> (MatchDecision, Vec<(String, String)>) {
    let told = |candidate: &TrackCandidate| {
        let row = with_track(rows[candidate.row as usize], |track| {
            let length =
                track.duration_s.filter(|seconds| *seconds > 0).map(|seconds| seconds.min(u32::from(u16::MAX)));
            format!("{:?}", Track { duration_s: length, ids: &[], ..*track })
        });
        (row, format!("{:.4} {:?}", candidate.score, candidate.reasons))
    };
    (verdict.decision, verdict.candidates.iter().map(told).collect())
}
