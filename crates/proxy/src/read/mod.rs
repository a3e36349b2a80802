//! A read: answered from the cache where that is allowed, else loaded once for all who ask alike.

pub mod bypass_read;
pub mod image;
pub mod internal;
pub mod miss_reason;
pub mod offline;
pub mod origin_loader;
pub mod prefetch_trigger;
pub mod shadow_read;
pub mod spot_check;

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{
    Answer, Cache, Demand, Entry, Failure, FailureKind, Key, LoadReason, Loader, Policy, Reason, Served,
};
use greenroom_dialect::class::Class;
use greenroom_dialect::verdict::{Read, Sharing};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, Response, request};

use crate::access_log::{note_saved, saves};
use crate::http::on_sent;
use crate::identity::Identity;
use crate::read::image::ImageLoader;
use crate::read::miss_reason::Cause;
use crate::read::origin_loader::ReadLoader;
use crate::record::{Outcome, Passage, Verdict as Decided, Why};
use crate::response;
use crate::response::base_url;
use crate::response::server_timing::Stopwatch;
use crate::response::{History, Wanted};
use crate::server::Server;
use crate::visit::Visit;
use greenroom_origin::body::Body;
use greenroom_state::grants::IMAGE_PROOF_TTL;

/// Answers a read.
pub async fn answer(visit: Visit, read: Arc<Read>, parts: &request::Parts) -> (Response<Body>, Outcome) {
    if let Some(outage) = visit.server.origin.breaker.outage() {
        return offline::read(&visit, &read, parts, &outage).await;
    }
    let watch = Stopwatch::start(&visit);
    let cause = Cause::default();
    let asking = || cause.noting(loader(&visit, &read));
    let answered = consult(&visit.server.cache, &visit, &read, &parts.headers, asking).await;
    let fetched = watch.map(Stopwatch::fetched);
    let wanted = wanted(&visit, &read, parts);
    let outcome = outcome_of(&answered, &cause);
    let response = match answered {
        Ok(Answer::Kept { entry, served, tier, age, left_ms, reason, leaving }) => {
            let history = History { served, tier, age, left_ms, reason };
            spot_check::after(&visit, &read, &entry, history, parts);
            let mut response = answer_kept(&visit, &read, &entry, history, wanted);
            if let Some(leaving) = leaving {
                on_sent::after(&mut response, move || drop(leaving));
            }
            if let Some(fetched) = fetched {
                fetched.tell_after(&mut response, &visit, &read, &entry, history);
            }
            prefetch_trigger::watch(
                &visit,
                &read,
                (Some(entry.created()), entry.value()),
                &parts.method,
                response,
            )
        }
        Ok(Answer::Shared { value, served }) => {
            note_saved(&visit, served, None);
            // A picture that was just loaded comes like this.
            let response = response::shared(&value, wanted);
            prefetch_trigger::watch(&visit, &read, (None, &value), &parts.method, response)
        }
        Ok(Answer::Passed(response)) => response::passed(response, "uncacheable"),
        Err(failure) => {
            tracing::debug!(server = visit.server.name(), class = read.class.name(), %failure, "no answer");
            response::failed(&visit, &failure, wanted)
        }
    };
    (response, outcome)
}

/// How a read was answered, in the words of the statistics.
fn outcome_of<P>(answered: &Result<Answer<P>, Failure>, cause: &Cause) -> Outcome {
    match answered {
        Ok(Answer::Kept { served, age, reason, .. }) => of_kept(*served, *age, *reason, cause.why()),
        Ok(Answer::Shared { served, .. }) => {
            let (why, is_saved) = (cause.why().map(Why::Missed), saves(*served, None));
            Outcome { why, is_saved, ..Outcome::bare(Decided::Shared) }
        }
        Ok(Answer::Passed(_)) => Outcome::new(Decided::Passed, Why::Passed(Passage::Forbidden)),
        Err(failure) => Outcome::new(Decided::Failed, Why::Failed(failure.kind)),
    }
}

/// How a kept answer was served.
fn of_kept(served: Served, age: Duration, reason: Option<Reason>, cause: Option<LoadReason>) -> Outcome {
    let why = match served {
        Served::Loaded | Served::Refreshed => cause.map(Why::Missed),
        Served::Hit | Served::Stale | Served::Joined | Served::StaleOnError => reason.map(Why::Judged),
    };
    let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    Outcome { verdict: Decided::of(served), why, age_ms: Some(age_ms), is_saved: saves(served, reason) }
}

/// Asks an engine for what this visit may have. What it does not keep comes through `loader`.
pub(crate) async fn consult<L: Loader + Clone>(
    cache: &Cache,
    visit: &Visit,
    read: &Arc<Read>,
    headers: &HeaderMap,
    loader: impl Fn() -> L,
) -> Result<Answer<L::Pass>, Failure> {
    let prove = || prove(&visit.server, &visit.identity, read, visit.server.origin.clock.now_ms());
    let proof = prove();
    let mut policy = visit.server.policy(read, &visit.identity);
    if proof != Proof::Holds {
        // Without proof an older answer may stand in only for a server that cannot be asked, not for a slow one.
        policy.soft_timeout = policy.hard_timeout;
    }
    let outcome = if let Sharing::Image(_) = read.sharing {
        image(cache, visit, read, &policy, proof, headers, loader).await
    } else {
        let demand = if proof == Proof::Holds { asked_for(headers) } else { Demand::Ask };
        if proof == Proof::Holds && read.sharing == Sharing::Identity {
            visit.identity.let_in(
                read.class,
                visit.server.origin.clock.now_ms(),
                visit.server.origin.settings.auth_ttl,
            );
        }
        let key = key(visit, read);
        match cache.get_or_load(&key, &policy, demand, &loader).await {
            // What was loaded a moment ago stands for a load, but not if an earlier process loaded it: the server may
            // have said no to that one since.
            Ok(Answer::Kept { served: Served::Hit, entry, .. })
                if demand == Demand::Ask
                    && entry.created_ms() < visit.server.origin.began_ms
                    && prove() != Proof::Holds =>
            {
                cache.get_or_load(&key, &policy, Demand::Own, loader).await
            }
            outcome => outcome,
        }
    };
    match outcome {
        // By an answer that was not believed the server may have said yes to this token after all.
        Ok(Answer::Kept { served: Served::StaleOnError, .. }) if prove() == Proof::Missing => {
            Err(Failure::new(FailureKind::Unreachable, "no proof for this token while offline"))
        }
        outcome => outcome,
    }
}

