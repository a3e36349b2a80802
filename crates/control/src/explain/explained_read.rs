//! One explained read: its token, its cache entry, and the server's current response.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_cache::{Diagnosis, Entry, InvalidationCause, Key, Validity, Value};
use greenroom_dialect::classification::{Classification, Read, Representation, SharingScope};
use greenroom_dialect::credential::{Credential, Secret, TokenForm};
use greenroom_dialect::redact;
use greenroom_dialect::request::{RequestView, ServerKind};
use greenroom_response_comparison::{ComparedResponse, ComparisonDepth, ResponseComparison, compare};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::ExplainQuery;
use super::explanation::{ExplainedCaller, ExplainedEntry, Explanation, KeyParts, LastInvalidation, OriginComparison};
use super::outcome::{DecisionInputs, ExplainOutcome};
use crate::blocking::run_blocking;
use greenroom_config::CacheMode;
use greenroom_origin::body::{CollectedBody, collect};
use greenroom_origin::client_apps::ClientApp;
use greenroom_origin::scheduler::QueueRequest;
use greenroom_proxy::identity::Identity;
use greenroom_proxy::proxy_request::classify::classification_of;
use greenroom_proxy::read::origin_loader::ReadLoader;
use greenroom_proxy::read::refusal::apply_refusal;
use greenroom_proxy::read::{AuthorizationStatus, check_authorization};
use greenroom_proxy::response;
use greenroom_proxy::server::Server;

/// One explained read.
pub(super) struct ExplainedRead {
    pub(super) read: Arc<Read>,
    credential: Credential,
    token: &'static str,
    /// The token's identity, if it was seen before.
    identity: Option<Arc<Identity>>,
    key: Option<Key>,
    diagnosis: Option<Diagnosis>,
}

/// A request that is not a read: kind, request type and handling.
pub(super) type NotARead = (&'static str, &'static str, String);

/// Classifies the request. If the app's representation is not given, picks one that has a cache entry.
pub(super) fn inspect(server: &Server, query: &ExplainQuery, target: &str) -> Result<Box<ExplainedRead>, NotARead> {
    let mut first = None;
    for headers in header_variants(server.origin.settings.kind, &query.headers) {
        let explained = inspect_with_headers(server, query, target, headers)?;
        if explained.diagnosis.as_ref().is_some_and(|diagnosis| diagnosis.entry.is_some()) {
            return Ok(explained);
        }
        first.get_or_insert(explained);
    }
    first.ok_or_else(|| ("refused", "", "the request cannot be classified".to_owned()))
}

fn header_variants(kind: ServerKind, app_headers: &HeaderMap) -> Vec<HeaderMap> {
    if kind == ServerKind::Jellyfin || app_headers.contains_key(ACCEPT) {
        return vec![app_headers.clone()];
    }
    let with = |accept| {
        let mut headers = app_headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers
    };
    vec![with("application/json"), with("application/xml")]
}

/// Classifies the request with these headers.
pub(super) fn inspect_with_headers(
    server: &Server,
    query: &ExplainQuery,
    target: &str,
    headers: HeaderMap,
) -> Result<Box<ExplainedRead>, NotARead> {
    let kind = server.origin.settings.kind;
    let method = Method::GET;
    let credential_in_url = kind.credential(&RequestView { method: &method, target, headers: &headers, body: &[] });
    let (credential, token) = resolve_credential(server, query, credential_in_url);
    let identity = server.identities.lookup(&credential);
    let account = identity.as_ref().and_then(|identity| identity.account());
    // The token is no part of the read: it may be in the URL or given apart.
    let mut headers = headers;
    headers.extend(kind.credential_headers(&credential, true));
    let request = RequestView { method: &method, target, headers: &headers, body: &[] };
    let read = match classification_of(server, &request, account.as_deref()) {
        Classification::Read(read) => read,
        Classification::Write(write) => {
            let handling = "It is a write: it is forwarded once and never cached.";
            return Err(("write", write.name, handling.to_owned()));
        }
        Classification::Stream(reason) => {
            let handling = "It passes through and is never cached.";
            return Err(("stream", reason.name(), handling.to_owned()));
        }
        Classification::Refuse(refusal) => {
            return Err(("refused", "", format!("It is not forwarded: {}.", refusal.message())));
        }
    };
    // For an unknown token, only shared entries can exist.
    let is_known = identity.is_some() || read.sharing != SharingScope::Identity;
    let owner = identity.as_deref().unwrap_or_else(|| server.identities.anonymous());
    let key = is_known.then(|| server.key_of(owner, &read));
    // In observe mode the shadow cache is inspected.
    let shadow_run = server.modes.switch.shadow_run();
    let cache = shadow_run.as_ref().map_or(&server.cache, |shadow_run| &shadow_run.cache);
    let diagnosis = key.as_ref().map(|key| cache.diagnose(key));
    Ok(Box::new(ExplainedRead { read, credential, token, identity, key, diagnosis }))
}

