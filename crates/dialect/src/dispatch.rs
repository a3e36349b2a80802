//! Dispatch between the two dialects on the path of a request: each method calls the dialect of its server
//! kind.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::anonymous_access::AnonymousAccess;
use crate::classification::{Classification, Read, Representation};
use crate::credential::Credential;
use crate::path::RequestPath;
use crate::request::{BodyUse, RequestView, ServerKind};
use crate::response_facts::{ResponseFacts, UnusableResponse};
use crate::server_event::{PlaybackState, ServerEvent, SocketSubscription};
use crate::tag::TagInvalidation;
use crate::{jellyfin, plex};

impl ServerKind {
    /// Classifies a request. `own_user` is the user id the credential is proven to belong to, if known
    /// (Jellyfin: an explicit `userId` of one's own and an absent one then share a key).
    pub fn classify(self, request: &RequestView<'_>, own_user: Option<&str>) -> Classification {
        match self {
            Self::Plex => plex::classify(request),
            Self::Jellyfin => jellyfin::classify(request, own_user),
        }
    }

    /// Whether `classify` needs the first bytes of this write's body.
    pub fn body_use(self, request: &RequestView<'_>) -> BodyUse {
        match self {
            Self::Plex if plex::reads_body(request) => BodyUse::Read,
            Self::Plex => BodyUse::Unread,
            Self::Jellyfin => jellyfin::body_use(request),
        }
    }

    /// The credential of a request, searched in every place a client of this dialect may put a token.
    pub fn credential(self, request: &RequestView<'_>) -> Credential {
        match self {
            Self::Plex => plex::credential(request),
            Self::Jellyfin => jellyfin::credential(request),
        }
    }

    /// The headers that carry `credential` to the server. With `translate_legacy` the legacy forms of
    /// Jellyfin become `Authorization: MediaBrowser …`; without it, and for Plex, a header keeps its form.
    pub fn credential_headers(self, credential: &Credential, translate_legacy: bool) -> Vec<(HeaderName, HeaderValue)> {
        match self {
            Self::Plex => plex::credential_headers(credential),
            Self::Jellyfin => jellyfin::credential_headers(credential, translate_legacy),
        }
    }

    /// Whether a response with this status and these headers rejects the token itself. Jellyfin also answers 401, with a
    /// sentence as JSON, to a valid token whose user may not see a library or delete an item (`ItemsController`,
    /// `LibraryController`); to an invalid one without a body.
    pub fn rejects_token(self, status: StatusCode, headers: &HeaderMap) -> bool {
        let is_sentence = || {
            let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            self == Self::Jellyfin && content_type.is_some_and(|value| value.starts_with("application/json"))
        };
        match status.as_u16() {
            498 => true,
            401 => !is_sentence(),
            _ => false,
        }
    }

    /// Inspects the body of a 200 response to `read`. `Err` means: send it to the client but never cache it,
    /// and prefer an older cached response if there is one.
    pub fn inspect(self, read: &Read, headers: &HeaderMap, body: &Bytes) -> Result<ResponseFacts, UnusableResponse> {
        match self {
            Self::Plex => plex::inspect(read, headers, body),
            Self::Jellyfin => jellyfin::inspect(read, headers, body),
        }
    }

