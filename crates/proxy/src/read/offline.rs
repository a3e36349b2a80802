//! Answers while the server is down: from the cache at once, or a quick no. Nothing here asks the server.

use std::sync::Arc;

use greenroom_cache::{Answer, Cache, Demand, Failure, FailureKind, Loader, Reason};
use greenroom_dialect::class::Class;
use greenroom_dialect::verdict::{Read, Sharing};
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Response, StatusCode, request};

use crate::forward::outage::{in_its_absence, may_listen, refuse};
use crate::identity::within;
use crate::read::Proof;
use crate::record::{Outcome, Verdict, Why};
use crate::response::whole;
use crate::visit::Visit;
use crate::{read, response};
use greenroom_origin::body::Body;
use greenroom_origin::breaker::Outage;

/// A read: what is kept, however old, for who had the right to it when the server was last heard of.
pub async fn read(
    visit: &Visit,
    read: &Arc<Read>,
    parts: &request::Parts,
    outage: &Outage,
) -> (Response<Body>, Outcome) {
    match consult(&visit.server.cache, visit, read, outage, || read::loader(visit, read)).await {
        Ok(Answer::Kept { entry, served, tier, age, left_ms, reason, .. }) => {
            let history = response::History { served, tier, age, left_ms, reason };
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
    let (content_type, body) = visit.server.origin.introduction(read.representation)?;
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

fn may_have(visit: &Visit, read: &Read, outage: &Outage) -> bool {
    if read::needs_no_proof(&visit.server, &visit.identity, read) {
        return true;
    }
    let offline_ttl = visit.server.origin.settings.offline_auth_ttl;
    let is_lately_gone = || within(outage.heard_ms, visit.server.origin.clock.now_ms(), offline_ttl);
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
