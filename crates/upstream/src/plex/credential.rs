//! Who asks Plex: the token from query or header, and what the client says about itself.

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::ask::Ask;
use crate::credential::{Credential, Form, Secret};

const TOKEN: &str = "x-plex-token";

/// A token longer than this is none. Signed tokens take about a thousand bytes.
const MAX_TOKEN_BYTES: usize = 4096;

/// A client's words about itself longer than this are cut.
const MAX_WORD_BYTES: usize = 256;

pub(super) fn of(ask: &Ask<'_>) -> Credential {
    let query = ask.target.split_once('?').map_or("", |(_, query)| query);
    let pairs = read(query);
    let mut found: Vec<(Form, String)> = Vec::new();
    for (_, value) in pairs.iter().filter(|(name, _)| name.eq_ignore_ascii_case(TOKEN)) {
        found.push((Form::PlexQuery, value.clone()));
    }
    for line in ask.headers.get_all(TOKEN) {
        found.push((Form::PlexHeader, String::from_utf8_lossy(line.as_bytes()).trim().to_owned()));
    }
    found.retain(|(_, token)| !token.is_empty());
    let first = found.first().cloned();
    let ambiguous = first.as_ref().is_some_and(|(_, token)| found.iter().any(|(_, other)| other != token));
    // A token that no header can carry would be sent as none at all, and the server may trust a nameless neighbour.
    let usable = first.filter(|(_, token)| is_sendable(token));
    let word = |name| word(name, &pairs, ask.headers);
    Credential {
        form: usable.as_ref().map_or(Form::None, |(form, _)| *form),
        token: usable.map(|(_, token)| Secret::new(token)),
        ambiguous,
        product: word("x-plex-product"),
        version: word("x-plex-version"),
        device: word("x-plex-device-name").or_else(|| word("x-plex-device")),
        device_id: word("x-plex-client-identifier"),
    }
}

/// The one header that carries the credential.
pub(super) fn headers(credential: &Credential) -> Vec<(HeaderName, HeaderValue)> {
    let value = credential.token.as_ref().and_then(|token| HeaderValue::from_str(token.expose()).ok());
    let sent = value.map(|mut value| {
        value.set_sensitive(true);
        (HeaderName::from_static(TOKEN), value)
    });
    sent.into_iter().collect()
}

fn is_sendable(token: &str) -> bool {
    token.len() <= MAX_TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Names and values of a query, decoded, whatever they look like.
fn read(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().trim().to_owned();
    let pair = |piece: &str| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|piece| !piece.is_empty()).map(pair).collect()
}

fn word(name: &str, pairs: &[(String, String)], headers: &HeaderMap) -> Option<String> {
    let in_query = pairs.iter().find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_empty());
    let in_header = || headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let mut text = in_query.map(|(_, value)| value.clone()).or_else(in_header)?;
    let end = (0..=MAX_WORD_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn who(target: &str, headers: &[(&'static str, &str)]) -> Credential {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        of(&Ask { method: &Method::GET, target, headers: &map, body: b"" })
    }

    fn token(credential: &Credential) -> Option<&str> {
        credential.token.as_ref().map(Secret::expose)
    }

    #[test]
    fn a_token_is_found_in_query_and_header() {
        let by_query = who("/a?b=1&x-plex-TOKEN=ab%2Dcd", &[]);
        assert_eq!((token(&by_query), by_query.form), (Some("ab-cd"), Form::PlexQuery));
        let by_header = who("/a", &[("x-plex-token", "ab-cd")]);
        assert_eq!((token(&by_header), by_header.form), (Some("ab-cd"), Form::PlexHeader));
        assert_eq!(who("/a?X-Plex-Token=", &[]).form, Form::None);
    }

    #[test]
    fn two_tokens_are_ambiguous_and_one_twice_is_not() {
        assert!(who("/a?X-Plex-Token=one", &[("x-plex-token", "two")]).ambiguous);
        assert!(who("/a?X-Plex-Token=one&X-Plex-Token=two", &[]).ambiguous);
        assert!(who("/a", &[("x-plex-token", "one"), ("x-plex-token", "two")]).ambiguous);
        assert!(!who("/a?X-Plex-Token=one", &[("x-plex-token", "one")]).ambiguous);
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_none() {
        for odd in ["a%0d%0ab", "%C3%A4", "a%20b", &"a".repeat(MAX_TOKEN_BYTES + 1)] {
            assert_eq!(token(&who(&format!("/a?X-Plex-Token={odd}"), &[])), None, "{odd}");
        }
    }

    #[test]
    fn the_client_tells_about_itself_in_query_or_header() {
        let told = who(
            "/a?X-Plex-Product=My%20App",
            &[("x-plex-version", "1.2"), ("x-plex-client-identifier", "id")],
        );
        assert_eq!(told.product.as_deref(), Some("My App"));
        assert_eq!(told.version.as_deref(), Some("1.2"));
        assert_eq!(told.device_id.as_deref(), Some("id"));
        assert_eq!(told.device, None);
        let long = who(&format!("/a?X-Plex-Product={}", "ä".repeat(300)), &[]);
        assert!(long.product.unwrap().len() <= MAX_WORD_BYTES);
    }

    #[test]
    fn it_is_sent_as_one_header_that_does_not_print_itself() {
        let sent = headers(&who("/a?X-Plex-Token=secret-token", &[]));
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].0.as_str(), TOKEN);
        assert!(sent[0].1.is_sensitive());
        assert!(!format!("{sent:?}").contains("secret-token"));
        assert!(headers(&Credential::default()).is_empty());
    }
}
