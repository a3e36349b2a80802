//! Names: of caches, and the texts that identify entries and tags.

use std::fmt;
use std::sync::Arc;

use greenroom_config::source::is_server_name;

/// Max bytes of a key or a tag.
pub const MAX_KEY_BYTES: usize = 8192;
/// Max tags of an entry.
pub const MAX_TAGS: usize = 64;

/// Name of a cache: 1 to 40 lower-case letters, digits and dashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheName(Arc<str>);

impl CacheName {
    /// The name, if it is valid.
    pub fn parse(name: &str) -> Option<Self> {
        is_server_name(name).then(|| Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CacheName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Key of an entry: text of 1 to [`MAX_KEY_BYTES`] bytes. Compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryKey(Arc<str>);

impl EntryKey {
    /// The key, if its length is within the limits.
    pub fn parse(key: &str) -> Option<Self> {
        (1..=MAX_KEY_BYTES).contains(&key.len()).then(|| Self(key.into()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Tags of an entry, sorted and without repetition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryTags(Vec<String>);

impl EntryTags {
    /// The tags, if there are at most [`MAX_TAGS`], each of 1 to [`MAX_KEY_BYTES`] bytes.
    pub fn parse(mut tags: Vec<String>) -> Option<Self> {
        tags.sort_unstable();
        tags.dedup();
        let is_valid = tags.len() <= MAX_TAGS && tags.iter().all(|tag| (1..=MAX_KEY_BYTES).contains(&tag.len()));
        is_valid.then_some(Self(tags))
    }

    /// The tags in order.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// True if this tag is among them.
    pub fn contains(&self, tag: &str) -> bool {
        self.0.binary_search_by(|own| own.as_str().cmp(tag)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keys_and_tags_have_limits() {
        for name in ["", "A", "a/b", "a.b", "a b", "é", &"a".repeat(41)] {
            assert_eq!(CacheName::parse(name), None, "{name}");
        }
        assert_eq!(CacheName::parse("stash2plex-match").expect("valid").as_str(), "stash2plex-match");
        assert!(EntryKey::parse("").is_none() && EntryKey::parse(&"k".repeat(MAX_KEY_BYTES + 1)).is_none());
        assert!(EntryKey::parse("a/../b ü\0").is_some(), "any text is a key");
        let many: Vec<String> = (0..=MAX_TAGS).map(|number| number.to_string()).collect();
        assert!(EntryTags::parse(many).is_none() && EntryTags::parse(vec![String::new()]).is_none());
        let tags = EntryTags::parse(["b", "a", "b"].map(str::to_owned).to_vec()).expect("valid");
        assert_eq!(tags.as_slice(), ["a", "b"]);
        assert!(tags.contains("a") && !tags.contains("c"));
    }
}
