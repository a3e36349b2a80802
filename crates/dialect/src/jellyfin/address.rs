//! Request paths without their legacy prefixes, in both spellings used for matching.

use crate::classification::{Classification, RejectionReason};
use crate::path::RequestPath;

/// Legacy prefixes from Emby; the server still accepts each of them once.
const PREFIXES: [&str; 2] = ["emby", "mediabrowser"];

/// A parsed target.
pub(super) struct JellyfinPath<'a> {
    path: RequestPath<'a>,
    lower: Vec<String>,
    skipped: usize,
}

impl<'a> JellyfinPath<'a> {
    /// Parses a target. Paths are case-insensitive, names in them are not.
    pub(super) fn split(target: &'a str) -> Result<Self, RejectionReason> {
        let path = RequestPath::split(target)?;
        let mut lower: Vec<String> = path.segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
        let prefixed = lower.first().is_some_and(|first| PREFIXES.contains(&first.as_str()));
        if prefixed {
            lower.remove(0);
        }
        Ok(Self { path, lower, skipped: usize::from(prefixed) })
    }

    /// The segments in lower case.
    pub(super) fn lowercase_segments(&self) -> Vec<&str> {
        self.lower.iter().map(String::as_str).collect()
    }

    /// The decoded segments in their original case.
    pub(super) fn raw_segments(&self) -> Vec<&str> {
        self.path.segments.iter().skip(self.skipped).map(String::as_str).collect()
    }

    /// The raw query.
    pub(super) fn query(&self) -> &'a str {
        self.path.query
    }

    /// Downgrades the classification of an odd path.
    pub(super) fn restrict(&self, classification: Classification) -> Classification {
        self.path.restrict(classification)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legacy_prefix_is_stripped_once() {
        for target in ["/Items/A", "/emby/items/A", "/MediaBrowser/ITEMS/A/"] {
            let address = JellyfinPath::split(target).unwrap();
            assert_eq!(address.lowercase_segments(), ["items", "a"]);
            assert_eq!(address.raw_segments()[1], "A");
        }
        assert_eq!(JellyfinPath::split("/emby/emby/items").unwrap().lowercase_segments(), ["emby", "items"]);
    }
}
