//! What Plex takes from the query or from a header of the same name: paging, language, API version, and the
//! client's identity. Those that change an answer are lifted out of both places into one; the rest is dropped.

use http::header::ACCEPT_LANGUAGE;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::plex::query::{OddQuery, Pair};

/// A lifted value longer than this is none.
const MAX_VALUE_BYTES: usize = 512;

/// Who of the client's identity a class of answers depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    /// Nothing.
    Nothing,
    /// What the client can show (`X-Plex-Features`, `X-Plex-Provider-Version`).
    Abilities,
    /// That, and which client it is.
    Client,
}

/// A parameter that may be lifted: its name, the word for it in keys, and which answers depend on it.
struct Known {
    name: HeaderName,
    word: &'static str,
    needs: Keeps,
    number: bool,
}

/// In the order of the key. Everything else that begins with `X-Plex-` is dropped.
static KNOWN: [Known; 8] = [
    Known {
        name: HeaderName::from_static("x-plex-container-start"),
        word: "start",
        needs: Keeps::Nothing,
        number: true,
    },
    Known {
        name: HeaderName::from_static("x-plex-container-size"),
        word: "size",
        needs: Keeps::Nothing,
        number: true,
    },
    Known {
        name: HeaderName::from_static("x-plex-container-focus-key"),
        word: "focus",
        needs: Keeps::Nothing,
        number: false,
    },
    Known {
        name: HeaderName::from_static("x-plex-language"),
        word: "language",
        needs: Keeps::Nothing,
        number: false,
    },
    Known {
        name: HeaderName::from_static("x-plex-pms-api-version"),
        word: "api",
        needs: Keeps::Nothing,
        number: false,
    },
    Known {
        name: HeaderName::from_static("x-plex-provider-version"),
        word: "provider",
        needs: Keeps::Abilities,
        number: false,
    },
    Known {
        name: HeaderName::from_static("x-plex-features"),
        word: "features",
        needs: Keeps::Abilities,
        number: false,
    },
    Known {
        name: HeaderName::from_static("x-plex-client-identifier"),
        word: "client",
        needs: Keeps::Client,
        number: false,
    },
];

/// The lifted values, in the order of the key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lifted {
    values: Vec<(HeaderName, &'static str, String)>,
    size: Option<u64>,
}

impl Lifted {
    /// Lifts what is known out of `pairs` and `headers` and takes every `X-Plex-` pair out of `pairs`. A parameter
    /// that comes twice with different values, or with an operator, is odd.
    pub(super) fn take(pairs: &mut Vec<Pair>, headers: &HeaderMap, keeps: Keeps) -> Result<Self, OddQuery> {
        if pairs.iter().any(|pair| is_plex(pair) && !pair.operator.is_empty()) {
            return Err(OddQuery);
        }
        let mut lifted = Self::default();
        for known in KNOWN.iter().filter(|known| known.needs.within(keeps)) {
            let Some(mut value) = single(&known.name, pairs, headers)? else { continue };
            if known.number {
                let number: u64 = value.parse().map_err(|_| OddQuery)?;
                if known.word == "size" {
                    lifted.size = Some(number);
                }
                value = number.to_string();
            }
            lifted.values.push((known.name.clone(), known.word, value));
        }
        lifted.start_where_only_a_size_was_given();
        if !lifted.values.iter().any(|(_, word, _)| *word == "language")
            && let Some(value) = from_headers(&ACCEPT_LANGUAGE, headers)?
            && value != "*"
        {
            lifted.values.push((ACCEPT_LANGUAGE, "accept-language", value));
        }
        pairs.retain(|pair| !is_plex(pair) && !pair.is("_"));
        Ok(lifted)
    }

    /// How many rows were asked for at most.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Appends what was lifted to a key.
    pub(super) fn write_to(&self, key: &mut String) {
        for (_, word, value) in &self.values {
            key.push(' ');
            key.push_str(word);
            key.push('=');
            key.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
    }

    /// The headers that carry it to the server.
    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let header = |(name, _, value): &(HeaderName, _, String)| {
            HeaderValue::from_str(value).ok().map(|value| (name.clone(), value))
        };
        self.values.iter().filter_map(header).collect()
    }

    /// A page without a start is the first one, under whatever spelling.
    fn start_where_only_a_size_was_given(&mut self) {
        if self.size.is_some() && !self.values.iter().any(|(_, word, _)| *word == "start") {
            self.values.insert(0, (KNOWN[0].name.clone(), KNOWN[0].word, "0".into()));
        }
    }
}

