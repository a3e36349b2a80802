//! Unique names and credits of the index.

use xxhash_rust::xxh3::xxh3_64;

use super::artist_credit::{CreditName, CreditRole};
use super::script::ScriptSet;
use super::title_table::shape;
use super::vocabulary::{HashedMap, number};

/// All names.
#[derive(Debug, Default)]
pub(super) struct ArtistTable {
    words: Vec<u32>,
    /// First word and word boundaries of each name.
    spans: Vec<(u32, WordBoundaries)>,
    keys: Vec<u64>,
    /// Letters and length of each name.
    shapes: Vec<(u32, u8)>,
    by_key: HashedMap<u64, u32>,
}

/// How letters are split into words. If the same letters occur with several splits, the smallest is stored,
/// so that order of insertion does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct WordBoundaries {
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
    /// The id of a name, which is added if it is new.
    pub(super) fn add(&mut self, name: &CreditName, word: impl FnMut(&str) -> u32) -> u32 {
        let cut = WordBoundaries::from_name(name);
        let span = (number(self.words.len()), cut);
        if let Some(id) = self.by_key.get(&name.key) {
            if cut < self.spans[*id as usize].1 {
                self.spans[*id as usize] = span;
                self.words.extend(name.words.iter().map(String::as_str).map(word));
            }
            return *id;
        }
        self.words.extend(name.words.iter().map(String::as_str).map(word));
        self.spans.push(span);
        self.keys.push(name.key);
        self.shapes.push(shape(name.words.iter().map(String::as_str)));
        let id = number(self.keys.len() - 1);
        self.by_key.insert(name.key, id);
        id
    }

    pub(super) fn find(&self, key: u64) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn key(&self, name: u32) -> u64 {
        self.keys[name as usize]
    }

    pub(super) fn shape(&self, name: u32) -> (u32, u8) {
        self.shapes[name as usize]
    }

    pub(super) fn words(&self, name: u32) -> &[u32] {
        let (start, cut) = self.spans[name as usize];
        &self.words[start as usize..][..cut.words as usize]
    }

    pub(super) fn shrink(&mut self) {
        self.words.shrink_to_fit();
        self.spans.shrink_to_fit();
        self.keys.shrink_to_fit();
        self.shapes.shrink_to_fit();
        self.by_key.shrink_to_fit();
    }
}

/// All credits: their names with roles.
#[derive(Debug, Default)]
pub(super) struct CreditTable {
    /// A name's id, with two bits for its role.
    names: Vec<u32>,
    ends: Vec<u32>,
    compilations: Vec<bool>,
    text_keys: Vec<u64>,
    scripts: Vec<ScriptSet>,
}

impl CreditTable {
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
        number(self.ends.len() - 1)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn names(&self, credit: u32) -> impl Iterator<Item = (u32, CreditRole)> + '_ {
        let at = credit as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.names[start as usize..self.ends[at] as usize].iter().map(|packed| {
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
        self.text_keys[credit as usize]
    }

    /// Scripts of the spelling.
    pub(super) fn scripts(&self, credit: u32) -> ScriptSet {
        self.scripts[credit as usize]
    }

    /// Whether its album is a compilation of several artists.
    pub(super) fn is_compilation(&self, credit: u32) -> bool {
        self.compilations[credit as usize]
    }

    pub(super) fn shrink(&mut self) {
        self.names.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.compilations.shrink_to_fit();
        self.text_keys.shrink_to_fit();
        self.scripts.shrink_to_fit();
    }
}
