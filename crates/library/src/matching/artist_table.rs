//! Unique names and credits of the index.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::artist_credit::{CreditName, CreditRole};
use super::script::ScriptSet;
use super::title_table::shape;
use super::vocabulary::{HashedMap, HashedSet, number};

/// All names. A table over another one only holds the names that the other lacks, and those that are split otherwise.
#[derive(Debug, Default)]
pub(super) struct ArtistTable {
    base: Option<Arc<Self>>,
    /// Number of names of the base.
    offset: u32,
    /// Names of the base that are split otherwise.
    resplit: HashedMap<u32, (u32, WordBoundaries)>,
    /// Names that came with several splits.
    ambiguous: HashedSet<u32>,
    /// Names of the base that no track has any more.
    unused: HashedSet<u32>,
    words: Vec<u32>,
    /// First word and word boundaries of each name.
    spans: Vec<(u32, WordBoundaries)>,
    keys: Vec<u64>,
    /// Letters and length of each name.
    shapes: Vec<(u32, u8)>,
    by_key: HashedMap<u64, u32>,
}

/// A split of letters into words. If the same letters occur with several splits, the smallest is stored,
/// so that order of insertion does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WordBoundaries {
    words: u32,
    hash: u32,
}

impl WordBoundaries {
    fn from_name(name: &CreditName) -> Self {
        let hash = xxh3_64(name.words.join(" ").as_bytes());
        Self { words: number(name.words.len()), hash: number(usize::try_from(hash >> 33).unwrap_or_default()) }
    }
}

impl ArtistTable {
    /// An empty table over another one.
    pub(super) fn over(base: &Arc<Self>) -> Self {
        Self { offset: number(base.len()), base: Some(Arc::clone(base)), ..Self::default() }
    }

    /// The id of a name, which is added if it is new.
    pub(super) fn add(&mut self, name: &CreditName, word: impl FnMut(&str) -> u32) -> u32 {
        let cut = WordBoundaries::from_name(name);
        if let Some(id) = self.find_any(name.key) {
            let before = self.boundaries(id);
            if cut != before {
                self.ambiguous.insert(id);
            }
            if cut < before {
                self.split(id, name, word);
            }
            return id;
        }
        let span = (number(self.words.len()), cut);
        self.words.extend(name.words.iter().map(String::as_str).map(word));
        self.spans.push(span);
        self.keys.push(name.key);
        self.shapes.push(shape(name.words.iter().map(String::as_str)));
        let id = number(self.len() - 1);
        self.by_key.insert(name.key, id);
        id
    }

    /// Splits a name as this one is split.
    pub(super) fn split(&mut self, id: u32, name: &CreditName, word: impl FnMut(&str) -> u32) {
        let span = (number(self.words.len()), WordBoundaries::from_name(name));
        self.words.extend(name.words.iter().map(String::as_str).map(word));
        match id.checked_sub(self.offset) {
            Some(at) => self.spans[at as usize] = span,
            None => drop(self.resplit.insert(id, span)),
        }
    }

    /// Split of this name.
    pub(super) fn boundaries_of(name: &CreditName) -> WordBoundaries {
        WordBoundaries::from_name(name)
    }

    /// Whether no track has a name any more.
    pub(super) fn is_unused(&self, name: u32) -> bool {
        self.unused.contains(&name)
    }

    /// Split of a name.
    pub(super) fn boundaries(&self, name: u32) -> WordBoundaries {
        self.span(name).0.1
    }

    /// Whether a name came with several splits.
    pub(super) fn is_ambiguous(&self, name: u32) -> bool {
        self.ambiguous.contains(&name) || self.base.as_ref().is_some_and(|base| base.is_ambiguous(name))
    }

