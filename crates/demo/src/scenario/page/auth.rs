//! Access to the demo's page, as a pure decision. The page is for a browser on this machine; requests that use the
//! outage switch must come from the page itself, which holds a token that no page of another origin can read.

use std::fmt;

use http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use http::{Method, StatusCode};
use subtle::ConstantTimeEq;

/// The header in which the page sends its token.
const SHOWN_IN: HeaderName = HeaderName::from_static("x-demo-token");
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const TOKEN_BYTES: usize = 16;

/// Accepted host names, and the page's token.
#[derive(Clone)]
pub(super) struct PageToken {
    hosts: [String; 2],
    token: String,
}

/// Result of the access check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageAccessDecision {
    Allow,
    /// The `Host` is not ours: a name that foreign DNS points here, or none.
    Misdirected,
    /// The request comes from another page.
    ForeignPage,
    /// The page's token is missing or wrong: perhaps the page is that of an earlier demo.
    TokenWrong,
}

impl fmt::Debug for PageToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pass").field("hosts", &self.hosts).field("token", &"…").finish()
    }
}

impl PageToken {
    /// A new token for the page on this port.
    pub(super) fn new(port: u16) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes)?;
        let token = format!("{:032x}", u128::from_be_bytes(bytes));
        Ok(Self { hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}")], token })
    }

    /// The token, to be embedded in the page.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Access to paths that check everything else themselves: only the `Host` is checked.
    pub(super) fn decide_host(&self, headers: &HeaderMap) -> PageAccessDecision {
        if self.own_host(headers).is_some() { PageAccessDecision::Allow } else { PageAccessDecision::Misdirected }
    }

    fn own_host<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        only(headers, &HOST).filter(|host| self.hosts.iter().any(|ours| ours == host))
    }

    /// Access to the demo's own paths.
    pub(super) fn decide(&self, method: &Method, headers: &HeaderMap) -> PageAccessDecision {
        let Some(host) = self.own_host(headers) else { return PageAccessDecision::Misdirected };
        let reads = method == Method::GET || method == Method::HEAD;
        // Following a link from another site to the page is allowed; other requests from another site are not.
        let follows_a_link = reads && only(headers, &MODE) == Some("navigate");
        let is_own_site = match only(headers, &SITE) {
            None => !headers.contains_key(SITE),
            Some(site) => matches!(site, "same-origin" | "none") || follows_a_link,
        };
        let is_own_origin = match only(headers, &ORIGIN) {
            None => !headers.contains_key(ORIGIN),
            Some(origin) => origin.strip_prefix("http://") == Some(host),
        };
        if !is_own_site || !is_own_origin {
            return PageAccessDecision::ForeignPage;
        }
        let shows_the_token =
            only(headers, &SHOWN_IN).is_some_and(|shown| shown.as_bytes().ct_eq(self.token.as_bytes()).into());
        if reads || shows_the_token { PageAccessDecision::Allow } else { PageAccessDecision::TokenWrong }
    }
}

impl PageAccessDecision {
    /// The response to a rejected request; `None` if it is allowed.
    pub(super) fn refusal(self) -> Option<(StatusCode, &'static str)> {
        match self {
            Self::Allow => None,
            Self::Misdirected => {
                Some((StatusCode::MISDIRECTED_REQUEST, "The demo's page answers to 127.0.0.1 and localhost."))
            }
            Self::ForeignPage => Some((StatusCode::FORBIDDEN, "Only the demo's own page may do this.")),
            Self::TokenWrong => {
                Some((StatusCode::FORBIDDEN, "This is not the page of the demo that runs now: load it again."))
            }
        }
    }
}

/// The value of a header that occurs exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut said = headers.get_all(name).iter();
    match (said.next(), said.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn judge(method: &Method, said: &[(&'static str, &str)]) -> PageAccessDecision {
        let mut pass = PageToken::new(4711).expect("there is chance");
        pass.token = "secret".into();
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
        }
        pass.decide(method, &headers)
    }

    const HERE: (&str, &str) = ("host", "127.0.0.1:4711");
    const OURS: (&str, &str) = ("origin", "http://127.0.0.1:4711");
    const TOKEN: (&str, &str) = ("x-demo-token", "secret");

    #[test]
    fn whoever_calls_us_by_another_name_is_refused() {
        for host in ["evil.example:4711", "127.0.0.1", "127.0.0.1:4712", "192.168.1.2:4711", "localhost.:4711"] {
            assert_eq!(judge(&Method::GET, &[("host", host)]), PageAccessDecision::Misdirected, "{host}");
        }
        assert_eq!(judge(&Method::GET, &[]), PageAccessDecision::Misdirected);
        assert_eq!(judge(&Method::GET, &[HERE, HERE]), PageAccessDecision::Misdirected);
        for host in ["127.0.0.1:4711", "localhost:4711"] {
            assert_eq!(judge(&Method::GET, &[("host", host)]), PageAccessDecision::Allow, "{host}");
        }
    }

    #[test]
    fn the_page_itself_moves_the_plug() {
        let own = [HERE, OURS, TOKEN, ("sec-fetch-site", "same-origin")];
        assert_eq!(judge(&Method::POST, &own), PageAccessDecision::Allow);
    }

    #[test]
    fn no_other_page_does_even_with_the_token() {
        for foreign in [
            ("origin", "http://127.0.0.1:8710"),
            ("origin", "http://localhost:4711"),
            ("origin", "https://127.0.0.1:4711"),
            ("origin", "null"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-origin, cross-site"),
        ] {
            assert_eq!(judge(&Method::POST, &[HERE, TOKEN, foreign]), PageAccessDecision::ForeignPage, "{foreign:?}");
            assert_eq!(judge(&Method::GET, &[HERE, foreign]), PageAccessDecision::ForeignPage, "{foreign:?}");
        }
        let twice = [HERE, TOKEN, OURS, ("origin", "http://evil.example")];
        assert_eq!(judge(&Method::POST, &twice), PageAccessDecision::ForeignPage);
    }

    #[test]
    fn a_link_leads_to_the_page_and_moves_nothing() {
        let link = [HERE, TOKEN, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        assert_eq!(judge(&Method::GET, &link), PageAccessDecision::Allow);
        assert_eq!(judge(&Method::POST, &link), PageAccessDecision::ForeignPage);
    }

    #[test]
    fn the_plug_is_not_moved_without_the_pages_token() {
        for shown in [None, Some("secre"), Some("secret2"), Some("")] {
            let mut said = vec![HERE, OURS];
            said.extend(shown.map(|shown| ("x-demo-token", shown)));
            assert_eq!(judge(&Method::POST, &said), PageAccessDecision::TokenWrong, "{shown:?}");
        }
    }

    #[test]
    fn the_token_is_never_printed() {
        let pass = PageToken::new(1).expect("there is chance");
        assert_eq!(pass.token().len(), 32);
        assert!(!format!("{pass:?}").contains(pass.token()));
    }
}
