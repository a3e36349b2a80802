//! Normalises text to comparable words: lower-case Latin letters, digits, and scripts that are not romanised.
//!
//! Case, accents, punctuation and some spellings vary by author; none of them distinguishes two songs.

use std::borrow::Cow;

use deunicode::deunicode_char;
use unicode_normalization::char::is_combining_mark;

use super::contractions::{contract, expansion};

/// One word and its offset in the original text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NormalizedWord {
    pub(super) text: String,
    pub(super) start: usize,
}

/// The words of a text repaired by [`super::mojibake`]. A text of symbols alone is one word.
pub(super) fn normalize(text: &str) -> Vec<NormalizedWord> {
    let words = letters(text);
    if words.is_empty() {
        let symbols: String = text.split_whitespace().flat_map(str::chars).flat_map(char::to_lowercase).collect();
        return if symbols.is_empty() { words } else { vec![NormalizedWord { text: symbols, start: 0 }] };
    }
    words
}

/// The words of letters and digits in a text; empty if it has only symbols.
pub(super) fn letters(text: &str) -> Vec<NormalizedWord> {
    // Rock'n'Roll; the offsets stay the same.
    let has_joint = text.contains('\'') && (text.contains("'n'") || text.contains("'N'"));
    let text: Cow<'_, str> =
        if has_joint { text.replace("'n'", " n ").replace("'N'", " n ").into() } else { text.into() };
    let text = text.as_ref();
    let mut folder = Normalizer {
        words: Vec::with_capacity(8),
        word: String::new(),
        start: 0,
        is_initials: false,
        apostrophe: None,
    };
    let mut previous = ' ';
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let next = rest.peek().map_or(' ', |(_, next)| *next);
        if c.is_ascii() {
            folder.ascii(at, previous, c, &text[at + 1..], next);
        } else {
            folder.other(at, c);
        }
        previous = c;
    }
    folder.end();
    contract(&mut folder.words);
    folder.words
}

struct Normalizer {
    words: Vec<NormalizedWord>,
    word: String,
    start: usize,
    /// Whether the word so far is letters with a point after each: R.E.M.
    is_initials: bool,
    /// The last apostrophe in the word so far: its offset in the word, and in the text.
    apostrophe: Option<(usize, usize)>,
}

impl Normalizer {
    fn push(&mut self, at: usize, c: char) {
        if self.word.is_empty() {
            self.start = at;
        }
        self.word.push(c);
    }

    fn end(&mut self) {
        self.is_initials = false;
        let apostrophe = self.apostrophe.take();
        if self.word.is_empty() {
            return;
        }
        if let Some((offset, at)) = apostrophe
            && let Some((one, other)) = expansion(&self.word, offset)
        {
            self.words.push(NormalizedWord { text: one.to_owned(), start: self.start });
            self.words.push(NormalizedWord { text: other.to_owned(), start: at + 1 });
            self.word.clear();
            return;
        }
        // A star stands for letters at the edge of a word, but for none alone.
        let text = if self.word.bytes().all(|byte| byte == b'*') { "" } else { canonical(&self.word) };
        if !text.is_empty() {
            self.words.push(NormalizedWord { text: without_runs(text).into_owned(), start: self.start });
        }
        self.word.clear();
    }

    fn word(&mut self, at: usize, text: &str) {
        self.end();
        self.words.push(NormalizedWord { text: text.to_owned(), start: at });
    }

    fn ascii(&mut self, at: usize, previous: char, c: char, after: &str, next: char) {
        match c {
            'a'..='z' | '0'..='9' => self.letter(at, c),
            'A'..='Z' => self.letter(at, c.to_ascii_lowercase()),
            '\'' | '`' if self.word == "o" && next.is_whitespace() => {
                let start = self.start;
                self.word.clear();
                self.word(start, "of");
            }
            '\'' | '`' => self.apostrophe = Some((self.word.len(), at)),
            '.' | ',' if previous.is_ascii_digit() && next.is_ascii_digit() => {
                if c == '.' {
                    self.push(at, c);
                }
            }
            '.' if self.continues_initials(after) => self.is_initials = true,
            '$' if previous.is_alphabetic() || next.is_alphabetic() => self.push(at, 's'),
            '!' if previous.is_alphabetic() && next.is_alphabetic() => self.push(at, 'i'),
            '*' if !self.word.is_empty() => self.push(at, c),
            '&' | '+' => self.word(at, "and"),
            '@' => self.word(at, "at"),
            '#' if next.is_ascii_digit() => self.word(at, "no"),
            '/' if self.word == "w" => {
                let start = self.start;
                self.word.clear();
                self.word(start, "with");
            }
            _ => self.end(),
        }
    }

