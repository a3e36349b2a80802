//! Similarity of titles.

use std::borrow::Cow;

use super::index::TrackIndex;
use super::query::MatchQuery;
use super::text_difference::TextDifference;
use super::title_table::{TitleEntry, is_near_by_letters};
use super::word_forms::is_little;
use super::word_scale::WordScale;

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

    pub(super) fn exact(likeness: f32, manner: SimilarityKind) -> Self {
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
pub(super) const WITH_WORDS_MISSING: f32 = 0.80;
/// Minimum similarity of titles that differ by a typing error.
const MISSPELT: f32 = 0.90;
/// Minimum similarity of titles whose difference has a name, so that it is told.
const NAMED_DIFFERENCE: f32 = 0.75;
/// Titles less similar than this are not compared further.
const WORTH_COMPARING: f32 = 0.5;
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

/// The words of a subtitle that names a cover beside that word: those of the original's performer. `None` if it names
/// none.
fn covered<'a>(scale: &WordScale<'a>, title: &TitleEntry<'_>) -> Option<Vec<&'a str>> {
    let words = || title.subtitle.iter().map(|word| scale.words.text(*word));
    if !words().any(|word| word == "cover") {
        return None;
    }
    let mut beside: Vec<&str> =
        words().filter(|word| !is_little(word) && !matches!(*word, "cover" | "version")).collect();
    beside.sort_unstable();
    Some(beside)
}

fn same_core(scale: &WordScale<'_>, wanted: &TitleEntry<'_>, have: &TitleEntry<'_>) -> TitleSimilarity {
    if wanted.subtitle.is_empty() || have.subtitle.is_empty() {
        let manner =
            if wanted.subtitle.len() == have.subtitle.len() { SimilarityKind::Exact } else { SimilarityKind::Subtitle };
        let numbers_differ = scale.subtitle_numbers_differ(wanted, have);
        let likeness = if manner == SimilarityKind::Exact { 1.0 } else { ONE_SUBTITLE };
        return TitleSimilarity { numbers_differ, ..TitleSimilarity::exact(likeness, manner) };
    }
    if let (Some(one), Some(other)) = (covered(scale, wanted), covered(scale, have)) {
        if one == other || one.is_empty() || other.is_empty() {
            return TitleSimilarity::exact(ONE_SUBTITLE, SimilarityKind::Subtitle);
        }
        let alike = TitleSimilarity::exact(OTHER_SUBTITLE, SimilarityKind::Subtitle);
        return alike.with_difference(scale.difference(wanted.subtitle, have.subtitle));
    }
    let subtitles = scale.words_alike(wanted.subtitle, have.subtitle);
    let together = scale.text(wanted.subtitle) == scale.text(have.subtitle);
    let whole = WordScale::letters_between(&scale.text(wanted.subtitle), &scale.text(have.subtitle));
    let is_cut_off = scale.begins(wanted, have) || scale.begins(have, wanted);
    if is_cut_off && !subtitles.numbers_differ {
        return TitleSimilarity::exact(1.0, SimilarityKind::CutOff);
    }
    let difference = if together { TextDifference::None } else { scale.difference(wanted.subtitle, have.subtitle) };
    let is_near = difference == TextDifference::Words
        && subtitles.similarity.max(whole) >= SAME_SUBTITLE
        && !scale.has_telling_word(wanted.subtitle, have.subtitle);
    if difference.is_spelling() || is_near {
        let kind = if difference == TextDifference::None { SimilarityKind::Exact } else { SimilarityKind::Subtitle };
        TitleSimilarity { numbers_differ: subtitles.numbers_differ && !together, ..TitleSimilarity::exact(1.0, kind) }
    } else {
        let alike = TitleSimilarity::exact(OTHER_SUBTITLE, SimilarityKind::Subtitle);
        TitleSimilarity { numbers_differ: subtitles.numbers_differ, ..alike.with_difference(difference) }
    }
}