impl Keeps {
    fn within(self, kept: Self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Abilities => kept != Self::Nothing,
            Self::Client => kept == Self::Client,
        }
    }
}

fn is_plex(pair: &Pair) -> bool {
    pair.base.trim().get(..7).is_some_and(|start| start.eq_ignore_ascii_case("x-plex-"))
}

/// The one value of a parameter, from the query or from a header.
fn single(name: &HeaderName, pairs: &[Pair], headers: &HeaderMap) -> Result<Option<String>, OddQuery> {
    let mut value = from_headers(name, headers)?;
    for pair in pairs.iter().filter(|pair| pair.base.trim().eq_ignore_ascii_case(name.as_str())) {
        let text = clean(&pair.text())?;
        if text.is_empty() {
            continue;
        }
        if value.as_ref().is_some_and(|known| *known != text) {
            return Err(OddQuery);
        }
        value = Some(text);
    }
    Ok(value)
}

fn from_headers(name: &HeaderName, headers: &HeaderMap) -> Result<Option<String>, OddQuery> {
    let mut value: Option<String> = None;
    for line in headers.get_all(name) {
        let text = clean(line.to_str().map_err(|_| OddQuery)?)?;
        if text.is_empty() {
            continue;
        }
        if value.as_ref().is_some_and(|known| *known != text) {
            return Err(OddQuery);
        }
        value = Some(text);
    }
    Ok(value)
}

/// A value as a header can carry it.
fn clean(text: &str) -> Result<String, OddQuery> {
    let text = text.trim();
    let fits = text.len() <= MAX_VALUE_BYTES && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if fits { Ok(text.to_owned()) } else { Err(OddQuery) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plex::query;

    fn lifted(raw: &str, headers: &[(&'static str, &'static str)], keeps: Keeps) -> Result<String, OddQuery> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let mut pairs = query::pairs(raw)?;
        let lifted = Lifted::take(&mut pairs, &map, keeps)?;
        let mut key = query::join(&pairs);
        lifted.write_to(&mut key);
        Ok(key)
    }

    #[test]
    fn header_and_query_paging_meet() {
        let by_query =
            lifted("X-Plex-Container-Start=0&type=1&x-plex-container-SIZE=050", &[], Keeps::Nothing);
        let by_header = lifted(
            "type=1",
            &[("X-Plex-Container-Start", "0"), ("X-Plex-Container-Size", "50")],
            Keeps::Nothing,
        );
        assert_eq!(by_query.unwrap(), "type=1 start=0 size=50");
        assert_eq!(by_header.unwrap(), "type=1 start=0 size=50");
        assert_eq!(lifted("X-Plex-Container-Size=5", &[], Keeps::Nothing).unwrap(), " start=0 size=5");
    }

    #[test]
    fn the_same_value_in_both_places_is_no_conflict_and_another_is() {
        let header = [("X-Plex-Container-Size", "5")];
        assert_eq!(lifted("X-Plex-Container-Size=5", &header, Keeps::Nothing).unwrap(), " start=0 size=5");
        for raw in [
            "X-Plex-Container-Size=6",
            "X-Plex-Container-Size=-1",
            "X-Plex-Container-Size=x",
            "X-Plex-Language=en&X-Plex-Language=de",
            "X-Plex-Token==abc",
            "X-Plex-Container-Start>=1",
        ] {
            assert_eq!(lifted(raw, &header, Keeps::Nothing), Err(OddQuery), "{raw}");
        }
    }

    #[test]
    fn identity_is_dropped_where_nothing_depends_on_it() {
        let raw = "X-Plex-Token=t&X-Plex-Client-Identifier=c&X-Plex-Features=f&X-Plex-Drm=d&_=9&a=1";
        assert_eq!(lifted(raw, &[], Keeps::Nothing).unwrap(), "a=1");
        assert_eq!(lifted(raw, &[], Keeps::Abilities).unwrap(), "a=1 features=f");
        assert_eq!(lifted(raw, &[], Keeps::Client).unwrap(), "a=1 features=f client=c");
    }

    #[test]
    fn a_language_comes_from_the_query_then_from_the_headers() {
        let header = [("X-Plex-Language", "de"), ("Accept-Language", "fr")];
        assert_eq!(lifted("", &header, Keeps::Nothing).unwrap(), " language=de");
        assert_eq!(lifted("", &header[1..], Keeps::Nothing).unwrap(), " accept-language=fr");
        assert_eq!(lifted("X-Plex-Language=en", &header[1..], Keeps::Nothing).unwrap(), " language=en");
    }
}