    fn letter(&mut self, at: usize, c: char) {
        self.push(at, c);
    }

    /// Whether a point after the first letters of a word separates initials: R.E.M., but not J.Cole.
    fn continues_initials(&self, after: &str) -> bool {
        let is_letters = self.word.len() == 1 || self.is_initials;
        let mut after = after.chars();
        let is_initial = after.next().is_some_and(|c| c.is_ascii_alphabetic());
        is_letters
            && self.word.bytes().all(|byte| byte.is_ascii_alphabetic())
            && is_initial
            && after.next().is_none_or(|c| !c.is_alphanumeric() && c != '\'')
    }

    fn other(&mut self, at: usize, c: char) {
        if is_kept(c) {
            return self.push(at, c);
        }
        if is_combining_mark(c) {
            if matches!(c, '\u{300}'..='\u{36f}') {
                return;
            }
        } else if !c.is_alphanumeric() {
            return self.end();
        }
        // The Cyrillic signs have no sound.
        if matches!(c, 'ь' | 'ъ' | 'Ь' | 'Ъ') {
            return;
        }
        let latin = deunicode_char(c).unwrap_or_default();
        let mut is_latin = false;
        for c in latin.chars().filter(char::is_ascii_alphanumeric) {
            is_latin = true;
            self.push(at, c.to_ascii_lowercase());
        }
        if !is_latin && !is_combining_mark(c) && c != 'ー' {
            for c in c.to_lowercase() {
                self.push(at, c);
            }
        }
    }
}

/// Scripts whose romanisation depends on the language, so that it would be a guess.
pub(super) fn is_kept(c: char) -> bool {
    matches!(u32::from(c),
        0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x323af // Han
        | 0x1100..=0x11ff | 0x3130..=0x318f | 0xac00..=0xd7a3) // Hangul
}

/// A word with letters drawn out: "sooo". Roman numerals keep theirs.
fn without_runs(word: &str) -> Cow<'_, str> {
    let is_drawn = |three: &[u8]| {
        three[0] == three[1]
            && three[1] == three[2]
            && matches!(three[0], b'a' | b'e' | b'o' | b'u' | b'y' | b'h' | b's' | b'm')
    };
    let is_word = || word.bytes().any(|byte| byte != word.as_bytes()[0]);
    if !word.as_bytes().windows(3).any(is_drawn) || !is_word() {
        return word.into();
    }
    let mut letters: Vec<char> = word.chars().collect();
    letters.dedup();
    letters.into_iter().collect::<String>().into()
}

/// The canonical spelling of a word with several.
fn canonical(word: &str) -> &str {
    match word {
        "u" => "you",
        "ur" => "your",
        "n" => "and",
        "tha" | "da" => "the",
        "pt" => "part",
        "pts" => "parts",
        "cannot" => "cant",
        "rocknroll" => "rockandroll",
        "rnb" => "randb",
        "volume" => "vol",
        "nr" | "num" | "number" => "no",
        "ft" | "featuring" => "feat",
        "rmx" => "remix",
        "til" | "till" => "until",
        "nite" => "night",
        "tonite" | "2nite" | "2night" => "tonight",
        "thru" => "through",
        "luv" => "love",
        "cuz" | "cos" | "coz" | "cause" => "because",
        "ok" => "okay",
        "mr" => "mister",
        "versus" => "vs",
        "4ever" => "forever",
        "b4" => "before",
        "one" => "1",
        "two" => "2",
        "three" => "3",
        "four" => "4",
        "five" => "5",
        "six" => "6",
        "seven" => "7",
        "eight" => "8",
        "nine" => "9",
        "ten" => "10",
        "eleven" => "11",
        "twelve" => "12",
        "1st" => "first",
        "2nd" => "second",
        "3rd" => "third",
        "4th" => "fourth",
        "5th" => "fifth",
        _ => word,
    }
}

