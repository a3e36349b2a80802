//! Classifies a request to a server: token, app and kind.

use std::sync::Arc;

use greenroom_cache::Key;
use greenroom_dialect::anonymous_access::AnonymousAccess;
use greenroom_dialect::classification::{Classification, Representation};
use greenroom_dialect::credential::Credential;
use greenroom_dialect::request::{RequestView, ServerKind};
use http::HeaderMap;
use http::header::ACCEPT;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::identity::Identity;
use crate::request::cached_headers::CachedHeaders;
use crate::request::classified_request::ClassifiedRequest;
use crate::request::last_seen_response::LastSeenResponse;
use crate::server::Server;
use greenroom_origin::client_apps;
use greenroom_origin::client_apps::ClientApp;

/// Classifies `ask`; memoised for heads seen lately.
pub fn classify(server: &Server, ask: &RequestView<'_>, now_ms: u64) -> Arc<ClassifiedRequest> {
    server.classifications.get_or_classify(ask, now_ms, || classify_uncached(server, ask, now_ms))
}

fn classify_uncached(server: &Server, ask: &RequestView<'_>, now_ms: u64) -> ClassifiedRequest {
    let credential = server.origin.settings.kind.credential(ask);
    let identity = server.identify(&credential);
    let app = server.apps.get_or_insert(&credential, ask.headers, identity.is_member(), now_ms);
    let called = app.needs_lookup().then(|| client_apps::name_of(&credential, ask.headers));
    build(server, ask, (credential, identity), (app, called))
}

/// Classifies an internal request with the configured token, counted for the app although it never sent that token.
/// `said` are the headers that name the app; without them it is Greenroom itself.
pub fn classify_internal(
    server: &Server,
    ask: &RequestView<'_>,
    credential: Credential,
    said: Option<&HeaderMap>,
) -> ClassifiedRequest {
    let identity = server.identify(&credential);
    let now_ms = server.origin.clock.now_ms();
    let Some(said) = said else {
        return build(server, ask, (credential, identity), (Arc::clone(&server.own_app), None));
    };
    let nobody = Credential::default();
    let app = server.apps.get_or_insert(&nobody, said, identity.is_member(), now_ms);
    let called = app.needs_lookup().then(|| client_apps::name_of(&nobody, said));
    build(server, ask, (credential, identity), (app, called))
}

fn build(
    server: &Server,
    ask: &RequestView<'_>,
    (credential, identity): (Credential, Arc<Identity>),
    (app, called): (Arc<ClientApp>, Option<String>),
) -> ClassifiedRequest {
    let kind = server.origin.settings.kind;
    let account = identity.account();
    let verdict = kind.classify(ask, account.as_deref());
    let key = match &verdict {
        Classification::Read(read) => Some(Key::new(server.name(), server.partition_of(&identity, read), &read.key)),
        _ => None,
    };
    let question = match &verdict {
        Classification::Read(read) => {
            let whose = server.partition_of(&identity, read).as_str();
            Some(xxh3_64_with_seed(read.key.as_bytes(), xxh3_64(whose.as_bytes())))
        }
        _ => None,
    };
    let open = kind.anonymous_access(ask);
    let has_token = credential.token.is_some();
    ClassifiedRequest {
        key,
        user: server.identities.user_of(&identity),
        request_hash: question,
        cached_headers: CachedHeaders::default(),
        last_seen_response: LastSeenResponse::default(),
        representation: representation_of(&verdict, ask.headers, kind),
        anonymous_access: if has_token { AnonymousAccess::Cacheable } else { open },
        needs_token: has_token && open == AnonymousAccess::Denied,
        identity,
        account,
        credential: Arc::new(credential),
        app,
        client_name: called,
        classification: verdict,
    }
}

/// The representation of the response that the client requests.
pub fn representation_of(verdict: &Classification, headers: &HeaderMap, kind: ServerKind) -> Representation {
    if let Classification::Read(read) = verdict {
        return read.representation;
    }
    let accepts_json =
        headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("json"));
    match kind {
        ServerKind::Jellyfin => Representation::Json,
        ServerKind::Plex if accepts_json => Representation::Json,
        ServerKind::Plex => Representation::Xml,
    }
}
