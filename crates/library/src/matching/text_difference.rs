//! The difference of two texts word by word: what typing errors make, and what makes another text.

use super::contractions::may_be_contraction;
use super::edit_distance;
use super::normalize::is_number;
use super::own_words::{are_opposites, is_common, is_negation, is_number_word};
use super::word_forms::{is_little, is_other_spelling, is_own_word};

/// The gravest difference of two texts, from none to another text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TextDifference {
    /// Equal but for spelling.
    None,
    /// One has an article that the other lacks.
    Article,
    /// A typing error beside words that are equal.
    Slip,
    /// A typing error in the only distinctive word, which may be another one: collision and collusion.
    LoneSlip,
    /// Other words, or more of them.
    Words,
    /// A plural or another ending.
    Form,
    /// The same words in another order.
    Order,
    /// Opposites, or a negation of one.
    Opposite,
    /// Another number.
    Number,
}

impl TextDifference {
    /// Whether both may be spellings of one text.
    pub(super) fn is_spelling(self) -> bool {
        self <= Self::LoneSlip
    }
}

/// Shortest word with a typing error.
const MIN_SLIP: usize = 5;
/// Shortest word with two neighbours swapped.
const MIN_SWAPPED: usize = 3;
/// Shortest word with two typing errors.
const MIN_TWO_SLIPS: usize = 8;
/// Shortest text with a typing error across its words' boundaries.
const MIN_JOINED_SLIP: usize = 8;
/// Letters a text has for each word with a typing error.
const LETTERS_PER_SLIP: usize = 8;

/// Compares two texts. `is_known` says whether a word of the first occurs in the library, so that it is no typing
/// error.
pub(super) fn text_difference(one: &[&str], other: &[&str], is_known: impl Fn(&str) -> bool) -> TextDifference {
    let difference = gravest(one, other, is_known);
    let is_shared = |word: &&str| !is_little(word) && other.contains(word);
    if difference == TextDifference::Slip && !one.iter().any(is_shared) { TextDifference::LoneSlip } else { difference }
}

fn gravest(one: &[&str], other: &[&str], is_known: impl Fn(&str) -> bool) -> TextDifference {
    let (joined, other_joined) = (one.concat(), other.concat());
    // A point in a number may be missing: 2.0.
    if joined == other_joined || joined.replace('.', "") == other_joined.replace('.', "") {
        return TextDifference::None;
    }
    let (left, right, is_moved) = unmatched(one, other);
    if left.is_empty() && right.is_empty() {
        return TextDifference::Order;
    }
    let difference = if left.len() == right.len() {
        let mut slips = 0;
        let mut worst = TextDifference::None;
        let mut is_other = false;
        for (a, b) in left.iter().zip(&right) {
            let difference = word_difference(a, b, &is_known);
            slips += usize::from(difference == TextDifference::Slip);
            is_other |= difference == TextDifference::Words;
            worst = worst.max(difference);
        }
        // Beside another word, an ending tells nothing; another number does.
        if is_other && worst != TextDifference::Number {
            worst = TextDifference::Words;
        }
        let most = (joined.chars().count().min(other_joined.chars().count()) / LETTERS_PER_SLIP).max(1);
        if slips > most { worst.max(TextDifference::Words) } else { worst }
    } else {
        TextDifference::Words
    };
    if difference != TextDifference::Words {
        return if is_moved && difference.is_spelling() { TextDifference::Order } else { difference };
    }
    let is_contraction = match (&left[..], &right[..]) {
        ([word], words) | (words, [word]) => one.len() > left.len() && may_be_contraction(word, words),
        _ => false,
    };
    if is_contraction {
        return TextDifference::Slip;
    }
    added(&left, &right, &is_known, one.first().copied() != other.first().copied())
}

/// Whether one of the words without an equal one tells two texts apart: a letter, a number, a key, or a word whose opposite
/// the other text has.
pub(super) fn has_telling_word(one: &[&str], other: &[&str]) -> bool {
    let (left, right, _) = unmatched(one, other);
    let is_key = |word: &str| matches!(word, "major" | "minor" | "flat" | "sharp");
    let is_telling = |word: &&str| word.chars().count() == 1 || is_number(word) || is_number_word(word) || is_key(word);
    // An article on one side only tells nothing.
    let is_article = (left.is_empty() || right.is_empty()) && left.iter().chain(&right).all(|word| *word == "a");
    let is_opposite = |a: &&str| right.iter().any(|b| are_opposites(a, b) || is_negated(a, b) || is_negated(b, a));
    !is_article && (left.iter().chain(&right).any(is_telling) || left.iter().any(is_opposite))
}

