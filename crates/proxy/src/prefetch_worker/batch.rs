//! The loads after one answer: a few at a time, until one fails.

use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use greenroom_cache::FailureKind;
use parking_lot::Mutex;

use super::load::{Outcome, load};
use crate::prefetch::batch::Round;
use crate::prefetch::policy::Skip;
use crate::server::Server;

/// Loads of a round at a time. Rounds of a server run one after another, so this is all the server ever gets.
const AT_A_TIME: usize = 2;

/// Loads what may be loaded. What is under way when something speaks against the rest is awaited.
pub(super) async fn run(round: Round, server: &Arc<Server>) {
    let Round { guest, meaning, expected, at_ms } = round;
    let (prefetch, ended) = (&server.prefetch, Mutex::new(None));
    let loads = stream::iter(expected).map(|expected| {
        let (ground, read) = (expected.ground, Arc::new(expected.read));
        let (meaning, ended) = (&meaning, &ended);
        async move {
            let why = *ended.lock();
            let outcome = match why {
                Some(why) => Outcome::Skipped(why),
                None => load(server, meaning, &read, at_ms).await,
            };
            (ground, outcome)
        }
    });
    let mut loads = pin!(loads.buffer_unordered(AT_A_TIME));
    while let Some((ground, outcome)) = loads.next().await {
        let now_ms = server.origin.clock.now_ms();
        match outcome {
            Outcome::Loaded => {
                prefetch.pause.lock().succeeded(now_ms);
                prefetch.guests.with_known(&guest, |habits| habits.spent_on(ground));
            }
            Outcome::Skipped(why) => {
                prefetch.tally.skip(why, 1);
                if ends_round(why) {
                    ended.lock().get_or_insert(why);
                }
            }
            Outcome::Failed(kind) => {
                prefetch.tally.fail();
                if speaks_of_server(kind) {
                    prefetch.pause.lock().failed(now_ms);
                }
                ended.lock().get_or_insert(Skip::Stopped);
            }
        }
    }
}

/// Whether what is left of a round has no better prospects.
fn ends_round(why: Skip) -> bool {
    !matches!(why, Skip::Kept | Skip::UnderWay | Skip::Withheld)
}

/// Whether a failure is of the server rather than of this client or this request.
fn speaks_of_server(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Unreachable
        | FailureKind::TimedOut
        | FailureKind::ServerError
        | FailureKind::Malformed
        | FailureKind::Starting
        | FailureKind::Offline
        | FailureKind::Panicked
        | FailureKind::Overloaded => true,
        FailureKind::Doubted | FailureKind::Denied | FailureKind::Refused | FailureKind::NotCached => false,
    }
}
