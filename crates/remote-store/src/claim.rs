//! One load for all gateways: a lease on a key. It saves loads and promises nothing: a gateway that waits too long
//! loads for itself, and the store refuses the older of two entries.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::Key;
use greenroom_cache::remote::LoadClaim;

use crate::status::count;
use crate::store::{RedisStore, hex};

/// How long a lease holds without its holder; a load that takes longer is made twice.
const LEASE: Duration = Duration::from_secs(10);
/// Waits between two looks at a lease, growing from the first to the last.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LAST_WAIT: Duration = Duration::from_millis(200);

/// A lease on a load. Dropping it queues its release.
struct ClaimGuard {
    store: Arc<RedisStore>,
    name: String,
    nonce: String,
}

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        self.store.releases.lock().push((std::mem::take(&mut self.name), std::mem::take(&mut self.nonce)));
        self.store.writes.notify.notify_one();
    }
}

/// Claims a load, or waits for the gateway that has.
pub(crate) async fn claim(store: &Arc<RedisStore>, key: &Key) -> LoadClaim {
    let is_possible = store.settings.shared && store.is_ready.load(Ordering::Acquire) && store.has_peers();
    if !is_possible {
        return LoadClaim::Unclaimed;
    }
    let waiting = tokio::time::timeout(LEASE, wait_or_lead(store, key)).await;
    waiting.unwrap_or(LoadClaim::Unclaimed)
}

async fn wait_or_lead(store: &Arc<RedisStore>, key: &Key) -> LoadClaim {
    let (name, entry) = (store.claim_key(key), store.entry_key(key));
    let mut random = [0; 8];
    if getrandom::fill(&mut random).is_err() {
        return LoadClaim::Unclaimed;
    }
    let nonce = hex(&random);
    let (mut wait, mut has_waited) = (FIRST_WAIT, false);
    loop {
        let Some(mut open) = store.opened() else { return LoadClaim::Unclaimed };
        let mut command = redis::cmd("SET");
        command.arg(&name).arg(&nonce).arg("NX").arg("PX").arg(LEASE.as_millis().to_string());
        let Ok(answer) = command.query_async::<Option<String>>(&mut open.connection).await else {
            return LoadClaim::Unclaimed;
        };
        if answer.is_some() {
            let guard = ClaimGuard { store: Arc::clone(store), name, nonce };
            // The gateway that had the lease may have stored the value since this one looked.
            let mut exists = redis::cmd("EXISTS");
            exists.arg(&entry);
            let may_be_stored = has_waited && matches!(exists.query_async::<u64>(&mut open.connection).await, Ok(1));
            let counters = &store.counters;
            count(if may_be_stored { &counters.claims_followed } else { &counters.claims_granted });
            return LoadClaim::Granted { guard: Box::new(guard), may_be_stored };
        }
        has_waited = true;
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LAST_WAIT);
    }
}
