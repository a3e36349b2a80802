//! URL of an external service: endpoint, and path and query, which may contain a token and are never shown.

use greenroom_dialect::credential::Secret;
use http::Uri;

use super::Endpoint;

/// URL of an external service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetUrl {
    /// Scheme, name and port.
    pub endpoint: Endpoint,
    /// Path and query.
    pub target: Secret,
}

impl TargetUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// The problem, without any part of the URL.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.trim().parse().map_err(|_| "it is no address")?;
        let authority = uri.authority().ok_or("it must begin with https:// or http://")?;
        if authority.as_str().contains('@') {
            return Err("a name and a password do not belong in it; say token instead");
        }
        let scheme = uri.scheme_str().unwrap_or_default();
        let place = Endpoint::parse(&format!("{scheme}://{authority}"));
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let place = place.ok_or("it must begin with https:// or http://")?;
        Ok(Self { endpoint: place, target: Secret::new(target) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_split_and_its_path_is_never_shown() {
        let address = TargetUrl::parse("https://chat.example/api/webhooks/1/TOKEN?wait=true").expect("an address");
        assert_eq!(address.endpoint.url(), "https://chat.example");
        assert_eq!(address.target.expose(), "/api/webhooks/1/TOKEN?wait=true");
        assert!(!format!("{address:?}").contains("TOKEN"));
        assert_eq!(TargetUrl::parse("http://10.0.0.2:8080").expect("an address").target.expose(), "/");
    }

    #[test]
    fn what_is_no_address_is_said_without_repeating_it() {
        for text in ["", "nowhere", "ftp://SECRET/x", "https://user:SECRET@host/x", "https://ho st/SECRET"] {
            let why = TargetUrl::parse(text).expect_err(text);
            assert!(!why.contains("SECRET"), "{why}");
        }
    }
}
