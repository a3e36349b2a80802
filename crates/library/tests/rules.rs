//! The rules of matching, each with rows that it accepts and rows that it must not.

use greenroom_library::matching::{
    MatchDecision, MatchPolicy, MatchResult, Track, TrackIndex, TrackIndexBuilder, TrackMatchReason,
};

/// Title, artist, album, seconds (0: unknown).
type Row = (&'static str, &'static str, &'static str, u32);

fn track(row: &Row) -> Track<'static> {
    let (title, artist, album, seconds) = *row;
    Track { title, artist, album, duration_s: (seconds > 0).then_some(seconds), ..Track::default() }
}

fn index(rows: &[Row]) -> TrackIndex {
    let mut builder = TrackIndexBuilder::default();
    for row in rows {
        builder.push(&track(row));
    }
    builder.build()
}

fn resolve(wanted: &Row, library: &[Row]) -> MatchResult {
    index(library).resolve(&track(wanted), MatchPolicy::Strict)
}

fn words(result: &MatchResult) -> Vec<&'static str> {
    let reasons = result.candidates.first().map(|best| best.reasons.iter().map(TrackMatchReason::word).collect());
    reasons.unwrap_or_default()
}

#[track_caller]
fn assert_first(wanted: Row, library: &[Row]) {
    let result = resolve(&wanted, library);
    assert_eq!(result.accepted(), Some(0), "{wanted:?} is the first of {library:?}: {result:?}");
}

/// The row needs a review, for this reason; no reason if empty.
#[track_caller]
fn assert_review(wanted: Row, library: &[Row], reason: &str) {
    let result = resolve(&wanted, library);
    assert_eq!(result.decision, MatchDecision::Review, "{wanted:?} {library:?}: {result:?}");
    assert!(reason.is_empty() || words(&result).contains(&reason), "{wanted:?} lacks {reason}: {result:?}");
}

mod renamed_artist {
    use super::*;

    #[test]
    fn is_believed_if_length_or_album_agrees() {
        assert_first(("Our Way", "Oh Lamps", "", 200), &[("Our Way", "Thee Oh Lamps", "", 201)]);
        assert_first(("Our Way", "Oh Lamps", "First", 0), &[("Our Way", "Thee Oh Lamps", "First", 0)]);
        assert_first(("Our Way", "IU", "", 200), &[("Our Way", "아이유 (IU)", "", 200)]);
    }

    #[test]
    fn is_not_believed_without_other_evidence() {
        assert_review(("Our Way", "Oh Lamps", "", 0), &[("Our Way", "Thee Oh Lamps", "", 0)], "artist_similar");
        assert_review(("Our Way", "Oh Lamps", "", 200), &[("Our Way", "Thee Oh Lamps", "", 208)], "artist_similar");
        assert_review(("Kiss", "Prince", "", 0), &[("Kiss", "Prince Royce", "", 0)], "artist_similar");
    }

    #[test]
    fn is_not_believed_if_the_library_has_the_name_that_was_asked_for() {
        let rows = [("Our Way", "Thee Oh Lamps", "", 200), ("Another", "Oh Lamps", "", 100)];
        assert_review(("Our Way", "Oh Lamps", "", 200), &rows, "artist_similar");
    }

    #[test]
    fn is_not_believed_if_others_have_the_title_too() {
        let rows = [("Our Way", "Thee Oh Lamps", "", 200), ("Our Way", "Grey Meadow", "", 180)];
        assert_review(("Our Way", "Oh Lamps", "", 200), &rows, "artist_similar");
    }

    #[test]
    fn is_believed_if_two_other_rows_of_the_list_show_the_same() {
        let index = index(&[
            ("One Way", "Thee Oh Lamps", "", 0),
            ("Two Ways", "Thee Oh Lamps", "", 0),
            ("Red Way", "Thee Oh Lamps", "", 0),
        ]);
        let wanted = |titles: &[&'static str]| -> Vec<Track<'static>> {
            titles.iter().map(|title| track(&(title, "Oh Lamps", "", 0))).collect()
        };
        let three = index.resolve_all(&wanted(&["One Way", "Two Ways", "Red Way"]), MatchPolicy::Strict);
        assert!(three.iter().all(|result| result.accepted().is_some()), "{three:?}");
        assert!(words(&three[0]).contains(&"same_renaming"));
        for titles in [&["One Way", "Two Ways"][..], &["One Way", "One Way", "One Way"]] {
            let few = index.resolve_all(&wanted(titles), MatchPolicy::Strict);
            assert!(few.iter().all(|result| result.decision == MatchDecision::Review), "{few:?}");
        }
    }
}

mod number_in_a_free_bracket {
    use super::*;

