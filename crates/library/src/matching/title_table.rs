//! Unique titles of the index, as ids of words.

use std::sync::Arc;

use super::parse::ParsedTitle;
use super::version::{CutLength, TrackVersions};
use super::vocabulary::{HashedMap, number};

/// A title in the form for comparison.
#[derive(Debug, Clone, Copy)]
pub(super) struct TitleEntry<'a> {
    pub(super) core: &'a [u32],
    pub(super) subtitle: &'a [u32],
    pub(super) by: &'a [u32],
    pub(super) event: &'a [u32],
    pub(super) parts: &'a [u32],
    /// Ids of names, not of words.
    pub(super) guests: &'a [u32],
    pub(super) versions: TrackVersions,
    pub(super) cut: CutLength,
    pub(super) core_key: u64,
    pub(super) full_key: u64,
    /// Letters of the core as bits.
    pub(super) letters: u32,
    /// Number of letters of the core, up to 255.
    pub(super) length: u8,
    /// Whether the title is as long as a field that truncates titles.
    pub(super) is_full: bool,
    /// Whether it is called unplugged.
    pub(super) is_unplugged: bool,
    /// Whether a bracket with words of unknown meaning is in another script than the core.
    pub(super) has_foreign_bracket: bool,
    /// A bit for each word of core and subtitle; titles without a common bit share no word.
    pub(super) sketch: u64,
}

const LISTS: usize = 6;
/// Max words of a list; longer ones are cut.
pub(super) const MAX_WORDS: usize = 32;

/// A title's lists are adjacent in the list of all words.
#[derive(Debug, Clone, Copy)]
struct TitleRecord {
    core_key: u64,
    full_key: u64,
    text_key: u64,
    sketch: u64,
    start: u32,
    letters: u32,
    lengths: [u8; LISTS],
    versions: TrackVersions,
    cut: CutLength,
    length: u8,
    is_full: bool,
    is_unplugged: bool,
    has_foreign_bracket: bool,
    /// Part of the hash of the title without its artist.
    rest: [u8; 3],
}

/// All titles. A table over another one only holds the titles that the other lacks.
#[derive(Debug, Default)]
pub(super) struct TitleTable {
    base: Option<Arc<Self>>,
    /// Number of titles of the base.
    offset: u32,
    words: Vec<u32>,
    heads: Vec<TitleRecord>,
}

impl TitleTable {
    /// An empty table over another one.
    pub(super) fn over(base: &Arc<Self>) -> Self {
        Self { offset: number(base.len()), base: Some(Arc::clone(base)), ..Self::default() }
    }

    /// The titles with these identities, by identity; see [`title_identity`].
    pub(super) fn find_all(&self, wanted: &super::vocabulary::HashedSet<u64>) -> HashedMap<u64, u32> {
        let identity = |head: &TitleRecord| title_identity(head.text_key, head.rest);
        let all = (0..).zip(&self.heads).map(|(id, head)| (identity(head), id));
        all.filter(|(identity, _)| wanted.contains(identity)).collect()
    }

    /// Adds a title; `rest` is part of the hash of the title without its artist, the closures give the ids of words
    /// and guests.
    pub(super) fn add(
        &mut self,
        title: &ParsedTitle,
        rest: [u8; 3],
        mut word: impl FnMut(&str) -> u32,
        guests: impl IntoIterator<Item = u32>,
    ) -> u32 {
        let start = number(self.words.len());
        let mut lengths = [0; LISTS];
        let lists = [&title.core, &title.subtitle, &title.by, &title.event, &title.parts];
        for (list, length) in lists.into_iter().zip(&mut lengths) {
            for text in list.iter().take(MAX_WORDS) {
                self.words.push(word(text));
                *length += 1;
            }
        }
        for guest in guests.into_iter().take(MAX_WORDS) {
            self.words.push(guest);
            lengths[LISTS - 1] += 1;
        }
        let named = usize::from(lengths[0]) + usize::from(lengths[1]);
        let sketch = sketch(&self.words[start as usize..][..named]);
        let (letters, length) = shape(title.core.iter().map(String::as_str));
        let ParsedTitle {
            core_key, full_key, text_key, versions, cut, is_full, is_unplugged, has_foreign_bracket, ..
        } = *title;
        self.heads.push(TitleRecord {
            core_key,
            full_key,
            text_key,
            sketch,
            start,
            letters,
            lengths,
            versions,
            cut,
            length,
            is_full,
            is_unplugged,
            has_foreign_bracket,
            rest,
        });
        number(self.len() - 1)
    }

