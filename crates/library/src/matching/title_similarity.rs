//! Similarity of titles.

use std::borrow::Cow;

use super::edit_distance;
use super::index::TrackIndex;
use super::normalize::{is_number, is_year};
use super::qualifier;
use super::query::MatchQuery;
use super::text_difference::{TextDifference, text_difference};
use super::title_table::{MAX_WORDS, MIN_CUT_OFF_LENGTH, TitleEntry, is_near_by_letters};
use super::vocabulary::QueryVocabulary;
use super::word_forms::{is_little, is_other_form, is_other_spelling, may_be_one_word};

/// Kind of similarity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SimilarityKind {
    /// The same core.
    Exact,
    /// Equal except for a subtitle.
    Subtitle,
    /// Similar only.
    Similar,
    /// One is a prefix of the other.
    CutOff,
}

/// Result of comparing two titles.
#[expect(clippy::struct_excessive_bools, reason = "each is one fact of two titles, and none follows from another")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TitleSimilarity {
    /// From 0 to 1.
    pub(super) similarity: f32,
    pub(super) kind: SimilarityKind,
    /// Whether numbers of one are missing in the other.
    pub(super) numbers_differ: bool,
    /// Whether distinctive words of one are missing in the other.
    pub(super) words_differ: bool,
    /// Whether all letters are equal, including those in brackets.
    pub(super) is_same_text: bool,
    /// Difference of the compared words.
    pub(super) difference: TextDifference,
    /// Whether few letters differ.
    pub(super) is_close: bool,
}

impl TitleSimilarity {
    pub(super) const NONE: Self = Self {
        similarity: 0.0,
        kind: SimilarityKind::Similar,
        numbers_differ: false,
        words_differ: true,
        is_same_text: false,
        difference: TextDifference::Words,
        is_close: false,
    };

    fn exact(likeness: f32, manner: SimilarityKind) -> Self {
        Self {
            similarity: likeness,
            kind: manner,
            numbers_differ: false,
            words_differ: false,
            is_same_text: false,
            difference: TextDifference::None,
            is_close: true,
        }
    }

    /// The same with the difference of the words, which decides whether they are one title.
    fn with_difference(self, difference: TextDifference) -> Self {
        let is_spelling = difference.is_spelling();
        let similarity = match difference {
            _ if is_spelling => self.similarity.max(MISSPELT),
            TextDifference::Words => self.similarity.min(WITH_WORDS_MISSING),
            _ => self.similarity.clamp(NAMED_DIFFERENCE, WITH_WORDS_MISSING),
        };
        Self { similarity, words_differ: !is_spelling, difference, ..self }
    }
}

/// Max similarity of titles with an unmatched distinctive word.
const WITH_WORDS_MISSING: f32 = 0.80;
/// Minimum similarity of titles that differ by a typing error.
const MISSPELT: f32 = 0.90;
/// Minimum similarity of titles whose difference has a name, so that it is told.
const NAMED_DIFFERENCE: f32 = 0.75;
/// Titles less similar than this are not compared further.
const WORTH_COMPARING: f32 = 0.5;
/// Weight of a little word beside that of another.
const LITTLE_WEIGHT: f32 = 0.3;
/// Max words of core and subtitle together.
const MOST: usize = 2 * MAX_WORDS;
/// Similarity if only one title has a subtitle.
const ONE_SUBTITLE: f32 = 0.99;
/// Similarity if the subtitles differ.
const OTHER_SUBTITLE: f32 = 0.86;
/// Minimum similarity of equal subtitles.
const SAME_SUBTITLE: f32 = 0.6;

/// Compares a query with an indexed title.
pub(super) fn title_similarity(
    index: &TrackIndex,
    question: &MatchQuery<'_>,
    wanted: &TitleEntry<'_>,
    have: &TitleEntry<'_>,
) -> TitleSimilarity {
    let scale = WordScale { index, words: &question.words };
    if wanted.full_key == have.full_key && wanted.full_key != 0 {
        return TitleSimilarity { is_same_text: true, ..TitleSimilarity::exact(1.0, SimilarityKind::Exact) };
    }
    if wanted.core_key == have.core_key && wanted.core_key != 0 {
        return same_core(&scale, wanted, have);
    }
    let shares = |word: &u32| have.core.contains(word) || have.subtitle.contains(word);
    if !wanted.core.iter().chain(wanted.subtitle).any(shares)
        && !is_near_by_letters((wanted.letters, wanted.length), (have.letters, have.length))
    {
        return TitleSimilarity::NONE;
    }
    similar(&scale, wanted, have)
}

