//! Credentials of Plex requests: the token from query or header, and the client's description of itself.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::credential::{Credential, Secret, TokenForm};
use crate::request::RequestView;

static TOKEN: HeaderName = HeaderName::from_static("x-plex-token");

/// Longest token in bytes; a longer one is ignored. Signed tokens have about a thousand bytes.
const MAX_TOKEN_BYTES: usize = 4096;

/// Longest text of the client's description in bytes; longer ones are cut.
const MAX_WORD_BYTES: usize = 256;

/// The token, the place it was found in, and whether another place holds a different one.
pub(super) struct TokenLookup {
    pub(super) token: Option<String>,
    pub(super) ambiguous: bool,
    form: TokenForm,
}

/// Looks for the token in the query, then in the headers.
pub(super) fn token(query: &str, headers: &HeaderMap) -> TokenLookup {
    let mut all: Vec<(TokenForm, String)> = Vec::new();
    for (name, value) in pairs(query) {
        if decoded(name).eq_ignore_ascii_case(TOKEN.as_str()) {
            all.push((TokenForm::PlexQuery, decoded(value).into_owned()));
        }
    }
    for value in headers.get_all(&TOKEN) {
        all.push((TokenForm::PlexHeader, String::from_utf8_lossy(value.as_bytes()).trim().to_owned()));
    }
    all.retain(|(_, token)| !token.is_empty());
    let ambiguous = all.windows(2).any(|two| two[0].1 != two[1].1);
    // An unsendable token would be dropped, and the server may trust requests without a token from the
    // gateway's address.
    match all.into_iter().next().filter(|(_, token)| is_sendable(token)) {
        Some((form, token)) => TokenLookup { token: Some(token), ambiguous, form },
        None => TokenLookup { token: None, ambiguous, form: TokenForm::None },
    }
}

pub(super) fn from_request(request: &RequestView<'_>) -> Credential {
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let lookup = token(query, request.headers);
    let client_field = |name| client_field(name, query, request.headers);
    Credential {
        form: lookup.form,
        token: lookup.token.map(Secret::new),
        ambiguous: lookup.ambiguous,
        product: client_field("x-plex-product"),
        version: client_field("x-plex-version"),
        device: client_field("x-plex-device-name").or_else(|| client_field("x-plex-device")),
        device_id: client_field("x-plex-client-identifier"),
    }
}

/// The one header with the token.
pub(super) fn headers(credential: &Credential) -> Vec<(HeaderName, HeaderValue)> {
    let value = credential.token.as_ref().and_then(|token| HeaderValue::from_str(token.expose()).ok());
    let sent = value.map(|mut value| {
        value.set_sensitive(true);
        (TOKEN.clone(), value)
    });
    sent.into_iter().collect()
}

/// The target without empty token parameters.
pub(super) fn without_empty_tokens(target: &str) -> Cow<'_, str> {
    let Some((path, query)) = target.split_once('?') else { return Cow::Borrowed(target) };
    let is_empty_token = |pair: &&str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        decoded(name).eq_ignore_ascii_case(TOKEN.as_str()) && decoded(value).is_empty()
    };
    if !query.split('&').any(|pair| is_empty_token(&pair)) {
        return Cow::Borrowed(target);
    }
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_empty_token(pair)).collect();
    Cow::Owned(if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) })
}

fn is_sendable(token: &str) -> bool {
    token.len() <= MAX_TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Names and values of a query, as sent.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let split = |pair| str::split_once(pair, '=').unwrap_or((pair, ""));
    query.split('&').filter(|pair| !pair.is_empty()).map(split)
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', ' ']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(percent_decode_str(text).decode_utf8_lossy().trim().to_owned())
}

fn client_field(name: &str, query: &str, headers: &HeaderMap) -> Option<String> {
    let in_query = pairs(query).find(|(key, value)| !value.is_empty() && decoded(key).eq_ignore_ascii_case(name));
    let in_header = || headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let mut text = in_query.map(|(_, value)| decoded(value).into_owned()).or_else(in_header)?;
    let end = (0..=MAX_WORD_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn credential(target: &str, headers: &[(&'static str, &str)]) -> Credential {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        from_request(&RequestView { method: &Method::GET, target, headers: &map, body: b"" })
    }

    fn token_text(credential: &Credential) -> Option<&str> {
        credential.token.as_ref().map(Secret::expose)
    }

    #[test]
    fn a_token_is_found_in_query_and_header() {
        let by_query = credential("/a?b=1&x-plex-TOKEN=ab%2Dcd", &[]);
        assert_eq!((token_text(&by_query), by_query.form), (Some("ab-cd"), TokenForm::PlexQuery));
        let by_header = credential("/a", &[("x-plex-token", "ab-cd")]);
        assert_eq!((token_text(&by_header), by_header.form), (Some("ab-cd"), TokenForm::PlexHeader));
        assert_eq!(credential("/a?X-Plex-Token=", &[]).form, TokenForm::None);
    }

    #[test]
    fn an_empty_token_is_not_sent_beside_a_real_one() {
        for (asked, sent) in [
            ("/a?X-Plex-Token=", "/a"),
            ("/a?b=1&x-plex-token=&c", "/a?b=1&c"),
            ("/a?X-Plex%2DToken=%20&b", "/a?b"),
            ("/a?X-Plex-Token", "/a"),
            ("/a?X-Plex-Token=t&b=", "/a?X-Plex-Token=t&b="),
            ("/a?b=%2F&&c", "/a?b=%2F&&c"),
            ("/a", "/a"),
        ] {
            assert_eq!(without_empty_tokens(asked), sent, "{asked}");
        }
    }

    #[test]
    fn two_tokens_are_ambiguous_and_one_twice_is_not() {
        assert!(credential("/a?X-Plex-Token=one", &[("x-plex-token", "two")]).ambiguous);
        assert!(credential("/a?X-Plex-Token=one&X-Plex-Token=two", &[]).ambiguous);
        assert!(credential("/a", &[("x-plex-token", "one"), ("x-plex-token", "two")]).ambiguous);
        assert!(!credential("/a?X-Plex-Token=one", &[("x-plex-token", "one")]).ambiguous);
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_ignored() {
        for odd in ["a%0d%0ab", "%C3%A4", "a%20b", &"a".repeat(MAX_TOKEN_BYTES + 1)] {
            assert_eq!(token_text(&credential(&format!("/a?X-Plex-Token={odd}"), &[])), None, "{odd}");
        }
    }

    #[test]
    fn client_fields_are_read_from_query_or_headers() {
        let parsed =
            credential("/a?X-Plex-Product=My%20App", &[("x-plex-version", "1.2"), ("x-plex-client-identifier", "id")]);
        assert_eq!(parsed.product.as_deref(), Some("My App"));
        assert_eq!(parsed.version.as_deref(), Some("1.2"));
        assert_eq!(parsed.device_id.as_deref(), Some("id"));
        assert_eq!(parsed.device, None);
        let long = credential(&format!("/a?X-Plex-Product={}", "ä".repeat(300)), &[]);
        assert!(long.product.unwrap().len() <= MAX_WORD_BYTES);
    }

    #[test]
    fn it_is_sent_as_one_header_that_does_not_print_itself() {
        let sent = headers(&credential("/a?X-Plex-Token=secret-token", &[]));
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].0, TOKEN);
        assert!(sent[0].1.is_sensitive());
        assert!(!format!("{sent:?}").contains("secret-token"));
        assert!(headers(&Credential::default()).is_empty());
    }
}
