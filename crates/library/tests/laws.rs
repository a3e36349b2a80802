//! Properties of matching for any library and any query.

use greenroom_library::matching::{MatchPolicy, Track, TrackIndex, TrackIndexBuilder};
use proptest::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    title: String,
    artist: String,
    album: String,
    duration_s: Option<u32>,
}

impl Row {
    fn with<R>(&self, then: impl FnOnce(&Track<'_>) -> R) -> R {
        let Self { title, artist, album, duration_s } = self;
        then(&Track { title, artist, album, duration_s: *duration_s, ..Track::default() })
    }
}

fn index(rows: &[Row]) -> TrackIndex {
    let mut builder = TrackIndexBuilder::default();
    for row in rows {
        row.with(|track| builder.push(track));
    }
    builder.build()
}

/// Few words and names, so that rows are often alike.
fn row() -> impl Strategy<Value = Row> {
    let word = prop::sample::select(vec!["our", "way", "home", "night", "2", "the", "f**k", "ひかり", "†", "nights"]);
    let extra = prop::sample::select(vec![
        "",
        "",
        "",
        " (Live)",
        " - Remastered 2011",
        " (feat. Abba)",
        " (Shazam Remix)",
        ", Pt. 2",
        " (Radio Edit)",
        " (Of Gold)",
        " - Live at Home 2012",
        " [Explicit]",
    ]);
    let artist =
        prop::sample::select(vec!["Abba", "The Abbas", "Abba & Zappa", "Zappa", "Various Artists", "Mata", "†††"]);
    let album = prop::sample::select(vec!["", "Gold", "Live at Home", "Greatest Hits"]);
    let duration = prop::option::of(prop::sample::select(vec![180_u32, 182, 190, 240]));
    (prop::collection::vec(word, 1..4), extra, artist, album, duration).prop_map(
        |(words, extra, artist, album, duration_s)| Row {
            title: format!("{}{extra}", words.join(" ")),
            artist: artist.to_owned(),
            album: album.to_owned(),
            duration_s,
        },
    )
}

/// Two different values.
fn two(some: &[&'static str]) -> impl Strategy<Value = (&'static str, &'static str)> + use<> {
    prop::sample::subsequence(some.to_vec(), 2).prop_shuffle().prop_map(|pair| (pair[0], pair[1]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_rows_changes_no_result(
        rows in prop::collection::vec(row(), 1..24),
        wanted in prop::collection::vec(row(), 1..6),
        keys in prop::collection::vec(any::<u64>(), 24),
    ) {
        let mut shuffled: Vec<(u64, Row)> = keys.into_iter().zip(rows.iter().cloned()).collect();
        shuffled.sort();
        let shuffled: Vec<Row> = shuffled.into_iter().map(|(_, row)| row).collect();
        let (one, other) = (index(&rows), index(&shuffled));
        for wanted in &wanted {
            let (one, other) = wanted.with(|track| (one.resolve(track, MatchPolicy::Strict), other.resolve(track, MatchPolicy::Strict)));
            prop_assert_eq!(one.decision, other.decision);
            let told = |verdict: &greenroom_library::matching::MatchResult, rows: &[Row]| -> Vec<(Row, String)> {
                verdict.candidates.iter()
                    .map(|found| (rows[found.row as usize].clone(), format!("{:.4} {:?}", found.score, found.reasons)))
                    .collect()
            };
            prop_assert_eq!(told(&one, &rows[..]), told(&other, &shuffled[..]));
        }
    }

    #[test]
    fn every_row_is_found_by_its_own_words(rows in prop::collection::vec(row(), 1..24)) {
        let index = index(&rows);
        for row in rows.iter().filter(|row| row.artist != "Various Artists") {
            let verdict = row.with(|track| index.resolve(track, MatchPolicy::Strict));
            let found = verdict.accepted().map(|found| &rows[found as usize]);
            let text = |row: &Row| (row.title.to_lowercase(), row.artist.clone());
            prop_assert_eq!(found.map(text), Some(text(row)), "{:?}", verdict);
        }
    }

    #[test]
    fn literally_equal_tracks_are_accepted_as_by_a_plain_comparison(
        rows in prop::collection::vec(row(), 1..24),
        wanted in row(),
    ) {
        let is_equal = |row: &&Row| (&row.title, &row.artist) == (&wanted.title, &wanted.artist);
        let is_near = |row: &Row| match (row.duration_s, wanted.duration_s) {
            (Some(one), Some(other)) => one.abs_diff(other) <= 3,
            _ => true,
        } && (row.album == wanted.album || wanted.album.is_empty());
        let is_there = rows.iter().filter(is_equal).any(is_near) && wanted.artist != "Various Artists";
        let verdict = wanted.with(|track| index(&rows).resolve(track, MatchPolicy::Strict));
        if is_there {
            prop_assert!(verdict.accepted().is_some(), "{:?}", verdict);
        }
    }

    #[test]
    fn nothing_panics(
        rows in prop::collection::vec((any::<String>(), any::<String>(), any::<String>(), any::<Option<u32>>()), 0..6),
        wanted in (any::<String>(), any::<String>(), any::<String>(), any::<Option<u32>>()),
    ) {
        let row = |(title, artist, album, duration_s)| Row { title, artist, album, duration_s };
        let rows: Vec<Row> = rows.into_iter().map(row).collect();
        let index = index(&rows);
        let verdict = row(wanted).with(|track| index.resolve(track, MatchPolicy::Strict));
        prop_assert!(verdict.candidates.len() <= 5);
        for row in &rows {
            row.with(|track| index.resolve(track, MatchPolicy::PreferVersionElseAny));
        }
    }

    #[test]
    fn another_artist_part_number_or_version_is_never_accepted(
        words in prop::sample::subsequence(vec!["harbour", "lantern", "winter", "silver", "garden"], 1..4),
        (one, other) in two(&["Grey Meadow", "Paper Kites", "Alma Keys", "Hank Orchard Jr.", "Hank Orchard"]),
        (said, unsaid) in two(&[
            "",
            ", Pt. 1",
            ", Pt. 2",
            " (Part A)",
            " 5",
            " 3",
            " (IV)",
            " (Live)",
            " (Acoustic)",
            " (Instrumental)",
            " - Karaoke Version",
            " (Somebody Remix)",
            " feat. Guest Remix",
            " (With Strings)",
            " (Demo)",
            " (Reprise)",
        ]),
        guest in prop::sample::select(vec!["", " (feat. Guest)"]),
        album in prop::sample::select(vec!["", "Harbour Days"]),
        duration_s in prop::option::of(Just(200_u32)),
    ) {
        let row = |artist: &str, said: &str| Row {
            title: format!("{}{guest}{said}", words.join(" ")),
            artist: artist.to_owned(),
            album: album.to_owned(),
            duration_s,
        };
        let wanted = row(one, said);
        for have in [row(other, said), row(one, unsaid)] {
            let verdict = wanted.with(|track| index(std::slice::from_ref(&have)).resolve(track, MatchPolicy::Strict));
            prop_assert_eq!(verdict.accepted(), None, "{:?} for {:?}: {:?}", have, wanted, verdict);
        }
    }

    #[test]
    fn rows_that_share_nothing_with_a_query_change_nothing(
        rows in prop::collection::vec(row(), 1..12),
        wanted in prop::collection::vec(row(), 1..6),
        others in prop::collection::vec(unrelated(), 0..40),
        policy in prop::sample::select(vec![MatchPolicy::Strict, MatchPolicy::PreferVersionElseAny]),
    ) {
        let more: Vec<Row> = rows.iter().chain(&others).cloned().collect();
        let (few, many) = (index(&rows), index(&more));
        for wanted in &wanted {
            let one = wanted.with(|track| few.resolve(track, policy));
            let other = wanted.with(|track| many.resolve(track, policy));
            prop_assert_eq!(one, other, "{:?} among {:?}", wanted, others);
        }
    }
}

/// A row without a word, a name or a beginning of a word in common with [`row`].
fn unrelated() -> impl Strategy<Value = Row> {
    let word = prop::sample::select(vec!["quixotic", "jumble", "brisk", "vexed", "fjord", "plinth", "djinn", "crypt"]);
    let artist = prop::sample::select(vec!["Quincy Jumble", "The Brisk", "Vexed Plinth", "Djinn"]);
    let album = prop::sample::select(vec!["", "Plinth", "Brisk Fjord"]);
    let duration = prop::option::of(100_u32..400);
    (prop::collection::vec(word, 1..4), artist, album, duration).prop_map(|(words, artist, album, duration_s)| Row {
        title: words.join(" "),
        artist: artist.to_owned(),
        album: album.to_owned(),
        duration_s,
    })
}
