//! Two lists of pairs, by class: those that must not be matched, and those that must.

use std::collections::BTreeMap;

#[path = "pairs/list.rs"]
mod list;

use list::{ALIKE, APART, TrackPair, pairs};

/// Of each list, at most this share may be wrong.
const MAX_WRONG_SHARE: f64 = 0.01;
/// Fewest pairs of a list.
const MIN_PAIRS: usize = 200;

/// The wrong pairs of a class.
fn wrong(text: &'static str, class: &str, is_right: impl Fn(&TrackPair) -> bool) -> Vec<TrackPair> {
    pairs(text).filter(|pair| pair.class == class && !is_right(pair)).collect()
}

fn is_kept_apart(pair: &TrackPair) -> bool {
    !pair.is_accepted() && !pair.turned().is_accepted()
}

macro_rules! classes {
    ($text:expr, $is_right:expr, $($name:ident: $class:literal,)*) => {
        $(#[test]
        fn $name() {
            let wrong = wrong($text, $class, $is_right);
            assert!(wrong.is_empty(), "{wrong:#?}");
            assert!(pairs($text).any(|pair| pair.class == $class), "the class has pairs");
        })*

        #[test]
        fn every_class_has_a_test() {
            let tested = [$($class),*];
            let untested: Vec<&str> = pairs($text).map(|pair| pair.class).filter(|class| !tested.contains(class)).collect();
            assert!(untested.is_empty(), "{untested:?}");
        }

        #[test]
        fn the_list_is_long_and_at_most_1_percent_of_it_are_wrong() {
            let mut wrong: BTreeMap<&str, usize> = BTreeMap::new();
            pairs($text).filter(|pair| !$is_right(pair)).for_each(|pair| *wrong.entry(pair.class).or_default() += 1);
            let all = pairs($text).count();
            assert!(all >= MIN_PAIRS, "{all}");
            assert!(wrong.values().sum::<usize>() as f64 <= all as f64 * MAX_WRONG_SHARE, "{wrong:?} of {all}");
        }
    };
}

mod apart {
    use super::*;

    classes! { APART, is_kept_apart,
        words_in_another_order_are_another_title: "order",
        a_plural_is_another_word: "plural",
        another_ending_makes_another_word: "ending",
        opposites_are_two_words: "opposite",
        a_negation_makes_another_title: "negation",
        another_number_is_another_track: "number",
        another_or_one_more_word_is_another_artist: "artist-words",
        half_of_a_band_s_name_is_another_artist: "artist-half",
        a_tribute_is_another_artist: "tribute",
        two_words_with_similar_letters_are_two_words: "near-word",
        two_names_with_similar_letters_are_two_artists: "near-name",
        a_title_with_more_words_is_another_title: "more-words",
        another_version_is_another_recording: "version",
        similar_titles_in_other_scripts_are_two_titles: "script",
        a_typing_error_in_a_title_needs_other_evidence: "slip-word",
        a_typing_error_in_a_name_needs_other_evidence: "slip-name",
        other_words_letters_or_opposites_in_a_subtitle_tell_apart: "subtitle",
        words_that_look_like_contractions_are_other_words: "contraction",
    }
}

mod alike {
    use super::*;

    classes! { ALIKE, TrackPair::is_accepted,
        a_typing_error_is_forgiven: "spelling",
        diacritics_make_no_difference: "diacritics",
        an_article_makes_no_difference: "articles",
        and_may_be_written_in_many_ways: "ampersand",
        guests_may_stand_anywhere: "guests",
        a_remaster_is_the_same_recording: "remaster",
        the_same_words_in_another_script_are_equal: "transliteration",
        numbers_may_be_written_in_many_ways: "numbers",
        contractions_are_equal_to_their_words: "contractions",
        a_subtitle_may_be_missing: "subtitle",
        the_same_version_in_other_words_is_equal: "version",
        text_in_the_wrong_field_is_found: "field",
        names_may_be_written_in_many_ways: "name",
        a_renamed_artist_is_believed_if_length_or_album_agrees: "renamed",
        punctuation_makes_no_difference: "punctuation",
    }
}

#[test]
fn nothing_inexact_scores_above_something_exact() {
    let score = |pair: &TrackPair| pair.result().candidates.first().map_or(0.0, |found| found.score);
    let exact: Vec<f32> = pairs(APART).map(|pair| score(&TrackPair { library: pair.asked, ..pair })).collect();
    for (pair, exact) in pairs(APART).zip(exact) {
        assert!(score(&pair) < exact, "{pair:?} scores {} and an equal one {exact}", score(&pair));
    }
}
