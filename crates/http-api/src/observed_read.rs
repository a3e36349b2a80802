//! A read in observe mode: answered by the server, stored, and compared with what the cache would have answered.

use std::sync::Arc;

use greenroom_cache::{CacheDirective, CacheResponse, CacheStatus, Entry};
use greenroom_http_caching::reuse::{Reuse, reuse};
use greenroom_http_caching::stored_head::StoredHead;
use greenroom_origin::body::Body;
use greenroom_request_log::{CacheResult, DecisionOutcome, PassReason};
use http::Response;

use crate::access_log::{passed_outcome, with_outcome};
use crate::api_request::ApiRequest;
use crate::api_server::ApiServer;
use crate::loader::{ApiLoader, LoadTarget};
use crate::observation::{Observation, ObservedCounts};
use crate::read;

/// Answers a read and counts what the cache would have done.
pub(crate) async fn read(
    server: &Arc<ApiServer>,
    request: &Arc<ApiRequest>,
    observation: &Observation,
) -> Response<Body> {
    let before = stored(server, request).await;
    let response = read::load_unshared(server, request).await;
    let mut counts = ObservedCounts { asked: 1, ..ObservedCounts::default() };
    let outcome = response.extensions().get::<DecisionOutcome>().copied();
    let is_failed = outcome.is_some_and(|outcome| outcome.result == CacheResult::Failed);
    let is_uncacheable = outcome.is_some_and(|outcome| outcome.result == CacheResult::Passed);
    match before {
        _ if is_failed => counts.failed = 1,
        Some((entry, served)) => {
            if served == CacheStatus::Hit {
                counts.hits = 1;
            } else {
                counts.stale = 1;
            }
            let fields = server.variants.fields(&server.cache, &request.resource).await;
            let key = request.variant_key(&fields);
            let now_stored = server.cache.peek(&key).filter(|now_stored| !Arc::ptr_eq(now_stored, &entry));
            if is_uncacheable {
                (counts.compared, counts.differed) = (1, 1);
            } else if let Some(now_stored) = now_stored {
                counts.compared = 1;
                counts.differed = u64::from(now_stored.body() != entry.body());
            }
        }
        None if is_uncacheable => counts.uncacheable = 1,
        None => counts.missed = 1,
    }
    let app = request.caller.as_ref().map_or("", |caller| caller.app.name.as_str());
    observation.record(request.route.route.name, app, counts);
    if is_failed { response } else { with_outcome(response, passed_outcome(PassReason::Bypassed)) }
}

/// The entry that the cache would answer with, and how.
async fn stored(server: &Arc<ApiServer>, request: &Arc<ApiRequest>) -> Option<(Arc<Entry>, CacheStatus)> {
    let fields = server.variants.fields(&server.cache, &request.resource).await;
    let policy = server.policy(request.route.route.name.text(), false);
    let loader = || ApiLoader { server: Arc::clone(server), request: Arc::clone(request), target: LoadTarget::Whole };
    let key = request.variant_key(&fields);
    let stored = server.cache.get_or_load(&key, &policy, CacheDirective::OnlyIfCached, loader).await;
    let Ok(CacheResponse::Cached { entry, served: served @ (CacheStatus::Hit | CacheStatus::Stale), .. }) = stored
    else {
        return None;
    };
    let head = StoredHead::decode(entry.meta()).filter(|head| request.is_searched(head))?;
    let is_usable = reuse(&head, &request.directives, server.clock.now().as_millis()) != Reuse::Validate;
    (is_usable || served == CacheStatus::Stale).then_some((entry, served))
}
