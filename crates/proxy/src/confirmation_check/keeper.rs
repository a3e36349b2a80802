//! Takes fingerprints while the server's events are heard: once an account has loaded enough to be worth it, at most every
//! few minutes, and when the process stops. They vouch for what was loaded once the process, or the subscription, starts
//! again.

use std::sync::Arc;
use std::time::Duration;

use crate::confirmation::ActiveAccount;
use crate::confirmation_check::library;
use crate::confirmation_check::requests::Asker;
use crate::confirmation_check::scope::LibraryScope;
use crate::confirmation_check::user_state;
use crate::server::Server;

/// Timeout for the last round, at the stop of the process.
const LAST_ROUND_TIMEOUT: Duration = Duration::from_secs(3);
/// An event may come this long after the change that it reports. What it concerns must still be invalidated.
const EVENT_DELAY: Duration = Duration::from_secs(1);

/// Takes fingerprints until the process stops, and then once more.
pub(super) async fn run(server: Arc<Server>) {
    let (clock, stop) = (server.origin.clock.clone(), server.origin.stop.clone());
    while !stop.is_cancelled() {
        let until_due = async {
            match server.confirmation.accounts.next_due_ms() {
                Some(due_ms) => clock.sleep(due_ms.duration_since(clock.now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = server.confirmation.accounts.wait_due() => continue,
            () = until_due => {}
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = round(&server, false) => {}
        }
    }
    let last_round = async {
        if server.origin.breaker.allows_requests() {
            round(&server, true).await;
            tokio::time::sleep(EVENT_DELAY).await;
        }
    };
    // Real time, because events do not come faster or slower with another clock.
    let _ = tokio::time::timeout(LAST_ROUND_TIMEOUT, last_round).await; // What is not taken vouches for nothing.
    server.confirmation.set_last_taken();
}

/// Checks the library and takes the fingerprints that are due.
async fn round(server: &Arc<Server>, is_end: bool) {
    let Some(owner) = Asker::owner(server) else { return };
    for account in server.confirmation.accounts.take_due(server.origin.clock.now(), is_end) {
        if !server.confirmation.is_feed_whole() || take_all(server, &owner, &account).await.is_none() {
            server.confirmation.accounts.retry(&account);
        }
    }
}

/// `None` if not all could be taken.
async fn take_all(server: &Arc<Server>, owner: &Asker, account: &ActiveAccount) -> Option<()> {
    let asker = Asker::new(server, &account.credential);
    for section in &account.sections {
        let scope = if section.is_empty() { LibraryScope::Whole } else { LibraryScope::Section(section.clone()) };
        let counters = library::current(server, owner, &scope).await?;
        for counter in counters.iter().filter(|counter| scope.has(&counter.section)) {
            // Not an earlier one, which says nothing about what was loaded since.
            let now_ms = server.origin.clock.now();
            user_state::current(server, &account.identity, &asker, counter, now_ms).await.value?;
        }
    }
    Some(())
}
