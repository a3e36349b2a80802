//! One prefetch load: as the client itself would cause it, but without a waiting client.

use greenroom_cache::Timestamp;
use std::fmt;
use std::sync::Arc;

use greenroom_cache::{Entry, Key, LoadError, LoadErrorKind, LoadReason, LoadResult, Loader, Policy, PrefetchResult};
use greenroom_dialect::classification::{Read, SharingScope};
use http::Response;
use parking_lot::Mutex;

use crate::read::image::ImageLoader;
use crate::read::origin_loader::{ReadLoader, absence_tags};
use crate::read::{AuthorizationStatus, check_authorization};
use crate::request::classified_request::ClassifiedRequest;
use crate::server::Server;
use greenroom_origin::body::Body;
use greenroom_origin::scheduler::{QueuePermit, QueueRequest};
use greenroom_prefetch::policy::{PrefetchConditions, SkipReason, check};

/// Result of one prefetch load.
#[derive(Debug)]
pub(super) enum PrefetchLoadResult {
    /// The server responded.
    Loaded,
    /// No request was sent.
    Skipped(SkipReason),
    /// The server failed.
    Failed(LoadErrorKind),
}

/// Loads a prediction, if conditions allow. `at_ms` is when the response that led to it was sent.
pub(super) async fn load(
    server: &Arc<Server>,
    classified: &ClassifiedRequest,
    read: &Arc<Read>,
    at_ms: Timestamp,
) -> PrefetchLoadResult {
    match try_load(server, classified, read, at_ms).await {
        Ok(Ok(prefetched)) => match prefetched {
            PrefetchResult::Loaded(_) | PrefetchResult::Passed(_) => PrefetchLoadResult::Loaded,
            PrefetchResult::AlreadyCached => PrefetchLoadResult::Skipped(SkipReason::AlreadyCached),
            PrefetchResult::InFlight => PrefetchLoadResult::Skipped(SkipReason::InFlight),
            PrefetchResult::Skipped => PrefetchLoadResult::Skipped(SkipReason::Withheld),
        },
        Ok(Err(failure)) => PrefetchLoadResult::Failed(failure.kind),
        Err(reason) => PrefetchLoadResult::Skipped(reason),
    }
}

async fn try_load(
    server: &Arc<Server>,
    classified: &ClassifiedRequest,
    read: &Arc<Read>,
    at_ms: Timestamp,
) -> Result<Result<PrefetchResult<Response<Body>>, LoadError>, SkipReason> {
    let now_ms = server.origin.clock.now();
    check(PrefetchConditions {
        mode: server.read_mode(read.class, &classified.app),
        is_up: server.origin.breaker.allows_requests(),
        is_paused: server.prefetch.backoff.lock().is_active(now_ms.as_millis()),
        is_refused: classified.identity.is_forgotten() || classified.identity.is_refused(),
        is_bulk: classified.app.recent_reads.lock().is_flood(now_ms),
        age_ms: now_ms.millis_since(at_ms),
    })?;
    let identity = &classified.identity;
    let policy = Policy { warm: false, ..server.policy(read, identity) };
    let key = server.key_of(identity, read);
    // An image cached for others still needs this token's grant.
    let is_image = matches!(read.sharing, SharingScope::Image(_));
    let is_known = !is_image || check_authorization(server, identity, read, now_ms) == AuthorizationStatus::Valid;
    if is_known && server.cache.is_cached(&key, &policy).await {
        return Err(SkipReason::AlreadyCached);
    }
    let queue_request = QueueRequest::background(Some(&classified.app), read.class);
    let Some(permit) = server.origin.queue.try_acquire_spare(&queue_request) else { return Err(SkipReason::Busy) };
    if !server.prefetch.budget.lock().try_acquire(now_ms.as_millis()) {
        return Err(SkipReason::Budget);
    }
    server.prefetch.counters.record_started();
    let loader =
        || PermitLoader { inner: loader(server, classified, read, &key), permit: Arc::new(Mutex::new(Some(permit))) };
    if !is_image {
        return Ok(server.cache.prefetch(&key, &policy, loader).await);
    }
    let own_key = server.token_key_of(identity, read);
    let image_loader = || ImageLoader {
        inner: loader(),
        cache: server.cache.clone(),
        shared: key.clone(),
        policy,
        absence_tags: absence_tags(read),
    };
    Ok(server.cache.prefetch(&own_key, &policy, image_loader).await)
}

fn loader(server: &Arc<Server>, classified: &ClassifiedRequest, read: &Arc<Read>, key: &Key) -> ReadLoader {
    let settings = &server.origin.settings;
    let credential = settings.kind.credential_headers(&classified.credential, settings.translate_legacy_auth);
    ReadLoader {
        server: Arc::clone(server),
        identity: Arc::clone(&classified.identity),
        partition: key.partition().clone(),
        credential: Arc::new(credential),
        app: Arc::clone(&classified.app),
        read: Arc::clone(read),
    }
}

/// A loader with its permit of the request queue: a client that joins the load does not wait in the queue for it.
#[derive(Clone)]
struct PermitLoader {
    inner: ReadLoader,
    permit: Arc<Mutex<Option<QueuePermit>>>,
}

impl fmt::Debug for PermitLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermitLoader").finish_non_exhaustive()
    }
}

impl Loader for PermitLoader {
    type Pass = Response<Body>;

    async fn load(&self, reason: LoadReason, old: Option<Arc<Entry>>) -> Result<LoadResult<Self::Pass>, LoadError> {
        let Some(permit) = self.permit.lock().take() else {
            return Err(LoadError::new(LoadErrorKind::Overloaded, "the permit was used already"));
        };
        self.inner.load_with_permit(permit, reason, old).await
    }
}
