//! How alike two titles are.

use super::fold::is_number;
use super::heading::{CUT_OFF, Heading, MOST_WORDS, is_near_by_letters};
use super::index::{MOST_WEIGHT, TrackIndex};
use super::qualifier;
use super::question::Question;
use super::typo;
use super::vocabulary::Words;
use super::word_forms::{is_little, is_other_form, is_other_spelling, is_own_word, may_be_one_word};

/// In what way two titles are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// The same core.
    Exact,
    /// The same but for a subtitle.
    Subtitle,
    /// Not quite the same.
    Similar,
    /// One is the beginning of the other.
    CutOff,
}

/// How alike two titles are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Likeness {
    /// From 0 to 1.
    pub(super) likeness: f32,
    pub(super) manner: Manner,
    /// Whether numbers of one are missing in the other.
    pub(super) numbers_differ: bool,
    /// Whether words of one, that tell titles apart, are missing in the other.
    pub(super) words_differ: bool,
    /// Whether all letters are the same, whatever stands in brackets.
    pub(super) is_same_text: bool,
}

impl Likeness {
    pub(super) const NONE: Self = Self {
        likeness: 0.0,
        manner: Manner::Similar,
        numbers_differ: false,
        words_differ: true,
        is_same_text: false,
    };

    fn exact(likeness: f32, manner: Manner) -> Self {
        Self { likeness, manner, numbers_differ: false, words_differ: false, is_same_text: false }
    }
}

/// With an unmatched word that tells titles apart a title is at most this alike.
const WITH_WORDS_MISSING: f32 = 0.80;
/// Words of core and subtitle together.
const MOST: usize = 2 * MOST_WORDS;
/// Titles of which one has a subtitle.
const ONE_SUBTITLE: f32 = 0.99;
/// Titles that differ in their subtitles.
const OTHER_SUBTITLE: f32 = 0.86;
/// Subtitles as like as this are the same.
const SAME_SUBTITLE: f32 = 0.6;

/// Compares what is looked for with a title of the index.
pub(super) fn likeness(
    index: &TrackIndex,
    question: &Question<'_>,
    wanted: &Heading<'_>,
    have: &Heading<'_>,
) -> Likeness {
    let scale = Scale { index, words: &question.words };
    if wanted.full_key == have.full_key && wanted.full_key != 0 {
        return Likeness { is_same_text: true, ..Likeness::exact(1.0, Manner::Exact) };
    }
    if wanted.core_key == have.core_key && wanted.core_key != 0 {
        return same_core(&scale, wanted, have);
    }
    let shares = |word: &u32| have.core.contains(word) || have.subtitle.contains(word);
    if !wanted.core.iter().chain(wanted.subtitle).any(shares)
        && !is_near_by_letters((wanted.letters, wanted.length), (have.letters, have.length))
    {
        return Likeness::NONE;
    }
    let mut best = Likeness::NONE;
    let mut consider = |one: Likeness| {
        if one.likeness > best.likeness {
            best = one;
        }
    };
    let cores = scale.words_alike(wanted.core, have.core);
    let numbers_differ = scale.numbers(wanted.subtitle) != scale.numbers(have.subtitle);
    consider(Likeness { numbers_differ: cores.numbers_differ || numbers_differ, ..cores });
    if !(wanted.subtitle.is_empty() && have.subtitle.is_empty()) {
        let whole_wanted = [wanted.core, wanted.subtitle].concat();
        let whole_have = [have.core, have.subtitle].concat();
        let mut whole = scale.words_alike(&whole_wanted, &whole_have);
        if whole.likeness > 0.97 {
            whole.manner = Manner::Subtitle;
        }
        consider(whole);
        // What a song is also called names it only where nothing else is called by its first name.
        let is_called = is_title(index, wanted.core_key);
        for (one, other, is_another) in
            [(wanted.subtitle, have.core, is_called), (wanted.core, have.subtitle, true)]
        {
            if !one.is_empty() {
                let by_subtitle = scale.words_alike(one, other);
                consider(Likeness {
                    likeness: by_subtitle.likeness * 0.93,
                    manner: Manner::Subtitle,
                    words_differ: by_subtitle.words_differ || is_another,
                    ..by_subtitle
                });
            }
        }
    }
    consider(scale.letters_alike(wanted, have));
    best
}

/// Whether the library has a song of this name.
fn is_title(index: &TrackIndex, core_key: u64) -> bool {
    let titles = index.titles_of_key.of_hash(core_key);
    titles.iter().any(|title| index.headings.get(*title).core_key == core_key)
}

