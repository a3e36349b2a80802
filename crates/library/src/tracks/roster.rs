//! Names and credits as the index keeps them: every different one once.

use xxhash_rust::xxh3::xxh3_64;

use super::credit::{Name, Role};
use super::heading::shape;
use super::vocabulary::{HashedMap, number};

/// Every name.
#[derive(Debug, Default)]
pub(super) struct Roster {
    words: Vec<u32>,
    /// Where each name's words begin, and how they are cut.
    spans: Vec<(u32, Cut)>,
    keys: Vec<u64>,
    /// Which letters, and how many.
    shapes: Vec<(u32, u8)>,
    by_key: HashedMap<u64, u32>,
}

/// How letters are cut into words. The same letters may be cut in several ways; the least of them is kept, whichever
/// came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    words: u32,
    hash: u32,
}

impl Cut {
    fn of(name: &Name) -> Self {
        let hash = xxh3_64(name.words.join(" ").as_bytes());
        Self {
            words: number(name.words.len()),
            hash: number(usize::try_from(hash >> 33).unwrap_or_default()),
        }
    }
}

impl Roster {
    /// The number of a name, which is there from now on.
    pub(super) fn add(&mut self, name: &Name, word: impl FnMut(&str) -> u32) -> u32 {
        let cut = Cut::of(name);
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

/// Every credit: its names with their roles.
#[derive(Debug, Default)]
pub(super) struct Credits {
    /// A name's number, and two bits for its role.
    names: Vec<u32>,
    ends: Vec<u32>,
    compilations: Vec<bool>,
    text_keys: Vec<u64>,
}

impl Credits {
    /// Adds a credit; the key is the hash of how it is written.
    pub(super) fn add(
        &mut self,
        names: impl IntoIterator<Item = (u32, Role)>,
        is_compilation: bool,
        text_key: u64,
    ) -> u32 {
        self.names.extend(names.into_iter().map(|(name, role)| name << 2 | role as u32));
        self.ends.push(number(self.names.len()));
        self.compilations.push(is_compilation);
        self.text_keys.push(text_key);
        number(self.ends.len() - 1)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn names(&self, credit: u32) -> impl Iterator<Item = (u32, Role)> + '_ {
        let at = credit as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.names[start as usize..self.ends[at] as usize].iter().map(|packed| {
            let role = match packed & 3 {
                0 => Role::Primary,
                1 => Role::Credited,
                2 => Role::Album,
                _ => Role::Piece,
            };
            (packed >> 2, role)
        })
    }

    /// Hash of how it is written.
    pub(super) fn text_key(&self, credit: u32) -> u64 {
        self.text_keys[credit as usize]
    }

    /// Whether its album is by several artists.
    pub(super) fn is_compilation(&self, credit: u32) -> bool {
        self.compilations[credit as usize]
    }

    pub(super) fn shrink(&mut self) {
        self.names.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.compilations.shrink_to_fit();
        self.text_keys.shrink_to_fit();
    }
}