/// Value of a Roman numeral, up to 39. Single letters are numerals only where a number is expected.
pub(super) fn roman(word: &str) -> Option<u32> {
    if word.is_empty() || word.len() > 6 {
        return None;
    }
    let value = |byte| match byte {
        b'i' => Some(1),
        b'v' => Some(5),
        b'x' => Some(10),
        _ => None,
    };
    let values: Vec<u32> = word.bytes().map(value).collect::<Option<_>>()?;
    let mut sum = 0;
    for (at, value) in values.iter().enumerate() {
        let is_taken_off = values.get(at + 1).is_some_and(|next| next > value);
        sum = if is_taken_off { sum + 100 - value } else { sum + value };
    }
    // Each subtraction adds 100 first, so that the sum stays above zero.
    let taken_off = values.windows(2).filter(|pair| pair[1] > pair[0]).count();
    let sum = sum.checked_sub(100 * u32::try_from(taken_off).ok()?)?;
    (written(sum) == word).then_some(sum)
}

/// A number below 40 in Roman numerals, for checking whether a numeral is well formed.
fn written(number: u32) -> String {
    const ONES: [&str; 10] = ["", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"];
    let tens = "x".repeat((number / 10) as usize);
    format!("{tens}{}", ONES[(number % 10) as usize])
}

/// Whether a word is a number.
pub(super) fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && word.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether a word is a plausible year of a recording or a remaster.
pub(super) fn is_year(word: &str) -> bool {
    word.len() == 4
        && (word.starts_with("19") || word.starts_with("20"))
        && word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{is_number, is_year, normalize, roman};

    fn words(text: &str) -> String {
        let words: Vec<String> =
            normalize(&super::super::mojibake::repair(text)).into_iter().map(|word| word.text).collect();
        words.join(" ")
    }

    #[test]
    fn spellings_of_the_same_text_fold_to_one_form() {
        for (text, folded) in [
            ("Don’t Stop", "dont stop"),
            ("Tiësto & Ångström", "tiesto and angstrom"),
            ("A$AP Rocky + P!nk", "asap rocky and pink"),
            ("R.E.M. vs. J.Cole", "rem vs j cole"),
            ("He'll, we’re, I'd; she`ll not", "he will we are i would she wont"),
            ("Hell, were, Id; shell not", "hell were id shell not"),
            ("He Will, We Are, I Would", "he will we are i would"),
            ("You're, they’ll", "youre theyll"),
            ("U.F.O.F.", "ufof"),
            ("10,000 Miles 2.0", "10000 miles 2.0"),
            ("f**k *** n***as*", "f**k n***as*"),
            ("w/ Love", "with love"),
            ("#2", "no 2"),
            ("ひかりの", "hikarino"),
            ("Группа крови", "gruppa krovi"),
            ("命の灯火", "命no灯火"),
            ("있을 때", "있을 때"),
            ("e\u{301}te\u{301}", "ete"),
        ] {
            assert_eq!(words(text), folded, "{text}");
        }
    }

    #[test]
    fn symbols_alone_are_a_word() {
        assert_eq!(words("†"), "†");
        assert_eq!(words("( )"), "()");
        assert_ne!(words("!!!"), words("???"));
        assert_eq!(words(" \t"), "");
    }

    #[test]
    fn well_formed_roman_numerals_are_read() {
        assert_eq!(
            (roman("ii"), roman("iv"), roman("ix"), roman("xiv"), roman("v")),
            (Some(2), Some(4), Some(9), Some(14), Some(5))
        );
        assert_eq!((roman("iiii"), roman("vx"), roman("ic"), roman("")), (None, None, None, None));
        assert!(is_number("2.0") && !is_number("2nd") && is_year("1999") && !is_year("1812"));
    }
}
