//! Cache keys, partitions and tags.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, LazyLock};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::sabotage;

/// Separates the three parts of a key. Escaped in the first two, so different triples stay different.
const SEPARATOR: char = '|';

/// Random per process, so that clients cannot craft colliding keys.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0xd007_u64));

/// Hash of a text, for lookups within this process only. `kind` separates texts of different kinds with seeds far
/// apart, because short texts that differ as two near seeds do would collide.
pub(crate) fn hash_text(kind: u64, text: &str) -> u64 {
    let seed = SEED.wrapping_add(kind.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    xxh3_64_with_seed(text.as_bytes(), seed)
}

/// The owner of values: the id of an identity. Never a secret: it appears in diagnosis and in files.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(Arc<str>);

impl Partition {
    /// The partition with this id.
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

/// A name by which values are invalidated together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The tag of this name.
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

/// A cache key: (namespace, partition, text). Cloning copies a pointer.
///
/// Found by hash, compared in full: different triples never collide.
#[derive(Clone)]
pub struct Key(Arc<Parts>);

struct Parts {
    hash: u64,
    /// The escaped triple.
    encoded: Box<str>,
    namespace: Box<str>,
    partition: Partition,
    /// Offset of the caller's text in `encoded`.
    text_at: usize,
}

impl Key {
    /// The key `text` of `partition` in `namespace`.
    pub fn new(namespace: &str, partition: &Partition, text: &str) -> Self {
        let mut encoded = String::with_capacity(namespace.len() + partition.0.len() + text.len() + 2);
        escape_into(&mut encoded, namespace);
        encoded.push(SEPARATOR);
        if !sabotage::is_disabled("partition") {
            escape_into(&mut encoded, &partition.0);
        }
        encoded.push(SEPARATOR);
        let text_at = encoded.len();
        encoded.push_str(text);
        Self(Arc::new(Parts {
            hash: hash_text(0, &encoded),
            encoded: encoded.into_boxed_str(),
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

    /// The caller's text.
    pub fn text(&self) -> &str {
        &self.0.encoded[self.0.text_at..]
    }

    /// The escaped triple: injective, for storage.
    pub fn encoded(&self) -> &str {
        &self.0.encoded
    }

    pub(crate) fn hash64(&self) -> u64 {
        self.0.hash
    }

    /// Bytes allocated by this key.
    pub(crate) fn bytes(&self) -> usize {
        self.0.encoded.len() + self.0.namespace.len()
    }
}

pub(crate) fn escape_into(encoded: &mut String, part: &str) {
    for c in part.chars() {
        match c {
            SEPARATOR => encoded.push_str("%7C"),
            '%' => encoded.push_str("%25"),
            _ => encoded.push(c),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.hash == other.0.hash && self.0.encoded == other.0.encoded)
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
        write!(f, "Key({})", self.0.encoded)
    }
}

/// Passes through a value that is already a good hash.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
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

/// Builds [`IdentityHasher`].
pub(crate) type BuildIdentityHasher = std::hash::BuildHasherDefault<IdentityHasher>;

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
                    let other = seen.insert(key(namespace, partition, text).encoded().to_owned(), triple);
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
