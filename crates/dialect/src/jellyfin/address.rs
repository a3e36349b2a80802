//! A request's path, without the prefixes of the family's past, in both spellings it is matched by.

use crate::path::Path;
use crate::verdict::{Refusal, Verdict};

/// Prefixes from the days before Jellyfin; the server still accepts each of them once.
const PREFIXES: [&str; 2] = ["emby", "mediabrowser"];

/// A target, taken apart.
pub(super) struct Address<'a> {
    path: Path<'a>,
    lower: Vec<String>,
    skipped: usize,
}

impl<'a> Address<'a> {
    /// Takes a target apart. Paths are case-insensitive, names in them are not.
    pub(super) fn split(target: &'a str) -> Result<Self, Refusal> {
        let path = Path::split(target)?;
        let mut lower: Vec<String> =
            path.segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
        let prefixed = lower.first().is_some_and(|first| PREFIXES.contains(&first.as_str()));
        if prefixed {
            lower.remove(0);
        }
        Ok(Self { path, lower, skipped: usize::from(prefixed) })
    }

    /// The segments in lower case.
    pub(super) fn low(&self) -> Vec<&str> {
        self.lower.iter().map(String::as_str).collect()
    }

    /// The segments as they were sent, decoded.
    pub(super) fn raw(&self) -> Vec<&str> {
        self.path.segments.iter().skip(self.skipped).map(String::as_str).collect()
    }

    /// The raw query.
    pub(super) fn query(&self) -> &'a str {
        self.path.query
    }

    /// What an odd path makes of the verdict.
    pub(super) fn temper(&self, verdict: Verdict) -> Verdict {
        self.path.temper(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_prefix_is_taken_off_once() {
        for target in ["/Items/A", "/emby/items/A", "/MediaBrowser/ITEMS/A/"] {
            let address = Address::split(target).unwrap();
            assert_eq!(address.low(), ["items", "a"]);
            assert_eq!(address.raw()[1], "A");
        }
        assert_eq!(Address::split("/emby/emby/items").unwrap().low(), ["emby", "items"]);
    }
}