/// Compares titles with different cores: core with core, all words with all words, and each subtitle with the
/// other's core.
fn similar(scale: &WordScale<'_>, wanted: &TitleEntry<'_>, have: &TitleEntry<'_>) -> TitleSimilarity {
    let mut best = TitleSimilarity::NONE;
    let mut compared: (Cow<'_, [u32]>, Cow<'_, [u32]>) = (wanted.core.into(), have.core.into());
    let numbers_differ = scale.subtitle_numbers_differ(wanted, have);
    let letters = scale.letters_alike(wanted, have);
    for one in [scale.words_alike(wanted.core, have.core), letters] {
        if one.similarity > best.similarity {
            best = TitleSimilarity { numbers_differ: one.numbers_differ || numbers_differ, ..one };
        }
    }
    let mut is_another = false;
    if !(wanted.subtitle.is_empty() && have.subtitle.is_empty()) {
        let whole = ([wanted.core, wanted.subtitle].concat(), [have.core, have.subtitle].concat());
        let alike = scale.words_alike(&whole.0, &whole.1);
        if alike.similarity > best.similarity {
            best = TitleSimilarity { kind: SimilarityKind::Subtitle, ..alike };
            compared = (whole.0.into(), whole.1.into());
        }
        // A subtitle identifies a song only if no other song has its core as a title.
        let is_called = is_title(scale.index, wanted.core_key);
        for (one, other, is_other) in [(wanted.subtitle, have.core, is_called), (wanted.core, have.subtitle, true)] {
            let alike = if one.is_empty() { TitleSimilarity::NONE } else { scale.words_alike(one, other) };
            if alike.similarity * 0.93 > best.similarity {
                let kind = SimilarityKind::Subtitle;
                best = TitleSimilarity { similarity: alike.similarity * 0.93, kind, ..alike };
                compared = (one.into(), other.into());
                is_another = is_other;
            }
        }
    }
    if best.similarity < WORTH_COMPARING || best.kind == SimilarityKind::CutOff {
        return best;
    }
    let mut difference = scale.difference(&compared.0, &compared.1);
    let are_cores = compared.0[..] == *wanted.core && compared.1[..] == *have.core;
    if are_cores && !wanted.subtitle.is_empty() && !have.subtitle.is_empty() {
        difference = difference.max(scale.difference(wanted.subtitle, have.subtitle));
    }
    // Numbers that are spelled differently are equal: "Two.0" and 2.0.
    let numbers_differ = best.numbers_differ && (numbers_differ || !difference.is_spelling());
    best.numbers_differ = numbers_differ || difference == TextDifference::Number;
    let is_close = WordScale::letters_between(&scale.text(&compared.0), &scale.text(&compared.1)) > 0.0;
    let best = TitleSimilarity { is_close, ..best.with_difference(difference) };
    TitleSimilarity { words_differ: best.words_differ || is_another, ..best }
}

/// Whether the library has a song with this core.
fn is_title(index: &TrackIndex, core_key: u64) -> bool {
    let titles = index.titles_of_key.get_by_hash(core_key);
    titles.iter().any(|title| index.titles.get(*title).core_key == core_key)
}

