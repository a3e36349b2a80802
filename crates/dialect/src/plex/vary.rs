//! Parameters that Plex reads from the query or from a header of the same name: paging, language, API
//! version, client identity. Those that change a response are extracted from both places; the rest is
//! dropped. The key does not tell the places apart. Paging goes to the server where the client wrote it, because
//! some servers and proxies read only one of both; all others go in headers.

use http::header::ACCEPT_LANGUAGE;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::plex::page;
use crate::plex::query::{AmbiguousQuery, PlexQueryPair};

/// Longest value in bytes; longer ones are ignored.
const MAX_VALUE_BYTES: usize = 512;

/// The parts of the client's identity on which a class of responses depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VaryBy {
    /// Nothing.
    Nothing,
    /// The client's capabilities (`X-Plex-Features`, `X-Plex-Provider-Version`).
    Abilities,
    /// The same, and the client's identifier.
    Client,
}

/// A parameter to extract: its name, its short name in keys, and the responses that depend on it.
struct VaryParam {
    name: HeaderName,
    key_name: &'static str,
    needs: VaryBy,
    number: bool,
    /// Its spelling in the query, if it is sent there too.
    query_name: Option<&'static str>,
}

/// In the order of the key. Every other parameter that begins with `X-Plex-` is dropped.
static VARY_PARAMS: [VaryParam; 8] = [
    VaryParam {
        name: HeaderName::from_static("x-plex-container-start"),
        key_name: "start",
        needs: VaryBy::Nothing,
        number: true,
        query_name: Some(page::START),
    },
    VaryParam {
        name: HeaderName::from_static("x-plex-container-size"),
        key_name: "size",
        needs: VaryBy::Nothing,
        number: true,
        query_name: Some(page::SIZE),
    },
    VaryParam {
        name: HeaderName::from_static("x-plex-container-focus-key"),
        key_name: "focus",
        needs: VaryBy::Nothing,
        number: false,
        query_name: Some(page::FOCUS_KEY),
    },
    VaryParam {
        name: HeaderName::from_static("x-plex-language"),
        key_name: "language",
        needs: VaryBy::Nothing,
        number: false,
        query_name: None,
    },
    VaryParam {
        name: HeaderName::from_static("x-plex-pms-api-version"),
        key_name: "api",
        needs: VaryBy::Nothing,
        number: false,
        query_name: None,
    },
    VaryParam {
        name: HeaderName::from_static("x-plex-provider-version"),
        key_name: "provider",
        needs: VaryBy::Abilities,
        number: false,
        query_name: None,
    },
    VaryParam {
        name: HeaderName::from_static("x-plex-features"),
        key_name: "features",
        needs: VaryBy::Abilities,
        number: false,
        query_name: None,
    },
    VaryParam {
        name: HeaderName::from_static("x-plex-client-identifier"),
        key_name: "client",
        needs: VaryBy::Client,
        number: false,
        query_name: None,
    },
];

/// The extracted values, in the order of the key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct VaryValues {
    values: Vec<VaryValue>,
    size: Option<u64>,
}

/// One extracted value, and where it is sent.
#[derive(Debug, PartialEq, Eq)]
struct VaryValue {
    key_name: &'static str,
    value: String,
    header: Option<HeaderName>,
    query_name: Option<&'static str>,
}

impl VaryValues {
    /// Extracts the known parameters from `pairs` and `headers` and removes every `X-Plex-` pair from
    /// `pairs`. A parameter with two different values, or with an operator, is odd.
    pub(super) fn extract(
        pairs: &mut Vec<PlexQueryPair>,
        headers: &HeaderMap,
        vary_by: VaryBy,
    ) -> Result<Self, AmbiguousQuery> {
        if pairs.iter().any(|pair| is_plex(pair) && !pair.operator.is_empty()) {
            return Err(AmbiguousQuery);
        }
        let mut vary_values = Self::default();
        for known in VARY_PARAMS.iter().filter(|known| known.needs.within(vary_by)) {
            let Some(found) = single(&known.name, pairs, headers)? else { continue };
            let mut value = found.value;
            if known.number {
                let number: u64 = value.parse().map_err(|_| AmbiguousQuery)?;
                if known.key_name == "size" {
                    vary_values.size = Some(number);
                }
                value = number.to_string();
            }
            let query_name = known.query_name.filter(|_| found.is_in_query);
            let header = (query_name.is_none() || found.is_in_headers).then(|| known.name.clone());
            vary_values.values.push(VaryValue { key_name: known.key_name, value, header, query_name });
        }
        vary_values.default_start();
        if !vary_values.has("language")
            && let Some(value) = from_headers(&ACCEPT_LANGUAGE, headers)?
            && value != "*"
        {
            let (key_name, header) = ("accept-language", Some(ACCEPT_LANGUAGE));
            vary_values.values.push(VaryValue { key_name, value, header, query_name: None });
        }
        pairs.retain(|pair| !is_plex(pair) && !pair.is("_"));
        Ok(vary_values)
    }

    /// The requested page size.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Appends the values to a key.
    pub(super) fn write_to(&self, key: &mut String) {
        for VaryValue { key_name, value, .. } in &self.values {
            key.push(' ');
            key.push_str(key_name);
            key.push('=');
            key.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
    }

    /// The headers for the upstream request.
    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let header = |one: &VaryValue| one.header.clone().zip(HeaderValue::from_str(&one.value).ok());
        self.values.iter().filter_map(header).collect()
    }

