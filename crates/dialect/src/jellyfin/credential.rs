//! Credentials of Jellyfin requests: the token and the client's description of itself, from every place old
//! and new clients use.

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::authorization::{self, AuthScheme, AuthorizationHeader};
use crate::credential::{Credential, Secret, TokenForm};
use crate::request::RequestView;

const X_EMBY_AUTHORIZATION: HeaderName = HeaderName::from_static("x-emby-authorization");
const X_EMBY_TOKEN: HeaderName = HeaderName::from_static("x-emby-token");
const X_MEDIABROWSER_TOKEN: HeaderName = HeaderName::from_static("x-mediabrowser-token");

/// Longest token in bytes; a longer one is ignored. The server's have 32 digits.
const MAX_TOKEN_BYTES: usize = 4096;

/// The credential of a request. The first token in the server's order of precedence counts; a different token
/// in another place makes the credential ambiguous, because the server may choose that one.
pub(crate) fn credential(request: &RequestView<'_>) -> Credential {
    let mut credentials: Vec<(TokenForm, String)> = Vec::new();
    let mut header = AuthorizationHeader::default();
    for (name, is_legacy) in [(AUTHORIZATION, false), (X_EMBY_AUTHORIZATION, true)] {
        for value in texts(request.headers, &name) {
            let Some((scheme, mut parsed)) = authorization::parse(&value) else { continue };
            let token_form = if is_legacy || scheme == AuthScheme::Emby {
                TokenForm::EmbyAuthorization
            } else {
                TokenForm::Authorization
            };
            credentials.extend(parsed.token.take().map(|token| (token_form, token)));
            header.fill_from(parsed);
        }
    }
    for (name, token_form) in
        [(X_EMBY_TOKEN, TokenForm::EmbyToken), (X_MEDIABROWSER_TOKEN, TokenForm::MediaBrowserToken)]
    {
        credentials.extend(texts(request.headers, &name).map(|token| (token_form, token)));
    }
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    for (name, token_form) in [("apikey", TokenForm::ApiKey), ("api_key", TokenForm::LegacyApiKey)] {
        credentials.extend(parameters(query, name).map(|token| (token_form, token)));
    }
    credentials.retain_mut(|(_, token)| {
        *token = token.trim().to_owned();
        !token.is_empty()
    });
    let ambiguous = credentials.windows(2).any(|pair| pair[0].1 != pair[1].1);
    // An unsendable token would be dropped, and the server may trust requests without a token from the
    // gateway's address.
    let first = credentials.into_iter().next().filter(|(_, token)| is_sendable(token));
    Credential {
        form: first.as_ref().map_or(TokenForm::None, |(token_form, _)| *token_form),
        token: first.map(|(_, token)| Secret::new(token)),
        ambiguous,
        product: header.client,
        version: header.version,
        device: header.device,
        device_id: header.device_id,
    }
}

/// The headers that carry a credential to the server. The query is never used for it. With `translate_legacy`
/// every form becomes the current one; without it a legacy form stays, so that a server may reject it.
pub(crate) fn credential_headers(credential: &Credential, translate_legacy: bool) -> Vec<(HeaderName, HeaderValue)> {
    let token = credential.token.as_ref().map(Secret::expose);
    let today = [(AUTHORIZATION, full_header(credential, token))];
    let headers: Vec<(HeaderName, Option<HeaderValue>)> = match (credential.form, token) {
        _ if translate_legacy => today.into(),
        (TokenForm::EmbyAuthorization, _) => vec![(X_EMBY_AUTHORIZATION, full_header(credential, token))],
        (TokenForm::EmbyToken | TokenForm::LegacyApiKey, Some(token)) => beside(credential, X_EMBY_TOKEN, token),
        (TokenForm::MediaBrowserToken, Some(token)) => beside(credential, X_MEDIABROWSER_TOKEN, token),
        _ => today.into(),
    };
    headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The target without the legacy token parameter; every other byte stays.
pub(crate) fn without_legacy_key(target: &str) -> Cow<'_, str> {
    let Some((path, query)) = target.split_once('?') else { return target.into() };
    if !query.split('&').any(is_legacy_key) {
        return target.into();
    }
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_legacy_key(pair)).collect();
    if rest.is_empty() { path.into() } else { format!("{path}?{}", rest.join("&")).into() }
}

