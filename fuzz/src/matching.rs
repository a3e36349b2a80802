//! What must hold of matching whatever the texts are: a verdict is bounded, and the order of the rows changes none.

use greenroom_library::tracks::{Candidate, Decision, Policy, Track, TrackIndex, TrackIndexBuilder, Verdict};

use super::request::split_once;

/// So many rows are enough to be alike in every way.
const MOST_ROWS: usize = 24;

/// Checks what must hold of a library and of what is looked for in it: two lists of rows, between them a line `---`. A
/// row's fields stand between bars: title, artist, album, seconds.
pub fn check(bytes: &[u8]) {
    let (library, wanted) = split_once(bytes, b"\n---\n");
    let (library, wanted) = (String::from_utf8_lossy(library), String::from_utf8_lossy(wanted));
    let rows: Vec<&str> = library.lines().take(MOST_ROWS).collect();
    let turned: Vec<&str> = rows.iter().rev().copied().collect();
    let (index, other) = (index(&rows), self::index(&turned));
    for wanted in wanted.lines().take(MOST_ROWS).chain(rows.iter().copied()) {
        for policy in [Policy::Strict, Policy::PreferVersionElseAny, Policy::IdsOnly] {
            let verdict = index.resolve(&track(wanted), policy);
            bounded(&verdict, rows.len());
            let again = other.resolve(&track(wanted), policy);
            assert_eq!(told(&verdict, &rows), told(&again, &turned), "in another order: {wanted:?}");
        }
    }
}

fn track(row: &str) -> Track<'_> {
    let mut fields = row.split('|');
    let mut next = || fields.next().unwrap_or_default();
    let (title, artist, album, seconds) = (next(), next(), next(), next());
    Track { title, artist, album, duration_s: seconds.parse().ok(), ..Track::default() }
}

fn index(rows: &[&str]) -> TrackIndex {
    let mut builder = TrackIndexBuilder::default();
    for row in rows {
        builder.push(&track(row));
    }
    builder.build()
}

fn bounded(verdict: &Verdict, rows: usize) {
    assert!(verdict.candidates.len() <= 5, "{verdict:?}");
    assert_eq!(verdict.accepted().is_some(), verdict.decision == Decision::Accept, "{verdict:?}");
    for candidate in &verdict.candidates {
        assert!((candidate.row as usize) < rows, "{verdict:?}");
        assert!((0.0..=1.1).contains(&candidate.score), "{verdict:?}");
        assert!(!candidate.reasons.is_empty(), "{verdict:?}");
    }
}

/// What was decided, and what is said of each candidate; rows that say the same may stand for each other.
fn told(verdict: &Verdict, rows: &[&str]) -> (Decision, Vec<(String, String)>) {
    let told = |candidate: &Candidate| {
        let Track { title, artist, album, duration_s, .. } = track(rows[candidate.row as usize]);
        let duration_s =
            duration_s.filter(|seconds| *seconds > 0).map(|seconds| seconds.min(u32::from(u16::MAX)));
        let row = format!("{title}|{artist}|{album}|{duration_s:?}");
        (row, format!("{:.4} {:?}", candidate.score, candidate.reasons))
    };
    (verdict.decision, verdict.candidates.iter().map(told).collect())
}