    #[test]
    fn says_nothing_beside_other_words() {
        for title in ["Our Way (99 Lamps to Home)", "Our Way (I Had 5 Hours)"] {
            assert_first((title, "Someone", "", 0), &[("Our Way", "Someone", "", 0)]);
            assert_first(("Our Way", "Someone", "", 0), &[(title, "Someone", "", 0)]);
        }
    }

    #[test]
    fn tells_recordings_apart_alone_as_a_year_or_after_a_part_word() {
        for title in ["Our Way (2)", "Our Way (II)", "Our Way (Summer of 1999)", "Our Way (Part 3)", "Our Way (Vol. 4)"]
        {
            assert_review((title, "Someone", "", 0), &[("Our Way", "Someone", "", 0)], "");
        }
    }
}

mod normal_form {
    use super::*;

    fn assert_equal(pairs: &[(&'static str, &'static str)]) {
        for (one, other) in pairs {
            assert_first((one, "Someone", "", 0), &[(other, "Someone", "", 0)]);
            assert_first((other, "Someone", "", 0), &[(one, "Someone", "", 0)]);
        }
    }

    fn assert_not_equal(pairs: &[(&'static str, &'static str)]) {
        for (one, other) in pairs {
            for (wanted, have) in [(one, other), (other, one)] {
                let result = resolve(&(wanted, "Someone", "", 0), &[(have, "Someone", "", 0)]);
                assert_eq!(result.accepted(), None, "{wanted} {have}: {result:?}");
            }
        }
    }

    #[test]
    fn of_contractions_is_one() {
        assert_equal(&[("You're There", "You Are There"), ("I'll Go On", "I Will Go On"), ("Can't Go", "Cannot Go")]);
        assert_not_equal(&[
            ("You're There", "You Were There"),
            ("Can't Go On", "Can Go On"),
            ("I'll Go On", "I'd Go On"),
        ]);
    }

    #[test]
    fn of_and_is_one() {
        assert_equal(&[
            ("Rock'n'Roll Lamp", "Rock & Roll Lamp"),
            ("Salt 'n' Sea", "Salt and Sea"),
            ("You N Me", "You + Me"),
        ]);
        assert_not_equal(&[("Salt and Sea", "Salt or Sea"), ("Rock & Roll Lamp", "Rock Roll Off Lamp")]);
    }

    #[test]
    fn of_doubled_letters_is_one_unless_both_are_words() {
        assert_equal(&[("Sooo Far Away", "So Far Away")]);
        assert_first(("Harrbour Lamp", "Someone", "", 200), &[("Harbour Lamp", "Someone", "", 200)]);
        assert_not_equal(&[
            ("Dinner Lamp", "Diner Lamp"),
            ("Hopping Home", "Hoping Home"),
            ("Later Harbour", "Latter Harbour"),
        ]);
    }

    #[test]
    fn of_part_ranges_is_one() {
        assert_equal(&[
            ("Our Way (Pts. 1-5)", "Our Way (Parts I-V)"),
            ("Our Way, Parts 1 & 2", "Our Way (Pts. I to II)"),
            ("Our Way, Parts 1, 2 & 3", "Our Way (Parts 1-3)"),
        ]);
        assert_not_equal(&[
            ("Our Way (Pts. 1-5)", "Our Way (Pts. 1-4)"),
            ("Our Way (Parts 1-5)", "Our Way (Part 1)"),
            ("Our Way (Parts 1-2)", "Our Way"),
        ]);
    }

    #[test]
    fn of_movements_is_one() {
        assert_equal(&[
            ("Sonata No. 3: II. Largo", "Sonata No. 3: 2. Largo"),
            ("Suite - IV. Gigue", "Suite - 4. Gigue"),
        ]);
        assert_not_equal(&[
            ("Sonata No. 3: II. Largo", "Sonata No. 3: III. Largo"),
            ("Suite - IV. Gigue", "Suite - 5. Gigue"),
        ]);
    }
}

mod artist_before_the_title {
    use super::*;

