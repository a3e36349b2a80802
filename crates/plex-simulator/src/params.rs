//! Parameters of a request: in the query or, for `X-Plex-…`, in a header of the same name.

use std::borrow::Cow;

use http::HeaderMap;
use percent_encoding::percent_decode_str;

use super::switches::PlexSwitches;

/// A name and its value in the query, both percent-decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DecodedPair {
    /// The name, operator characters included: `addedAt>>` for `addedAt>>=5`, `title=` for `title==x`.
    pub(super) name: String,
    /// The value.
    pub(super) value: String,
}

/// The parameters of a request.
#[derive(Debug)]
pub(super) struct PlexParams<'a> {
    pairs: Vec<DecodedPair>,
    headers: Cow<'a, HeaderMap>,
    paging: PagingPlaces,
}

/// Places from which the server reads paging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PagingPlaces {
    query: bool,
    headers: bool,
}

/// Requested rows of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PageRequest {
    /// First row.
    pub(super) start: usize,
    /// Number of rows, all if absent.
    pub(super) size: Option<usize>,
    /// Whether the request has paging parameters at all.
    pub(super) asked: bool,
}

impl<'a> PlexParams<'a> {
    /// The parameters of `query` and `headers`.
    pub(super) fn new(query: &str, headers: &'a HeaderMap) -> Self {
        Self { pairs: pairs(query), headers: Cow::Borrowed(headers), paging: PagingPlaces::default() }
    }

    /// The same on a server with these switches.
    pub(super) fn switched(mut self, switches: &PlexSwitches) -> Self {
        self.paging =
            PagingPlaces { query: !switches.ignores_paging_in_query, headers: !switches.ignores_paging_in_headers };
        self
    }

    /// Parameters of a query without headers, such as that of a smart playlist.
    pub(super) fn from_query(query: &str) -> PlexParams<'static> {
        PlexParams { pairs: pairs(query), headers: Cow::Owned(HeaderMap::new()), paging: PagingPlaces::default() }
    }

    /// All pairs of the query, in order.
    pub(super) fn pairs(&self) -> &[DecodedPair] {
        &self.pairs
    }

    /// The first value with this name in the query.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|pair| pair.name.eq_ignore_ascii_case(name)).map(|pair| pair.value.as_str())
    }

    /// The first value with this name in the query as a number; `None` also if it is no number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name).and_then(|value| value.trim().parse().ok())
    }

    /// Whether the query has this name with a value other than `0`, `false` or an empty one.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !matches!(value, "" | "0" | "false"))
    }

    /// The value of an `X-Plex-…` parameter: from the query or else from the header.
    pub(super) fn plex(&self, name: &str) -> Option<&str> {
        self.get(name).or_else(|| self.header(name))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The requested rows.
    pub(super) fn page(&self) -> PageRequest {
        let value = |name| {
            let in_query = self.get(name).filter(|_| self.paging.query);
            in_query.or_else(|| self.header(name).filter(|_| self.paging.headers))
        };
        let number = |name| value(name).and_then(|value: &str| value.trim().parse::<usize>().ok());
        let (start, size) = (number("X-Plex-Container-Start"), number("X-Plex-Container-Size"));
        PageRequest { start: start.unwrap_or(0), size, asked: start.is_some() || size.is_some() }
    }
}

impl Default for PagingPlaces {
    fn default() -> Self {
        Self { query: true, headers: true }
    }
}

/// The pairs of a raw query. A pair is split at its first `=`. A second `=` directly after it is an operator, and so
/// part of the name.
pub(super) fn pairs(query: &str) -> Vec<DecodedPair> {
    let split = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (operator, value) = match value.strip_prefix('=') {
            Some(rest) => ("=", rest),
            None => ("", value),
        };
        DecodedPair { name: format!("{}{operator}", decoded(name)), value: decoded(value) }
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(split).collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(query: &str) -> Vec<(String, String)> {
        pairs(query).into_iter().map(|pair| (pair.name, pair.value)).collect()
    }

    #[test]
    fn operators_belong_to_the_name_however_they_are_written() {
        for query in ["addedAt>>=5&title==a%20b", "addedAt%3E%3E=5&title%3D=a+b"] {
            assert_eq!(names(query), [("addedAt>>".into(), "5".into()), ("title=".into(), "a b".into())]);
        }
        assert_eq!(names("title!==x"), [("title!=".into(), "x".into())]);
    }

    #[test]
    fn a_header_counts_where_the_query_is_silent() {
        let mut headers = HeaderMap::new();
        headers.insert("x-plex-container-start", "20".parse().expect("a value"));
        headers.insert("x-plex-container-size", "10".parse().expect("a value"));
        let page = PlexParams::new("X-Plex-Container-Start=5", &headers).page();
        assert_eq!(page, PageRequest { start: 5, size: Some(10), asked: true });
        let page = |switches| PlexParams::new("X-Plex-Container-Start=5", &headers).switched(&switches).page();
        let one_form = PlexSwitches { ignores_paging_in_query: true, ..PlexSwitches::default() };
        assert_eq!(page(one_form), PageRequest { start: 20, size: Some(10), asked: true });
        let one_form = PlexSwitches { ignores_paging_in_headers: true, ..PlexSwitches::default() };
        assert_eq!(page(one_form), PageRequest { start: 5, size: None, asked: true });
    }
}