    /// Every kind of image that an item can have, in the server's spelling.
    pub fn image_kinds(self) -> &'static [&'static str] {
        match self {
            Self::Plex => plex::image_kinds(),
            Self::Jellyfin => jellyfin::image_kinds(),
        }
    }

    /// Parses a text frame of the server's notification socket (or the data of an event of its event stream).
    /// Foreign or unknown frames give no events.
    pub fn parse_frame(self, frame: &[u8]) -> Vec<ServerEvent> {
        match self {
            Self::Plex => plex::parse_frame(frame),
            Self::Jellyfin => jellyfin::parse_frame(frame),
        }
    }

    /// Parses a client's subscription frame; Plex has none, because its sockets send everything to every
    /// client.
    pub fn parse_subscription(self, frame: &[u8]) -> Option<SocketSubscription> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => jellyfin::parse_subscription(frame),
        }
    }

    /// Invalidations for a player's change to `state` on `item`.
    pub fn playback_invalidations(self, item: &str, state: PlaybackState) -> Vec<TagInvalidation> {
        match self {
            Self::Plex => plex::playback_invalidations(item, state),
            Self::Jellyfin => jellyfin::playback_invalidations(item, state),
        }
    }

    /// A small, valid error body in the representation the client asked for: content type and bytes.
    /// `message` must not contain anything the client sent.
    pub fn error_body(self, representation: Representation, status: u16, message: &str) -> (&'static str, Bytes) {
        match self {
            Self::Plex => plex::error_body(representation, status, message),
            Self::Jellyfin => jellyfin::error_body(representation, status, message),
        }
    }

    /// The response to a liveness check where the server's is constant: content type and body. Clients do not
    /// start without it.
    pub fn liveness_response(self, target: &str) -> Option<(&'static str, &'static [u8])> {
        match self {
            // Plex's response to it contains the server's identity.
            Self::Plex => None,
            Self::Jellyfin => jellyfin::liveness_response(target),
        }
    }

    /// The server's identity in the requested representation, converted from its response to a probe; for
    /// Plex only, which has two representations.
    pub fn identity_in_format(self, json: &Bytes, format: Representation) -> Option<(&'static str, Bytes)> {
        match self {
            Self::Plex => plex::identity_in_format(json, format),
            Self::Jellyfin => None,
        }
    }

    /// The target as sent to the server: unchanged, but for Plex without empty token parameters (a server
    /// that reads those first would see no token and may trust the gateway's address), and for Jellyfin with
    /// `translate_legacy` without the legacy token parameter, which then goes into a header.
    pub fn target_for_server(self, target: &str, translate_legacy: bool) -> Cow<'_, str> {
        match self {
            Self::Plex => plex::without_empty_tokens(target),
            Self::Jellyfin if translate_legacy => jellyfin::without_legacy_key(target),
            Self::Jellyfin => Cow::Borrowed(target),
        }
    }

    /// Whether the server grants this to any client in its own network, whatever its token. Behind a gateway
    /// all clients look local.
    pub fn is_local_network_only(self, request: &RequestView<'_>) -> bool {
        match self {
            Self::Plex => false,
            Self::Jellyfin => jellyfin::is_local_network_only(request.target),
        }
    }

    /// Whether the response depends on the address that the server takes for the client's. A load comes from the
    /// gateway's own, so where the server sees each client's address, such a read passes through.
    pub fn depends_on_client_address(self, read: &Read) -> bool {
        match self {
            Self::Plex => false,
            Self::Jellyfin => jellyfin::depends_on_client_address(read),
        }
    }

    /// Access of this request if it carries no token.
    pub fn anonymous_access(self, request: &RequestView<'_>) -> AnonymousAccess {
        let Ok(path) = RequestPath::split(request.target) else { return AnonymousAccess::Denied };
        if is_preflight(request) {
            return AnonymousAccess::PassThrough;
        }
        if path.is_ambiguous {
            return AnonymousAccess::Denied;
        }
        match self {
            Self::Plex => plex::anonymous_access(request.method, &path.parts()),
            Self::Jellyfin => jellyfin::anonymous_access(request.method, request.target),
        }
    }
}