    #[test]
    fn is_taken_off() {
        for title in
            ["Grey Lamp - Our Way", "Grey Lamp: Our Way", "Grey Lamp | Our Way", "Grey Lamp - Grey Lamp - Our Way"]
        {
            assert_first((title, "Grey Lamp", "", 0), &[("Our Way", "Grey Lamp", "", 0)]);
            assert_first(("Our Way", "Grey Lamp", "", 0), &[(title, "Grey Lamp", "", 0)]);
        }
    }

    #[test]
    fn stays_if_it_is_somebody_else_or_only_a_version_follows() {
        for title in ["Red Lamp: Our Way", "Grey Lamp: Live", "Grey Lamp - Acoustic Version"] {
            let result = resolve(&(title, "Grey Lamp", "", 0), &[("Our Way", "Grey Lamp", "", 0)]);
            assert_eq!(result.accepted(), None, "{title}: {result:?}");
        }
        assert_review(
            ("Grey Lamp - Live", "Grey Lamp", "", 0),
            &[("Grey Lamp", "Grey Lamp", "", 0)],
            "version_mismatch",
        );
    }
}

mod version_words {
    use super::*;

    #[test]
    fn cover_on_both_sides_is_equal() {
        assert_first(("Our Way (Queen Cover)", "Someone", "", 0), &[("Our Way (Cover)", "Someone", "", 0)]);
        assert_first(("Our Way (Cover of Queen)", "Someone", "", 0), &[("Our Way (Queen Cover)", "Someone", "", 0)]);
        assert_review(("Our Way (Cover)", "Someone", "", 0), &[("Our Way", "Someone", "", 0)], "version_mismatch");
    }

    #[test]
    fn a_remix_without_a_name_equals_that_of_a_credited_remixer() {
        let plain = ("Our Way (Remix)", "Someone, Alma Keys", "", 0);
        let named = ("Our Way (Alma Keys Remix)", "Someone, Alma Keys", "", 0);
        assert_first(plain, &[named]);
        assert_first(named, &[plain]);
        assert_first(
            ("Our Way (Remix) [feat. Alma Keys]", "Someone", "", 0),
            &[("Our Way (Alma Keys Remix)", "Someone", "", 0)],
        );
        assert_review(
            ("Our Way (Remix)", "Someone", "", 0),
            &[("Our Way (Alma Keys Remix)", "Someone", "", 0)],
            "remix_mismatch",
        );
    }

    #[test]
    fn a_theme_and_an_orchestra_are_no_versions() {
        for title in
            ["Our Way (Theme from The Lamps)", "Our Way (with the Grey City Orchestra)", "Our Way (With Orchestra)"]
        {
            assert_first((title, "Someone", "", 0), &[("Our Way", "Someone", "", 0)]);
            assert_first(("Our Way", "Someone", "", 0), &[(title, "Someone", "", 0)]);
        }
        for title in ["Our Way (With Strings)", "Our Way (Orchestral Version)", "Our Way (with Choir)"] {
            assert_review((title, "Someone", "", 0), &[("Our Way", "Someone", "", 0)], "version_mismatch");
        }
    }

    #[test]
    fn unplugged_equals_live_at_the_same_length() {
        let live = |seconds| ("Our Way (Live)", "Someone", "", seconds);
        assert_first(("Our Way (Unplugged)", "Someone", "", 200), &[live(201)]);
        assert_first(live(200), &[("Our Way (MTV Unplugged)", "Someone", "", 201)]);
        assert_review(("Our Way (Unplugged)", "Someone", "", 200), &[live(206)], "version_mismatch");
        assert_review(
            ("Our Way (Unplugged)", "Someone", "", 200),
            &[("Our Way", "Someone", "", 200)],
            "version_mismatch",
        );
        assert_review(("Our Way (Acoustic)", "Someone", "", 200), &[live(200)], "version_mismatch");
    }

