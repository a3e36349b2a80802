//! The one place where the two dialects part ways on the path of a request: each question is answered by the dialect
//! of its server.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::ACCESS_CONTROL_REQUEST_METHOD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::ask::{Ask, BodyUse, Kind};
use crate::credential::Credential;
use crate::facts::{Facts, Unfit};
use crate::open::Open;
use crate::path::Path;
use crate::signal::{Playing, Signal, Subscription};
use crate::tag::Staling;
use crate::verdict::{Read, Representation, Verdict};
use crate::{jellyfin, plex};

impl Kind {
    /// What this request is. `own_user` is the user id the credential is proven to belong to, if that is known
    /// (Jellyfin: an explicit `userId` of one's own and an absent one meet in one key).
    pub fn classify(self, ask: &Ask<'_>, own_user: Option<&str>) -> Verdict {
        match self {
            Self::Plex => plex::classify(ask),
            Self::Jellyfin => jellyfin::classify(ask, own_user),
        }
    }

    /// Whether `classify` has to see the first bytes of this write's body.
    pub fn body_use(self, ask: &Ask<'_>) -> BodyUse {
        let is_read = match self {
            Self::Plex => plex::reads_body(ask),
            Self::Jellyfin => jellyfin::reads_body(ask),
        };
        if is_read { BodyUse::Read } else { BodyUse::Unread }
    }

    /// Who asks. Looks in every place a client of this dialect may put a token.
    pub fn credential(self, ask: &Ask<'_>) -> Credential {
        match self {
            Self::Plex => plex::credential(ask),
            Self::Jellyfin => jellyfin::credential(ask),
        }
    }

    /// The headers that carry `credential` to the server. With `translate_legacy` the legacy forms of Jellyfin
    /// become `Authorization: MediaBrowser …`; without it, and for Plex, it is sent in the form it came in where
    /// that is a header.
    pub fn credential_headers(
        self,
        credential: &Credential,
        translate_legacy: bool,
    ) -> Vec<(HeaderName, HeaderValue)> {
        match self {
            Self::Plex => plex::credential_headers(credential),
            Self::Jellyfin => jellyfin::credential_headers(credential, translate_legacy),
        }
    }

    /// Reads the body of a 200 answer to `read`. `Err` means: hand it to the client, but never keep it, and if an
    /// older answer is kept, prefer that.
    pub fn inspect(self, read: &Read, headers: &HeaderMap, body: &Bytes) -> Result<Facts, Unfit> {
        match self {
            Self::Plex => plex::inspect(read, headers, body),
            Self::Jellyfin => jellyfin::inspect(read, headers, body),
        }
    }

    /// What a text frame of the server's notification socket (or the data of an event of its event stream) says.
    /// Foreign or unknown frames say nothing.
    pub fn frame(self, frame: &[u8]) -> Vec<Signal> {
        match self {
            Self::Plex => plex::frame(frame),
            Self::Jellyfin => jellyfin::frame(frame),
        }
    }

