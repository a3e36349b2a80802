//! A read: answered from the cache where that is allowed, else loaded once for all who ask alike.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_cache::{Answer, Demand, Failure, FailureKind, Key, Served};
use greenroom_upstream::class::Class;
use greenroom_upstream::verdict::{Read, Sharing};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, Response, request};

use super::Visit;
use super::answer::{self, Wanted};
use super::load::ReadLoader;
use crate::body::Body;
use crate::identity::{IMAGE_PROOF_TTL, OFFLINE_AUTH_TTL};

/// Answers a read.
pub async fn answer(visit: Visit, read: Read, parts: &request::Parts) -> Response<Body> {
    let read = Arc::new(read);
    let proof = prove(&visit, &read);
    let key = key_of(&visit, &read);
    let mut policy = visit.server.policy(&read, &visit.identity);
    if proof != Proof::Holds {
        // Without proof an older answer may stand in only for a server that cannot be asked, not for a slow one.
        policy.soft_timeout = policy.hard_timeout;
    }
    let demand = demand(proof, &read, &parts.headers);
    let loader = || ReadLoader {
        server: Arc::clone(&visit.server),
        identity: Arc::clone(&visit.identity),
        credential: Arc::new(
            visit
                .server
                .settings
                .kind
                .credential_headers(&visit.credential, visit.server.settings.translate_legacy_auth),
        ),
        app: Arc::clone(&visit.app),
        read: Arc::clone(&read),
    };
    let outcome = visit.server.cache.get_or_load(&key, &policy, demand, loader).await;
    let is_api = !matches!(read.class, Class::Images | Class::Assets);
    let wanted = Wanted { headers: &parts.headers, method: &parts.method, is_api };
    match outcome {
        Ok(Answer::Kept { entry, served, tier, age, left_ms, .. }) => {
            if served == Served::StaleOnError && proof == Proof::Missing {
                let failure = Failure::new(FailureKind::Unreachable, "no proof for this token while offline");
                return answer::failed(&visit, &failure, wanted);
            }
            if matches!(served, Served::Hit | Served::Stale | Served::StaleOnError | Served::Joined) {
                visit.server.counters.saved.fetch_add(1, Ordering::Relaxed);
                visit.app.saved.fetch_add(1, Ordering::Relaxed);
            }
            answer::kept(&entry, served, tier, age, left_ms, wanted)
        }
        Ok(Answer::Shared { value, .. }) => answer::shared(&value, wanted),
        Ok(Answer::Passed(response)) => answer::passed(response, "uncacheable"),
        Err(failure) => {
            tracing::debug!(server = visit.server.name(), class = read.class.name(), %failure, "no answer");
            answer::failed(&visit, &failure, wanted)
        }
    }
}

/// What is known of this token's right to what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// The server said yes lately, or the answer is everybody's.
    Holds,
    /// It said yes within a day: good enough only while it cannot be asked.
    Expired,
    /// It never said yes, or too long ago.
    Missing,
}

fn prove(visit: &Visit, read: &Read) -> Proof {
    let now_ms = visit.server.clock.now_ms();
    let accepted = |ttl| match &read.sharing {
        Sharing::Public => true,
        Sharing::Identity => visit.identity.is_accepted(read.class, now_ms, ttl),
        Sharing::Image(item) => visit.identity.is_image_accepted(item, now_ms, ttl),
    };
    let ttl = match &read.sharing {
        Sharing::Image(_) => IMAGE_PROOF_TTL,
        _ => visit.server.settings.auth_ttl,
    };
    if accepted(ttl) {
        Proof::Holds
    } else if accepted(OFFLINE_AUTH_TTL) {
        Proof::Expired
    } else {
        Proof::Missing
    }
}

fn key_of(visit: &Visit, read: &Read) -> Key {
    let partition = match read.sharing {
        Sharing::Identity => visit.identity.partition(),
        Sharing::Public => &visit.server.public,
        Sharing::Image(_) => &visit.server.images,
    };
    Key::new(visit.server.name(), partition, &read.key)
}

/// How much the client insists.
fn demand(proof: Proof, read: &Read, headers: &HeaderMap) -> Demand {
    match (proof, &read.sharing) {
        (Proof::Holds, _) => asked_for(headers),
        // Whoever loads a shared image proves nothing for anybody else: everyone asks for themselves, once.
        (_, Sharing::Image(_)) => Demand::Own,
        // Only this very token's answers are in its partition: joining another request of it proves as much.
        (_, _) => Demand::Reload,
    }
}

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
