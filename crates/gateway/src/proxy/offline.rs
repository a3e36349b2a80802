//! Answers while the server is down: from the cache at once, or a quick no. Nothing here asks the server.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use greenroom_cache::{Answer, Cache, Demand, Failure, FailureKind, Loader, Reason, Served};
use greenroom_upstream::class::Class;
use greenroom_upstream::verdict::{Read, Sharing};
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Method, Response, StatusCode, request};

use super::note::Ours;
use super::read::Proof;
use super::{Visit, answer, read, whole};
use crate::body::Body;
use crate::breaker::Outage;
use crate::identity::within;
use crate::statistics::{Outcome, Verdict, Why};

/// A read: what is kept, however old, for who had the right to it when the server was last heard of.
pub async fn read(
    visit: &Visit,
    read: &Arc<Read>,
    parts: &request::Parts,
    outage: &Outage,
) -> (Response<Body>, Outcome) {
    match consult(&visit.server.cache, visit, read, outage, || read::loader(visit, read)).await {
        Ok(Answer::Kept { entry, served, tier, age, left_ms, reason, .. }) => {
            let history = answer::History { served, tier, age, left_ms, reason };
            let response = read::answer_kept(visit, read, &entry, history, read::wanted(visit, read, parts));
            (response, read::of_kept(served, age, reason, None))
        }
        Err(failure) if failure.kind == FailureKind::Denied => {
            let message = "the media server is down, and cannot say whether this token may have this";
            (refuse(visit, message), Outcome::new(Verdict::Failed, Why::Failed(FailureKind::Denied)))
        }
        _ => {
            let introduced = introduction(visit, read).map(|response| {
                let is_saved = true;
                (
                    in_its_absence(visit, response),
                    Outcome { is_saved, ..Outcome::new(Verdict::StaleOnError, Why::Judged(Reason::Offline)) },
                )
            });
            introduced.unwrap_or_else(|| {
                let message = "the media server is down, and this answer is not kept";
                (refuse(visit, message), Outcome::new(Verdict::Failed, Why::Failed(FailureKind::Offline)))
            })
        }
    }
}

/// Who the server is, for a client that begins now and asks in a form in which nobody asked before.
fn introduction(visit: &Visit, read: &Read) -> Option<Response<Body>> {
    if read.class != Class::Identity || read.sharing != Sharing::Public {
        return None;
    }
    let (content_type, body) = visit.server.introduction(read.representation)?;
    let mut response = whole(StatusCode::OK, content_type, body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

/// Asks an engine for what this visit may have while the server is down.
pub(crate) async fn consult<L: Loader>(
    cache: &Cache,
    visit: &Visit,
    read: &Read,
    outage: &Outage,
    loader: impl FnOnce() -> L,
) -> Result<Answer<L::Pass>, Failure> {
    if !may_have(visit, read, outage) {
        return Err(Failure::new(FailureKind::Denied, "no proof for this token while the server is down"));
    }
    let key = read::key(visit, read);
    let policy = visit.server.policy(read, &visit.identity);
    cache.get_or_load(&key, &policy, Demand::Offline, loader).await
}

/// What would pass through: the sign of life that clients begin with, else no.
pub fn stream(visit: &Visit, target: &str, method: &Method) -> Response<Body> {
    match sign_of_life(visit, target, method) {
        Some(response) => in_its_absence(visit, response),
        None => refuse(visit, "the media server is down"),
    }
}

/// Counts what we say in the server's place while it is not asked.
pub fn in_its_absence(visit: &Visit, mut response: Response<Body>) -> Response<Body> {
    read::note_saved(visit, Served::StaleOnError, Some(Reason::Offline));
    response.extensions_mut().insert(Ours::InItsAbsence);
    response
}

/// What the server would say if it were only asked whether it is there: that *we* are here is all that clients need to
/// begin.
pub fn sign_of_life(visit: &Visit, target: &str, method: &Method) -> Option<Response<Body>> {
    let (content_type, body) = visit.server.settings.kind.sign_of_life(target)?;
    if !method.is_safe() && method != Method::POST {
        return None;
    }
    let mut response = whole(StatusCode::OK, content_type, Bytes::from_static(body));
    response.extensions_mut().insert(Ours::InItsStead);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

/// The quick no, in the client's own form, with a time to try again.
pub fn refuse(visit: &Visit, message: &str) -> Response<Body> {
    visit.server.counters.offline.fetch_add(1, Ordering::Relaxed);
    answer::problem(visit, StatusCode::SERVICE_UNAVAILABLE, message)
}

/// Whether a socket may be opened in the server's absence: the token was good when it was last heard of.
pub fn may_listen(visit: &Visit, outage: &Outage) -> bool {
    let settings = &visit.server.settings;
    let now_ms = visit.server.clock.now_ms();
    visit.identity.is_proven_offline(outage, now_ms, settings.auth_ttl, settings.offline_auth_ttl)
}

fn may_have(visit: &Visit, read: &Read, outage: &Outage) -> bool {
    if read::needs_no_proof(&visit.server, &visit.identity, read) {
        return true;
    }
    let offline_ttl = visit.server.settings.offline_auth_ttl;
    let is_lately_gone = || within(outage.heard_ms, visit.server.clock.now_ms(), offline_ttl);
    match &read.sharing {
        // What was proven when the server was last heard of holds on.
        Sharing::Public | Sharing::Image(_) => {
            read::prove(&visit.server, &visit.identity, read, outage.heard_ms) == Proof::Holds
                && is_lately_gone()
        }
        // A class that is read less often than `auth_ttl` is hardly ever proven; that the token is stands in for it.
        Sharing::Identity => {
            visit.identity.is_accepted(read.class, outage.heard_ms, offline_ttl)
                && if visit.identity.is_anonymous() { is_lately_gone() } else { may_listen(visit, outage) }
        }
    }
}
