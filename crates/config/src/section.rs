//! A table of the configuration, whose values are read by their own keys.

use std::ops::RangeInclusive;
use std::time::Duration;

use greenroom_dialect::credential::Secret;
use http::HeaderName;

use super::source::ConfigSource;
use super::token::read_token;

/// A table such as `server.home.prefetch`.
pub(super) struct Section<'a> {
    /// The source of all values.
    pub(super) tree: &'a mut ConfigSource,
    path: String,
}

impl<'a> Section<'a> {
    /// The table at this path.
    pub(super) fn new(tree: &'a mut ConfigSource, path: impl Into<String>) -> Self {
        Self { tree, path: path.into() }
    }

    /// Path of a key.
    pub(super) fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// A whole number.
    pub(super) fn number(&mut self, key: &str, range: RangeInclusive<u64>, default: u64) -> u64 {
        self.tree.number(&self.key(key), *range.start(), *range.end(), default)
    }

    /// A number of things.
    pub(super) fn count(&mut self, key: &str, range: RangeInclusive<u64>, default: usize) -> usize {
        usize::try_from(self.number(key, range, default as u64)).unwrap_or(default)
    }

    /// A whole number of seconds.
    pub(super) fn seconds(&mut self, key: &str, range: RangeInclusive<u64>, default: Duration) -> Duration {
        Duration::from_secs(self.number(key, range, default.as_secs()))
    }

    /// A whole number of milliseconds.
    pub(super) fn millis(&mut self, key: &str, range: RangeInclusive<u64>, default: Duration) -> Duration {
        let default = u64::try_from(default.as_millis()).unwrap_or(*range.end());
        Duration::from_millis(self.number(key, range, default))
    }

    /// True or false.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        self.tree.parse(&self.key(key), "true or false").unwrap_or(default)
    }

    /// A token, given in this key or in the file that `KEY_file` names.
    pub(super) fn token(&mut self, key: &str) -> Option<Secret> {
        let (token, token_file) = (self.key(key), self.key(&format!("{key}_file")));
        read_token(self.tree, &token, &token_file)
    }

    /// A comma-separated list of names; all of them if the key is missing, `None` if one is unknown.
    pub(super) fn names<T: Copy, L: FromIterator<T>>(
        &mut self,
        key: &str,
        every: &[T],
        name: fn(T) -> &'static str,
    ) -> Option<L> {
        let path = self.key(key);
        let Some(leaf) = self.tree.take(&path) else { return Some(every.iter().copied().collect()) };
        let words = leaf.text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let named: Option<L> = words.map(|word| every.iter().copied().find(|one| name(*one) == word)).collect();
        if named.is_none() {
            let known: Vec<&str> = every.iter().map(|one| name(*one)).collect();
            self.tree.problem(leaf.place, format!("{path} may list {}, not \"{}\"", known.join(", "), leaf.text));
        }
        named
    }

    /// A comma-separated list of words, or an array of them; `None` if the key is missing.
    pub(super) fn words(&mut self, key: &str) -> Option<Vec<String>> {
        let path = self.key(key);
        let leaf = self.tree.take(&path)?;
        Some(leaf.text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect())
    }

    /// A list of names of header fields; `usual` if the key is missing.
    pub(super) fn header_names(&mut self, key: &str, usual: &[&str]) -> Vec<HeaderName> {
        let place = self.tree.place(&self.key(key));
        let words = self.words(key).unwrap_or_else(|| usual.iter().map(|word| (*word).to_owned()).collect());
        let names: Result<Vec<HeaderName>, _> = words.iter().map(|word| word.parse()).collect();
        names.unwrap_or_else(|_| {
            let message = format!("{} must list names of header fields", self.key(key));
            self.tree.problem(place, message);
            Vec::new()
        })
    }
}