impl ExplainedRead {
    /// Describes the read, its cache entry, and the response a request gets now.
    pub(super) fn describe(&self, server: &Server, explanation: &mut Explanation) {
        let now_ms = server.origin.clock.now();
        let authorization = match &self.identity {
            Some(identity) => check_authorization(server, identity, &self.read, server.origin.clock.now()),
            None if self.read.sharing == SharingScope::Public => AuthorizationStatus::Valid,
            None => AuthorizationStatus::Missing,
        };
        let entry = self.diagnosis.as_ref().and_then(|diagnosis| diagnosis.entry.as_deref());
        let identity = self.identity.as_deref().unwrap_or_else(|| server.identities.anonymous());
        let inputs = DecisionInputs {
            authorization,
            diagnosis: self.diagnosis.as_ref(),
            policy: server.policy(&self.read, identity),
            now_ms,
        };
        let outcome = ExplainOutcome::predict(&inputs);
        explanation.kind = "read";
        self.read.class.name().clone_into(&mut explanation.class);
        explanation.outcome = outcome.name();
        let prefix = match server.read_mode(self.read.class, &ClientApp::default()) {
            CacheMode::Cache => "",
            CacheMode::Observe => "The server answers every request, because the cache only observes. With the cache: ",
            CacheMode::Bypass => "The server answers every request, because this is bypassed. Without the bypass: ",
        };
        explanation.sentence = format!("{prefix}{}", outcome.sentence());
        explanation.identity = Some(ExplainedCaller {
            token: self.token,
            known: self.identity.is_some(),
            proof: authorization_name(authorization),
            live_signal: self.identity.as_ref().is_some_and(|identity| identity.has_signal()),
        });
        explanation.key = self.key.as_ref().map(|key| KeyParts {
            partition: key.partition().as_str().to_owned(),
            text: redact::target(key.text()),
            representation: representation_name(self.read.representation),
        });
        let warm = self.diagnosis.as_ref().is_some_and(|diagnosis| diagnosis.warm);
        explanation.entry = entry.map(|entry| explained_entry(entry, warm, now_ms));
        explanation.invalidation = self.diagnosis.as_ref().and_then(|diagnosis| last_invalidation(diagnosis, now_ms));
    }

    /// Sends one request to the server, as a load would.
    pub(super) async fn compare_with_origin(&self, server: &Arc<Server>) -> OriginComparison {
        let began_us = server.origin.clock.now_us();
        let result = server.origin.clock.timeout(server.origin.settings.load_timeout, self.request(server)).await;
        let took_ms = server.origin.clock.since_ms(began_us);
        let entry = self.diagnosis.as_ref().and_then(|diagnosis| diagnosis.entry.as_ref());
        let comparison = |word, status, detail| OriginComparison { word, status, detail, took_ms };
        match result {
            Err(_) => comparison("no-answer", None, Some("the server did not respond in time".to_owned())),
            Ok(Err(reason)) => comparison("no-answer", None, Some(reason)),
            Ok(Ok((status, body))) => {
                let code = Some(status.as_u16());
                let Some(entry) = entry.cloned() else { return comparison("nothing-kept", code, None) };
                let target = self.read.target.clone();
                match run_blocking(move || difference(entry.value(), status, &body, &target)).await {
                    None => comparison("same", code, None),
                    Some(detail) => comparison("different", code, Some(detail)),
                }
            }
        }
    }

    async fn request(&self, server: &Arc<Server>) -> Result<(StatusCode, bytes::Bytes), String> {
        if !server.origin.breaker.allows_requests() {
            return Err("the server is down".to_owned());
        }
        server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
        let settings = &server.origin.settings;
        let identity = self.identity.clone().unwrap_or_else(|| Arc::clone(server.identities.anonymous()));
        let headers = settings.kind.credential_headers(&self.credential, settings.translate_legacy_auth);
        let loader = ReadLoader {
            server: Arc::clone(server),
            identity: Arc::clone(&identity),
            partition: server.partition_of(&identity, &self.read).clone(),
            credential: Arc::new(headers),
            app: Arc::default(),
            read: Arc::clone(&self.read),
        };
        let queue_request = QueueRequest::background(None, self.read.class);
        let Ok(_permit) = server.origin.queue.acquire(queue_request).await else {
            return Err("too many requests wait for the server".to_owned());
        };
        let response = loader.send(&AtomicBool::new(false)).await.map_err(|failure| failure.message.to_string())?;
        let status = response.status();
        let was_cached = self.diagnosis.as_ref().is_some_and(|diagnosis| diagnosis.entry.is_some());
        apply_refusal(server, &identity, &self.read, (status, response.headers()), was_cached);
        match collect(response.into_body(), settings.max_body_bytes).await {
            CollectedBody::Whole(body) => Ok((status, body)),
            CollectedBody::TooLong(..) => Err("the response is longer than the cache stores".to_owned()),
            CollectedBody::Broken(_) => Err("the response ended early".to_owned()),
        }
    }
}