    #[test]
    fn sessions_singles_and_named_mixes_are_versions() {
        for title in [
            "Our Way (Spotify Singles)",
            "Our Way - Spotify Singles",
            "Our Way (The Midnight Mix)",
            "Our Way - The Grey Lamp Mix",
            "Our Way (Grey Street Sessions)",
            "Our Way (The Cellar Session)",
        ] {
            assert_review((title, "Someone", "", 0), &[("Our Way", "Someone", "", 0)], "version_mismatch");
            assert_review(("Our Way", "Someone", "", 0), &[(title, "Someone", "", 0)], "version_mismatch");
            assert_first((title, "Someone", "", 0), &[(title, "Someone", "", 0)]);
        }
        assert_first(("Our Way (Original Mix)", "Someone", "", 0), &[("Our Way", "Someone", "", 0)]);
    }

    #[test]
    fn an_unknown_bracket_in_another_script_is_a_version_unless_album_or_length_agree() {
        let plain = |album, seconds| ("Our Way", "Someone", album, seconds);
        let other = |album, seconds| ("Our Way (星の歌)", "Someone", album, seconds);
        assert_review(other("", 0), &[plain("", 0)], "unknown_version");
        assert_review(plain("", 200), &[other("", 208)], "unknown_version");
        assert_first(other("", 200), &[plain("", 201)]);
        assert_first(plain("First", 0), &[other("First", 0)]);
        assert_first(other("", 0), &[other("", 0)]);
        assert_first(("Our Way (Of the Stars)", "Someone", "", 0), &[plain("", 0)]);
    }

    #[test]
    fn are_known_in_many_languages() {
        let words = [
            (
                "Live",
                &[
                    "ライブ",
                    "ライブ版",
                    "라이브",
                    "라이브 버전",
                    "现场版",
                    "現場",
                    "演唱会",
                    "Концерт",
                    "Живое исполнение",
                    "na żywo",
                    "Wersja koncertowa",
                    "Canlı",
                    "Konser",
                ][..],
            ),
            (
                "Instrumental",
                &[
                    "インストゥルメンタル",
                    "伴奏",
                    "纯音乐",
                    "반주",
                    "Инструментал",
                    "Wersja instrumentalna",
                    "Enstrümantal",
                ],
            ),
            ("Remix", &["リミックス", "리믹스", "混音", "Ремикс", "Remiks"]),
            (
                "Acoustic",
                &[
                    "アコースティック",
                    "어쿠스틱",
                    "不插电",
                    "Акустика",
                    "Акустическая версия",
                    "Wersja akustyczna",
                    "Akustik",
                ],
            ),
        ];
        for (english, others) in words {
            for other in others {
                let title: &'static str = format!("Our Way ({other})").leak();
                let english: &'static str = format!("Our Way ({english})").leak();
                assert_first((title, "Someone", "", 0), &[(english, "Someone", "", 0)]);
                assert_review((title, "Someone", "", 0), &[("Our Way", "Someone", "", 0)], "version_mismatch");
            }
        }
    }
}

mod evidence {
    use super::*;

    #[test]
    fn a_missing_guest_of_another_version_leads_to_review() {
        let rows = [("Our Way", "Someone", "", 0), ("Our Way (Live) [feat. Alma Keys]", "Someone", "", 0)];
        assert_review(("Our Way (feat. Alma Keys)", "Someone", "", 0), &rows, "guest_missing");
        assert_first(("Our Way", "Someone", "", 0), &rows);
        assert_first(("Our Way (feat. Alma Keys)", "Someone", "", 0), &rows[..1]);
        let with_guest = [("Our Way (feat. Alma Keys)", "Someone", "", 0), ("Our Way", "Someone", "", 0)];
        assert_first(("Our Way (feat. Alma Keys)", "Someone", "", 0), &with_guest);
    }

    #[test]
    fn another_script_in_the_artist_of_the_same_release_leads_to_review() {
        let wanted = ("Our Way", "Utada", "First", 200);
        assert_review(wanted, &[("Our Way", "宇多田", "First", 201)], "script_differs");
        for row in [
            ("Our Way", "宇多田", "First", 220),
            ("Our Way", "宇多田", "Second", 200),
            ("Our Way", "Another", "First", 200),
        ] {
            let result = resolve(&wanted, &[row]);
            assert_eq!(result.decision, MatchDecision::Reject, "{row:?}: {result:?}");
        }
    }

