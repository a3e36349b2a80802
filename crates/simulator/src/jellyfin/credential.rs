//! Places of a client's token, and their precedence.
//!
//! The header of the `MediaBrowser` scheme comes first, then the two token headers, then the two query names. All but
//! that header and `ApiKey` are legacy forms, which a newer server ignores.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;

use super::params::JellyfinParams;

/// Identification of the client in a request.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct ClientCredential {
    /// The token with the highest precedence.
    pub(crate) token: Option<String>,
    /// `Client="…"`
    pub(crate) client: Option<String>,
    /// `Device="…"`
    pub(crate) device: Option<String>,
    /// `DeviceId="…"`
    pub(crate) device_id: Option<String>,
    /// `Version="…"`
    pub(crate) version: Option<String>,
}

impl std::fmt::Debug for ClientCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("client", &self.client).field("device", &self.device).finish_non_exhaustive()
    }
}

impl ClientCredential {
    /// Reads every place, by precedence; `legacy` says whether the legacy forms count.
    pub(crate) fn from_request(headers: &HeaderMap, params: &JellyfinParams, legacy: bool) -> Self {
        let mut found = Self::from_header(headers, legacy);
        let later = [
            (legacy, header(headers, "x-emby-token")),
            (legacy, header(headers, "x-mediabrowser-token")),
            (true, params.text("apikey")),
            (legacy, params.text("api_key")),
        ];
        if found.token.is_none() {
            found.token =
                later.into_iter().filter(|(counts, _)| *counts).find_map(|(_, token)| token).map(str::to_owned);
        }
        found
    }

    fn from_header(headers: &HeaderMap, legacy: bool) -> Self {
        let legacy_header = header(headers, "x-emby-authorization").filter(|_| legacy);
        let line = legacy_header.or_else(|| header(headers, AUTHORIZATION.as_str()));
        let Some((scheme, rest)) = line.and_then(|line| line.split_once(' ')) else {
            return Self::default();
        };
        let known = scheme.eq_ignore_ascii_case("MediaBrowser") || (legacy && scheme.eq_ignore_ascii_case("Emby"));
        if !known {
            return Self::default();
        }
        let mut found = Self::default();
        for (name, value) in pairs(rest) {
            found.set(&name, value);
        }
        found
    }

    fn set(&mut self, name: &str, value: String) {
        let place = match name.to_ascii_lowercase().as_str() {
            "token" => &mut self.token,
            "client" => &mut self.client,
            "device" => &mut self.device,
            "deviceid" => &mut self.device_id,
            "version" => &mut self.version,
            _ => return,
        };
        *place = Some(value).filter(|value| !value.is_empty());
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
}

/// `Name="value", Name=value`: quotes may hold commas, a backslash escapes the next character, values are
/// percent-encoded.
fn pairs(line: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut name = String::new();
    let mut value: Option<String> = None;
    let mut quoted = false;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, &mut value) {
            ('"', _) => quoted = !quoted,
            ('\\', Some(text)) if quoted => text.extend(letters.next()),
            (',', _) if !quoted => push(&mut found, &mut name, value.take()),
            ('=', None) => value = Some(String::new()),
            (_, Some(text)) => text.push(letter),
            (_, None) => name.push(letter),
        }
    }
    push(&mut found, &mut name, value);
    found
}

fn push(found: &mut Vec<(String, String)>, name: &mut String, value: Option<String>) {
    let name = std::mem::take(name).trim().to_owned();
    if let Some(value) = value.filter(|_| !name.is_empty()) {
        found.push((name, percent_decode_str(value.trim()).decode_utf8_lossy().into_owned()));
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn token(headers: &[(&'static str, &'static str)], query: &str, legacy: bool) -> Option<String> {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        ClientCredential::from_request(&headers.collect(), &JellyfinParams::parse(query), legacy).token
    }

    const ALL: &[(&str, &str)] = &[
        ("authorization", "MediaBrowser Client=\"c\", Token=\"first\""),
        ("x-emby-token", "second"),
        ("x-mediabrowser-token", "third"),
    ];

    #[test]
    fn precedence_runs_from_the_header_to_the_query() {
        let query = "api_key=fifth&ApiKey=fourth";
        assert_eq!(token(ALL, query, true).as_deref(), Some("first"));
        assert_eq!(token(&ALL[1..], query, true).as_deref(), Some("second"));
        assert_eq!(token(&ALL[2..], query, true).as_deref(), Some("third"));
        assert_eq!(token(&[], query, true).as_deref(), Some("fourth"));
        assert_eq!(token(&[], "api_key=fifth", true).as_deref(), Some("fifth"));
    }

    #[test]
    fn only_two_forms_are_left_without_the_legacy_ones() {
        assert_eq!(token(ALL, "", false).as_deref(), Some("first"));
        assert_eq!(token(&ALL[1..], "", false), None);
        assert_eq!(token(&[], "ApiKey=fourth", false).as_deref(), Some("fourth"));
        assert_eq!(token(&[], "api_key=fifth", false), None);
        assert_eq!(token(&[("authorization", "Emby Token=\"x\"")], "", false), None);
        assert_eq!(token(&[("x-emby-authorization", "MediaBrowser Token=\"x\"")], "", false), None);
    }

    #[test]
    fn the_legacy_authorization_header_wins_over_the_plain_one() {
        let both = [("authorization", "MediaBrowser Token=\"plain\""), ("x-emby-authorization", "Emby Token=legacy")];
        assert_eq!(token(&both, "", true).as_deref(), Some("legacy"));
    }

    #[test]
    fn foreign_schemes_and_lines_without_parts_carry_nothing() {
        assert_eq!(token(&[("authorization", "Bearer abc")], "", true), None);
        assert_eq!(token(&[("authorization", "MediaBrowser")], "", true), None);
    }

    #[test]
    fn quotes_hold_commas_and_values_are_decoded() {
        let line = r#"MediaBrowser Client="A, B", Device="caf%C3%A9", DeviceId="q\"q", Token=abc"#;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(line))]);
        let found = ClientCredential::from_request(&headers, &JellyfinParams::default(), true);
        assert_eq!(found.client.as_deref(), Some("A, B"));
        assert_eq!(found.device.as_deref(), Some("café"));
        assert_eq!(found.device_id.as_deref(), Some("q\"q"));
        assert_eq!(found.token.as_deref(), Some("abc"));
    }

    #[test]
    fn a_credential_never_prints_its_token() {
        let found = ClientCredential { token: Some("secret-token".into()), ..ClientCredential::default() };
        assert!(!format!("{found:?}").contains("secret-token"));
    }
}