    /// Number of titles, with those of the base.
    pub(super) fn len(&self) -> usize {
        self.offset as usize + self.heads.len()
    }

    /// A title's record, and the table with its words.
    fn record(&self, title: u32) -> (&TitleRecord, &Self) {
        match (title.checked_sub(self.offset), &self.base) {
            (None, Some(base)) => base.record(title),
            (at, _) => (&self.heads[at.unwrap_or(title) as usize], self),
        }
    }

    /// All words of a title.
    pub(super) fn words(&self, title: u32) -> &[u32] {
        let (head, table) = self.record(title);
        let count: usize = head.lengths[..LISTS - 1].iter().map(|length| usize::from(*length)).sum();
        &table.words[head.start as usize..][..count]
    }

    pub(super) fn get(&self, title: u32) -> TitleEntry<'_> {
        let (head, table) = self.record(title);
        let mut rest = &table.words[head.start as usize..];
        let mut lists = [&[][..]; LISTS];
        for (list, length) in lists.iter_mut().zip(head.lengths) {
            (*list, rest) = rest.split_at(usize::from(length));
        }
        let [core, subtitle, by, event, parts, guests] = lists;
        let TitleRecord { core_key, full_key, versions, cut, letters, length, is_full, is_unplugged, sketch, .. } =
            *head;
        TitleEntry {
            core,
            subtitle,
            by,
            event,
            parts,
            guests,
            versions,
            cut,
            core_key,
            full_key,
            letters,
            length,
            is_full,
            is_unplugged,
            has_foreign_bracket: head.has_foreign_bracket,
            sketch,
        }
    }

    /// Whether a title may be similar to another: by a common word, or by nearly the same letters.
    pub(super) fn may_be_alike(&self, title: u32, wanted: &TitleEntry<'_>) -> bool {
        let (have, _) = self.record(title);
        if have.sketch & wanted.sketch != 0 || have.core_key == wanted.core_key {
            return true;
        }
        is_near_by_letters((wanted.letters, wanted.length), (have.letters, have.length))
    }

    /// Hash of a title's spelling.
    pub(super) fn text_key(&self, title: u32) -> u64 {
        self.record(title).0.text_key
    }

    /// Hash of all letters of a title.
    pub(super) fn full_key(&self, title: u32) -> u64 {
        self.record(title).0.full_key
    }

    pub(super) fn shrink(&mut self) {
        self.words.shrink_to_fit();
        self.heads.shrink_to_fit();
    }
}

/// Minimum length of a truncated title.
pub(super) const MIN_CUT_OFF_LENGTH: u8 = 20;

/// The bit of a star in [`shape`].
pub(super) const STAR_BIT: u32 = 1 << ('*' as u32 % 32);

/// Whether texts with these letters may be equal except for a typo, stars or truncation.
pub(super) fn is_near_by_letters(one: (u32, u8), other: (u32, u8)) -> bool {
    let other_letters = (one.0 ^ other.0).count_ones();
    let longer_by = one.1.abs_diff(other.1);
    longer_by <= 3 && (other_letters <= 4 || (one.0 | other.0) & STAR_BIT != 0)
        || (one.1.min(other.1) >= MIN_CUT_OFF_LENGTH && other_letters <= 12)
}

/// Identity of a title: the hash of its spelling, and part of that without its artist.
pub(super) fn title_identity(text_key: u64, rest: [u8; 3]) -> u64 {
    let [low, middle, high] = rest;
    text_key ^ u64::from(u32::from_le_bytes([low, middle, high, 1])).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A bit for each word.
fn sketch(words: &[u32]) -> u64 {
    words.iter().fold(0, |sketch, word| sketch | 1 << (word.wrapping_mul(0x9e37_79b1) >> 26))
}

/// The letters of words, several letters per bit, and their number.
pub(super) fn shape<'a>(words: impl Iterator<Item = &'a str>) -> (u32, u8) {
    let mut letters = 0;
    let mut length = 0_u8;
    for c in words.flat_map(str::chars) {
        letters |= 1 << (u32::from(c) % 32);
        length = length.saturating_add(1);
    }
    (letters, length)
}
