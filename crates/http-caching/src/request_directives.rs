//! Directives of a request about stored responses.

use http::HeaderMap;
use http::header::{CACHE_CONTROL, PRAGMA};

use crate::directive_list::{MAX_SECONDS, directives};

/// Directives of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// A stored response must be validated.
    pub no_cache: bool,
    /// Nothing of this exchange may be stored.
    pub no_store: bool,
    /// Only a stored response will do.
    pub only_if_cached: bool,
    /// Oldest acceptable age, in seconds.
    pub max_age_s: Option<u64>,
    /// Shortest acceptable remaining freshness, in seconds.
    pub min_fresh_s: Option<u64>,
    /// Longest acceptable time past freshness, in seconds.
    pub max_stale_s: Option<u64>,
}

impl RequestDirectives {
    /// The directives of a request's head. `Pragma: no-cache` counts only without `Cache-Control`.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut own = Self::default();
        for directive in directives(headers, &CACHE_CONTROL) {
            match directive.name.as_str() {
                "no-cache" => own.no_cache = true,
                "no-store" => own.no_store = true,
                "only-if-cached" => own.only_if_cached = true,
                "max-age" => own.max_age_s = Some(directive.seconds()),
                "min-fresh" => own.min_fresh_s = Some(directive.seconds()),
                "max-stale" if directive.value.is_none() => own.max_stale_s = Some(MAX_SECONDS),
                "max-stale" => own.max_stale_s = Some(directive.seconds()),
                _ => {}
            }
        }
        if !headers.contains_key(CACHE_CONTROL) {
            own.no_cache = directives(headers, &PRAGMA).iter().any(|directive| directive.name == "no-cache");
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[(&'static str, &str)]) -> RequestDirectives {
        RequestDirectives::of(
            &lines
                .iter()
                .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
                .collect(),
        )
    }

    #[test]
    fn all_directives_are_read() {
        let own = of(&[("cache-control", "no-cache, no-store, only-if-cached, max-age=3, min-fresh=4, max-stale=5")]);
        assert_eq!((own.no_cache, own.no_store, own.only_if_cached), (true, true, true));
        assert_eq!((own.max_age_s, own.min_fresh_s, own.max_stale_s), (Some(3), Some(4), Some(5)));
        assert_eq!(of(&[("cache-control", "max-stale")]).max_stale_s, Some(MAX_SECONDS));
    }

    #[test]
    fn pragma_counts_only_alone() {
        assert!(of(&[("pragma", "no-cache")]).no_cache);
        assert!(!of(&[("pragma", "other")]).no_cache);
        assert!(!of(&[("pragma", "no-cache"), ("cache-control", "x")]).no_cache);
    }
}
