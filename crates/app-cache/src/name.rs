//! Names: of caches, and the texts that identify entries and tags.

use std::fmt;
use std::sync::Arc;

use greenroom_config::source::is_server_name;

/// Max bytes of a key or a tag.
pub const MAX_KEY_BYTES: usize = 8192;
/// Max tags of an entry.
pub const MAX_TAGS: usize = 64;
/// Max bytes of all tags of an entry.
pub const MAX_TAG_BYTES: usize = MAX_KEY_BYTES;

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
    /// The tags, if there are at most [`MAX_TAGS`], none is empty, and all together have at most [`MAX_TAG_BYTES`].
    pub fn parse(tags: Vec<String>) -> Option<Self> {
        let tags = Self::of_store(tags);
        let bytes: usize = tags.0.iter().map(String::len).sum();
        let is_valid = tags.0.len() <= MAX_TAGS && tags.0.iter().all(|tag| !tag.is_empty()) && bytes <= MAX_TAG_BYTES;
        is_valid.then_some(tags)
    }

    /// The tags of a stored entry, which may be from before a limit.
    pub(crate) fn of_store(mut tags: Vec<String>) -> Self {
        tags.sort_unstable();
        tags.dedup();
        Self(tags)
    }

    /// The tags as they are stored; `None` if there are none.
    pub(crate) fn column(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| serde_json::to_string(&self.0).unwrap_or_default())
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
        let together = |bytes: usize| EntryTags::parse(vec!["a".repeat(bytes), "b".repeat(MAX_TAG_BYTES / 2)]);
        assert!(together(MAX_TAG_BYTES / 2).is_some() && together(MAX_TAG_BYTES / 2 + 1).is_none());
        let tags = EntryTags::parse(["b", "a", "b"].map(str::to_owned).to_vec()).expect("valid");
        assert_eq!(tags.as_slice(), ["a", "b"]);
        assert!(tags.contains("a") && !tags.contains("c"));
    }
}