/// The words without an equal one on the other side, and whether the equal ones stand in another order.
fn unmatched<'a>(one: &[&'a str], other: &[&'a str]) -> (Vec<&'a str>, Vec<&'a str>, bool) {
    let mut taken = vec![false; other.len()];
    let mut left = Vec::new();
    let (mut last, mut is_moved) = (0, false);
    for word in one {
        // The next one in order, or else any.
        let ahead = (last..other.len()).find(|at| !taken[*at] && other[*at] == *word);
        let found = ahead.or_else(|| (0..last).find(|at| !taken[*at] && other[*at] == *word));
        match found {
            Some(at) => {
                taken[at] = true;
                is_moved |= at < last;
                last = last.max(at + 1);
            }
            None => left.push(*word),
        }
    }
    let right = other.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(word, _)| *word).collect();
    (left, right, is_moved)
}

/// The difference of texts of which one has other or more words.
fn added(left: &[&str], right: &[&str], is_known: &impl Fn(&str) -> bool, begins_apart: bool) -> TextDifference {
    let (joined, other_joined) = (left.concat(), right.concat());
    if !joined.is_empty() && joined == other_joined {
        return TextDifference::None;
    }
    let all = || left.iter().chain(right);
    if left.is_empty() || right.is_empty() {
        if all().all(|word| *word == "the" || matches!(*word, "a" | "an") && begins_apart) {
            return TextDifference::Article;
        }
    } else if left.len() != right.len()
        && joined.chars().count().min(other_joined.chars().count()) >= MIN_JOINED_SLIP
        && !left.iter().all(|word| is_known(word))
        && !all()
            .any(|word| is_negation(word) || is_number_word(word) || word.bytes().any(|byte| byte.is_ascii_digit()))
        && edit_distance::distance(&joined, &other_joined, 1).is_some()
    {
        return TextDifference::Slip;
    }
    if all().any(|word| is_number(word) || is_number_word(word)) {
        return TextDifference::Number;
    }
    if left.iter().filter(|word| is_negation(word)).count() != right.iter().filter(|word| is_negation(word)).count() {
        return TextDifference::Opposite;
    }
    TextDifference::Words
}

/// The difference of two different words.
fn word_difference(one: &str, other: &str, is_known: &impl Fn(&str) -> bool) -> TextDifference {
    if is_other_spelling(one, other)
        || edit_distance::stands_for(one, other) && one.contains('*')
        || edit_distance::stands_for(other, one) && other.contains('*')
    {
        return TextDifference::None;
    }
    if !digits(one).eq(digits(other)) || is_number_word(one) && is_number_word(other) {
        return TextDifference::Number;
    }
    if are_opposites(one, other) || is_negated(one, other) || is_negated(other, one) {
        return TextDifference::Opposite;
    }
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    if short.len() >= 4 && short.ends_with("in") && long.strip_suffix('g') == Some(short) {
        return TextDifference::None;
    }
    if are_forms(short, long) {
        return TextDifference::Form;
    }
    if is_common(one) || is_known(one) || is_own_word(one, other) {
        return TextDifference::Words;
    }
    // A doubled letter may make another word: coma and comma.
    let is_doubled = || short.chars().count() >= 4 && without_doubles(one) == without_doubles(other);
    if is_slip(one, other) || is_doubled() { TextDifference::Slip } else { TextDifference::Words }
}

fn digits(word: &str) -> impl Iterator<Item = u8> + '_ {
    word.bytes().filter(u8::is_ascii_digit)
}

/// Whether the longer word is a negation of the other: can and cant, ever and never, known and unknown.
fn is_negated(plain: &str, negated: &str) -> bool {
    let is_contrary = |rest: &str| rest == "nt" || rest == "t" && plain.ends_with('n');
    negated.strip_prefix(plain).is_some_and(is_contrary)
        || ["un", "non", "dis", "in", "im", "ir", "anti", "mis", "de"]
            .iter()
            .any(|prefix| plain.len() >= 3 && negated.strip_prefix(prefix) == Some(plain))
        || matches!((plain, negated), ("ever", "never") | ("one" | "1", "none") | ("either", "neither") | ("or", "nor"))
}

/// Endings of one word's forms.
const ENDINGS: [&str; 27] = [
    "s", "es", "ies", "d", "ed", "er", "ers", "r", "rs", "or", "n", "en", "ing", "ings", "in", "y", "ly", "ie", "less",
    "ful", "ness", "est", "st", "ist", "ism", "al", "ish",
];