fn same_core(scale: &WordScale<'_>, wanted: &TitleEntry<'_>, have: &TitleEntry<'_>) -> TitleSimilarity {
    if wanted.subtitle.is_empty() || have.subtitle.is_empty() {
        let manner =
            if wanted.subtitle.len() == have.subtitle.len() { SimilarityKind::Exact } else { SimilarityKind::Subtitle };
        let numbers_differ = scale.subtitle_numbers_differ(wanted, have);
        let likeness = if manner == SimilarityKind::Exact { 1.0 } else { ONE_SUBTITLE };
        return TitleSimilarity { numbers_differ, ..TitleSimilarity::exact(likeness, manner) };
    }
    let is_cover = |title: &TitleEntry<'_>| title.subtitle.iter().any(|word| scale.words.text(*word) == "cover");
    if is_cover(wanted) && is_cover(have) {
        return TitleSimilarity::exact(ONE_SUBTITLE, SimilarityKind::Subtitle);
    }
    let subtitles = scale.words_alike(wanted.subtitle, have.subtitle);
    let together = scale.text(wanted.subtitle) == scale.text(have.subtitle);
    let whole = WordScale::letters_between(&scale.text(wanted.subtitle), &scale.text(have.subtitle));
    let is_cut_off = scale.begins(wanted, have) || scale.begins(have, wanted);
    if is_cut_off && !subtitles.numbers_differ {
        return TitleSimilarity::exact(1.0, SimilarityKind::CutOff);
    }
    let difference = if together { TextDifference::None } else { scale.difference(wanted.subtitle, have.subtitle) };
    let is_near = difference == TextDifference::Words && subtitles.similarity.max(whole) >= SAME_SUBTITLE;
    if difference.is_spelling() || is_near {
        let kind = if difference == TextDifference::None { SimilarityKind::Exact } else { SimilarityKind::Subtitle };
        TitleSimilarity { numbers_differ: subtitles.numbers_differ && !together, ..TitleSimilarity::exact(1.0, kind) }
    } else {
        let alike = TitleSimilarity::exact(OTHER_SUBTITLE, SimilarityKind::Subtitle);
        TitleSimilarity { numbers_differ: subtitles.numbers_differ, ..alike.with_difference(difference) }
    }
}

/// Weights and texts of words.
struct WordScale<'a> {
    index: &'a TrackIndex,
    words: &'a QueryVocabulary<'a>,
}

