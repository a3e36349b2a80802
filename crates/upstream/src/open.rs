//! What passes without a token: a closed list per dialect. Everything else needs one, whatever the server itself
//! would say: behind a gateway every client looks local to it.

use http::Method;
use http::header::ACCESS_CONTROL_REQUEST_METHOD;

use crate::ask::{Ask, Kind};
use crate::jellyfin;
use crate::path::Path;

/// What a request without a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Open {
    /// Nothing: it needs a token.
    No,
    /// It is forwarded; its answer is never kept.
    Pass,
    /// It is forwarded, and its answer may be kept among those without an identity: public information, images.
    Keep,
}

impl Kind {
    /// What this request may do if it carries no token.
    pub fn open_without_token(self, ask: &Ask<'_>) -> Open {
        if is_preflight(ask) {
            return Open::Pass;
        }
        let Ok(path) = Path::split(ask.target) else { return Open::No };
        if path.odd {
            return Open::No;
        }
        match self {
            Self::Plex => plex(ask.method, &path.parts()),
            Self::Jellyfin => jellyfin::open(ask.method, ask.target),
        }
    }
}

/// A browser asks in advance whether it may ask; that question never carries a token.
fn is_preflight(ask: &Ask<'_>) -> bool {
    ask.method == Method::OPTIONS && ask.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn plex(method: &Method, parts: &[&str]) -> Open {
    if method != Method::GET && method != Method::HEAD {
        return Open::No;
    }
    match parts {
        ["identity"] => Open::Keep,
        ["web", ..] => Open::Pass,
        _ => Open::No,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn open(kind: Kind, method: &Method, target: &str) -> Open {
        kind.open_without_token(&Ask { method, target, headers: &HeaderMap::new(), body: &[] })
    }

    #[test]
    fn plex_tells_only_who_it_is() {
        for (target, wanted) in [
            ("/identity", Open::Keep),
            ("/identity/", Open::Keep),
            ("/web/index.html", Open::Pass),
            ("/", Open::No),
            ("/library/sections", Open::No),
            ("/library/metadata/1/thumb/2", Open::No),
            ("/:/prefs", Open::No),
            ("/webhooks", Open::No),
            ("//identity", Open::No),
            ("/web/..%2flibrary", Open::No),
            ("/web/%2e%2e/library", Open::No),
        ] {
            assert_eq!(open(Kind::Plex, &Method::GET, target), wanted, "{target}");
        }
        assert_eq!(open(Kind::Plex, &Method::POST, "/identity"), Open::No);
    }

    #[test]
    fn jellyfin_lets_clients_find_it_and_log_in() {
        for (target, wanted) in [
            ("/System/Info/Public", Open::Keep),
            ("/emby/system/info/public", Open::Keep),
            ("/Items/1/Images/Primary", Open::Keep),
            ("/Users/1/Images/Primary", Open::Keep),
            ("/UserImage?userId=1", Open::Keep),
            ("/Persons/X/Images/Primary/0", Open::Keep),
            ("/System/Ping", Open::Pass),
            ("/Branding/Configuration", Open::Pass),
            ("/Branding/Splashscreen", Open::Pass),
            ("/Localization/Options", Open::Pass),
            ("/QuickConnect/Enabled", Open::Pass),
            ("/QuickConnect/Connect?secret=x", Open::Pass),
            ("/QuickConnect/Authorize?code=x", Open::No),
            ("/Users/Public", Open::Pass),
            ("/web/index.html", Open::Pass),
            ("/", Open::Pass),
            ("/System/Info", Open::No),
            ("/Items/1/Images", Open::No),
            ("/Items/1/RemoteImages", Open::No),
            ("/Items", Open::No),
            ("/Users", Open::No),
            ("/Startup/User", Open::No),
            ("/Videos/1/stream", Open::No),
            ("/socket", Open::No),
            ("/web;/../Items", Open::No),
        ] {
            assert_eq!(open(Kind::Jellyfin, &Method::GET, target), wanted, "{target}");
        }
        for (target, wanted) in [
            ("/Users/AuthenticateByName", Open::Pass),
            ("/users/authenticatewithquickconnect", Open::Pass),
            ("/QuickConnect/Initiate", Open::Pass),
            ("/System/Ping", Open::Pass),
            ("/QuickConnect/Authorize", Open::No),
            ("/Items/1/Images/Primary", Open::No),
            ("/Branding/Splashscreen", Open::No),
            ("/Users/New", Open::No),
        ] {
            assert_eq!(open(Kind::Jellyfin, &Method::POST, target), wanted, "{target}");
        }
    }

    #[test]
    fn a_browsers_question_in_advance_passes() {
        let mut headers = HeaderMap::new();
        let method = Method::OPTIONS;
        let open = |headers: &HeaderMap| {
            Kind::Plex.open_without_token(&Ask { method: &method, target: "/library", headers, body: &[] })
        };
        assert_eq!(open(&headers), Open::No);
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("GET"));
        assert_eq!(open(&headers), Open::Pass);
    }
}
