//! Asking the server for an answer that may be kept.
//!
//! The request is rebuilt from what the dialect said plus the caller's credential; nothing else of the client's
//! request reaches the server, so nothing that is not in the key can change the answer.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::{Entry, Failure, FailureKind, Fill, Load, LoadReason, Loader, Policy, Tag, Value};
use greenroom_dialect::class::Class;
use greenroom_dialect::facts::{Facts, Unfit};
use greenroom_dialect::verdict::{Read, Sharing};
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, HeaderValue, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::identity::Identity;
use crate::record::Subject;
use crate::record::minute_bucket::Cause;
use crate::server::Server;
use crate::shrink_guard;
use crate::shrink_guard::Belief;
use crate::{access_log, response};
use greenroom_origin::body::{Body, Collected, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::Lane;
use greenroom_origin::client_apps::App;
use greenroom_origin::scheduler::{Errand, Place};

/// Loads one read on behalf of one caller.
#[derive(Debug, Clone)]
pub struct ReadLoader {
    /// The server to ask.
    pub server: Arc<Server>,
    /// On whose behalf.
    pub identity: Arc<Identity>,
    /// The headers that carry the caller's credential.
    pub credential: Arc<Vec<(http::HeaderName, HeaderValue)>>,
    /// Which app caused it.
    pub app: Arc<App>,
    /// What to ask for.
    pub read: Arc<Read>,
}

impl Loader for ReadLoader {
    type Pass = Response<Body>;

    async fn load(&self, why: LoadReason, old: Option<Arc<Entry>>) -> Result<Load<Self::Pass>, Failure> {
        if !self.server.origin.breaker.admits() {
            return Err(offline());
        }
        if self.server.own_partition().as_ref() == Some(self.identity.partition())
            && self.server.policy(&self.read, &self.identity).warm
        {
            self.server.warm.own_reads.note(&self.read);
        }
        let Ok(place) = self.server.origin.queue.place(self.errand(why)).await else {
            return Err(Failure::new(FailureKind::Overloaded, "too many requests wait for the server"));
        };
        self.load_at(place, why, old).await
    }
}

impl ReadLoader {
    /// Loads on a place that was given already.
    pub(crate) async fn load_at(
        &self,
        place: Place,
        why: LoadReason,
        old: Option<Arc<Entry>>,
    ) -> Result<Load<Response<Body>>, Failure> {
        if !self.server.origin.breaker.admits() {
            return Err(offline());
        }
        match why {
            LoadReason::Refresh | LoadReason::Warm | LoadReason::Ahead => {
                self.server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                self.app.reached.fetch_add(1, Ordering::Relaxed);
                self.note_reached();
            }
        }
        let is_told = AtomicBool::new(false);
        let mut asking = Box::pin(self.ask_and_time(old, &is_told));
        let limit = self.server.origin.settings.load_timeout;
        if let Ok(outcome) = self.server.origin.clock.timeout(limit, asking.as_mut()).await {
            return outcome;
        }
        // A slow answer may still be kept when it comes, but others do not wait for it …
        match place.overdue() {
            Ok(_overdue) => asking.await,
            // … and a server that owes too many already is not asked to remember this one.
            Err(_place) => {
                drop(asking);
                self.tell_silence(&is_told);
                Err(Failure::new(FailureKind::TimedOut, "the load takes too long, as too many do"))
            }
        }
    }

    fn note_reached(&self) {
        let subject = Subject::Read(self.read.class);
        let user = self.server.identities.user_of(&self.identity);
        access_log::reached_by(&self.server, &self.identity, Cause { subject, app: &self.app, user });
    }

    /// The same as [`Self::ask_and_read`]; what it took is what a hit saves.
    async fn ask_and_time(
        &self,
        old: Option<Arc<Entry>>,
        is_told: &AtomicBool,
    ) -> Result<Load<Response<Body>>, Failure> {
        let began_us = self.server.origin.clock.now_us();
        let outcome = self.ask_and_read(old, is_told).await;
        if matches!(outcome, Ok(Load::Store(_) | Load::Share(_) | Load::Gone(_))) {
            let took_us = self.server.origin.clock.now_us().saturating_sub(began_us);
            self.server.record.ledger.note_load(Subject::Read(self.read.class), took_us);
        }
        outcome
    }

    fn errand(&self, why: LoadReason) -> Errand {
        match why {
            LoadReason::Refresh | LoadReason::Warm | LoadReason::Ahead => {
                Errand::own(Some(&self.app), self.read.class)
            }
            _ => Errand::read(&self.app, self.read.class, &self.read.key, self.server.origin.clock.now_ms()),
        }
    }

    /// `is_told` is set when the breaker needs not be told of a silence any more.
    async fn ask_and_read(
        &self,
        old: Option<Arc<Entry>>,
        is_told: &AtomicBool,
    ) -> Result<Load<Response<Body>>, Failure> {
        let generation = self.identity.generation();
        let response = self.ask(is_told).await?;
        let (parts, body) = response.into_parts();
        if !may_be_kept(parts.status, &parts.headers) {
            if parts.status.is_client_error() || parts.status.is_server_error() {
                let body = match collect(body, self.server.origin.settings.max_body_bytes).await {
                    // What was packed unasked is not unpacked, and without a word on how it is nobody can read it.
                    Collected::Whole(bytes) if is_plain(&parts.headers) => bytes,
                    Collected::Whole(_) | Collected::TooLong(..) | Collected::Broken(_) => Bytes::new(),
                };
                return self.refuse(parts.status, &parts.headers, body);
            }
            return Ok(Load::Pass(Response::from_parts(parts, Body::Stream(body))));
        }
        match collect(body, self.server.origin.settings.max_body_bytes).await {
            Collected::Whole(bytes) => self.keep(&parts.headers, bytes, generation, old.as_deref()),
            Collected::TooLong(read, rest) => {
                Ok(Load::Pass(Response::from_parts(parts, Body::Resumed { read, rest })))
            }
            Collected::Broken(_) => {
                self.server.origin.note_failure();
                Err(Failure::new(FailureKind::Malformed, "the server's answer broke off"))
            }
        }
    }

    /// The first byte did not come in time.
    fn tell_silence(&self, is_told: &AtomicBool) {
        if !is_told.swap(true, Ordering::Relaxed) {
            self.server.origin.note_silence(breaker::key_of(&self.read.key));
        }
    }

    /// Asks the server as a load would. `is_told` is set when the breaker needs not be told of a silence any more.
    pub async fn ask(&self, is_told: &AtomicBool) -> Result<Response<Incoming>, Failure> {
        let request = self.request().map_err(|_| {
            Failure::new(FailureKind::Refused, "the request cannot be written down for the server")
        })?;
        let key = breaker::key_of(&self.read.key);
        let answer = async {
            let mut sending = pin!(self.server.origin.send(request, Lane::Read, key));
            let limit = self.server.origin.settings.load_timeout;
            if let Ok(answer) = self.server.origin.clock.timeout(limit, sending.as_mut()).await {
                return answer;
            }
            self.tell_silence(is_told);
            sending.await
        };
        let answer = tokio::select! {
            // Whoever waits is told at once when the server turns out to be down.
            () = self.server.origin.breaker.down() => return Err(offline()),
            answer = answer => answer,
        };
        is_told.store(true, Ordering::Relaxed);
        answer.map_err(|error| {
            self.server.origin.note_failure();
            Failure::new(FailureKind::Unreachable, error.message)
        })
    }

    fn request(&self) -> Result<Request<Body>, http::Error> {
        let uri = self.server.origin.client.uri(&self.read.target)?;
        let mut request = Request::builder().method(Method::GET).uri(uri).body(Body::empty())?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers
            .insert(USER_AGENT, HeaderValue::from_static(concat!("Greenroom/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &self.read.headers {
            headers.append(name.clone(), value.clone());
        }
        if self.read.sharing != Sharing::Public {
            for (name, value) in self.credential.iter() {
                headers.insert(name.clone(), value.clone());
            }
        }
        Ok(request)
    }

    /// An answer with status 200, complete.
    pub(super) fn keep(
        &self,
        headers: &HeaderMap,
        body: Bytes,
        generation: u64,
        old: Option<&Entry>,
    ) -> Result<Load<Response<Body>>, Failure> {
        match self.server.origin.settings.kind.inspect(&self.read, headers, &body) {
            Ok(facts) => {
                self.server.origin.note_success();
                self.learn(&facts, generation);
                if self.is_doubtful(&facts, old) {
                    let value = response::value(StatusCode::OK, headers, body);
                    return Err(refusal(FailureKind::Doubted, "the list is far shorter than it was", value));
                }
                Ok(Load::Store(self.fill(headers, body, &facts)))
            }
            Err(unfit) => {
                let kind = match unfit {
                    Unfit::Starting => FailureKind::Starting,
                    Unfit::Malformed | Unfit::ContentType => FailureKind::Malformed,
                };
                self.server.origin.note_failure();
                if unfit == Unfit::Starting {
                    self.server.origin.breaker.note_trouble(self.server.origin.clock.now_ms());
                }
                let mut failure =
                    Failure::new(kind, format!("the server's answer is unfit: {}", unfit.name()));
                failure.answer = Some(response::value(StatusCode::OK, headers, body));
                Err(failure)
            }
        }
    }

    /// Whether a list is so much shorter than the one kept that the server may not have found itself yet.
    fn is_doubtful(&self, facts: &Facts, old: Option<&Entry>) -> bool {
        let Some(came) = facts.total else { return false };
        let (server, now_ms) = (&self.server, self.server.origin.clock.now_ms());
        let (doubts, partition) = (&server.doubts, self.identity.partition());
        let is_settled = doubts.is_settled(server.origin.breaker.troubled_ms(), now_ms);
        let earlier = doubts.earlier(partition, &self.read.key);
        if is_settled && earlier.is_none() {
            return false;
        }
        let kept =
            old.filter(|old| now_ms < old.horizons().error_until_ms).and_then(|old| self.total_of(old));
        let belief = shrink_guard::judge(kept.unwrap_or(0), came, is_settled, earlier, now_ms);
        match belief {
            Belief::Doubted => doubts.note(partition, &self.read.key, came, now_ms),
            Belief::Believed => doubts.forget(partition, &self.read.key),
        }
        belief == Belief::Doubted
    }

    /// How many rows the kept list says it has.
    fn total_of(&self, kept: &Entry) -> Option<u64> {
        let (_, headers) = response::head_of(kept.meta());
        self.server.origin.settings.kind.inspect(&self.read, &headers, kept.body()).ok()?.total
    }

    /// `generation` is the identity's when the server was asked: what it said to a token that was refused since
    /// proves nothing any more.
    fn learn(&self, facts: &Facts, generation: u64) {
        let now_ms = self.server.origin.clock.now_ms();
        match &self.read.sharing {
            Sharing::Identity => self.identity.accept(self.read.class, now_ms, generation),
            Sharing::Image(item) => {
                self.server.identities.accept_image(&self.identity, item, now_ms, generation);
            }
            Sharing::Public => {}
        }
        if let Some(is_scanning) = facts.scanning {
            self.server.doubts.note_scanning(is_scanning, now_ms);
        }
        if let Some(user) = &facts.own_user {
            self.identity.prove_account(user);
        }
        if !facts.parents.is_empty() {
            let mut lineage = self.server.invalidation.lineage.lock();
            for (item, parent) in &facts.parents {
                lineage.learn(item, parent.as_deref());
            }
        }
    }

    fn fill(&self, headers: &HeaderMap, body: Bytes, facts: &Facts) -> Fill {
        let told = self.read.tags.iter().chain(&facts.tags).map(|tag| tag.as_str().into());
        let tags = told.chain([class_tag(self.read.class)]).collect();
        // Else the policy that it is read with: what is configured shorter after a restart applies at once.
        let policy = facts.max_fresh_s.map(|most_s| {
            let policy = self.server.policy(&self.read, &self.identity);
            Policy { fresh: policy.fresh.min(Duration::from_secs(most_s.into())), ..policy }
        });
        Fill { value: response::value(StatusCode::OK, headers, body), tags, policy }
    }

    /// An answer that says no, or that the server is in trouble.
    pub(super) fn refuse(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Load<Response<Body>>, Failure> {
        let value = response::value(status, headers, body);
        heed(&self.server, &self.identity, &self.read, status);
        match status.as_u16() {
            401 | 403 | 498 => {
                self.server.origin.note_success();
                Err(refusal(FailureKind::Denied, "the server refuses this token", value))
            }
            404 | 410 => {
                self.server.origin.note_success();
                Ok(Load::Gone(value))
            }
            500.. => {
                self.server.origin.note_failure();
                Err(refusal(FailureKind::ServerError, "the server answered with an error", value))
            }
            _ => Err(refusal(FailureKind::Refused, "the server refuses this request", value)),
        }
    }
}

/// Takes back every proof of a token that the server refuses, and what was kept for it. A no to what was never
/// allowed (sessions, to who is not the owner) is no news; a no to what was allowed before is a right that ended, and
/// so is any no to the token itself.
pub fn heed(server: &Server, identity: &Arc<Identity>, read: &Read, status: StatusCode) {
    // What it was not shown in one size it would not be shown in another.
    if let (401 | 403 | 404 | 410 | 498, Sharing::Image(item)) = (status.as_u16(), &read.sharing) {
        server.identities.refuse_image(identity, item);
    }
    let has_ended = match status.as_u16() {
        401 | 498 => true,
        403 => identity.was_accepted(read.class),
        _ => false,
    };
    if matches!(status.as_u16(), 401 | 498) {
        server.note_refused(identity);
    }
    if has_ended {
        identity.refuse();
        if !identity.is_anonymous() {
            server.purge_partition(identity);
        }
    }
}

/// The tag of all answers of a class.
pub fn class_tag(class: Class) -> Tag {
    Tag::new(format!("class:{}", class.name()))
}

fn offline() -> Failure {
    Failure::new(FailureKind::Offline, "the server is down")
}

fn refusal(kind: FailureKind, message: &str, value: Value) -> Failure {
    let mut failure = Failure::new(kind, message);
    failure.answer = Some(value);
    failure
}

/// Only a plain, whole 200 is kept; only `no-store`, a cookie, or an encoding that was not asked for forbid it.
pub(super) fn may_be_kept(status: StatusCode, headers: &HeaderMap) -> bool {
    let no_store = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .any(|value| value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("no-store")));
    status == StatusCode::OK && !no_store && !headers.contains_key(SET_COOKIE) && is_plain(headers)
}

/// Whether the body is not packed; that is what was asked for.
fn is_plain(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().all(|encoding| encoding == "identity")
}
