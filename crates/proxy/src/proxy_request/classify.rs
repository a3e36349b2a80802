//! Classifies a request to a server: token, app and kind.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use greenroom_cache::Key;
use greenroom_dialect::anonymous_access::AnonymousAccess;
use greenroom_dialect::classification::{Classification, Representation, StreamReason};
use greenroom_dialect::credential::Credential;
use greenroom_dialect::request::{RequestView, ServerKind};
use http::HeaderMap;
use http::header::ACCEPT;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::identity::Identity;
use crate::request::cached_headers::CachedHeaders;
use crate::request::classified_request::ClassifiedRequest;
use crate::request::last_seen_response::LastSeenResponse;
use crate::request::raw_heads;
use crate::server::Server;
use greenroom_origin::client_apps::ClientApp;
use greenroom_origin::client_name::client_name;

/// Name under which Greenroom's own tools send requests.
const OWN_NAME: &str = "Greenroom";

/// Classifies `view`; memoised for heads seen lately.
pub fn classify(server: &Server, view: &RequestView<'_>, now_ms: Timestamp) -> Arc<ClassifiedRequest> {
    server.classifications.get_or_classify(view, now_ms, || classify_uncached(server, view, now_ms))
}

fn classify_uncached(server: &Server, view: &RequestView<'_>, now_ms: Timestamp) -> ClassifiedRequest {
    let credential = server.origin.settings.kind.credential(view);
    let identity = server.identify(&credential);
    if let (ServerKind::Jellyfin, Some(device)) = (server.origin.settings.kind, &credential.device_id) {
        server.feed.sessions.record_device(device, &identity);
    }
    let name = client_name(&credential, view.headers, |word| server.is_token(word));
    let app = if is_own_tool(server, &name, &identity) {
        (Arc::clone(&server.own_app), None)
    } else {
        app_of(server, name, &identity, now_ms)
    };
    build(server, view, (credential, identity), app)
}

/// Whether a request comes from Greenroom's own tools, such as `doctor --compare`: they name themselves and show the
/// configured token, which no app needs to have.
fn is_own_tool(server: &Server, name: &str, identity: &Arc<Identity>) -> bool {
    name == OWN_NAME && server.origin.own_credential().is_some_and(|own| Arc::ptr_eq(&server.identify(&own), identity))
}

/// Classifies an internal request with the configured token, counted for the app although it never sent that token.
/// `app_headers` are the headers that name the app; without them it is Greenroom itself.
pub fn classify_internal(
    server: &Server,
    view: &RequestView<'_>,
    credential: Credential,
    app_headers: Option<&HeaderMap>,
) -> ClassifiedRequest {
    let identity = server.identify(&credential);
    let now_ms = server.origin.clock.now();
    let Some(app_headers) = app_headers else {
        return build(server, view, (credential, identity), (Arc::clone(&server.own_app), None));
    };
    let no_credential = Credential::default();
    let name = client_name(&no_credential, app_headers, |word| server.is_token(word));
    let app = app_of(server, name, &identity, now_ms);
    build(server, view, (credential, identity), app)
}

/// The app of this name, and the name where the app has no slot of its own.
fn app_of(server: &Server, name: String, identity: &Identity, now_ms: Timestamp) -> (Arc<ClientApp>, Option<String>) {
    let app = server.apps.get_or_insert_named(name.clone(), identity.is_member(), now_ms);
    let client_name = app.needs_lookup().then_some(name);
    (app, client_name)
}

fn build(
    server: &Server,
    view: &RequestView<'_>,
    (credential, identity): (Credential, Arc<Identity>),
    (app, client_name): (Arc<ClientApp>, Option<String>),
) -> ClassifiedRequest {
    let kind = server.origin.settings.kind;
    let generation = identity.generation();
    let (account_state, classification, key) = loop {
        let account_state = identity.account_state();
        let classification = classification_of(server, view, identity.account().as_deref());
        let key = match &classification {
            Classification::Read(read) => Some(server.key_of(&identity, read)),
            _ => None,
        };
        // Key and target name the account, so they must be of one.
        if identity.account_state() == account_state {
            break (account_state, classification, key);
        }
    };
    let request_hash = key
        .as_ref()
        .map(|key: &Key| xxh3_64_with_seed(key.text().as_bytes(), xxh3_64(key.partition().as_str().as_bytes())));
    let anonymous_access = kind.anonymous_access(view);
    let has_token = credential.token.is_some();
    ClassifiedRequest {
        generation,
        is_plain: raw_heads::is_plain(kind, view, &classification, key.as_ref()),
        key,
        user: server.identities.user_of(&identity),
        request_hash,
        cached_headers: CachedHeaders::default(),
        last_seen_response: LastSeenResponse::default(),
        representation: representation_of(&classification, view.headers, kind),
        anonymous_access: if has_token {
            AnonymousAccess::Cacheable
        } else {
            anonymous_access.where_client_is_seen(server.origin.settings.listener_limits.known_proxy)
        },
        needs_token: has_token && anonymous_access == AnonymousAccess::Denied,
        identity,
        account_state,
        credential: Arc::new(credential),
        app,
        client_name,
        classification,
    }
}

/// The classification of a request to this server. Where the server sees each client's address, what depends on it
/// passes through.
pub fn classification_of(server: &Server, view: &RequestView<'_>, account: Option<&str>) -> Classification {
    let settings = &server.origin.settings;
    match settings.kind.classify(view, account) {
        Classification::Read(read)
            if settings.listener_limits.known_proxy && settings.kind.depends_on_client_address(&read) =>
        {
            Classification::Stream(StreamReason::Moment)
        }
        classification => classification,
    }
}

/// The representation of the response that the client requests.
pub fn representation_of(classification: &Classification, headers: &HeaderMap, kind: ServerKind) -> Representation {
    if let Classification::Read(read) = classification {
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