fn same_core(scale: &Scale<'_>, wanted: &Heading<'_>, have: &Heading<'_>) -> Likeness {
    if wanted.subtitle.is_empty() || have.subtitle.is_empty() {
        let manner =
            if wanted.subtitle.len() == have.subtitle.len() { Manner::Exact } else { Manner::Subtitle };
        let numbers_differ = scale.numbers(wanted.subtitle) != scale.numbers(have.subtitle);
        let likeness = if manner == Manner::Exact { 1.0 } else { ONE_SUBTITLE };
        return Likeness { numbers_differ, ..Likeness::exact(likeness, manner) };
    }
    let subtitles = scale.words_alike(wanted.subtitle, have.subtitle);
    let together = scale.text(wanted.subtitle) == scale.text(have.subtitle);
    let whole = Scale::letters_between(&scale.text(wanted.subtitle), &scale.text(have.subtitle));
    let is_cut_off = scale.begins(wanted, have) || scale.begins(have, wanted);
    if is_cut_off && !subtitles.numbers_differ {
        return Likeness::exact(1.0, Manner::CutOff);
    }
    if together || subtitles.likeness.max(whole) >= SAME_SUBTITLE {
        Likeness {
            numbers_differ: subtitles.numbers_differ && !together,
            ..Likeness::exact(1.0, Manner::Exact)
        }
    } else {
        Likeness { words_differ: true, ..Likeness::exact(OTHER_SUBTITLE, Manner::Subtitle) }
    }
}

/// What words weigh and how they read.
struct Scale<'a> {
    index: &'a TrackIndex,
    words: &'a Words<'a>,
}