    /// Appends the pairs that the client wrote in the query to a target.
    pub(super) fn write_query_to(&self, target: &mut String) {
        for VaryValue { value, query_name, .. } in &self.values {
            let Some(name) = query_name else { continue };
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(name);
            target.push('=');
            target.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
    }

    fn has(&self, key_name: &str) -> bool {
        self.values.iter().any(|one| one.key_name == key_name)
    }

    /// A page size without a start means the first page: in the key, not in the request.
    fn default_start(&mut self) {
        if self.size.is_some() && !self.has("start") {
            let key_name = VARY_PARAMS[0].key_name;
            self.values.insert(0, VaryValue { key_name, value: "0".into(), header: None, query_name: None });
        }
    }
}

impl VaryBy {
    fn within(self, vary_by: Self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Abilities => vary_by != Self::Nothing,
            Self::Client => vary_by == Self::Client,
        }
    }
}

fn is_plex(pair: &PlexQueryPair) -> bool {
    pair.base.trim().get(..7).is_some_and(|start| start.eq_ignore_ascii_case("x-plex-"))
}

/// The value of a parameter, and its places.
struct FoundValue {
    value: String,
    is_in_query: bool,
    is_in_headers: bool,
}

/// The one value of a parameter, from the query or from a header.
fn single(
    name: &HeaderName,
    pairs: &[PlexQueryPair],
    headers: &HeaderMap,
) -> Result<Option<FoundValue>, AmbiguousQuery> {
    let mut value = from_headers(name, headers)?;
    let (is_in_headers, mut is_in_query) = (value.is_some(), false);
    for pair in pairs.iter().filter(|pair| pair.base.trim().eq_ignore_ascii_case(name.as_str())) {
        let text = clean(&pair.text())?;
        if text.is_empty() {
            continue;
        }
        if value.as_ref().is_some_and(|known| *known != text) {
            return Err(AmbiguousQuery);
        }
        (value, is_in_query) = (Some(text), true);
    }
    Ok(value.map(|value| FoundValue { value, is_in_query, is_in_headers }))
}

fn from_headers(name: &HeaderName, headers: &HeaderMap) -> Result<Option<String>, AmbiguousQuery> {
    let mut value: Option<String> = None;
    for line in headers.get_all(name) {
        let text = clean(line.to_str().map_err(|_| AmbiguousQuery)?)?;
        if text.is_empty() {
            continue;
        }
        if value.as_ref().is_some_and(|known| *known != text) {
            return Err(AmbiguousQuery);
        }
        value = Some(text);
    }
    Ok(value)
}

/// A value that is valid in a header.
fn clean(text: &str) -> Result<String, AmbiguousQuery> {
    let text = text.trim();
    let fits = text.len() <= MAX_VALUE_BYTES && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if fits { Ok(text.to_owned()) } else { Err(AmbiguousQuery) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plex::query;

    fn lifted(raw: &str, headers: &[(&'static str, &'static str)], vary_by: VaryBy) -> Result<String, AmbiguousQuery> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let mut pairs = query::pairs(raw)?;
        let vary_values = VaryValues::extract(&mut pairs, &map, vary_by)?;
        let mut key = query::join(&pairs);
        vary_values.write_to(&mut key);
        Ok(key)
    }

    #[test]
    fn header_and_query_paging_meet() {
        let by_query = lifted("X-Plex-Container-Start=0&type=1&x-plex-container-SIZE=050", &[], VaryBy::Nothing);
        let by_header =
            lifted("type=1", &[("X-Plex-Container-Start", "0"), ("X-Plex-Container-Size", "50")], VaryBy::Nothing);
        assert_eq!(by_query.unwrap(), "type=1 start=0 size=50");
        assert_eq!(by_header.unwrap(), "type=1 start=0 size=50");
        assert_eq!(lifted("X-Plex-Container-Size=5", &[], VaryBy::Nothing).unwrap(), " start=0 size=5");
    }

    #[test]
    fn the_same_value_in_both_places_is_no_conflict_and_another_is() {
        let header = [("X-Plex-Container-Size", "5")];
        assert_eq!(lifted("X-Plex-Container-Size=5", &header, VaryBy::Nothing).unwrap(), " start=0 size=5");
        for raw in [
            "X-Plex-Container-Size=6",
            "X-Plex-Container-Size=-1",
            "X-Plex-Container-Size=x",
            "X-Plex-Language=en&X-Plex-Language=de",
            "X-Plex-Token==abc",
            "X-Plex-Container-Start>=1",
        ] {
            assert_eq!(lifted(raw, &header, VaryBy::Nothing), Err(AmbiguousQuery), "{raw}");
        }
    }

    #[test]
    fn identity_is_dropped_where_nothing_depends_on_it() {
        let raw = "X-Plex-Token=t&X-Plex-Client-Identifier=c&X-Plex-Features=f&X-Plex-Drm=d&_=9&a=1";
        assert_eq!(lifted(raw, &[], VaryBy::Nothing).unwrap(), "a=1");
        assert_eq!(lifted(raw, &[], VaryBy::Abilities).unwrap(), "a=1 features=f");
        assert_eq!(lifted(raw, &[], VaryBy::Client).unwrap(), "a=1 features=f client=c");
    }

    #[test]
    fn a_language_comes_from_the_query_then_from_the_headers() {
        let header = [("X-Plex-Language", "de"), ("Accept-Language", "fr")];
        assert_eq!(lifted("", &header, VaryBy::Nothing).unwrap(), " language=de");
        assert_eq!(lifted("", &header[1..], VaryBy::Nothing).unwrap(), " accept-language=fr");
        assert_eq!(lifted("X-Plex-Language=en", &header[1..], VaryBy::Nothing).unwrap(), " language=en");
    }
}
