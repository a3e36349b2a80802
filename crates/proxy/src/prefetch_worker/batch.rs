//! Loads the predictions after one response: a few at a time, until one fails.

use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use greenroom_cache::LoadErrorKind;
use parking_lot::Mutex;

use super::load::{PrefetchLoadResult, load};
use crate::prefetch::batch::PrefetchBatch;
use crate::prefetch::policy::SkipReason;
use crate::server::Server;

/// Concurrent loads of a batch. Batches of a server run one after another, so this is the server's total.
const AT_A_TIME: usize = 2;

/// Runs a batch. When it ends early, loads in flight are awaited.
pub(super) async fn run(round: PrefetchBatch, server: &Arc<Server>) {
    let PrefetchBatch { client: guest, classified: meaning, predictions: expected, at_ms } = round;
    let (prefetch, ended) = (&server.prefetch, Mutex::new(None));
    let loads = stream::iter(expected).map(|expected| {
        let (ground, read) = (expected.basis, Arc::new(expected.read));
        let (meaning, ended) = (&meaning, &ended);
        async move {
            let why = *ended.lock();
            let outcome = match why {
                Some(why) => PrefetchLoadResult::Skipped(why),
                None => load(server, meaning, &read, at_ms).await,
            };
            (ground, outcome)
        }
    });
    let mut loads = pin!(loads.buffer_unordered(AT_A_TIME));
    while let Some((ground, outcome)) = loads.next().await {
        let now_ms = server.origin.clock.now_ms();
        match outcome {
            PrefetchLoadResult::Loaded => {
                prefetch.backoff.lock().record_success(now_ms);
                prefetch.clients.with_existing(&guest, |habits| habits.record_spent(ground));
            }
            PrefetchLoadResult::Skipped(why) => {
                prefetch.counters.record_skipped(why, 1);
                if ends_round(why) {
                    ended.lock().get_or_insert(why);
                }
            }
            PrefetchLoadResult::Failed(kind) => {
                prefetch.counters.record_failed();
                if is_server_failure(kind) {
                    prefetch.backoff.lock().record_failure(now_ms);
                }
                ended.lock().get_or_insert(SkipReason::Stopped);
            }
        }
    }
}

/// Whether this reason applies to the rest of the batch, too.
fn ends_round(why: SkipReason) -> bool {
    !matches!(why, SkipReason::AlreadyCached | SkipReason::InFlight | SkipReason::Withheld)
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
        | LoadErrorKind::Overloaded => true,
        LoadErrorKind::Implausible | LoadErrorKind::Denied | LoadErrorKind::Refused | LoadErrorKind::NotCached => false,
    }
}
