//! Keys: which value is meant, in whose partition, and the tags by which values go stale together.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, LazyLock};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::sabotage;

/// Separates the three parts of a key. Escaped in the first two, so triples stay apart.
const SEPARATOR: char = '|';

/// Random per process: nobody outside can prepare keys that meet in one hash.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0xd007_u64));

/// The hash of a text, for lookups within this process only. `kind` keeps texts of different kinds apart: by seeds
/// far from each other, because short texts that differ as two near seeds do would meet in one hash.
pub(crate) fn hash_text(kind: u64, text: &str) -> u64 {
    let seed = SEED.wrapping_add(kind.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    xxh3_64_with_seed(text.as_bytes(), seed)
}

/// Whose values these are: the id of an identity. Never a secret: it appears in diagnosis and in files.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(Arc<str>);

impl Partition {
    /// The partition with that id.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A word by which values go stale together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The tag of that name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Tag {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which value is meant: (namespace, partition, key). Cloning copies a pointer.
///
/// Found by hash, compared whole: two triples that differ anywhere never meet.
#[derive(Clone)]
pub struct Key(Arc<Parts>);

struct Parts {
    hash: u64,
    /// The escaped triple.
    whole: Box<str>,
    namespace: Box<str>,
    partition: Partition,
    /// Where the caller's own text begins in `whole`.
    text_at: usize,
}

impl Key {
    /// The key `text` of `partition` in `namespace`.
    pub fn new(namespace: &str, partition: &Partition, text: &str) -> Self {
        let mut whole = String::with_capacity(namespace.len() + partition.0.len() + text.len() + 2);
        escape_into(&mut whole, namespace);
        whole.push(SEPARATOR);
        if !sabotage::takes_out("partition") {
            escape_into(&mut whole, &partition.0);
        }
        whole.push(SEPARATOR);
        let text_at = whole.len();
        whole.push_str(text);
        Self(Arc::new(Parts {
            hash: hash_text(0, &whole),
            whole: whole.into_boxed_str(),
            namespace: namespace.into(),
            partition: partition.clone(),
            text_at,
        }))
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The partition.
    pub fn partition(&self) -> &Partition {
        &self.0.partition
    }

    /// The caller's own text.
    pub fn text(&self) -> &str {
        &self.0.whole[self.0.text_at..]
    }

    /// The escaped triple: injective, for storage.
    pub fn whole(&self) -> &str {
        &self.0.whole
    }

    pub(crate) fn hash64(&self) -> u64 {
        self.0.hash
    }

    /// Bytes this key keeps allocated.
    pub(crate) fn bytes(&self) -> usize {
        self.0.whole.len() + self.0.namespace.len()
    }
}

pub(crate) fn escape_into(whole: &mut String, part: &str) {
    for c in part.chars() {
        match c {
            SEPARATOR => whole.push_str("%7C"),
            '%' => whole.push_str("%25"),
            _ => whole.push(c),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.hash == other.0.hash && self.0.whole == other.0.whole)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0.whole)
    }
}

/// Takes a hash that is already good as it is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AsHashed(u64);

impl Hasher for AsHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Builds [`AsHashed`].
pub(crate) type BuildAsHashed = std::hash::BuildHasherDefault<AsHashed>;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(namespace: &str, partition: &str, text: &str) -> Key {
        Key::new(namespace, &Partition::new(partition), text)
    }

    #[test]
    fn triples_that_differ_anywhere_never_meet() {
        let parts = ["", "a", "|", "a|", "|a", "%", "%7C", "a|b", "||", "%25", "7C"];
        let mut seen = std::collections::HashMap::new();
        for namespace in parts {
            for partition in parts {
                for text in parts {
                    let triple = (namespace, partition, text);
                    let other = seen.insert(key(namespace, partition, text).whole().to_owned(), triple);
                    assert_eq!(other, None, "{triple:?} and {other:?} meet");
                }
            }
        }
    }

    #[test]
    fn the_parts_come_back_as_they_went_in() {
        let key = key("a|b", "c%d", "GET /x|y%20");
        assert_eq!((key.namespace(), key.partition().as_str(), key.text()), ("a|b", "c%d", "GET /x|y%20"));
    }

    #[test]
    fn the_same_text_of_two_partitions_is_two_keys() {
        assert_ne!(key("n", "anna", "/x"), key("n", "bert", "/x"));
        assert_eq!(key("n", "anna", "/x"), key("n", "anna", "/x"));
    }
}