fn is_legacy_key(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    percent_decode_str(name).decode_utf8_lossy().eq_ignore_ascii_case("api_key")
}

/// A token in a header of its own, with a second header for the client's description of itself.
fn beside(credential: &Credential, name: HeaderName, token: &str) -> Vec<(HeaderName, Option<HeaderValue>)> {
    let token = HeaderValue::from_str(token).ok().map(|mut value| {
        value.set_sensitive(true);
        value
    });
    vec![(name, token), (AUTHORIZATION, full_header(credential, None))]
}

fn full_header(credential: &Credential, token: Option<&str>) -> Option<HeaderValue> {
    let header = AuthorizationHeader {
        client: credential.product.clone(),
        device: credential.device.clone(),
        device_id: credential.device_id.clone(),
        version: credential.version.clone(),
        token: token.map(str::to_owned),
    };
    if header == AuthorizationHeader::default() {
        return None;
    }
    let mut value = HeaderValue::from_str(&authorization::format(&header)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl AuthorizationHeader {
    /// Fills in the fields that are still empty.
    fn fill_from(&mut self, other: Self) {
        self.client = self.client.take().or(other.client);
        self.device = self.device.take().or(other.device);
        self.device_id = self.device_id.take().or(other.device_id);
        self.version = self.version.take().or(other.version);
    }
}

fn is_sendable(token: &str) -> bool {
    token.len() <= MAX_TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_graphic())
}

fn texts(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The values of a query parameter, whose name is case-insensitive.
fn parameters(query: &str, name: &str) -> impl Iterator<Item = String> {
    query.split('&').filter_map(move |pair| {
        let (credentials, value) = pair.split_once('=')?;
        let credentials = percent_decode_str(credentials).decode_utf8_lossy();
        credentials
            .eq_ignore_ascii_case(name)
            .then(|| percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned())
    })
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn parse_credential(target: &str, headers: &[(HeaderName, &str)]) -> Credential {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect();
        credential(&RequestView { method: &Method::GET, target, headers: &headers, body: &[] })
    }

    fn token(credential: &Credential) -> Option<&str> {
        credential.token.as_ref().map(Secret::expose)
    }

    #[test]
    fn every_token_form_is_found() {
        for (target, headers, token_form) in [
            ("/", vec![(AUTHORIZATION, "MediaBrowser Token=\"t\"")], TokenForm::Authorization),
            ("/", vec![(AUTHORIZATION, "Emby Token=\"t\"")], TokenForm::EmbyAuthorization),
            ("/", vec![(X_EMBY_AUTHORIZATION, "MediaBrowser Token=\"t\"")], TokenForm::EmbyAuthorization),
            ("/", vec![(X_EMBY_TOKEN, "t")], TokenForm::EmbyToken),
            ("/", vec![(X_MEDIABROWSER_TOKEN, "t")], TokenForm::MediaBrowserToken),
            ("/?ApiKey=t", vec![], TokenForm::ApiKey),
            ("/?a=1&API_KEY=t", vec![], TokenForm::LegacyApiKey),
            ("/?api%5Fkey=%74", vec![], TokenForm::LegacyApiKey),
            ("/?apikey=t&api_key=t", vec![(AUTHORIZATION, "Basic eA==")], TokenForm::ApiKey),
        ] {
            let credentials = parse_credential(target, &headers);
            assert_eq!(
                (token(&credentials), credentials.form, credentials.ambiguous),
                (Some("t"), token_form, false),
                "{target}"
            );
        }
        for (target, headers) in
            [("/", vec![]), ("/?api_key=", vec![(X_EMBY_TOKEN, " ")]), ("/", vec![(AUTHORIZATION, "Bearer t")])]
        {
            assert_eq!(parse_credential(target, &headers), Credential::default());
        }
    }

    #[test]
    fn the_first_token_counts_and_a_second_one_is_noticed() {
        let credentials = parse_credential(
            "/?ApiKey=c",
            &[(X_EMBY_TOKEN, "b"), (AUTHORIZATION, "MediaBrowser Client=\"x\", Token=\"a\"")],
        );
        assert_eq!(token(&credentials), Some("a"));
        assert!(credentials.ambiguous);
        assert!(parse_credential("/?ApiKey=a&apikey=b", &[]).ambiguous);
    }

    #[test]
    fn client_fields_are_kept_without_a_token() {
        let credentials =
            parse_credential("/", &[(X_EMBY_AUTHORIZATION, "MediaBrowser Client=\"Kodi\", DeviceId=\"d\"")]);
        assert_eq!((credentials.product.as_deref(), credentials.device_id.as_deref()), (Some("Kodi"), Some("d")));
        assert_eq!(credentials.form, TokenForm::None);
        let headers = credential_headers(&credentials, true);
        assert_eq!(headers, [(AUTHORIZATION, "MediaBrowser Client=\"Kodi\", DeviceId=\"d\"".parse().unwrap())]);
    }

    #[test]
    fn old_forms_become_todays() {
        for (target, headers) in [
            ("/?api_key=t%22x", vec![]),
            ("/", vec![(X_EMBY_TOKEN, "t\"x")]),
            ("/", vec![(X_EMBY_AUTHORIZATION, "Emby Token=\"t%22x\"")]),
        ] {
            let sent = credential_headers(&parse_credential(target, &headers), true);
            assert_eq!(sent, [(AUTHORIZATION, "MediaBrowser Token=\"t%22x\"".parse().unwrap())], "{target}");
            assert!(sent.iter().all(|(_, value)| value.is_sensitive()));
        }
    }

    #[test]
    fn without_translation_an_old_form_stays_old() {
        for (target, header, sent) in [
            ("/?api_key=t", None, (X_EMBY_TOKEN, "t")),
            ("/?ApiKey=t", None, (AUTHORIZATION, "MediaBrowser Token=\"t\"")),
            ("/", Some((X_EMBY_TOKEN, "t")), (X_EMBY_TOKEN, "t")),
            ("/", Some((X_MEDIABROWSER_TOKEN, "t")), (X_MEDIABROWSER_TOKEN, "t")),
            ("/", Some((AUTHORIZATION, "Emby Token=t")), (X_EMBY_AUTHORIZATION, "MediaBrowser Token=\"t\"")),
        ] {
            let headers: Vec<_> = header.into_iter().collect();
            let expected = [(sent.0, HeaderValue::from_static(sent.1))];
            assert_eq!(credential_headers(&parse_credential(target, &headers), false), expected, "{target}");
        }
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_ignored() {
        for unsendable in ["a%0d%0ab", "%C3%A4", "a%20b", "%00", &"a".repeat(MAX_TOKEN_BYTES + 1)] {
            assert_eq!(token(&parse_credential(&format!("/?api_key={unsendable}"), &[])), None, "{unsendable}");
        }
        assert_eq!(token(&parse_credential("/", &[(AUTHORIZATION, "MediaBrowser Token=\"a b\"")])), None);
    }

    #[test]
    fn only_the_old_key_leaves_the_query() {
        for (target, expected) in [
            ("/a", "/a"),
            ("/a?api_key=t", "/a"),
            ("/a?x=%41&API_KEY=t&&y", "/a?x=%41&&y"),
            ("/a?ApiKey=t&api%5Fkey=t", "/a?ApiKey=t"),
            ("/a?url=b%3Fapi_key%3Dt", "/a?url=b%3Fapi_key%3Dt"),
        ] {
            assert_eq!(without_legacy_key(target), expected);
        }
    }

    #[test]
    fn nobody_sends_nothing() {
        assert!(credential_headers(&Credential::default(), true).is_empty());
        assert!(credential_headers(&Credential::default(), false).is_empty());
    }
}
