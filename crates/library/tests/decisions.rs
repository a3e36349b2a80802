//! Accepted, review and reject: one row for each way in which lists and libraries differ.

use greenroom_library::matching::{MatchDecision, MatchPolicy, MatchResult, Track, TrackIndex, TrackIndexBuilder};

/// Title, artist, album, seconds (0: unknown).
type Row = (&'static str, &'static str, &'static str, u32);

fn track<'a>(row: &Row, ids: &'a [&'a str]) -> Track<'a> {
    let (title, artist, album, seconds) = *row;
    Track { title, artist, album, duration_s: (seconds > 0).then_some(seconds), ids, ..Track::default() }
}

fn index(rows: &[Row]) -> TrackIndex {
    let mut builder = TrackIndexBuilder::default();
    for row in rows {
        builder.push(&track(row, &[]));
    }
    builder.build()
}

fn resolve(wanted: &Row, library: &[Row]) -> MatchResult {
    index(library).resolve(&track(wanted, &[]), MatchPolicy::Strict)
}

fn words(verdict: &MatchResult) -> Vec<&'static str> {
    verdict
        .candidates
        .first()
        .map(|best| best.reasons.iter().map(greenroom_library::matching::TrackMatchReason::word).collect())
        .unwrap_or_default()
}

/// A query, and a library whose first row must be accepted.
const SAME_RECORDINGS: &[(Row, &[Row])] = &[
    (
        ("Yesterday (Remastered 2015)", "The Beatles", "", 0),
        &[("Yesterday", "The Beatles", "", 0), ("Hey Jude (Remastered 2009)", "The Beatles", "", 0)],
    ),
    (("Iron Man - 2012 - Remaster", "Black Sabbath", "", 0), &[("Iron Man", "Black Sabbath", "", 0)]),
    (
        ("Sweet Dreams (Are Made of This)", "Eurythmics", "", 0),
        &[
            ("Sweet Dreams (Are Made of This)", "Eurythmics", "", 0),
            ("Sweet Dreams (Are Made of This)", "Marilyn Manson", "", 0),
            ("Sweet Dreams (Are Made of This)", "Weezer", "", 0),
        ],
    ),
    (
        ("I Wanna Rock (Remastered Album Version)", "Twisted Sister", "", 0),
        &[("I Wanna Rock", "Twisted Sister", "", 0)],
    ),
    (("Nxde", "(G)I-DLE", "", 0), &[("Nxde", "(G)I\u{2010}DLE", "", 0)]),
    (("Llamando a la tierra (Serenade From the Stars)", "M-Clan", "", 0), &[("Llamando a la tierra", "M-Clan", "", 0)]),
    (
        ("Champagne Supernova (OurVinyl Sessions)", "Matt Mayhem", "", 0),
        &[("Champagne Supernova", "Matt Mayhem", "Champagne Supernova (OurVinyl Sessions)", 0)],
    ),
    (
        ("Weekend - Seamus Haji Extended 80's Remix", "Haji & Emanuel", "", 0),
        &[("Weekend (Seamus Haji Extended 80's Remix)", "Haji & Emanuel", "", 0)],
    ),
    (("Come a Little Closer", "TEE MANGO", "", 0), &[("Come a Little Closer (Original Mix)", "Tee Mango", "", 0)]),
    (("Right Here (feat. Foxes)", "Rudimental", "", 240), &[("Right Here {Ft. Foxes} {Edit}", "Rudimental", "", 240)]),
    (("Ocean of Tears", "Caroline Polacheck", "", 0), &[("Ocean of Tears", "Caroline Polachek", "", 0)]),
    (("Yüce Dag Basinda", "Atlin Gün", "", 0), &[("Yüce Dağ Başında", "Altın Gün", "", 0)]),
    // Guests in the title or in the credit.
    (("Our Way (feat. Nobody Else)", "Someone", "", 0), &[("Our Way", "Someone, Nobody Else", "", 0)]),
    (("Our Way", "Nobody Else", "", 0), &[("Our Way (feat. Nobody Else)", "Someone", "", 0)]),
    (("Our Way", "Someone & Nobody Else", "", 0), &[("Our Way", "Someone feat. Nobody Else", "", 0)]),
    (("Our Way (com Fulano)", "Someone", "", 0), &[("Our Way", "Someone", "", 0)]),
    // The same recording described in other languages.
    (("Our Way - Remasterizado 2009", "Someone", "", 0), &[("Our Way", "Someone", "", 0)]),
    (("Our Way (Originalversion)", "Someone", "", 0), &[("Our Way", "Someone", "", 0)]),
    (("Our Way (Bande originale du film)", "Someone", "", 0), &[("Our Way", "Someone", "", 0)]),
    (("Our Way - En Vivo", "Someone", "", 0), &[("Our Way (Live)", "Someone", "", 0), ("Our Way", "Someone", "", 0)]),
    (
        ("Our Way (Akustik)", "Someone", "", 0),
        &[("Our Way (Acoustic Version)", "Someone", "", 0), ("Our Way", "Someone", "", 0)],
    ),
    // Spelling.
    (("Beyonce", "Beyoncé", "", 0), &[("BeyoncÃ©", "Beyonce", "", 0)]),
    (("our way", "the someones", "", 0), &[("OUR WAY!", "Someones, The", "", 0)]),
    (("Ourway to Heaven", "Someone", "", 0), &[("Our Way to Heaven", "Someone", "", 0)]),
    (("Our Wya to Heaven", "Someone", "", 200), &[("Our Way to Heaven", "Someone", "", 200)]),
    (("What the F**k", "Someone", "", 0), &[("What the Fuck", "Someone", "", 0)]),
    (("Money", "ASAP Someone", "", 0), &[("Money", "A$AP Someone", "", 0)]),
    (("You And Me, Part Two", "Someone", "", 0), &[("U & Me, Pt. 2", "Someone", "", 0)]),
    (
        ("Our Way to the Heaven Beyond a", "Someone", "", 0),
        &[("Our Way to the Heaven Beyond All Skies", "Someone", "", 0)],
    ),
    (("Группа крови", "Кино", "", 0), &[("Gruppa krovi", "Kino", "", 0)]),
    (("命の灯火", "誰か", "", 0), &[("命の灯火", "誰か", "", 0), ("別の歌", "誰か", "", 0)]),
    (("†", "†††", "", 0), &[("†", "†††", "", 0), ("‡", "†††", "", 0)]),
    // Text in the wrong field.
    (("03 - Our Way.mp3", "Someone", "", 0), &[("Our Way", "Someone", "", 0)]),
    (("Our Way", "#15 Someone", "", 0), &[("Our Way", "Someone", "", 0)]),
    (("Someone - Our Way (Official Video)", "SomeoneVEVO", "", 0), &[("Our Way", "Someone", "", 0)]),
    (("Our Way", "Someone - Topic", "", 0), &[("Our Way", "Someone", "", 0)]),
    (("Someone", "Our Way", "", 0), &[("Our Way", "Someone", "", 0)]),
    // Evidence decides between equals.
    (
        ("Our Way", "Someone", "Second", 200),
        &[("Our Way", "Someone", "Second", 201), ("Our Way", "Someone", "First", 200)],
    ),
    (("Our Way", "Someone", "", 200), &[("Our Way", "Someone", "First", 200), ("Our Way", "Someone", "Second", 203)]),
    // A cover is its performer's own recording.
    (("Our Way (Somebody Cover)", "Someone", "", 0), &[("Our Way", "Someone", "", 0), ("Our Way", "Somebody", "", 0)]),
];

#[test]
fn the_same_recording_is_accepted_in_any_spelling() {
    for (wanted, library) in SAME_RECORDINGS {
        let verdict = resolve(wanted, library);
        assert_eq!(verdict.accepted(), Some(0), "{wanted:?}: {verdict:?}");
    }
}

#[test]
fn another_recording_is_never_accepted() {
    let cases: &[(Row, Row, &str)] = &[
        (("Alive - Kumarion Remix", "Zeds Dead", "", 0), ("Alive", "Zeds Dead", "", 0), "version_mismatch"),
        (
            ("We Are The People (Shazam Remix)", "Empire", "", 0),
            ("We Are The People (southstar Remix)", "Empire", "", 0),
            "remix_mismatch",
        ),
        (
            ("Techno Fan {live, Enmore 2011}", "Wombats", "", 236),
            ("Techno Fan {live, Falls Festival 2014}", "Wombats", "", 242),
            "live_event_mismatch",
        ),
        (("Bittersweet", "Foxblood", "", 0), ("Bittersweet 2.0", "Foxblood", "", 0), "number_mismatch"),
        (("Our Way", "Someone", "", 0), ("Our Way (Live)", "Someone", "", 0), "version_mismatch"),
        (("Our Way (Unplugged)", "Someone", "", 0), ("Our Way", "Someone", "", 0), "version_mismatch"),
        (("Our Way (Instrumental)", "Someone", "", 0), ("Our Way", "Someone", "", 0), "version_mismatch"),
        (("Our Way (Karaoke Version)", "Someone", "", 0), ("Our Way", "Someone", "", 0), "version_mismatch"),
        (("Our Way - Demo", "Someone", "", 0), ("Our Way", "Someone", "", 0), "version_mismatch"),
        (("Our Way (Reprise)", "Someone", "", 0), ("Our Way", "Someone", "", 0), "version_mismatch"),
        (("Our Way (Sped Up)", "Someone", "", 0), ("Our Way", "Someone", "", 0), "version_mismatch"),
        (("Our Way (Taylor's Version)", "Someone", "", 0), ("Our Way", "Someone", "", 0), "version_mismatch"),
        (("Our Way - Mixed", "Someone", "", 0), ("Our Way", "Someone", "", 0), "version_mismatch"),
        (("Our Way (ao vivo)", "Someone", "", 0), ("Our Way", "Someone", "", 0), "version_mismatch"),
        (("Our Way (Le Youth Radio Mix)", "Someone", "", 0), ("Our Way", "Someone", "", 0), "version_mismatch"),
        (("Our Way, Pt. 1", "Someone", "", 0), ("Our Way, Pt. 2", "Someone", "", 0), "part_mismatch"),
        (("Symphony No. 5", "Someone", "", 0), ("Symphony No. 6", "Someone", "", 0), "part_mismatch"),
        (("Our Way II", "Someone", "", 0), ("Our Way", "Someone", "", 0), "number_mismatch"),
        (("Our Way", "Someone", "Plain", 0), ("Our Way", "Someone", "Live at Home", 0), "version_mismatch"),
    ];
    for (wanted, have, word) in cases {
        let verdict = resolve(wanted, &[*have]);
        assert_eq!(verdict.decision, MatchDecision::Review, "{wanted:?}: {verdict:?}");
        assert!(words(&verdict).contains(word), "{wanted:?}: {verdict:?}");
    }
}

#[test]
fn another_song_is_rejected() {
    let cases: &[(Row, Row)] = &[
        (("Dani California", "Red Hot Chili Peppers", "", 0), ("Californication", "Red Hot Chili Peppers", "", 0)),
        (("Alive - Kumarion Remix", "Zeds Dead", "", 0), ("In the Beginning", "Zeds Dead", "", 0)),
        (("命の灯火", "誰か", "", 0), ("別の歌", "誰か", "", 0)),
        (("Our Way", "Someone", "", 0), ("Our Way", "Karaoke All Stars", "", 0)),
        (("Our Way", "Queen", "", 0), ("Our Way", "Tribute to Queen", "", 0)),
        (("Our Way", "Someone", "", 0), ("Our Way", "Another", "", 0)),
        (("†", "†††", "", 0), ("‡", "†††", "", 0)),
        (("", "", "", 0), ("Our Way", "Someone", "", 0)),
        (("Our Way", "", "", 0), ("Our Way", "Someone", "", 0)),
    ];
    for (wanted, have) in cases {
        let verdict = resolve(wanted, &[*have]);
        assert_eq!(verdict.decision, MatchDecision::Reject, "{wanted:?}: {verdict:?}");
    }
    assert_eq!(resolve(&("Our Way", "Someone", "", 0), &[]).decision, MatchDecision::Reject, "an empty library");
}

#[test]
fn a_very_different_duration_leads_to_review() {
    let verdict = resolve(&("Our Way", "Someone", "", 200), &[("Our Way", "Someone", "", 260)]);
    assert_eq!((verdict.decision, words(&verdict).contains(&"duration_far")), (MatchDecision::Review, true));
}

#[test]
fn a_sequel_whose_title_has_a_word_more_is_not_accepted() {
    let verdict =
        resolve(&("Put It on the Floor", "Someone", "", 0), &[("Put It on the Floor Again", "Someone", "", 0)]);
    assert_ne!(verdict.decision, MatchDecision::Accept, "{verdict:?}");
}

#[test]
fn ids_are_matched_before_anything_else() {
    let mut builder = TrackIndexBuilder::default();
    let row = ("Another Spelling", "Someone Else", "", 200);
    builder.push(&track(&row, &["mbid://0b3c7c4c-0000-4000-8000-000000000001", "isrc://GBAYE0000001"]));
    let index = builder.build();
    let by = |row: Row, id: &str, policy| index.resolve(&track(&row, &[id]), policy);
    let same = by(("Our Way", "Someone", "", 0), "mbid://0b3c7c4c-0000-4000-8000-000000000001", MatchPolicy::IdsOnly);
    assert_eq!((same.accepted(), words(&same)), (Some(0), vec!["id"]));
    let as_long = by(("Our Way", "Someone", "", 202), "isrc://GBAYE0000001", MatchPolicy::Strict);
    assert_eq!((as_long.accepted(), words(&as_long)), (Some(0), vec!["isrc"]));
    let longer = by(("Our Way", "Someone", "", 240), "isrc://GBAYE0000001", MatchPolicy::Strict);
    assert_eq!(longer.accepted(), None, "an ISRC alone is not believed");
    let by_text = by(row, "mbid://other", MatchPolicy::IdsOnly);
    assert_eq!(by_text.decision, MatchDecision::Reject, "only ids count");
}

#[test]
fn another_version_is_taken_where_it_is_welcome() {
    let index = index(&[("Our Way (Live)", "Someone", "", 0)]);
    let wanted = ("Our Way", "Someone", "", 0);
    let verdict = index.resolve(&track(&wanted, &[]), MatchPolicy::PreferVersionElseAny);
    assert_eq!(verdict.accepted(), Some(0));
    assert!(words(&verdict).contains(&"any_version"));
    let said = verdict.candidates[0].reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    assert!(said.contains("live version"), "{said}");
    let other = index.resolve(&track(&("Other Song", "Someone", "", 0), &[]), MatchPolicy::PreferVersionElseAny);
    assert_eq!(other.decision, MatchDecision::Reject, "another song is not another version");
}

#[test]
fn at_most_five_candidates_are_told() {
    let rows: Vec<Row> = vec![("Our Way (Live)", "Someone", "", 0); 9];
    assert_eq!(resolve(&("Our Way", "Someone", "", 0), &rows).candidates.len(), 5);
}

#[test]
fn a_name_that_is_cut_into_words_in_two_ways_is_found_whichever_came_first() {
    let rows: [Row; 2] = [("Our Way", "Some Body", "", 0), ("Other Song", "Somebody", "", 0)];
    let turned: [Row; 2] = [rows[1], rows[0]];
    for wanted in [("Our Wya", "15 Somebody", "", 0), ("Our Wya", "Some Body Else", "", 0)] {
        let (one, other) = (resolve(&wanted, &rows), resolve(&wanted, &turned));
        assert_eq!((one.decision, words(&one)), (other.decision, words(&other)), "{wanted:?}");
    }
}