    /// Names of the base that are split otherwise.
    pub(super) fn resplit(&self) -> impl Iterator<Item = u32> + '_ {
        self.resplit.keys().copied()
    }

    /// Sets the names of the base that no track has any more.
    pub(super) fn set_unused(&mut self, unused: HashedSet<u32>) {
        self.unused = unused;
    }

    pub(super) fn find(&self, key: u64) -> Option<u32> {
        self.find_any(key).filter(|name| !self.unused.contains(name))
    }

    fn find_any(&self, key: u64) -> Option<u32> {
        self.by_key.get(&key).copied().or_else(|| self.base.as_ref()?.find_any(key))
    }

    /// Number of names, with those of the base.
    pub(super) fn len(&self) -> usize {
        self.offset as usize + self.keys.len()
    }

    pub(super) fn key(&self, name: u32) -> u64 {
        match (name.checked_sub(self.offset), &self.base) {
            (None, Some(base)) => base.key(name),
            (at, _) => self.keys[at.unwrap_or(name) as usize],
        }
    }

    pub(super) fn shape(&self, name: u32) -> (u32, u8) {
        match (name.checked_sub(self.offset), &self.base) {
            (None, Some(base)) => base.shape(name),
            (at, _) => self.shapes[at.unwrap_or(name) as usize],
        }
    }

    /// A name's first word and split, and the table with its words.
    fn span(&self, name: u32) -> ((u32, WordBoundaries), &Self) {
        if let Some(span) = self.resplit.get(&name) {
            return (*span, self);
        }
        match (name.checked_sub(self.offset), &self.base) {
            (None, Some(base)) => base.span(name),
            (at, _) => (self.spans[at.unwrap_or(name) as usize], self),
        }
    }

    pub(super) fn words(&self, name: u32) -> &[u32] {
        let ((start, cut), table) = self.span(name);
        &table.words[start as usize..][..cut.words as usize]
    }

    pub(super) fn shrink(&mut self) {
        self.words.shrink_to_fit();
        self.spans.shrink_to_fit();
        self.keys.shrink_to_fit();
        self.shapes.shrink_to_fit();
        self.by_key.shrink_to_fit();
    }
}

/// All credits: their names with roles. A table over another one only holds the credits that the other lacks.
#[derive(Debug, Default)]
pub(super) struct CreditTable {
    base: Option<Arc<Self>>,
    /// Number of credits of the base.
    offset: u32,
    /// A name's id, with two bits for its role.
    names: Vec<u32>,
    ends: Vec<u32>,
    compilations: Vec<bool>,
    text_keys: Vec<u64>,
    scripts: Vec<ScriptSet>,
}

impl CreditTable {
    /// An empty table over another one.
    pub(super) fn over(base: &Arc<Self>) -> Self {
        Self { offset: number(base.len()), base: Some(Arc::clone(base)), ..Self::default() }
    }

    /// The credits with these spellings, by the hash of the spelling.
    pub(super) fn find_all(&self, wanted: &HashedSet<u64>) -> HashedMap<u64, u32> {
        let all = (0..).zip(&self.text_keys).map(|(id, key)| (*key, id));
        all.filter(|(key, _)| wanted.contains(key)).collect()
    }

    /// Adds a credit; the key is the hash of its spelling, in these scripts.
    pub(super) fn add(
        &mut self,
        names: impl IntoIterator<Item = (u32, CreditRole)>,
        is_compilation: bool,
        (text_key, scripts): (u64, ScriptSet),
    ) -> u32 {
        self.names.extend(names.into_iter().map(|(name, role)| name << 2 | role as u32));
        self.ends.push(number(self.names.len()));
        self.compilations.push(is_compilation);
        self.text_keys.push(text_key);
        self.scripts.push(scripts);
        number(self.len() - 1)
    }

    /// Number of credits, with those of the base.
    pub(super) fn len(&self) -> usize {
        self.offset as usize + self.ends.len()
    }

    /// The table with a credit, and its place there.
    fn place(&self, credit: u32) -> (&Self, usize) {
        match (credit.checked_sub(self.offset), &self.base) {
            (None, Some(base)) => base.place(credit),
            (at, _) => (self, at.unwrap_or(credit) as usize),
        }
    }

    pub(super) fn names(&self, credit: u32) -> impl Iterator<Item = (u32, CreditRole)> + '_ {
        let (table, at) = self.place(credit);
        let start = at.checked_sub(1).map_or(0, |before| table.ends[before]);
        table.names[start as usize..table.ends[at] as usize].iter().map(|packed| {
            let role = match packed & 3 {
                0 => CreditRole::Primary,
                1 => CreditRole::Credited,
                2 => CreditRole::Album,
                _ => CreditRole::Piece,
            };
            (packed >> 2, role)
        })
    }

    /// Hash of the spelling.
    pub(super) fn text_key(&self, credit: u32) -> u64 {
        let (table, at) = self.place(credit);
        table.text_keys[at]
    }

    /// Scripts of the spelling.
    pub(super) fn scripts(&self, credit: u32) -> ScriptSet {
        let (table, at) = self.place(credit);
        table.scripts[at]
    }

    /// Whether its album is a compilation of several artists.
    pub(super) fn is_compilation(&self, credit: u32) -> bool {
        let (table, at) = self.place(credit);
        table.compilations[at]
    }

    pub(super) fn shrink(&mut self) {
        self.names.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.compilations.shrink_to_fit();
        self.text_keys.shrink_to_fit();
        self.scripts.shrink_to_fit();
    }
}