    /// What a client's text frame subscribes to; Plex's sockets tell everybody everything.
    pub fn subscription(self, frame: &[u8]) -> Option<Subscription> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => jellyfin::subscription(frame),
        }
    }

    /// What a player's change to `state` on `item` makes stale.
    pub fn playing(self, item: &str, state: Playing) -> Vec<Staling> {
        match self {
            Self::Plex => plex::playing(item, state),
            Self::Jellyfin => jellyfin::playing(item, state),
        }
    }

    /// A small, valid error body in the representation the client asked for: content type and bytes.
    /// `message` must not contain anything the client sent.
    pub fn error_body(
        self,
        representation: Representation,
        status: u16,
        message: &str,
    ) -> (&'static str, Bytes) {
        match self {
            Self::Plex => plex::error_body(representation, status, message),
            Self::Jellyfin => jellyfin::error_body(representation, status, message),
        }
    }

    /// What the server answers a client that only asks whether it is there, where that is always the same: content
    /// type and body. Clients do not begin without it.
    pub fn sign_of_life(self, target: &str) -> Option<(&'static str, &'static [u8])> {
        match self {
            // Plex's says who the server is.
            Self::Plex => None,
            Self::Jellyfin => jellyfin::sign_of_life(target),
        }
    }

    /// Who the server is, in the representation asked for, out of what it said to a probe; for Plex only, which has
    /// two.
    pub fn introduction_in_form(self, said: &Bytes, form: Representation) -> Option<(&'static str, Bytes)> {
        match self {
            Self::Plex => plex::introduction(said, form),
            Self::Jellyfin => None,
        }
    }

    /// The target as the server gets it: as it came, but for Plex without token parameters that are empty (a server
    /// that looks there first would take them for no token at all, and may trust who has none), and for Jellyfin with
    /// `translate_legacy` without the old form of a token, which travels in a header then.
    pub fn target_for_server(self, target: &str, translate_legacy: bool) -> Cow<'_, str> {
        match self {
            Self::Plex => plex::without_empty_tokens(target),
            Self::Jellyfin if translate_legacy => jellyfin::without_legacy_key(target),
            Self::Jellyfin => Cow::Borrowed(target),
        }
    }

    /// Whether the server grants this to whoever is in its own network, whatever token they show. Behind a gateway
    /// everybody looks as if they were.
    pub fn is_only_for_neighbours(self, ask: &Ask<'_>) -> bool {
        match self {
            Self::Plex => false,
            Self::Jellyfin => jellyfin::is_only_for_neighbours(ask.target),
        }
    }

    /// What this request may do if it carries no token.
    pub fn open_without_token(self, ask: &Ask<'_>) -> Open {
        let Ok(path) = Path::split(ask.target) else { return Open::No };
        if is_preflight(ask) {
            return Open::Pass;
        }
        if path.odd {
            return Open::No;
        }
        match self {
            Self::Plex => plex::open(ask.method, &path.parts()),
            Self::Jellyfin => jellyfin::open(ask.method, ask.target),
        }
    }
}

/// A browser asks in advance whether it may ask; that question never carries a token.
fn is_preflight(ask: &Ask<'_>) -> bool {
    ask.method == Method::OPTIONS && ask.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, CONTENT_LENGTH, RANGE, UPGRADE};
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::verdict::{Refusal, StreamReason, Verdict};

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

    /// Whatever path a browser asks about in advance, classification alone says what to do with the question.
    #[test]
    fn a_question_in_advance_is_a_moment_or_refused() {
        let mut plain = HeaderMap::new();
        plain.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        let mut dressed = plain.clone();
        for (name, value) in [
            (UPGRADE, "websocket"),
            (RANGE, "bytes=0-1"),
            (ACCEPT, "text/event-stream"),
            (CONTENT_LENGTH, "5"),
        ] {
            dressed.insert(name, HeaderValue::from_static(value));
        }
        let moment = Verdict::Stream(StreamReason::Moment);
        let refused = |refusal| Verdict::Refuse(refusal);
        for (target, wanted) in [
            ("/", &moment),
            ("/library/sections", &moment),
            ("/:/scrobble?key=1", &moment),
            ("/:/websockets/notifications", &moment),
            ("/library/parts/1/2/file.mkv", &moment),
            ("/Items?ids=1&ids=2", &moment),
            ("/UserPlayedItems/1", &moment),
            ("/socket", &moment),
            ("/Videos/1/stream", &moment),
            ("/Users/AuthenticateByName", &moment),
            ("/anything?X-Plex-Token=a&X-Plex-Token=b&api_key=c", &moment),
            ("//library;a/sections", &moment),
            ("/Items/../System", &refused(Refusal::BadPath)),
            ("/library/%2e%2e/x", &refused(Refusal::BadPath)),
            ("/a%00", &refused(Refusal::BadPath)),
            ("/a%zz", &refused(Refusal::BadPath)),
            ("no-slash", &refused(Refusal::BadPath)),
            ("*", &refused(Refusal::BadPath)),
        ] {
            for kind in [Kind::Plex, Kind::Jellyfin] {
                for headers in [&plain, &dressed] {
                    let ask = Ask { method: &Method::OPTIONS, target, headers, body: b"x=1" };
                    assert_eq!(&kind.classify(&ask, None), wanted, "{kind:?} {target}");
                    let open = if *wanted == moment { Open::Pass } else { Open::No };
                    assert_eq!(kind.open_without_token(&ask), open, "{kind:?} {target}");
                }
            }
        }
        for (kind, target) in [(Kind::Plex, "/myplex/claim"), (Kind::Jellyfin, "/Startup/User")] {
            let ask = Ask { method: &Method::OPTIONS, target, headers: &plain, body: &[] };
            assert_eq!(kind.classify(&ask, None), refused(Refusal::Setup), "{target}");
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