impl Scale<'_> {
    fn weight(&self, word: u32) -> f32 {
        self.index.weights.get(word as usize).copied().unwrap_or(MOST_WEIGHT)
    }

    /// Whether the subtitle of a title that fills its field is the beginning of another's.
    fn begins(&self, short: &Heading<'_>, long: &Heading<'_>) -> bool {
        short.is_full && self.text(long.subtitle).starts_with(&self.text(short.subtitle))
    }

    fn numbers(&self, words: &[u32]) -> Vec<&str> {
        let mut numbers: Vec<&str> =
            words.iter().map(|word| self.words.text(*word)).filter(|word| is_number(word)).collect();
        numbers.sort_unstable();
        numbers
    }

    fn text(&self, words: &[u32]) -> String {
        words.iter().map(|word| self.words.text(*word)).collect()
    }

    /// Word by word, each counted by its weight on both sides.
    fn words_alike(&self, wanted: &[u32], have: &[u32]) -> Likeness {
        if wanted.is_empty() || have.is_empty() {
            return Likeness::NONE;
        }
        let (wanted, have) = (&wanted[..wanted.len().min(MOST)], &have[..have.len().min(MOST)]);
        let (mut partner, mut matched) = ([0.0_f32; MOST], [0.0_f32; MOST]);
        let (partner, matched) = (&mut partner[..wanted.len()], &mut matched[..have.len()]);
        let mut are_others = false;
        for (at, word) in wanted.iter().enumerate() {
            let free =
                have.iter().enumerate().position(|(other, same)| same == word && matched[other] == 0.0);
            if let Some(other) = free {
                (partner[at], matched[other]) = (1.0, 1.0);
            }
        }
        for at in 0..wanted.len() {
            if partner[at] > 0.0 {
                continue;
            }
            let mut best = (0.0, None);
            for other in 0..have.len() {
                if matched[other] == 0.0 {
                    let alike = self.word_alike(wanted[at], have[other]);
                    if alike > best.0 {
                        best = (alike, Some(other));
                    }
                }
            }
            if let (alike, Some(other)) = best {
                (partner[at], matched[other]) = (alike, alike);
                are_others |= self.are_two_words(wanted[at], have[other]);
            }
        }
        let alike = self.weigh(wanted, partner, have, matched);
        Likeness { words_differ: alike.words_differ || are_others, ..alike }
    }

    fn weigh(&self, wanted: &[u32], partner: &[f32], have: &[u32], matched: &[f32]) -> Likeness {
        let (mut sum, mut all) = (0.0, 0.0);
        let mut best = Likeness::exact(0.0, Manner::Similar);
        for (word, alike) in wanted.iter().zip(partner).chain(have.iter().zip(matched)) {
            let weight = self.weight(*word);
            sum += weight * alike;
            all += weight;
            if *alike == 0.0 {
                let text = self.words.text(*word);
                if is_number(text) {
                    best.numbers_differ = true;
                } else if !is_little(text) {
                    best.words_differ = true;
                }
            }
        }
        best.likeness = if all > 0.0 { sum / all } else { 0.0 };
        if best.words_differ {
            best.likeness = best.likeness.min(WITH_WORDS_MISSING);
        }
        if partner.iter().chain(matched).all(|alike| *alike >= 1.0) {
            best.likeness = 0.98;
        }
        best
    }

    /// Whether two words that are written alike are two all the same: none of them is a slip, a form or another spelling
    /// of the other.
    fn are_two_words(&self, one: u32, other: u32) -> bool {
        let is_slip = !self.words.is_known(one) || !self.words.is_known(other);
        let (one, other) = (self.words.text(one), self.words.text(other));
        // Numbers are compared by themselves.
        let is_same = one == other
            || is_number(one) && is_number(other)
            || is_other_spelling(one, other)
            || is_other_form(one, other)
            || is_other_form(other, one)
            || typo::stands_for(one, other)
            || typo::stands_for(other, one);
        !is_same && (!is_slip || is_own_word(one, other))
    }

    /// Whether titles that are written alike differ in a word that is no slip.
    fn differ_in_words(&self, wanted: &[u32], have: &[u32]) -> bool {
        if wanted.len() == have.len() {
            return wanted.iter().zip(have).any(|(one, other)| self.are_two_words(*one, *other));
        }
        let only = |some: &[u32], others: &[u32]| -> Vec<u32> {
            let is_word = |word: &&u32| !others.contains(word) && !is_number(self.words.text(**word));
            some.iter().filter(is_word).copied().collect()
        };
        let (of_wanted, of_have) = (only(wanted, have), only(have, wanted));
        if of_wanted.is_empty() || of_have.is_empty() {
            let tells = |word: &u32| !is_little(self.words.text(*word));
            return of_wanted.iter().chain(&of_have).any(tells);
        }
        // Words run together, or one cut in two; with a slip beside, so that one of them is no word at all.
        let is_known = |some: &[u32]| some.iter().all(|word| self.words.is_known(*word));
        is_known(&of_wanted) && is_known(&of_have)
    }

    /// How alike two words are, that are not the same.
    fn word_alike(&self, one: u32, other: u32) -> f32 {
        // What no title of the library says is more likely a slip than another word.
        let (shape, other_shape) = (self.words.shape(one), self.words.shape(other));
        if !may_be_one_word(shape, other_shape) {
            return 0.0;
        }
        let is_slip = !self.words.is_known(one) || !self.words.is_known(other);
        let (one, other) = (self.words.text(one), self.words.text(other));
        if one.contains('*') || other.contains('*') {
            let stands = typo::stands_for(one, other) || typo::stands_for(other, one);
            return if stands { 1.0 } else { 0.0 };
        }
        if is_other_spelling(one, other) {
            return 0.95;
        }
        let has_digit = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
        if has_digit(one) || has_digit(other) {
            return 0.0;
        }
        if is_other_form(one, other) || is_other_form(other, one) {
            return 0.93;
        }
        let length = one.chars().count().min(other.chars().count());
        let most = match length {
            0..=3 => return 0.0,
            4..=6 => 1,
            _ => 2,
        };
        match (typo::distance(one, other, most), length) {
            (Some(0), _) => 1.0,
            (Some(1), 5..) if is_slip => 0.90,
            (Some(1), 6..) => 0.85,
            (Some(1), 5) => 0.72,
            (Some(1), _) => 0.60,
            (Some(2), _) => 0.78,
            _ => 0.0,
        }
    }

    /// All letters of the cores, wherever words end.
    fn letters_alike(&self, wanted: &Heading<'_>, have: &Heading<'_>) -> Likeness {
        let (shorter, longer) = (wanted.length.min(have.length), wanted.length.max(have.length));
        if longer - shorter > (longer / 8).max(1) && shorter < CUT_OFF {
            return Likeness::NONE;
        }
        let (one, other) = (self.text(wanted.core), self.text(have.core));
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let numbers_differ = digits(&one) != digits(&other);
        let is_cut_off = self.is_cut_off(wanted, have) || self.is_cut_off(have, wanted);
        if is_cut_off && (wanted.is_full || have.is_full) {
            return Likeness::exact(0.93, Manner::CutOff);
        }
        let ratio = Self::letters_between(&one, &other);
        let length = usize::from(wanted.length.min(have.length));
        if ratio >= 0.88 && length >= 8 || ratio >= 0.80 && length >= 5 {
            let likeness = if length >= 8 { 0.97 * ratio } else { 0.92 * ratio };
            let words_differ = self.differ_in_words(wanted.core, have.core);
            let alike = Likeness::exact(likeness.max(0.6), Manner::Similar);
            return Likeness { numbers_differ, words_differ, ..alike };
        }
        if is_cut_off { Likeness::exact(0.93, Manner::CutOff) } else { Likeness::NONE }
    }

    /// Whether a title is the beginning of another because a field was too short for it: it ends where fields end or
    /// within a word, and what is lost says nothing that tells recordings apart.
    fn is_cut_off(&self, short: &Heading<'_>, long: &Heading<'_>) -> bool {
        let Some((last, whole)) = short.core.split_last() else { return false };
        let rest = long.core.get(whole.len()..).unwrap_or_default();
        let Some((first, beyond)) = rest.split_first() else { return false };
        let (last, first) = (self.words.text(*last), self.words.text(*first));
        let beyond: Vec<&str> = beyond.iter().map(|word| self.words.text(*word)).collect();
        let is_within_word = last.len() < first.len();
        let tells = (0..beyond.len()).any(|at| is_number(beyond[at]) || qualifier::may_tell(&beyond[at..]));
        short.length >= CUT_OFF
            && long.core.starts_with(whole)
            && first.starts_with(last)
            && (is_within_word && !is_other_form(last, first) || short.is_full)
            && !tells
    }

    fn letters_between(one: &str, other: &str) -> f32 {
        let longest = one.chars().count().max(other.chars().count());
        let most = (longest / 8).max(1);
        typo::distance(one, other, most).map_or(0.0, |distance| 1.0 - distance as f32 / longest.max(1) as f32)
    }
}
