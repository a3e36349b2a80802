//! Compares the words of two titles.

use super::edit_distance;
use super::index::TrackIndex;
use super::normalize::{is_number, is_year};
use super::qualifier;
use super::text_difference::{TextDifference, has_telling_word, text_difference};
use super::title_similarity::{SimilarityKind, TitleSimilarity, WITH_WORDS_MISSING};
use super::title_table::{MAX_WORDS, MIN_CUT_OFF_LENGTH, TitleEntry};
use super::vocabulary::QueryVocabulary;
use super::word_forms::{is_little, is_other_form, is_other_spelling, may_be_one_word};

/// Weight of a little word beside that of another.
const LITTLE_WEIGHT: f32 = 0.3;
/// Max words of core and subtitle together.
const MOST: usize = 2 * MAX_WORDS;

/// Weights and texts of words.
pub(super) struct WordScale<'a> {
    pub(super) index: &'a TrackIndex,
    pub(super) words: &'a QueryVocabulary<'a>,
}

impl WordScale<'_> {
    /// Little words count little. How often a word occurs in the library does not count: that depends on rows that
    /// have nothing to do with the query.
    fn weight(&self, word: u32) -> f32 {
        if is_little(self.words.text(word)) { LITTLE_WEIGHT } else { 1.0 }
    }

    pub(super) fn difference(&self, wanted: &[u32], have: &[u32]) -> TextDifference {
        let texts = |words: &[u32]| words.iter().map(|word| self.words.text(*word)).collect::<Vec<_>>();
        let known: Vec<&str> =
            wanted.iter().filter(|word| self.words.is_known(**word)).map(|word| self.words.text(*word)).collect();
        text_difference(&texts(wanted), &texts(have), |word| known.contains(&word))
    }

    /// Whether a letter, a number or an opposite tells two texts apart.
    pub(super) fn has_telling_word(&self, wanted: &[u32], have: &[u32]) -> bool {
        let texts = |words: &[u32]| words.iter().map(|word| self.words.text(*word)).collect::<Vec<_>>();
        has_telling_word(&texts(wanted), &texts(have))
    }

    /// Whether the subtitle of a truncated title is a prefix of another's.
    pub(super) fn begins(&self, short: &TitleEntry<'_>, long: &TitleEntry<'_>) -> bool {
        short.is_full && self.text(long.subtitle).starts_with(&self.text(short.subtitle))
    }

    /// Whether the numbers in the subtitles tell recordings apart. If only one has a subtitle, its numbers do if they
    /// stand alone or are years; those after part words are not in it.
    pub(super) fn subtitle_numbers_differ(&self, wanted: &TitleEntry<'_>, have: &TitleEntry<'_>) -> bool {
        let (wanted, have) = (wanted.subtitle, have.subtitle);
        let numbers = (self.numbers(wanted), self.numbers(have));
        if !wanted.is_empty() && !have.is_empty() {
            return numbers.0 != numbers.1;
        }
        let all = [&numbers.0[..], &numbers.1].concat();
        let is_alone = all.len() == wanted.len() + have.len();
        !all.is_empty() && (is_alone || all.iter().any(|number| is_year(number)))
    }

    pub(super) fn numbers(&self, words: &[u32]) -> Vec<&str> {
        let mut numbers: Vec<&str> =
            words.iter().map(|word| self.words.text(*word)).filter(|word| is_number(word)).collect();
        numbers.sort_unstable();
        numbers
    }

    pub(super) fn text(&self, words: &[u32]) -> String {
        words.iter().map(|word| self.words.text(*word)).collect()
    }

    /// Compares word by word, weighted on both sides.
    pub(super) fn words_alike(&self, wanted: &[u32], have: &[u32]) -> TitleSimilarity {
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
    pub(super) fn letters_alike(&self, wanted: &TitleEntry<'_>, have: &TitleEntry<'_>) -> TitleSimilarity {
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

    pub(super) fn letters_between(one: &str, other: &str) -> f32 {
        let longest = one.chars().count().max(other.chars().count());
        let most = (longest / 8).max(1);
        edit_distance::distance(one, other, most).map_or(0.0, |distance| 1.0 - distance as f32 / longest.max(1) as f32)
    }
}
