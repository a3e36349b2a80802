//! The one place where tests wait: for a state, never for a time. Who waits in vain says for what, and what was decided
//! last.

use std::cell::RefCell;
use std::fmt::Display;
use std::future::Future;
use std::panic::Location;
use std::sync::{Arc, Weak};
use std::time::Duration;

use greenroom_proxy::server::Server;

/// Nothing here takes as long, also not on a busy machine: this ends what hangs.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks at a state. Who looks all the time takes the processor from those that bring it about; and where
/// time is paused, it passes while somebody waits.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// So many decisions of each server are told.
const TOLD: usize = 20;

thread_local! {
    /// Servers of the stages that this test has put up: a test begins and waits on one thread.
    static SERVERS: RefCell<Vec<Weak<Server>>> = const { RefCell::new(Vec::new()) };
}

/// From now on it is told what this server decided.
pub fn remember(server: &Arc<Server>) {
    SERVERS.with_borrow_mut(|servers| servers.push(Arc::downgrade(server)));
}

/// Waits for what comes in the end; fails with `what` if it does not.
pub async fn patiently<F: Future>(what: impl Display, awaited: F) -> F::Output {
    let Ok(output) = tokio::time::timeout(PATIENCE, awaited).await else {
        panic!("after {PATIENCE:?} still not there: {what}\n{}", decided());
    };
    output
}

/// Waits until something holds; fails with the line that waits if it never does.
#[track_caller]
pub fn until(mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    patiently(Location::caller(), async move {
        while !holds() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
}

/// The same for what has to be asked for.
#[track_caller]
pub fn until_told(mut holds: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    patiently(Location::caller(), async move {
        while !holds().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
}

/// What was decided last, the newest first.
fn decided() -> String {
    let servers = SERVERS.take();
    let lines = servers.iter().filter_map(Weak::upgrade).flat_map(|server| {
        let told = server.record.ledger.decisions(0, TOLD, |_| true);
        told.into_iter().map(move |told| format!("{}: {:?}\n", server.origin.settings.name, told.decision))
    });
    lines.collect()
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "still not there: the moon")]
async fn who_waits_in_vain_says_for_what() {
    patiently("the moon", std::future::pending::<()>()).await;
}
