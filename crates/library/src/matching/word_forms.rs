//! Relations between two words: a typo, another form or spelling, or certainly another word.

use super::title_table::STAR_BIT;

/// Whether words with these letters may be the same, with a typo or another spelling.
pub(super) fn may_be_one_word(one: (u32, u8), other: (u32, u8)) -> bool {
    let is_short = one.1.min(other.1) <= 1;
    let has_star = (one.0 | other.0) & STAR_BIT != 0;
    let is_near = one.1.abs_diff(other.1) <= 2 && (one.0 ^ other.0).count_ones() <= 4;
    is_near || has_star || is_short
}

/// Whether one is a word and the other the number that sounds the same.
pub(super) fn is_other_spelling(one: &str, other: &str) -> bool {
    let pair = if one < other { (one, other) } else { (other, one) };
    matches!(pair, ("2", "to" | "too") | ("4", "for") | ("8", "ate") | ("o", "of"))
}

/// Whether two words are never typos of each other: single letters, other persons, opposites, or other short
/// words.
pub(super) fn is_own_word(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let letters = short.chars().count();
    let is_contrary = long.strip_prefix(short).is_some_and(|rest| rest == "nt" || rest == "t" && short.ends_with('n'));
    let sorted = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    let is_swapped = sorted(short) == sorted(long);
    letters <= 1 || is_contrary || is_person(short) && is_person(long) || letters <= 3 && !is_swapped
}

fn is_person(word: &str) -> bool {
    const PERSON_WORDS: [&str; 22] = [
        "i", "me", "my", "mine", "you", "your", "yours", "he", "him", "his", "she", "her", "hers", "it", "its", "we",
        "us", "our", "ours", "they", "them", "their",
    ];
    PERSON_WORDS.contains(&word)
}

/// Whether a word is another form of a longer one: a plural, or an ending in -in' for -ing.
pub(super) fn is_other_form(short: &str, long: &str) -> bool {
    long.strip_prefix(short).is_some_and(|ending| {
        short.len() >= 3 && (matches!(ending, "s" | "es") || (ending == "g" && short.ends_with("in")))
    })
}

/// Words that do not distinguish titles.
pub(super) fn is_little(word: &str) -> bool {
    matches!(
        word,
        "the"
            | "a"
            | "an"
            | "and"
            | "of"
            | "to"
            | "in"
            | "on"
            | "for"
            | "is"
            | "it"
            | "at"
            | "by"
            | "or"
            | "as"
            | "le"
            | "la"
            | "el"
            | "les"
            | "los"
            | "las"
            | "der"
            | "die"
            | "das"
            | "de"
            | "y"
            | "e"
            | "et"
            | "und"
            | "o"
            | "oh"
            | "s"
    )
}
