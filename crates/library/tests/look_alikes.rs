//! Pairs that look alike and differ: none of them is accepted, whatever else agrees. With them, pairs that
//! must stay the same.

use greenroom_library::matching::{MatchDecision, MatchPolicy, Track, TrackIndex, TrackIndexBuilder};

/// Title, artist, album.
type Row = (&'static str, &'static str, &'static str);

fn track<'a>(row: &Row, duration_s: Option<u32>) -> Track<'a> {
    let (title, artist, album) = *row;
    Track { title, artist, album, duration_s, ..Track::default() }
}

fn index(rows: &[Row], duration_s: Option<u32>) -> TrackIndex {
    let mut builder = TrackIndexBuilder::default();
    for row in rows {
        builder.push(&track(row, duration_s));
    }
    builder.build()
}

/// Matches the first with only the others in the library, with and without the same duration.
fn assert_apart(wanted: &Row, rows: &[Row]) {
    for duration_s in [None, Some(200)] {
        for policy in [MatchPolicy::Strict, MatchPolicy::PreferVersionElseAny] {
            let verdict = index(rows, duration_s).resolve(&track(wanted, duration_s), policy);
            let is_welcome = policy == MatchPolicy::PreferVersionElseAny
                && verdict.candidates.iter().any(|found| {
                    found.reasons.iter().any(|reason| reason.word() == "any_version")
                        && !found
                            .reasons
                            .iter()
                            .any(|reason| matches!(reason.word(), "part_mismatch" | "number_mismatch" | "words_differ"))
                });
            assert!(
                verdict.decision != MatchDecision::Accept || is_welcome,
                "{wanted:?} is none of {rows:?}: {verdict:?}"
            );
        }
    }
}

fn assert_titles_apart(pairs: &[(&'static str, &'static str)]) {
    for (one, other) in pairs {
        assert_apart(&(one, "Someone Alone", ""), &[(other, "Someone Alone", "")]);
        assert_apart(&(other, "Someone Alone", ""), &[(one, "Someone Alone", "")]);
    }
}

fn assert_accepted(wanted: &Row, rows: &[Row]) {
    let verdict = index(rows, None).resolve(&track(wanted, None), MatchPolicy::Strict);
    assert_eq!(verdict.accepted(), Some(0), "{wanted:?} is the first of {rows:?}: {verdict:?}");
}

#[test]
fn the_start_of_a_title_is_not_the_title() {
    assert_titles_apart(&[
        ("The Arrow and the Passage Nobody Released 15", "The Arrow and the Passage"),
        ("The Arrow and the Passage Nobody Released", "The Arrow and the Passage"),
        ("The Arrow and the Passages 2", "The Arrow and the Passage"),
        ("The Lamps Along the Harbour at Night Live", "The Lamps Along the Harbour at"),
    ]);
    assert_accepted(
        &("The Lamps Along the Harbour an", "Someone", ""),
        &[("The Lamps Along the Harbour and the Sea", "Someone", "")],
    );
}

#[test]
fn initials_pronouns_and_opposites_are_not_typing_errors() {
    assert_titles_apart(&[
        ("Prelude in C Major", "Prelude in D Major"),
        ("I Can Wait", "I Can't Wait"),
        ("When He Loved the Harbour", "When She Loved the Harbour"),
        ("Vitamin C", "Vitamin D"),
        ("Harbour, Pt. A", "Harbour, Pt. B"),
        ("Harbour (Part A)", "Harbour (Part B)"),
        ("Harbour (Part A)", "Harbour"),
        ("Harbour (Part Deux)", "Harbour"),
        ("My Cat Is Gone", "My Bat Is Gone"),
    ]);
}

#[test]
fn two_words_of_the_library_are_not_typing_errors_of_each_other() {
    let there = ("Song of the Lonely", "Another", "");
    assert_apart(&("Lonely", "Someone", ""), &[("Lovely", "Someone", ""), there]);
    assert_apart(&("Lonely Harbour", "Someone", ""), &[("Lovely Harbour", "Someone", ""), there]);
    assert_accepted(&("Lonley Harbour", "Someone", "Grey"), &[("Lonely Harbour", "Someone", "Grey"), there]);
}

#[test]
fn an_artist_before_the_title_is_not_part_of_it() {
    let rows = [("Iron Lamp", "Grey Harbour", ""), ("Grey Harbour", "Grey Harbour", "")];
    assert_accepted(&("Grey Harbour - Iron Lamp", "Grey Harbour", ""), &rows);
    assert_apart(&("Grey Harbour - Iron Lamp", "Grey Harbour", ""), &rows[1..]);
    assert_accepted(&("Grey Harbour", "Grey Harbour", ""), &[rows[1], rows[0]]);
    assert_accepted(&("Iron Lamp", "Grey Harbour", ""), &[("Grey Harbour - Iron Lamp", "Grey Harbour", "")]);
    assert_apart(&("Grey Harbour - Live", "Grey Harbour", ""), &[("Grey Harbour", "Grey Harbour", "")]);
}

#[test]
fn half_of_a_medley_is_not_the_medley() {
    assert_titles_apart(&[
        ("We Will Row You / We Are the Captains", "We Will Row You"),
        ("We Will Row You / We Are the Captains", "We Are the Captains"),
    ]);
    assert_apart(&("We Are the Captains", "Someone", ""), &[("We Will Row You (We Are the Captains)", "Someone", "")]);
    assert_accepted(
        &("We Will Row You / We Are the Captains", "Someone", ""),
        &[("We Will Row You/We Are the Captains", "Someone", "")],
    );
}

#[test]
fn subtitles_and_their_numbers_distinguish_titles() {
    assert_titles_apart(&[
        ("Symphony No. 9 - IV. Finale", "Symphony No. 9 - I. Allegro"),
        ("Symphony No. 9 - IV. Finale", "Symphony No. 9 - III. Finale"),
        ("Bitter Harbour (2.0)", "Bitter Harbour"),
        ("The Unforgotten (II)", "The Unforgotten"),
        ("Interlude (Harbour)", "Interlude (Lamp)"),
        ("Put It on the Shelf", "Put It on the Shelf Again"),
    ]);
    assert_accepted(&("The Unforgotten II", "Someone", ""), &[("The Unforgotten (II)", "Someone", "")]);
    assert_apart(
        &("Harbour", "Someone", ""),
        &[("Harbour (The Lamps)", "Someone", ""), ("Harbour (The Night)", "Someone", "")],
    );
    assert_accepted(&("Harbour", "Someone", ""), &[("Harbour (The Lamps)", "Someone", "")]);
    assert_accepted(&("Harbour", "Someone", ""), &[("Harbour", "Someone", ""), ("Harbour (The Lamps)", "Someone", "")]);
}

#[test]
fn a_version_after_a_name_is_a_version() {
    for title in [
        "Harbour ft. Somebody Remix",
        "Harbour feat. Somebody Instrumental",
        "Harbour (feat. Somebody - Live at Home)",
        "Harbour (with Lyrics, Karaoke)",
        "Harbour (With Strings)",
        "Harbour (with the Grey City Choir)",
        "Harbour (prod. Somebody) Instrumental",
        "Harbour (From MTV Unplugged)",
        "Harbour (Clean Somebody Version)",
    ] {
        let (wanted, plain) = ((title, "Someone", ""), ("Harbour", "Someone", ""));
        for (wanted, have) in [(wanted, plain), (plain, wanted)] {
            let verdict = index(&[have], Some(200)).resolve(&track(&wanted, Some(200)), MatchPolicy::Strict);
            assert_eq!(verdict.decision, MatchDecision::Review, "{wanted:?} {have:?}: {verdict:?}");
        }
        assert_accepted(&wanted, &[wanted, plain]);
    }
    assert_accepted(&("Harbour (feat. Little Mix)", "Someone", ""), &[("Harbour", "Someone", "")]);
    assert_accepted(&("Harbour (From \"The Lamps\")", "Someone", ""), &[("Harbour", "Someone", "")]);
}

#[test]
fn a_guest_does_not_count_as_the_artist() {
    assert_apart(
        &("Grey City (feat. Alma Keys)", "Someone Alone", ""),
        &[("Grey City (feat. Alma Keys)", "The Copy Crew", "")],
    );
    assert_apart(
        &("Grey City", "Someone Alone feat. Alma Keys", ""),
        &[("Grey City", "The Copy Crew feat. Alma Keys", "")],
    );
    assert_accepted(&("Grey City", "Alma Keys", ""), &[("Grey City", "Someone Alone feat. Alma Keys", "")]);
}

#[test]
fn a_similar_name_does_not_match_where_the_exact_name_exists() {
    let artists = [
        ("Bryan Adler", "Ryan Adler"),
        ("Iron Harbour", "The Iron Harbours"),
        ("Pink Harbour", "The Australian Pink Harbour Show"),
        ("Hank Harbour", "Hank Harbour Jr."),
        ("Hank Harbour Sr.", "Hank Harbour Jr."),
        ("Hank Harbour", "Hank Harbour Trio"),
        ("Hank Harbour", "Hank Harbour Band"),
    ];
    for (one, other) in artists {
        for (wanted, have) in [(one, other), (other, one)] {
            assert_apart(&("Our Way", wanted, ""), &[("Our Way", have, ""), ("Another Song", wanted, "")]);
        }
    }
    assert_accepted(&("Our Way", "Bryan Adlre", ""), &[("Our Way", "Bryan Adler", "")]);
}

#[test]
fn album_versions_apply_to_their_tracks_in_both_directions() {
    let albums = [
        ("Grey Harbour", "Grey Harbour Instrumentals"),
        ("Nevertheless", "MTV Unplugged in Grey City"),
        ("Grey Harbour", "Grey Harbour (Live)"),
        ("Grey Harbour", "Live at Grey Harbour"),
    ];
    for (one, other) in albums {
        for (wanted, have) in [(one, other), (other, one)] {
            let wanted = ("Our Way", "Someone", wanted);
            let verdict =
                index(&[("Our Way", "Someone", have)], None).resolve(&track(&wanted, None), MatchPolicy::Strict);
            assert_eq!(verdict.decision, MatchDecision::Review, "{wanted:?} {have:?}: {verdict:?}");
        }
        assert_accepted(&("Our Way", "Someone", ""), &[("Our Way", "Someone", one), ("Our Way", "Someone", other)]);
    }
}

#[test]
fn a_policy_that_accepts_any_version_still_rejects_another_part() {
    for (wanted, have) in
        [("Harbour, Pt. 1", "Harbour, Pt. 2"), ("Harbour 2", "Harbour 3"), ("Harbour (2.0)", "Harbour")]
    {
        let index = index(&[(have, "Someone", "")], None);
        let verdict = index.resolve(&track(&(wanted, "Someone", ""), None), MatchPolicy::PreferVersionElseAny);
        assert_ne!(verdict.decision, MatchDecision::Accept, "{wanted}: {verdict:?}");
    }
}