/// Under which key the answer is kept.
pub fn key(visit: &Visit, read: &Read) -> Key {
    let made = || Key::new(visit.server.name(), visit.server.partition_of(&visit.identity, read), &read.key);
    visit.key.clone().unwrap_or_else(made)
}

/// What is asked of the answer beyond its content.
fn wanted<'a>(visit: &'a Visit, read: &Read, parts: &'a request::Parts) -> Wanted<'a> {
    let is_api = !matches!(read.class, Class::Images | Class::Assets);
    Wanted { headers: &parts.headers, method: &parts.method, is_api, letterhead: &visit.letterhead }
}

/// A kept answer, with the address in it that the client used.
fn answer_kept(
    visit: &Visit,
    read: &Read,
    entry: &Entry,
    history: History,
    wanted: Wanted<'_>,
) -> Response<Body> {
    note_saved(visit, history.served, history.reason);
    match base_url::rewrite(visit, read, wanted.headers, entry.value()) {
        Some(rewritten) => response::kept(&rewritten, None, history, wanted),
        None => response::kept(entry.value(), Some(entry.created()), history, wanted),
    }
}

/// Asks the server on behalf of this visit.
pub(crate) fn loader(visit: &Visit, read: &Arc<Read>) -> ReadLoader {
    let settings = &visit.server.origin.settings;
    let credential = settings.kind.credential_headers(&visit.credential, settings.translate_legacy_auth);
    ReadLoader {
        server: Arc::clone(&visit.server),
        identity: Arc::clone(&visit.identity),
        credential: Arc::new(credential),
        app: Arc::clone(&visit.app),
        read: Arc::clone(read),
    }
}

/// An image: its bytes are shared, but what one identity is told when it asks for them says nothing about what
/// another would be told. So a load is each identity's own flight, which fills what is shared.
async fn image<L: Loader + Clone>(
    cache: &Cache,
    visit: &Visit,
    read: &Arc<Read>,
    policy: &Policy,
    proof: Proof,
    headers: &HeaderMap,
    loader: impl Fn() -> L,
) -> Result<Answer<L::Pass>, Failure> {
    let shared = key(visit, read);
    if proof == Proof::Holds && asked_for(headers) != Demand::Reload {
        let kept = cache.get_or_load(&shared, policy, Demand::OnlyIfCached, &loader).await;
        match kept {
            Err(failure) if failure.kind == FailureKind::NotCached && asked_for(headers) == Demand::Any => {}
            outcome => return outcome,
        }
    }
    let own = Key::new(visit.server.name(), visit.identity.partition(), &read.key);
    let own_policy = Policy { warm: false, ..*policy };
    let fill = || {
        let policy = visit.server.policy(read, &visit.identity);
        ImageLoader { inner: loader(), cache: cache.clone(), shared: shared.clone(), policy }
    };
    let outcome = cache.get_or_load(&own, &own_policy, Demand::Reload, fill).await;
    if let Ok(Answer::Shared { served: Served::Joined, .. }) = &outcome {
        cache.note_read(&shared);
    }
    outcome
}

/// What is known of this token's right to what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The server said yes lately, or the answer is everybody's.
    Holds,
    /// It said yes within `offline_auth_ttl`: good enough only while it cannot be asked.
    Expired,
    /// It never said yes, or too long ago.
    Missing,
}

/// What was known at `at_ms`.
pub fn prove(server: &Server, identity: &Identity, read: &Read, at_ms: u64) -> Proof {
    if needs_no_proof(server, identity, read) {
        return Proof::Holds;
    }
    let accepted = |ttl| match &read.sharing {
        Sharing::Public => true,
        Sharing::Identity => identity.is_accepted(read.class, at_ms, ttl),
        Sharing::Image(item) => server.identities.is_image_accepted(identity, item, at_ms, ttl),
    };
    let ttl = match &read.sharing {
        Sharing::Image(_) => IMAGE_PROOF_TTL,
        _ => server.origin.settings.auth_ttl,
    };
    if accepted(ttl) {
        Proof::Holds
    } else if accepted(server.origin.settings.offline_auth_ttl) {
        Proof::Expired
    } else {
        Proof::Missing
    }
}

/// Whether the answer is everybody's.
fn needs_no_proof(server: &Server, identity: &Identity, read: &Read) -> bool {
    match read.sharing {
        Sharing::Public => true,
        Sharing::Identity => false,
        Sharing::Image(_) => identity.is_anonymous() && server.origin.settings.hygiene.public_images,
    }
}

/// How much the client insists.
fn asked_for(headers: &HeaderMap) -> Demand {
    let Some(said) = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()) else {
        return Demand::Any;
    };
    let mut directives = said.split(',').map(|directive| directive.trim().to_ascii_lowercase());
    if directives.clone().any(|directive| directive == "only-if-cached") {
        Demand::OnlyIfCached
    } else if directives.any(|directive| directive == "no-cache" || directive == "max-age=0") {
        Demand::Reload
    } else {
        Demand::Any
    }
}