/// A CORS preflight request; it never carries a token.
fn is_preflight(request: &RequestView<'_>) -> bool {
    request.method == Method::OPTIONS && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, CONTENT_LENGTH, RANGE, UPGRADE};
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::classification::{Classification, RejectionReason, StreamReason};

    fn open(kind: ServerKind, method: &Method, target: &str) -> AnonymousAccess {
        kind.anonymous_access(&RequestView { method, target, headers: &HeaderMap::new(), body: &[] })
    }

    #[test]
    fn plex_publishes_only_its_identity() {
        for (target, wanted) in [
            ("/identity", AnonymousAccess::Cacheable),
            ("/identity/", AnonymousAccess::Cacheable),
            ("/web/index.html", AnonymousAccess::PassThrough),
            ("/", AnonymousAccess::Denied),
            ("/library/sections", AnonymousAccess::Denied),
            ("/library/metadata/1/thumb/2", AnonymousAccess::Denied),
            ("/:/prefs", AnonymousAccess::Denied),
            ("/webhooks", AnonymousAccess::Denied),
            ("//identity", AnonymousAccess::Denied),
            ("/web/..%2flibrary", AnonymousAccess::Denied),
            ("/web/%2e%2e/library", AnonymousAccess::Denied),
        ] {
            assert_eq!(open(ServerKind::Plex, &Method::GET, target), wanted, "{target}");
        }
        assert_eq!(open(ServerKind::Plex, &Method::POST, "/identity"), AnonymousAccess::Denied);
    }

    #[test]
    fn jellyfin_lets_clients_find_it_and_log_in() {
        for (target, wanted) in [
            ("/System/Info/Public", AnonymousAccess::Cacheable),
            ("/emby/system/info/public", AnonymousAccess::Cacheable),
            ("/Items/1/Images/Primary", AnonymousAccess::Cacheable),
            ("/Users/1/Images/Primary", AnonymousAccess::Cacheable),
            ("/UserImage?userId=1", AnonymousAccess::Cacheable),
            ("/Persons/X/Images/Primary/0", AnonymousAccess::Cacheable),
            ("/System/Ping", AnonymousAccess::PassThrough),
            ("/Branding/Configuration", AnonymousAccess::PassThrough),
            ("/Branding/Splashscreen", AnonymousAccess::PassThrough),
            ("/Localization/Options", AnonymousAccess::PassThrough),
            ("/QuickConnect/Enabled", AnonymousAccess::Cacheable),
            ("/QuickConnect/Connect?secret=x", AnonymousAccess::PassThrough),
            ("/QuickConnect/Authorize?code=x", AnonymousAccess::Denied),
            ("/Users/Public", AnonymousAccess::PassThrough),
            ("/web/index.html", AnonymousAccess::PassThrough),
            ("/", AnonymousAccess::PassThrough),
            ("/System/Info", AnonymousAccess::Denied),
            ("/Items/1/Images", AnonymousAccess::Denied),
            ("/Items/1/RemoteImages", AnonymousAccess::Denied),
            ("/Items", AnonymousAccess::Denied),
            ("/Users", AnonymousAccess::Denied),
            ("/Startup/User", AnonymousAccess::Denied),
            ("/GetUtcTime", AnonymousAccess::PassThrough),
            ("/Videos/1/2/Attachments/3", AnonymousAccess::PassThrough),
            ("/Plugins/1/10.11.0.0/Image", AnonymousAccess::PassThrough),
            ("/Videos/1/stream", AnonymousAccess::BehindKnownProxy),
            ("/emby/Videos/1/stream.mkv?static=true", AnonymousAccess::BehindKnownProxy),
            ("/Audio/1/stream.mp3", AnonymousAccess::BehindKnownProxy),
            ("/Videos/1/2/Subtitles/0/Stream.vtt", AnonymousAccess::BehindKnownProxy),
            ("/Videos/1/2/Subtitles/0/0/Stream.vtt", AnonymousAccess::BehindKnownProxy),
            ("/Videos/1/streams", AnonymousAccess::Denied),
            ("/Videos/1/2/Attachments", AnonymousAccess::Denied),
            ("/Videos/1/2/Attachments/3/4", AnonymousAccess::Denied),
            ("/Videos/1/AdditionalParts", AnonymousAccess::Denied),
            ("/Videos/1/master.m3u8", AnonymousAccess::Denied),
            ("/Videos/1/2/Subtitles/0/subtitles.m3u8", AnonymousAccess::Denied),
            ("/Audio/1/universal", AnonymousAccess::Denied),
            ("/Plugins", AnonymousAccess::Denied),
            ("/Plugins/1/Configuration", AnonymousAccess::Denied),
            ("/socket", AnonymousAccess::Denied),
            ("/web;/../Items", AnonymousAccess::Denied),
        ] {
            assert_eq!(open(ServerKind::Jellyfin, &Method::GET, target), wanted, "{target}");
        }
        for (target, wanted) in [
            ("/Users/AuthenticateByName", AnonymousAccess::PassThrough),
            ("/users/authenticatewithquickconnect", AnonymousAccess::PassThrough),
            ("/QuickConnect/Initiate", AnonymousAccess::PassThrough),
            ("/System/Ping", AnonymousAccess::PassThrough),
            ("/QuickConnect/Authorize", AnonymousAccess::Denied),
            ("/Items/1/Images/Primary", AnonymousAccess::Denied),
            ("/Branding/Splashscreen", AnonymousAccess::Denied),
            ("/Users/New", AnonymousAccess::Denied),
        ] {
            assert_eq!(open(ServerKind::Jellyfin, &Method::POST, target), wanted, "{target}");
        }
    }

    #[test]
    fn a_stream_needs_no_token_only_where_the_server_sees_the_client() {
        let stream = open(ServerKind::Jellyfin, &Method::GET, "/Videos/1/stream");
        assert_eq!(stream.where_client_is_seen(true), AnonymousAccess::PassThrough);
        assert_eq!(stream.where_client_is_seen(false), AnonymousAccess::Denied);
        for access in [AnonymousAccess::Denied, AnonymousAccess::PassThrough, AnonymousAccess::Cacheable] {
            assert_eq!((access.where_client_is_seen(true), access.where_client_is_seen(false)), (access, access));
        }
        assert_eq!(open(ServerKind::Jellyfin, &Method::POST, "/Videos/1/stream"), AnonymousAccess::Denied);
        assert_eq!(open(ServerKind::Jellyfin, &Method::DELETE, "/Videos/1/2/Attachments/3"), AnonymousAccess::Denied);
    }

    /// For a preflight request on any path, classification alone decides.
    #[test]
    fn a_preflight_passes_or_is_rejected() {
        let mut plain = HeaderMap::new();
        plain.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        let mut with_identity_headers = plain.clone();
        for (name, value) in
            [(UPGRADE, "websocket"), (RANGE, "bytes=0-1"), (ACCEPT, "text/event-stream"), (CONTENT_LENGTH, "5")]
        {
            with_identity_headers.insert(name, HeaderValue::from_static(value));
        }
        let moment = Classification::Stream(StreamReason::Moment);
        let refused = |refusal| Classification::Refuse(refusal);
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
            ("/Items/../System", &refused(RejectionReason::BadPath)),
            ("/library/%2e%2e/x", &refused(RejectionReason::BadPath)),
            ("/a%00", &refused(RejectionReason::BadPath)),
            ("/a%zz", &refused(RejectionReason::BadPath)),
            ("no-slash", &refused(RejectionReason::BadPath)),
            ("*", &refused(RejectionReason::BadPath)),
        ] {
            for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
                for headers in [&plain, &with_identity_headers] {
                    let request = RequestView { method: &Method::OPTIONS, target, headers, body: b"x=1" };
                    assert_eq!(&kind.classify(&request, None), wanted, "{kind:?} {target}");
                    let open = if *wanted == moment { AnonymousAccess::PassThrough } else { AnonymousAccess::Denied };
                    assert_eq!(kind.anonymous_access(&request), open, "{kind:?} {target}");
                }
            }
        }
        for (kind, target) in [(ServerKind::Plex, "/myplex/claim"), (ServerKind::Jellyfin, "/Startup/User")] {
            let request = RequestView { method: &Method::OPTIONS, target, headers: &plain, body: &[] };
            assert_eq!(kind.classify(&request, None), refused(RejectionReason::Setup), "{target}");
        }
    }

    #[test]
    fn a_preflight_request_passes_through() {
        let mut headers = HeaderMap::new();
        let method = Method::OPTIONS;
        let open = |headers: &HeaderMap| {
            ServerKind::Plex.anonymous_access(&RequestView { method: &method, target: "/library", headers, body: &[] })
        };
        assert_eq!(open(&headers), AnonymousAccess::Denied);
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("GET"));
        assert_eq!(open(&headers), AnonymousAccess::PassThrough);
    }
}