    #[test]
    fn the_row_whose_album_and_length_fit_wins() {
        let wanted = ("Our Way", "Someone", "First", 200);
        assert_first(wanted, &[("Our Way (The Long Road)", "Someone", "First", 200), ("Our Way", "Someone", "", 0)]);
        assert_first(wanted, &[("Our Way", "Alma Keys, Someone", "First", 201), ("Our Way", "Someone", "Second", 200)]);
        assert_first(
            wanted,
            &[("Our Way", "Someone", "Second", 0), ("Our Way (The Long Road)", "Someone", "First", 240)],
        );
    }

    #[test]
    fn a_plural_needs_length_and_edition() {
        let wanted = ("Angel", "Someone", "First", 200);
        assert_first(wanted, &[("Angels", "Someone", "First", 201)]);
        for row in [
            ("Angels", "Someone", "First", 204),
            ("Angels", "Someone", "", 200),
            ("Angels", "Someone", "First (Deluxe Edition)", 200),
        ] {
            assert_review(wanted, &[row], "form_differs");
        }
        assert_review(("Day One", "Someone", "", 0), &[("One Day", "Someone", "", 0)], "order_differs");
        assert_review(("North Lamp", "Someone", "", 0), &[("South Lamp", "Someone", "", 0)], "opposite_differs");
        assert_review(("I Can Wait", "Someone", "", 0), &[("I Can't Wait", "Someone", "", 0)], "opposite_differs");
        assert_review(("Lamp 2", "Someone", "First", 200), &[("Lamp 3", "Someone", "First", 200)], "number_mismatch");
    }
}

mod another_version {
    use super::*;

    #[test]
    fn of_the_same_title_stands_before_similar_titles() {
        let rows = [
            ("Song 6 of Second", "Eero", "", 200),
            ("Song 6 of First", "Eero", "", 200),
            ("Song 7 of Second", "Eero", "", 200),
        ];
        let index = index(&rows);
        for title in ["Song 6 of Second - Live", "Song 6 of Second (Live)"] {
            for seconds in [0, 200, 205] {
                let wanted = track(&(title, "Eero", "", seconds));
                let strict = index.resolve(&wanted, MatchPolicy::Strict);
                assert_eq!((strict.decision, strict.candidates[0].row), (MatchDecision::Review, 0), "{strict:?}");
                let any = index.resolve(&wanted, MatchPolicy::PreferVersionElseAny);
                assert_eq!(any.accepted(), Some(0), "{any:?}");
            }
        }
    }

    #[test]
    fn is_not_taken_from_a_similar_title() {
        let index = index(&[("Song 6 of First", "Eero", "", 200), ("Song 5 of Second", "Eero", "", 200)]);
        let any =
            index.resolve(&track(&("Song 6 of Second - Live", "Eero", "", 200)), MatchPolicy::PreferVersionElseAny);
        assert_eq!(any.accepted(), None, "{any:?}");
    }
}

mod artists_beside_each_other {
    use super::*;

    #[test]
    fn are_each_enough_if_they_have_names_of_several_words_or_are_known() {
        assert_first(("Our Way", "Alma Keys & Hank Orchard", "", 0), &[("Our Way", "Alma Keys", "", 0)]);
        assert_first(("Our Way", "Hank Orchard", "", 0), &[("Our Way", "Alma Keys & Hank Orchard", "", 0)]);
        let known = [("Our Way", "Alma", "", 0), ("Another", "Hank", "", 0)];
        assert_first(("Our Way", "Alma & Hank", "", 0), &known);
    }

    #[test]
    fn are_one_name_otherwise() {
        for (one, other) in [
            ("Alma", "Alma & Hank"),
            ("Hank", "Alma & Hank"),
            ("Hank Orchard", "Hank Orchard and the Grey Lamps"),
            ("Grey Lamps", "Hank Orchard and the Grey Lamps"),
            ("Julia Orchard", "Hank & Julia Orchard"),
        ] {
            assert_review(("Our Way", one, "", 0), &[("Our Way", other, "", 0)], "");
            assert_review(("Our Way", other, "", 0), &[("Our Way", one, "", 0)], "");
            assert_first(("Our Way", one, "", 200), &[("Our Way", other, "", 200)]);
        }
    }
}