/// The token of the URL, else the given one, else the configured one.
fn resolve_credential(server: &Server, query: &ExplainQuery, in_url: Credential) -> (Credential, &'static str) {
    if in_url.token.is_some() {
        return (in_url, "address");
    }
    let form =
        if server.origin.settings.kind == ServerKind::Plex { TokenForm::PlexHeader } else { TokenForm::Authorization };
    let with = |token: &Secret| Credential { token: Some(token.clone()), form, ..in_url.clone() };
    match (&query.token, &server.origin.settings.token) {
        (Some(given), _) => (with(given), "given"),
        (None, Some(configured)) => (with(configured), "configured"),
        (None, None) => (in_url, "none"),
    }
}

/// Differences of the server's response from the cached one; `None` if they are equal.
fn difference(entry: &Value, status: StatusCode, body: &[u8], target: &str) -> Option<String> {
    let (cached_status, _) = response::parse_head(&entry.meta);
    let cached = ComparedResponse::new(cached_status.as_u16(), &entry.body);
    let actual = ComparedResponse::new(status.as_u16(), body);
    Some(match compare(&cached, &actual, ComparisonDepth::Fields(target)) {
        ResponseComparison::Same | ResponseComparison::Unread => return None,
        ResponseComparison::Respelled => "in the order or the spelling, not in what it says".to_owned(),
        ResponseComparison::Volatile(reason) => format!("only in what changes by itself: {reason}"),
        ResponseComparison::Status(..) => format!("its status is now {}", status.as_u16()),
        ResponseComparison::Different(places) => format!("at {}", places.first().map_or("body", String::as_str)),
    })
}

pub(super) fn explained_entry(entry: &Entry, warm: bool, now_ms: Timestamp) -> ExplainedEntry {
    let remaining_ms = |until_ms: Timestamp| {
        let until = i64::try_from(until_ms.as_millis()).unwrap_or(i64::MAX);
        until.saturating_sub(i64::try_from(now_ms.as_millis()).unwrap_or(i64::MAX))
    };
    let deadlines = entry.deadlines();
    ExplainedEntry {
        bytes: entry.body().len(),
        tier: "memory",
        age_ms: millis(entry.age(now_ms)),
        loaded_because: entry.load_reason().name(),
        fresh_left_ms: remaining_ms(deadlines.fresh_until_ms),
        stale_left_ms: remaining_ms(deadlines.stale_until_ms),
        stale_on_error_left_ms: remaining_ms(deadlines.error_until_ms),
        warm,
        tags: entry.tags().iter().map(|tag| tag.as_str().to_owned()).collect(),
    }
}

pub(super) fn last_invalidation(diagnosis: &Diagnosis, now_ms: Timestamp) -> Option<LastInvalidation> {
    let at_ms = diagnosis.invalidated?.wall_time();
    let by = match diagnosis.cause.as_ref()? {
        InvalidationCause::All => "everything was invalidated".to_owned(),
        InvalidationCause::Namespace => "everything of this server was invalidated".to_owned(),
        InvalidationCause::Partition => "everything of this token was invalidated".to_owned(),
        InvalidationCause::Key => "this response was invalidated".to_owned(),
        InvalidationCause::Prefix => "everything below a path was invalidated".to_owned(),
        InvalidationCause::Tag(tag) => format!("the tag {} was invalidated", tag.as_str()),
    };
    let effect = match diagnosis.validity {
        Validity::Valid => "none",
        Validity::Invalidated => "marked",
        Validity::Purged => "purged",
    };
    Some(LastInvalidation { at_ms: at_ms.as_millis(), ago_ms: millis(now_ms.duration_since(at_ms)), by, effect })
}

fn authorization_name(authorization: AuthorizationStatus) -> &'static str {
    match authorization {
        AuthorizationStatus::Valid => "holds",
        AuthorizationStatus::Expired => "expired",
        AuthorizationStatus::Missing => "missing",
    }
}

fn representation_name(representation: Representation) -> &'static str {
    match representation {
        Representation::Xml => "xml",
        Representation::Json => "json",
        Representation::JsonCamel => "json-camel",
        Representation::Opaque => "opaque",
    }
}
