//! The unique words of an index and their ids.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::title_table::shape;

/// Hasher for keys that are already hashes, or ids of the index.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }
    fn write_u32(&mut self, number: u32) {
        // Consecutive ids must not share the few bits a map looks at first.
        self.0 = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
    fn write_u128(&mut self, hash: u128) {
        self.0 = u64::try_from(hash >> 64).unwrap_or_default();
    }
}

/// A map with hashes or ids of the index as keys, which no input can choose.
pub(super) type HashedMap<K, V> = HashMap<K, V, BuildHasherDefault<IdentityHasher>>;

/// A set of hashes or ids of the index, which no input can choose.
pub(super) type HashedSet<K> = HashSet<K, BuildHasherDefault<IdentityHasher>>;

/// Words and their ids. A vocabulary over another one only holds the words that the other lacks.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    base: Option<Arc<Self>>,
    /// Number of words of the base.
    offset: u32,
    /// Words that nothing in the index contains.
    unused: HashedSet<u32>,
    text: String,
    ends: Vec<u32>,
    shapes: Vec<(u32, u8)>,
    ids: HashedMap<u64, u32>,
}

impl Vocabulary {
    /// An empty vocabulary over another one.
    pub(super) fn over(base: &Arc<Self>) -> Self {
        Self { offset: number(base.len()), base: Some(Arc::clone(base)), ..Self::default() }
    }

    /// The id of a word, if the index contains it.
    pub(super) fn find(&self, word: &str) -> Option<u32> {
        self.find_any(word).filter(|id| !self.unused.contains(id))
    }

    fn find_any(&self, word: &str) -> Option<u32> {
        if let Some(id) = self.base.as_ref().and_then(|base| base.find_any(word)) {
            return Some(id);
        }
        let mut hash = xxh3_64(word.as_bytes());
        loop {
            let id = *self.ids.get(&hash)?;
            if self.text(id) == word {
                return Some(id);
            }
            hash = hash.wrapping_add(1);
        }
    }

    /// The id of a word, which is added if it is new.
    pub(super) fn add(&mut self, word: &str) -> u32 {
        if let Some(id) = self.base.as_ref().and_then(|base| base.find_any(word)) {
            return id;
        }
        let mut hash = xxh3_64(word.as_bytes());
        while let Some(id) = self.ids.get(&hash) {
            if self.text(*id) == word {
                return *id;
            }
            hash = hash.wrapping_add(1);
        }
        let id = number(self.len());
        self.text.push_str(word);
        self.ends.push(number(self.text.len()));
        self.shapes.push(shape(std::iter::once(word)));
        self.ids.insert(hash, id);
        id
    }

    /// The word with this id.
    pub(super) fn text(&self, id: u32) -> &str {
        let Some(at) = id.checked_sub(self.offset) else {
            return self.base.as_ref().map_or("", |base| base.text(id));
        };
        let at = at as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[at] as usize]
    }

    /// The letters of a word as bits, and their count.
    pub(super) fn shape(&self, id: u32) -> (u32, u8) {
        match (id.checked_sub(self.offset), &self.base) {
            (None, Some(base)) => base.shape(id),
            (at, _) => self.shapes[at.unwrap_or(id) as usize],
        }
    }

    /// Number of words, with those of the base.
    pub(super) fn len(&self) -> usize {
        self.offset as usize + self.ends.len()
    }

    /// Sets the words that nothing in the index contains.
    pub(super) fn set_unused(&mut self, unused: HashedSet<u32>) {
        self.unused = unused;
    }

    /// Releases unused capacity.
    pub(super) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.shapes.shrink_to_fit();
        self.ids.shrink_to_fit();
    }
}

/// Converts a count to 32 bits; larger ones saturate.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The words of an index, and those added by one query.
#[derive(Debug)]
pub(super) struct QueryVocabulary<'a> {
    known: &'a Vocabulary,
    new: Vocabulary,
}

impl<'a> QueryVocabulary<'a> {
    pub(super) fn new(known: &'a Vocabulary) -> Self {
        Self { known, new: Vocabulary::default() }
    }

    /// The id of a word, which is added if it is new.
    pub(super) fn add(&mut self, word: &str) -> u32 {
        match self.known.find(word) {
            Some(id) => id,
            None => number(self.known.len()) + self.new.add(word),
        }
    }

    pub(super) fn text(&self, id: u32) -> &str {
        match (id as usize).checked_sub(self.known.len()) {
            Some(new) => self.new.text(number(new)),
            None => self.known.text(id),
        }
    }

    /// The letters of a word as bits, and their count.
    pub(super) fn shape(&self, id: u32) -> (u32, u8) {
        match (id as usize).checked_sub(self.known.len()) {
            Some(new) => self.new.shape(number(new)),
            None => self.known.shape(id),
        }
    }

    /// Whether the index contains this word.
    pub(super) fn is_known(&self, id: u32) -> bool {
        (id as usize) < self.known.len()
    }
}
