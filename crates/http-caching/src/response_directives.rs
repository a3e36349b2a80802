//! Directives of a response about its storage: `Cache-Control`, or a targeted field in its place (RFC 9213).

use http::header::{CACHE_CONTROL, HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use crate::directive_list::{Directive, MAX_SECONDS, directives};

/// Targeted fields, the first that is valid counts: one for Greenroom alone, one for all shared caches of a site.
pub const TARGETED: [HeaderName; 2] =
    [HeaderName::from_static("greenroom-cache-control"), HeaderName::from_static("cdn-cache-control")];

/// Extent of a directive that may name fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FieldScope {
    /// The directive is absent.
    #[default]
    Absent,
    /// It is about these fields only.
    Fields(Vec<HeaderName>),
    /// It is about the whole response.
    Whole,
}

impl FieldScope {
    /// Whether it is about the whole response.
    pub fn is_whole(&self) -> bool {
        *self == Self::Whole
    }

    /// The fields that it names.
    pub fn fields(&self) -> &[HeaderName] {
        if let Self::Fields(names) = self { names } else { &[] }
    }

    fn add(&mut self, names: Vec<HeaderName>) {
        match self {
            _ if names.is_empty() => *self = Self::Whole,
            Self::Whole => {}
            Self::Fields(known) => known.extend(names),
            Self::Absent => *self = Self::Fields(names),
        }
    }
}

/// Directives of a response that a cache knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a directive of its own, present or not")]
pub struct ResponseDirectives {
    /// It must not be stored.
    pub no_store: bool,
    /// It, or these fields, must not be used without validation.
    pub no_cache: FieldScope,
    /// It, or these fields, are for one user.
    pub private: FieldScope,
    /// It may be stored whatever else would forbid it.
    pub public: bool,
    /// It must not be used stale.
    pub must_revalidate: bool,
    /// It must not be used stale by a shared cache.
    pub proxy_revalidate: bool,
    /// It may be stored only if its status is understood, and then whatever `no-store` says.
    pub must_understand: bool,
    /// Freshness lifetime, in seconds.
    pub max_age_s: Option<u64>,
    /// Freshness lifetime for shared caches, in seconds.
    pub s_maxage_s: Option<u64>,
    /// Time for which it may be used stale while it is validated, in seconds.
    pub stale_while_revalidate_s: Option<u64>,
    /// Time for which it may be used stale in place of an error, in seconds.
    pub stale_if_error_s: Option<u64>,
    /// Whether they come from a targeted field, so that `Cache-Control` and `Expires` count for nothing.
    pub is_targeted: bool,
}

impl ResponseDirectives {
    /// The directives of a response's head.
    pub fn of(headers: &HeaderMap) -> Self {
        if let Some(targeted) = TARGETED.iter().find_map(|name| Self::targeted(headers, name)) {
            return targeted;
        }
        let mut own = Self::default();
        for directive in directives(headers, &CACHE_CONTROL) {
            own.add(&directive);
        }
        own
    }

    /// A targeted field, unless it is missing, empty or malformed.
    fn targeted(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let lines: Vec<&str> = headers.get_all(name).iter().map(|line| line.to_str().ok()).collect::<Option<_>>()?;
        let dictionary: Dictionary = Parser::new(&lines.join(",")).parse().ok()?;
        if dictionary.is_empty() {
            return None;
        }
        let mut own = Self { is_targeted: true, ..Self::default() };
        for (key, entry) in &dictionary {
            own.add(&targeted_directive(key.as_str(), entry)?);
        }
        Some(own)
    }

    fn add(&mut self, directive: &Directive) {
        // Of two times that differ the shorter one counts: what is contradictory is rather too old than too new.
        let shorter = |known: Option<u64>| Some(known.unwrap_or(MAX_SECONDS).min(directive.seconds()));
        match directive.name.as_str() {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache.add(directive.field_names()),
            "private" => self.private.add(directive.field_names()),
            "public" => self.public = true,
            "must-revalidate" => self.must_revalidate = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            "must-understand" => self.must_understand = true,
            "max-age" => self.max_age_s = shorter(self.max_age_s),
            "s-maxage" => self.s_maxage_s = shorter(self.s_maxage_s),
            "stale-while-revalidate" => self.stale_while_revalidate_s = shorter(self.stale_while_revalidate_s),
            "stale-if-error" => self.stale_if_error_s = shorter(self.stale_if_error_s),
            _ => {}
        }
    }
}

/// An entry of a structured dictionary as a directive; `None` if its value has a type that the directive cannot have.
fn targeted_directive(key: &str, entry: &ListEntry) -> Option<Directive> {
    let ListEntry::Item(item) = entry else { return None };
    let is_time = matches!(key, "max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error");
    let value = match &item.bare_item {
        BareItem::Boolean(true) if !is_time => None,
        BareItem::Integer(number) => Some(i64::from(*number).to_string()),
        BareItem::String(text) if !is_time => Some(text.as_str().to_owned()),
        _ if is_time => return None,
        // `no-store=?0` says nothing.
        BareItem::Boolean(_) => return Some(Directive { name: String::new(), value: None }),
        _ => None,
    };
    Some(Directive { name: key.to_owned(), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[(&'static str, &str)]) -> ResponseDirectives {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a value"));
        }
        ResponseDirectives::of(&headers)
    }

    #[test]
    fn fields_may_be_named_or_the_whole_response_is_meant() {
        let own = of(&[("cache-control", "no-cache=\"a, B\", private, max-age=5")]);
        assert_eq!(own.no_cache.fields(), [HeaderName::from_static("a"), HeaderName::from_static("b")]);
        assert!(own.private.is_whole());
        assert_eq!(of(&[("cache-control", "no-cache=\"a\", no-cache")]).no_cache, FieldScope::Whole);
    }

    #[test]
    fn of_two_lifetimes_the_shorter_one_counts() {
        assert_eq!(of(&[("cache-control", "max-age=1800, max-age=1")]).max_age_s, Some(1));
        assert_eq!(of(&[("cache-control", "max-age=1"), ("cache-control", "max-age=1800")]).max_age_s, Some(1));
    }

    #[test]
    fn a_targeted_field_replaces_cache_control_and_greenrooms_own_comes_first() {
        let own = of(&[("cache-control", "no-store"), ("cdn-cache-control", "max-age=10000")]);
        assert_eq!((own.no_store, own.max_age_s, own.is_targeted), (false, Some(10000), true));
        let own = of(&[("greenroom-cache-control", "max-age=7"), ("cdn-cache-control", "max-age=10000")]);
        assert_eq!(own.max_age_s, Some(7));
    }

    #[test]
    fn a_targeted_field_that_is_malformed_counts_for_nothing() {
        for value in
            ["max-age=10000, &&&&&", "max-age=\"10000\"", "", "MaX-aGe=3600", "max-age =100", "max-age= 100", "max-age"]
        {
            let own = of(&[("cache-control", "no-store"), ("cdn-cache-control", value)]);
            assert_eq!((own.no_store, own.max_age_s), (true, None), "{value}");
        }
    }

    #[test]
    fn a_negative_lifetime_is_none() {
        assert_eq!(of(&[("cdn-cache-control", "max-age=-5")]).max_age_s, Some(0));
        assert_eq!(of(&[("cache-control", "max-age=-3600")]).max_age_s, Some(0));
    }

    #[test]
    fn a_denied_directive_of_a_targeted_field_says_nothing() {
        let own = of(&[("cdn-cache-control", "no-store=?0, max-age=3")]);
        assert_eq!((own.no_store, own.max_age_s), (false, Some(3)));
    }
}
