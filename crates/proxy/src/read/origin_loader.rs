//! Loads a response from the server for the cache.
//!
//! The upstream request is built from the canonical request plus the client's credential. Nothing else of the client's
//! request reaches the server, so nothing outside the key can change the response.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::{
    AbsentValue, Entry, LoadError, LoadErrorKind, LoadReason, LoadResult, LoadedValue, Loader, Partition, Policy, Tag,
    Value,
};
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Read, SharingScope};
use greenroom_dialect::own_user::TokenOwner;
use greenroom_dialect::reach;
use greenroom_dialect::response_facts::{ResponseFacts, UnsharedReason, UnusableResponse};
use http::header::{ACCEPT_ENCODING, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::confirmation_check::ConfirmableLoad;
use crate::forward::upstream_slot::begin_uncached_body;
use crate::identity::{Identity, PathHash};
use crate::read::cacheability::{failure_of, is_cacheable, is_plain};
use crate::read::identity_snapshot::IdentitySnapshot;
use crate::read::plausibility::is_suspiciously_short;
use crate::read::refusal::apply_refusal;
use crate::server::Server;
use crate::{access_log, account_request, confirmation_check, response};
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_origin::client_apps::ClientApp;
use greenroom_origin::scheduler::{QueuePermit, QueueRequest};
use greenroom_request_log::RequestCategory;
use greenroom_request_log::minute_bucket::RequestSource;

/// Loads one read for one client.
#[derive(Debug, Clone)]
pub struct ReadLoader {
    /// The server.
    pub server: Arc<Server>,
    /// The client's identity.
    pub identity: Arc<Identity>,
    /// The partition that the response is for.
    pub partition: Partition,
    /// Headers with the client's credential.
    pub credential: Arc<Vec<(http::HeaderName, HeaderValue)>>,
    /// The app that caused the load.
    pub app: Arc<ClientApp>,
    /// The read.
    pub read: Arc<Read>,
}

impl Loader for ReadLoader {
    type Pass = Response<Body>;

    async fn load(&self, reason: LoadReason, old: Option<Arc<Entry>>) -> Result<LoadResult<Self::Pass>, LoadError> {
        if !self.server.origin.breaker.allows_requests() {
            return Err(offline());
        }
        if self.server.is_own_token(&self.identity) && self.server.policy(&self.read, &self.identity).warm {
            self.server.warm_keys.own_reads.record(&self.read);
        }
        if !self.server.is_account_current(&self.identity) {
            account_request::send(&self.server, &self.identity, &self.credential, &self.app).await;
        }
        if let Some(old) = &old
            && let Some(confirmed) = confirmation_check::confirm(self.confirmable(), reason, old).await
        {
            return Ok(LoadResult::Confirmed(confirmed));
        }
        let Ok(permit) = self.server.origin.queue.acquire(self.queue_request(reason)).await else {
            return Err(LoadError::new(LoadErrorKind::Overloaded, "too many requests wait for the server"));
        };
        self.load_with_permit(permit, reason, old).await
    }
}

impl ReadLoader {
    fn confirmable(&self) -> ConfirmableLoad<'_> {
        let Self { server, identity, credential, read, .. } = self;
        ConfirmableLoad { server, identity, credential, read }
    }

    /// Loads with a permit that was granted already.
    pub(crate) async fn load_with_permit(
        &self,
        permit: QueuePermit,
        reason: LoadReason,
        old: Option<Arc<Entry>>,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        if !self.server.origin.breaker.allows_requests() {
            return Err(offline());
        }
        match reason {
            LoadReason::Refresh | LoadReason::Warm | LoadReason::Prefetch => {
                self.server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                self.app.upstream_requests.fetch_add(1, Ordering::Relaxed);
                self.record_reached();
            }
        }
        let is_timeout_handled = AtomicBool::new(false);
        let mut loading = Box::pin(self.load_timed(old, &is_timeout_handled));
        let limit = self.server.origin.settings.load_timeout;
        if let Ok(outcome) = self.server.origin.clock.timeout(limit, loading.as_mut()).await {
            return outcome;
        }
        // Slow responses are still cached, but waiters are released …
        match permit.detach() {
            Ok(_detached) => loading.await,
            // … unless too many permits are detached already.
            Err(_permit) => {
                drop(loading);
                self.report_timeout(&is_timeout_handled);
                Err(LoadError::new(LoadErrorKind::TimedOut, "the load takes too long, and too many others do"))
            }
        }
    }

    fn record_reached(&self) {
        let category = RequestCategory::Read(self.read.class);
        let user = self.server.identities.user_of(&self.identity);
        access_log::record_reached_by(&self.server, &self.identity, RequestSource { category, app: &self.app, user });
    }

    /// Like [`Self::send_and_read`]; records the duration, which is what a hit saves.
    async fn load_timed(
        &self,
        old: Option<Arc<Entry>>,
        is_timeout_handled: &AtomicBool,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        let started_us = self.server.origin.clock.now_us();
        let outcome = self.send_and_read(old, is_timeout_handled).await;
        if matches!(
            outcome,
            Ok(LoadResult::Store(_) | LoadResult::Share(_) | LoadResult::NotFound(_) | LoadResult::Absent(_))
        ) {
            let elapsed_us = self.server.origin.clock.now_us().saturating_sub(started_us);
            self.server.recorders.requests.record_load(RequestCategory::Read(self.read.class), elapsed_us);
        }
        outcome
    }

    fn queue_request(&self, reason: LoadReason) -> QueueRequest {
        match reason {
            LoadReason::Refresh | LoadReason::Warm | LoadReason::Prefetch => {
                QueueRequest::background(Some(&self.app), self.read.class)
            }
            _ => self.server.queue_request(&self.identity, &self.app, &self.read),
        }
    }

    /// `is_timeout_handled` is set once the breaker needs no report of a timeout any more.
    async fn send_and_read(
        &self,
        old: Option<Arc<Entry>>,
        is_timeout_handled: &AtomicBool,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        let sent_by = IdentitySnapshot::of(&self.server, &self.identity);
        let response = self.send(is_timeout_handled).await?;
        let (mut parts, body) = response.into_parts();
        response::base_url::redirect(&self.server, &mut parts.headers);
        if !is_cacheable(parts.status, &parts.headers) {
            if parts.status.is_client_error() || parts.status.is_server_error() {
                let body = match collect(body, self.server.origin.settings.max_body_bytes).await {
                    // A response compressed unasked is not decompressed, and without its `Content-Encoding` no client
                    // can read it.
                    CollectedBody::Whole(bytes) if is_plain(&parts.headers) => bytes,
                    CollectedBody::Whole(_) | CollectedBody::TooLong(..) | CollectedBody::Broken(_) => Bytes::new(),
                };
                return self.handle_error_status(parts.status, &parts.headers, body, old.is_some());
            }
            let failure = failure_of(parts.status, &parts.headers);
            if let Some(kind) = failure.filter(|_| self.has_usable(old.as_deref())) {
                return Err(self.fail_to_answer(kind, &parts, body).await);
            }
            let body = begin_uncached_body(body).await.map_err(|_| self.fail_to_end())?;
            return Ok(LoadResult::Pass(Response::from_parts(parts, body)));
        }
        match collect(body, self.server.origin.settings.max_body_bytes).await {
            CollectedBody::Whole(bytes) => self.store(&parts.headers, bytes, &sent_by, old.as_deref()),
            CollectedBody::TooLong(read, rest) => {
                Ok(LoadResult::Pass(Response::from_parts(parts, Body::Resumed { read, rest })))
            }
            CollectedBody::Broken(_) => Err(self.fail_to_end()),
        }
    }

    fn fail_to_end(&self) -> LoadError {
        self.server.origin.record_failure();
        LoadError::new(LoadErrorKind::Malformed, "the server's response ended early")
    }

    /// Whether the cached response may still replace a failed load.
    pub(super) fn has_usable(&self, old: Option<&Entry>) -> bool {
        old.is_some_and(|old| self.server.origin.clock.now() < old.deadlines().error_until_ms)
    }

    /// A response that is no answer never replaces a cached one. A caller that may not have the cached one gets it as
    /// it is.
    async fn fail_to_answer(&self, kind: LoadErrorKind, parts: &http::response::Parts, body: Incoming) -> LoadError {
        self.server.origin.record_failure();
        let mut failure = LoadError::new(kind, "the server's response is no answer to the request");
        if let CollectedBody::Whole(bytes) = collect(body, self.server.origin.settings.max_body_bytes).await {
            failure.response = Some(response::to_whole_value(parts.status, &parts.headers, bytes));
        }
        failure
    }

    /// The first byte did not come in time.
    fn report_timeout(&self, is_timeout_handled: &AtomicBool) {
        if !is_timeout_handled.swap(true, Ordering::Relaxed) {
            self.server.origin.record_timeout(breaker::key_of(&self.read.key));
        }
    }

    /// Sends the request of a load. `is_timeout_handled` is set once the breaker needs no report of a timeout any more.
    pub async fn send(&self, is_timeout_handled: &AtomicBool) -> Result<Response<Incoming>, LoadError> {
        let request =
            self.request().map_err(|_| LoadError::new(LoadErrorKind::Refused, "the request cannot be built"))?;
        let key = breaker::key_of(&self.read.key);
        let response = async {
            let mut sending = pin!(self.server.origin.send(request, UpstreamRequestKind::Read, key));
            let limit = self.server.origin.settings.load_timeout;
            if let Ok(response) = self.server.origin.clock.timeout(limit, sending.as_mut()).await {
                return response;
            }
            self.report_timeout(is_timeout_handled);
            sending.await
        };
        let response = tokio::select! {
            // Waiters are released at once when the server goes down.
            () = self.server.origin.breaker.wait_down() => return Err(offline()),
            response = response => response,
        };
        is_timeout_handled.store(true, Ordering::Relaxed);
        response.map_err(|error| {
            self.server.origin.record_failure();
            LoadError::new(LoadErrorKind::Unreachable, error.message)
        })
    }

    fn request(&self) -> Result<Request<Body>, http::Error> {
        let uri = self.server.origin.client.uri(&self.read.target)?;
        let mut request = Request::builder().method(Method::GET).uri(uri).body(Body::empty())?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("Greenroom/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &self.read.headers {
            headers.append(name.clone(), value.clone());
        }
        if self.read.sharing != SharingScope::Public {
            for (name, value) in self.credential.iter() {
                headers.insert(name.clone(), value.clone());
            }
        }
        Ok(request)
    }

    /// Stores a complete response with status 200.
    pub(super) fn store(
        &self,
        headers: &HeaderMap,
        body: Bytes,
        sent_by: &IdentitySnapshot,
        old: Option<&Entry>,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        match self.server.origin.settings.kind.inspect(&self.read, headers, &body) {
            Ok(facts) => {
                self.server.origin.record_success();
                self.apply_facts(&facts, sent_by);
                let may_store =
                    self.server.may_store(&self.identity, &self.read, &self.partition, sent_by.proof.as_ref());
                let uncertain = (!may_store).then_some(UnsharedReason::UncertainAccount);
                if let Some(reason) = facts.unshared.or(uncertain) {
                    return Ok(LoadResult::Pass(response::uncached::unshared(headers, body, reason)));
                }
                if is_suspiciously_short(&self.server, &self.partition, &self.read, &facts, old) {
                    let value = response::to_cached_value(StatusCode::OK, headers, body);
                    let reason = "the list is far shorter than it was";
                    return Err(error_with_response(LoadErrorKind::Implausible, reason, value));
                }
                confirmation_check::record_load(self.confirmable());
                Ok(LoadResult::Store(self.loaded_value(headers, body, &facts)))
            }
            Err(unusable) => {
                let kind = match unusable {
                    UnusableResponse::Starting => LoadErrorKind::Starting,
                    UnusableResponse::Malformed | UnusableResponse::ContentType => LoadErrorKind::Malformed,
                };
                self.server.origin.record_failure();
                if unusable == UnusableResponse::Starting {
                    self.server.origin.breaker.record_restart_sign(self.server.origin.clock.now());
                }
                let mut failure =
                    LoadError::new(kind, format!("the server's response is unusable: {}", unusable.name()));
                failure.response = Some(response::to_cached_value(StatusCode::OK, headers, body));
                Err(failure)
            }
        }
    }

    /// The response grants nothing to a token revoked since the request.
    fn apply_facts(&self, facts: &ResponseFacts, sent_by: &IdentitySnapshot) {
        let generation = sent_by.generation;
        let now_ms = self.server.origin.clock.now();
        match &self.read.sharing {
            SharingScope::Identity => {
                self.identity.accept(self.read.class, now_ms, generation);
                self.identity.allow_path(PathHash::of(&self.read), generation);
            }
            SharingScope::Image(subject) => {
                self.server.identities.accept_image(&self.identity, subject, now_ms, generation);
            }
            SharingScope::Public => {}
        }
        if let Some(is_scanning) = facts.scanning {
            self.server.shrink_guard.set_scanning(is_scanning, now_ms);
        }
        if let Some(user) = &facts.own_user {
            self.server.prove_owner(&self.identity, &TokenOwner::User(user.clone()));
        }
        if facts.tells_of_items() {
            facts.record(&mut self.server.invalidation.lineage.lock(), sent_by.sets);
        }
    }

    fn loaded_value(&self, headers: &HeaderMap, body: Bytes, facts: &ResponseFacts) -> LoadedValue {
        let read_tags = self.read.tags.iter().chain(&facts.tags).cloned();
        let read_tags = reach::resolved(&self.server.invalidation.lineage.lock(), read_tags);
        let read_tags = read_tags.iter().map(|tag| tag.as_str().into());
        let tags = read_tags.chain([class_tag(self.read.class)]).collect();
        // Else the policy at the time of the read, so that a TTL shortened before a restart applies at once.
        let policy = facts.max_fresh_s.map(|max_s| {
            let policy = self.server.policy(&self.read, &self.identity);
            Policy { fresh: policy.fresh.min(Duration::from_secs(max_s.into())), ..policy }
        });
        let value = response::to_cached_value(StatusCode::OK, headers, body);
        LoadedValue { tags, policy, ..LoadedValue::new(value) }
    }

    /// Handles a denial or a server error; `was_cached`: a response to the same request is in the cache.
    pub(super) fn handle_error_status(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: Bytes,
        was_cached: bool,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        let value = response::to_cached_value(status, headers, body);
        apply_refusal(&self.server, &self.identity, &self.read, (status, headers), was_cached);
        match status.as_u16() {
            401 | 403 | 498 => {
                self.server.origin.record_success();
                Err(error_with_response(LoadErrorKind::Denied, "the server rejects this token", value))
            }
            404 | 410 => {
                self.server.origin.record_success();
                Ok(match absence_tags(&self.read) {
                    // A body that was dropped, because it was compressed unasked, is not repeated.
                    Some(tags) if status == StatusCode::NOT_FOUND && is_plain(headers) => {
                        LoadResult::Absent(AbsentValue { value, tags })
                    }
                    _ => LoadResult::NotFound(value),
                })
            }
            500.. => {
                self.server.origin.record_failure();
                Err(error_with_response(LoadErrorKind::ServerError, "the server responded with an error", value))
            }
            _ => Err(error_with_response(LoadErrorKind::Refused, "the server rejects this request", value)),
        }
    }
}

/// Tags by which the memory of a 404 is invalidated; `None` if it is not remembered.
pub(crate) fn absence_tags(read: &Read) -> Option<Vec<Tag>> {
    let tags = read.absence_tags()?;
    Some(tags.iter().map(|tag| tag.as_str().into()).chain([class_tag(read.class)]).collect())
}

/// Tag of all responses of a class.
pub fn class_tag(class: Class) -> Tag {
    Tag::new(format!("class:{}", class.name()))
}

fn offline() -> LoadError {
    LoadError::new(LoadErrorKind::Offline, "the server is down")
}

fn error_with_response(kind: LoadErrorKind, message: &str, value: Value) -> LoadError {
    LoadError { response: Some(value), ..LoadError::new(kind, message) }
}
