//! Loads the predictions after one response: a few at a time, until one fails.

use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use greenroom_cache::LoadErrorKind;
use parking_lot::Mutex;

use super::load::{PrefetchLoadResult, load};
use crate::prefetch::batch::PrefetchBatch;
use crate::server::Server;
use greenroom_prefetch::policy::SkipReason;

/// Concurrent loads of a batch. Batches of a server run one after another, so this is the server's total.
const AT_A_TIME: usize = 2;

/// Runs a batch. When it ends early, loads in flight are awaited.
pub(super) async fn run(batch: PrefetchBatch, server: &Arc<Server>) {
    let PrefetchBatch { client, classified, predictions, at_ms } = batch;
    let (prefetch, stop_reason) = (&server.prefetch, Mutex::new(None));
    let loads = stream::iter(predictions).map(|prediction| {
        let (basis, read) = (prediction.basis, Arc::new(prediction.read));
        let (classified, stop_reason) = (&classified, &stop_reason);
        async move {
            let reason = *stop_reason.lock();
            let result = match reason {
                Some(reason) => PrefetchLoadResult::Skipped(reason),
                None => load(server, classified, &read, at_ms).await,
            };
            (basis, result)
        }
    });
    let mut loads = pin!(loads.buffer_unordered(AT_A_TIME));
    while let Some((basis, result)) = loads.next().await {
        let now_ms = server.origin.clock.now();
        match result {
            PrefetchLoadResult::Loaded => {
                prefetch.backoff.lock().record_success(now_ms.as_millis());
                prefetch.clients.with_existing(&client, |model| model.record_spent(basis));
            }
            PrefetchLoadResult::Skipped(reason) => {
                prefetch.counters.record_skipped(reason, 1);
                if ends_batch(reason) {
                    stop_reason.lock().get_or_insert(reason);
                }
            }
            PrefetchLoadResult::Failed(kind) => {
                prefetch.counters.record_failed();
                if is_server_failure(kind) {
                    prefetch.backoff.lock().record_failure(now_ms.as_millis());
                }
                stop_reason.lock().get_or_insert(SkipReason::Stopped);
            }
        }
    }
}

/// Whether this reason applies to the rest of the batch, too.
fn ends_batch(reason: SkipReason) -> bool {
    !matches!(reason, SkipReason::AlreadyCached | SkipReason::InFlight | SkipReason::Withheld)
}

/// Whether a failure is the server's rather than this client's or this request's.
fn is_server_failure(kind: LoadErrorKind) -> bool {
    match kind {
        LoadErrorKind::Unreachable
        | LoadErrorKind::TimedOut
        | LoadErrorKind::ServerError
        | LoadErrorKind::Malformed
        | LoadErrorKind::Starting
        | LoadErrorKind::Offline
        | LoadErrorKind::Panicked
        | LoadErrorKind::Overloaded
        | LoadErrorKind::Redirected
        | LoadErrorKind::Unrequested => true,
        LoadErrorKind::Implausible | LoadErrorKind::Denied | LoadErrorKind::Refused | LoadErrorKind::NotCached => false,
    }
}