/// Whether two words are forms of one: a plural, a gender, an agent, another ending.
fn are_forms(short: &str, long: &str) -> bool {
    let is_ending = |rest: &str| rest.is_empty() || ENDINGS.contains(&rest);
    let stem_length = short.bytes().zip(long.bytes()).take_while(|(a, b)| a == b).count();
    if stem_length < 2 || !short.is_char_boundary(stem_length) || !long.is_char_boundary(stem_length) {
        return false;
    }
    // "Dream": dreamer, dreaming; "love": lover, loving; "run": runner; "baby": babies.
    let forms = |stem_length: usize| {
        let (stem, one) = short.split_at(stem_length);
        let other = &long[stem_length..];
        let doubled = stem.chars().next_back();
        let other = doubled.and_then(|letter| other.strip_prefix(letter)).filter(|_| one.is_empty()).unwrap_or(other);
        let is_form = |rest: &str| is_ending(rest) || rest == "e" || rest.strip_prefix('e').is_some_and(is_ending);
        // An ending that lacks a letter is a typing error: heavn.
        let is_same_ending = !one.is_empty() && (other.ends_with(one) || one.ends_with(other) && !other.is_empty());
        stem_length + 2 >= short.len() && is_form(one) && is_form(other) && !is_same_ending
    };
    let is_vowel = |word: &str| word.ends_with(['a', 'e', 'i', 'o', 'u', 'y']);
    let is_gender = short.len() == long.len() && stem_length + 1 == short.len() && is_vowel(short) && is_vowel(long);
    short.len() >= 2 && is_gender || forms(stem_length) && long.len() - stem_length <= 4 && short.len() >= 3
}

/// Whether one of two words is likely the other with a typing error.
fn is_slip(one: &str, other: &str) -> bool {
    let length = one.chars().count().min(other.chars().count());
    let mut starts = one.chars().zip(other.chars());
    let is_same_start = match (starts.next(), starts.next()) {
        (Some((a, b)), _) if a == b => true,
        (Some((a, b)), Some((c, d))) => a == d && b == c,
        _ => false,
    };
    let most = match length {
        0..MIN_SLIP => return length >= MIN_SWAPPED && is_same_start && is_swapped(one, other),
        MIN_SLIP..MIN_TWO_SLIPS => 1,
        _ => 2,
    };
    is_same_start && edit_distance::distance(one, other, most).is_some()
}

/// Whether two words differ in the order of two neighbours.
fn is_swapped(one: &str, other: &str) -> bool {
    one.chars().count() == other.chars().count()
        && edit_distance::distance(one, other, 1).is_some()
        && one.chars().zip(other.chars()).filter(|(a, b)| a != b).count() == 2
}

/// A word without doubled letters.
pub(super) fn without_doubles(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    letters.dedup();
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{TextDifference, text_difference};

    fn difference(one: &str, other: &str) -> TextDifference {
        let (one, other): (Vec<&str>, Vec<&str>) = (one.split(' ').collect(), other.split(' ').collect());
        text_difference(&one, &other, |_| false)
    }

    #[test]
    fn typing_errors_are_told_from_other_words() {
        for (one, other) in [
            ("lonley harbour", "lonely harbour"),
            ("wraped up", "wrapped up"),
            ("coma", "comma"),
            ("caroline polacheck", "caroline polachek"),
            ("anticipatnon", "anticipation"),
            ("longroda to heaven", "long road to heaven"),
            ("our wya", "our way"),
            ("atlin gun", "altin gun"),
        ] {
            let is_alone = one.split(' ').all(|word| !other.split(' ').any(|same| same == word));
            let slip = if is_alone { TextDifference::LoneSlip } else { TextDifference::Slip };
            assert_eq!(difference(one, other), slip, "{one} {other}");
        }
        for (one, other) in [("lonely", "lovely"), ("bryan adams", "ryan adams"), ("gold", "cold"), ("muse", "mouse")] {
            assert_eq!(difference(one, other), TextDifference::Words, "{one} {other}");
            assert_eq!(difference(other, one), TextDifference::Words, "{other} {one}");
        }
    }

    #[test]
    fn telling_differences_are_named() {
        for (one, other, named) in [
            ("angel", "angels", TextDifference::Form),
            ("believe", "believer", TextDifference::Form),
            ("dreamer", "dreams", TextDifference::Form),
            ("maria", "mario", TextDifference::Form),
            ("running", "runner", TextDifference::Form),
            ("day 1", "1 day", TextDifference::Order),
            ("man in the moon", "moon in the man", TextDifference::Order),
            ("never again", "ever again", TextDifference::Opposite),
            ("north star", "south star", TextDifference::Opposite),
            ("with you", "without you", TextDifference::Opposite),
            ("i can wait", "i cant wait", TextDifference::Opposite),
            ("i love you", "i dont love you", TextDifference::Opposite),
            ("area 51", "area 52", TextDifference::Number),
            ("first song", "second song", TextDifference::Number),
            ("harbour", "harbour 2", TextDifference::Number),
            ("nirvana", "nirvana uk", TextDifference::Words),
        ] {
            assert_eq!(difference(one, other), named, "{one} {other}");
            assert_eq!(difference(other, one), named, "{other} {one}");
        }
    }

    #[test]
    fn spellings_are_no_difference() {
        for (one, other) in [("lovin you", "loving you"), ("4 you", "for you"), ("f**k", "fuck")] {
            assert_eq!(difference(one, other), TextDifference::None, "{one} {other}");
        }
        assert_eq!(difference("the wall", "wall"), TextDifference::Article);
    }
}