impl WordScale<'_> {
    /// Little words count little. How often a word occurs in the library does not count: that depends on rows that
    /// have nothing to do with the query.
    fn weight(&self, word: u32) -> f32 {
        if is_little(self.words.text(word)) { LITTLE_WEIGHT } else { 1.0 }
    }

    fn difference(&self, wanted: &[u32], have: &[u32]) -> TextDifference {
        let texts = |words: &[u32]| words.iter().map(|word| self.words.text(*word)).collect::<Vec<_>>();
        let known: Vec<&str> =
            wanted.iter().filter(|word| self.words.is_known(**word)).map(|word| self.words.text(*word)).collect();
        text_difference(&texts(wanted), &texts(have), |word| known.contains(&word))
    }

    /// Whether the subtitle of a truncated title is a prefix of another's.
    fn begins(&self, short: &TitleEntry<'_>, long: &TitleEntry<'_>) -> bool {
        short.is_full && self.text(long.subtitle).starts_with(&self.text(short.subtitle))
    }

    /// Whether the numbers in the subtitles tell recordings apart. If only one has a subtitle, its numbers do if they
    /// stand alone or are years; those after part words are not in it.
    fn subtitle_numbers_differ(&self, wanted: &TitleEntry<'_>, have: &TitleEntry<'_>) -> bool {
        let (wanted, have) = (wanted.subtitle, have.subtitle);
        let numbers = (self.numbers(wanted), self.numbers(have));
        if !wanted.is_empty() && !have.is_empty() {
            return numbers.0 != numbers.1;
        }
        let all = [&numbers.0[..], &numbers.1].concat();
        let is_alone = all.len() == wanted.len() + have.len();
        !all.is_empty() && (is_alone || all.iter().any(|number| is_year(number)))
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

    /// Compares word by word, weighted on both sides.
    fn words_alike(&self, wanted: &[u32], have: &[u32]) -> TitleSimilarity {
        if wanted.is_empty() || have.is_empty() {
            return TitleSimilarity::NONE;
        }
        let (wanted, have) = (&wanted[..wanted.len().min(MOST)], &have[..have.len().min(MOST)]);
        let (mut partner, mut matched) = ([0.0_f32; MOST], [0.0_f32; MOST]);
        let (partner, matched) = (&mut partner[..wanted.len()], &mut matched[..have.len()]);
        for (at, word) in wanted.iter().enumerate() {
            let free = have.iter().enumerate().position(|(other, same)| same == word && matched[other] == 0.0);
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
            }
        }
        self.score(wanted, partner, have, matched)
    }

    fn score(&self, wanted: &[u32], partner: &[f32], have: &[u32], matched: &[f32]) -> TitleSimilarity {
        let (mut sum, mut all) = (0.0, 0.0);
        let mut best = TitleSimilarity::exact(0.0, SimilarityKind::Similar);
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
        best.similarity = if all > 0.0 { sum / all } else { 0.0 };
        if best.words_differ {
            best.similarity = best.similarity.min(WITH_WORDS_MISSING);
        }
        if partner.iter().chain(matched).all(|alike| *alike >= 1.0) {
            best.similarity = 0.98;
        }
        best
    }

    /// Similarity of two different words.
    fn word_alike(&self, one: u32, other: u32) -> f32 {
        // A word unknown to the library is more likely a typo than another word.
        let (shape, other_shape) = (self.words.shape(one), self.words.shape(other));
        if !may_be_one_word(shape, other_shape) {
            return 0.0;
        }
        let is_slip = !self.words.is_known(one) || !self.words.is_known(other);
        let (one, other) = (self.words.text(one), self.words.text(other));
        if one.contains('*') || other.contains('*') {
            let stands = edit_distance::stands_for(one, other) || edit_distance::stands_for(other, one);
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
        match (edit_distance::distance(one, other, most), length) {
            (Some(0), _) => 1.0,
            (Some(1), 5..) if is_slip => 0.90,
            (Some(1), 6..) => 0.85,
            (Some(1), 5) => 0.72,
            (Some(1), _) => 0.60,
            (Some(2), _) => 0.78,
            _ => 0.0,
        }
    }

    /// Compares all letters of the cores, regardless of word boundaries.
    fn letters_alike(&self, wanted: &TitleEntry<'_>, have: &TitleEntry<'_>) -> TitleSimilarity {
        let (shorter, longer) = (wanted.length.min(have.length), wanted.length.max(have.length));
        if longer - shorter > (longer / 8).max(1) && shorter < MIN_CUT_OFF_LENGTH {
            return TitleSimilarity::NONE;
        }
        let (one, other) = (self.text(wanted.core), self.text(have.core));
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let numbers_differ = digits(&one) != digits(&other);
        let is_cut_off = self.is_cut_off(wanted, have) || self.is_cut_off(have, wanted);
        if is_cut_off && (wanted.is_full || have.is_full) {
            return TitleSimilarity::exact(0.93, SimilarityKind::CutOff);
        }
        let ratio = Self::letters_between(&one, &other);
        let length = usize::from(wanted.length.min(have.length));
        if ratio >= 0.88 && length >= 8 || ratio >= 0.80 && length >= 5 {
            let likeness = if length >= 8 { 0.97 * ratio } else { 0.92 * ratio };
            let alike = TitleSimilarity::exact(likeness.max(0.6), SimilarityKind::Similar);
            return TitleSimilarity { numbers_differ, ..alike };
        }
        if is_cut_off { TitleSimilarity::exact(0.93, SimilarityKind::CutOff) } else { TitleSimilarity::NONE }
    }

    /// Whether a title was truncated by a short field: it ends where such fields end or within a word, and
    /// the lost text does not distinguish recordings.
    fn is_cut_off(&self, short: &TitleEntry<'_>, long: &TitleEntry<'_>) -> bool {
        let Some((last, whole)) = short.core.split_last() else { return false };
        let rest = long.core.get(whole.len()..).unwrap_or_default();
        let Some((first, beyond)) = rest.split_first() else { return false };
        let (last, first) = (self.words.text(*last), self.words.text(*first));
        let beyond: Vec<&str> = beyond.iter().map(|word| self.words.text(*word)).collect();
        let is_within_word = last.len() < first.len();
        let tells = (0..beyond.len()).any(|at| is_number(beyond[at]) || qualifier::may_tell(&beyond[at..]));
        short.length >= MIN_CUT_OFF_LENGTH
            && long.core.starts_with(whole)
            && first.starts_with(last)
            && (is_within_word && !is_other_form(last, first) || short.is_full)
            && !tells
    }

    fn letters_between(one: &str, other: &str) -> f32 {
        let longest = one.chars().count().max(other.chars().count());
        let most = (longest / 8).max(1);
        edit_distance::distance(one, other, most).map_or(0.0, |distance| 1.0 - distance as f32 / longest.max(1) as f32)
    }
}
