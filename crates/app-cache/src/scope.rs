//! Scopes of invalidations.

use crate::name::EntryTags;

/// Scope of an invalidation within one cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidationScope {
    /// One key.
    Key(String),
    /// All keys that begin with this text.
    Prefix(String),
    /// All entries with this tag.
    Tag(String),
    /// Everything.
    All,
}

impl InvalidationScope {
    /// Whether an entry with this key and these tags is covered.
    pub fn covers(&self, key: &str, tags: &EntryTags) -> bool {
        match self {
            Self::Key(own) => own == key,
            Self::Prefix(prefix) => key.starts_with(prefix.as_str()),
            Self::Tag(tag) => tags.contains(tag),
            Self::All => true,
        }
    }
}

/// The first text after all texts with a prefix; `None` if there is none.
pub(crate) fn end_of_prefix(prefix: &str) -> Option<String> {
    let mut letters: Vec<char> = prefix.chars().collect();
    while let Some(last) = letters.pop() {
        // Surrogates are no characters, so the successor of U+D7FF is U+E000.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            letters.push(next);
            return Some(letters.into_iter().collect());
        }
    }
    None
}

/// First key of those that begin with a prefix and come after another key, and the first one behind all of them, both
/// as bytes: an index is searched between them. An empty `after` is before all keys.
pub(crate) fn key_range(prefix: &str, after: &[u8]) -> (Vec<u8>, Vec<u8>) {
    // Nothing lies between a key and the same with a NUL behind it, and no UTF-8 begins with 0xFF.
    let next = if after.is_empty() { Vec::new() } else { [after, b"\0"].concat() };
    let end = end_of_prefix(prefix).map_or_else(|| vec![0xFF], String::into_bytes);
    (next.max(prefix.as_bytes().to_vec()), end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_end_of_a_prefix_is_after_its_texts_and_before_all_others(prefix in ".{0,4}", text in ".{0,6}") {
            let is_within = text.as_str() >= prefix.as_str()
                && end_of_prefix(&prefix).is_none_or(|end| text.as_str() < end.as_str());
            prop_assert_eq!(is_within, text.starts_with(&prefix));
            let longer = format!("{prefix}{text}");
            prop_assert!(end_of_prefix(&prefix).is_none_or(|end| longer < end) && longer >= prefix);
        }
    }

    proptest! {
        #[test]
        fn a_range_of_keys_holds_those_of_the_prefix_after_a_key(prefix in ".{0,3}", after in ".{0,4}", text in ".{1,5}") {
            let key = format!("{prefix}{text}");
            for key in [key.as_str(), text.as_str()] {
                let (first, end) = key_range(&prefix, after.as_bytes());
                let is_within = key.as_bytes() >= &first[..] && key.as_bytes() < &end[..];
                prop_assert_eq!(is_within, key.starts_with(&prefix) && key > after.as_str());
            }
        }
    }

    #[test]
    fn the_last_character_has_no_successor() {
        assert_eq!(end_of_prefix("a\u{10FFFF}"), Some("b".into()));
        assert_eq!((end_of_prefix("\u{10FFFF}"), end_of_prefix("")), (None, None));
        assert_eq!(end_of_prefix("\u{D7FF}"), Some("\u{E000}".into()));
    }
}
