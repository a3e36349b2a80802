//! Behind an answer from the cache, now and then, the server is asked the same: see [`crate::shadow::spot_checks`]. Nobody
//! waits for it, and nothing that is kept is changed by it; only that a token is refused now is heeded, as everywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_cache::{Entry, Served};
use greenroom_dialect::verdict::Read;
use http::header::{
    ACCEPT_ENCODING, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use crate::forward;
use crate::read::loader;
use crate::read::origin_loader;
use crate::record::Subject;
use crate::request::base_path::target_of;
use crate::response::History;
use crate::shadow::spot_checks::{Due, Finding, Said, judge};
use crate::visit::Visit;
use greenroom_origin::body::{Body, Collected, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::Lane;
use greenroom_origin::scheduler::Errand;

/// What asks for less than the whole answer.
const CONDITIONS: [HeaderName; 6] =
    [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE];

/// Checks this answer, if it is its turn.
pub(super) fn after(
    visit: &Visit,
    read: &Arc<Read>,
    entry: &Arc<Entry>,
    history: History,
    parts: &request::Parts,
) {
    if !matches!(history.served, Served::Hit | Served::Stale) || parts.method != Method::GET {
        return;
    }
    let age_ms = u64::try_from(history.age.as_millis()).unwrap_or(u64::MAX);
    match visit.server.record.spots.due(read.class, age_ms, visit.server.origin.clock.now_ms()) {
        Due::No => {}
        Due::TooMany => note(visit, read, Finding::Skipped),
        Due::Now => {
            let policy = visit.server.policy(read, &visit.identity);
            let check = Check {
                target: target_of(&visit.server.origin.settings, &parts.uri),
                headers: forward::headers_for_server(visit, &parts.headers),
                is_in_time: history.age <= policy.fresh + policy.stale,
                entry: Arc::clone(entry),
                read: Arc::clone(read),
                visit: visit.clone(),
            };
            visit.server.origin.tasks.spawn(check.run());
        }
    }
}

/// One answer to be checked.
struct Check {
    visit: Visit,
    read: Arc<Read>,
    entry: Arc<Entry>,
    is_in_time: bool,
    /// What the client asked for, in its own words.
    target: String,
    headers: HeaderMap,
}

impl Check {
    async fn run(self) {
        let finding = self.find().await.unwrap_or(Finding::Skipped);
        let Self { visit, read, .. } = &self;
        if finding == Finding::Wrong {
            tracing::warn!(
                server = visit.server.name(),
                class = read.class.name(),
                app = visit.app.name,
                key = greenroom_dialect::redact::target(&read.key),
                "the cache answered otherwise than the server, and nothing explains it"
            );
        }
        note(visit, read, finding);
    }

    async fn find(&self) -> Option<Finding> {
        let Self { visit, read, entry, is_in_time, .. } = self;
        let server = &visit.server;
        let errand = Errand::own(Some(&visit.app), read.class);
        // Only where nobody is kept waiting by it.
        let _place = server.origin.queue.place_to_spare(&errand)?;
        let kept = entry.value().body.clone();
        let said = self.collected(self.in_its_own_words().await?).await?;
        let first = judge(read.class, &kept, *is_in_time, &said, None);
        if first != Finding::Changed || said.status != StatusCode::OK {
            return Some(first);
        }
        let again = self.in_our_words().await?;
        let again = self.collected(again).await?;
        Some(judge(read.class, &kept, *is_in_time, &said, Some(&again)))
    }

    /// As the client asked, but for the whole answer, as it is.
    async fn in_its_own_words(&self) -> Option<Response<Incoming>> {
        let server = &self.visit.server;
        let mut request =
            Request::builder().uri(self.visit.uri(&self.target).ok()?).body(Body::empty()).ok()?;
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        for condition in CONDITIONS {
            headers.remove(condition);
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if !self.may_ask() {
            return None;
        }
        let sending = server.origin.send(request, Lane::Read, breaker::key_of(&self.read.key));
        server.origin.clock.timeout(server.origin.settings.load_timeout, sending).await.ok()?.ok()
    }

    /// As a load would ask.
    async fn in_our_words(&self) -> Option<Response<Incoming>> {
        if !self.may_ask() {
            return None;
        }
        let loader = loader(&self.visit, &self.read);
        let is_told = AtomicBool::new(false);
        let asking = loader.ask(&is_told);
        self.visit
            .server
            .origin
            .clock
            .timeout(self.visit.server.origin.settings.load_timeout, asking)
            .await
            .ok()?
            .ok()
    }

    /// Whether the server may be asked; then it counts as asked by ourselves.
    fn may_ask(&self) -> bool {
        let server = &self.visit.server;
        let may = server.origin.breaker.admits() && !self.visit.identity.is_refused();
        if may {
            server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
        }
        may
    }

    async fn collected(&self, response: Response<Incoming>) -> Option<Said> {
        let server = &self.visit.server;
        let status = response.status();
        // What it says about the token holds, whoever asked.
        origin_loader::heed(server, &self.visit.identity, &self.read, status);
        let body = collect(response.into_body(), server.origin.settings.max_body_bytes);
        match server.origin.clock.timeout(server.origin.settings.load_timeout, body).await {
            Ok(Collected::Whole(body)) => Some(Said { status, body }),
            _ => None,
        }
    }
}

fn note(visit: &Visit, read: &Read, finding: Finding) {
    visit.server.record.spots.note(finding);
    let now_ms = visit.server.origin.clock.now_ms();
    visit.server.record.ledger.note(Subject::Read(read.class), finding.count(), 1, now_ms);
}
