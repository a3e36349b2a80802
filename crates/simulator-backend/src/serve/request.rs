//! A request as passed to a dialect.

use std::borrow::Cow;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method};
use hyper::upgrade::OnUpgrade;
use percent_encoding::percent_decode_str;

use crate::users::UserRegistry;

/// A request with its body.
#[derive(Debug)]
pub struct SimulatedRequest {
    /// The method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query as sent, without its question mark.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Address of the sender.
    pub peer: SocketAddr,
    /// Whether to answer as a server that has not loaded its library yet.
    pub starting: bool,
    pub(crate) upgrade: Option<OnUpgrade>,
}

impl SimulatedRequest {
    pub(crate) fn new(parts: http::request::Parts, body: Bytes, upgrade: Option<OnUpgrade>, peer: SocketAddr) -> Self {
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or("").to_owned(),
            headers: parts.headers,
            body,
            peer,
            starting: false,
            upgrade,
        }
    }

    /// The value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The pairs of the query, in order, decoded. A pair is split at its first `=`.
    pub fn pairs(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// The first value of a query parameter, whatever the case of its name.
    pub fn param(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }

    /// Number of requested rows of a list; 0 for other requests, or if not given.
    pub fn requested_rows(&self) -> u32 {
        let wanted = self.header("x-plex-container-size").map(str::to_owned);
        let wanted = wanted.or_else(|| self.param("x-plex-container-size")).or_else(|| self.param("limit"));
        wanted.and_then(|rows| rows.trim().parse().ok()).unwrap_or(0)
    }

    /// Path and query without tokens.
    pub fn target_without_tokens(&self, users: &UserRegistry) -> String {
        let mut target = self.path.clone();
        let pairs: Vec<&str> = self.query.split('&').filter(|pair| !pair.is_empty() && !is_token(pair)).collect();
        if !pairs.is_empty() {
            target.push('?');
            target.push_str(&pairs.join("&"));
        }
        for token in &users.tokens {
            if target.contains(&token.secret) {
                target = target.replace(&token.secret, "…");
            }
        }
        target
    }
}

fn is_token(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or("").to_ascii_lowercase();
    matches!(name.as_str(), "x-plex-token" | "api_key" | "apikey")
}

/// Percent-decodes a part of a path.
pub fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(uri: &str) -> SimulatedRequest {
        let request = http::Request::builder().uri(uri).body(()).expect("a request");
        SimulatedRequest::new(request.into_parts().0, Bytes::new(), None, SocketAddr::from(([127, 0, 0, 1], 1)))
    }

    #[test]
    fn tokens_are_taken_out_wherever_they_stand() {
        let users = UserRegistry::standard("plx");
        let target =
            asked("/photo?url=%2Fa%3FX-Plex-Token=plx-sam&X-Plex-Token=other&width=3").target_without_tokens(&users);
        assert_eq!(target, "/photo?url=%2Fa%3FX-Plex-Token=…&width=3");
    }

    #[test]
    fn a_parameter_is_found_in_any_case() {
        assert_eq!(asked("/x?StartIndex=5").param("startIndex").as_deref(), Some("5"));
    }
}
