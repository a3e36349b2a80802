//! One load for all gateways: a lease on a key. It saves loads and promises nothing: a gateway that waits too long
//! loads for itself, and the store refuses the older of two entries.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::Key;
use greenroom_cache::remote::LoadClaim;

use crate::status::count;
use crate::store::{RedisStore, hex};

/// Time for which a lease holds without its holder; a load that takes longer is made twice.
const LEASE: Duration = Duration::from_secs(10);
/// Ends the id of the gateway that holds a lease.
const ID_END: char = '.';
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
    let nonce = format!("{}{ID_END}{}", store.id, hex(&random));
    let (mut wait, mut has_waited) = (FIRST_WAIT, false);
    loop {
        let mut command = redis::cmd("SET");
        command.arg(&name).arg(&nonce).arg("NX").arg("PX").arg(LEASE.as_millis().to_string());
        let answer = ask::<Option<String>>(store, &command).await;
        // A store that is slow for once does not end the wait for a load that another gateway makes.
        if answer.is_none() && (!has_waited || store.breaker.lock().is_open() || store.opened().is_none()) {
            return LoadClaim::Unclaimed;
        }
        if answer.flatten().is_some() {
            let guard = ClaimGuard { store: Arc::clone(store), name, nonce };
            // The gateway that had the lease may have stored the value since this one looked.
            let mut exists = redis::cmd("EXISTS");
            exists.arg(&entry);
            let may_be_stored = has_waited && ask::<u64>(store, &exists).await == Some(1);
            let counters = &store.counters;
            count(if may_be_stored { &counters.claims_followed } else { &counters.claims_granted });
            return LoadClaim::Granted { guard: Box::new(guard), may_be_stored };
        }
        let mut holder = redis::cmd("GET");
        holder.arg(&name);
        let is_held = ask::<Option<String>>(store, &holder).await.flatten().is_none_or(|holder| {
            let id = holder.split(ID_END).next().unwrap_or_default();
            id == store.id || store.is_live(id)
        });
        if !is_held {
            // Its holder is gone; the lease ends by itself.
            return LoadClaim::Unclaimed;
        }
        has_waited = true;
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LAST_WAIT);
    }
}

/// Asks the store as a lookup does: no longer than that, and not while requests pass it over.
async fn ask<T: redis::FromRedisValue>(store: &RedisStore, command: &redis::Cmd) -> Option<T> {
    let mut open = store.opened().filter(|_| store.breaker.lock().allows(store.clock.now()))?;
    let answer = tokio::time::timeout(store.settings.read_timeout, command.query_async(&mut open.connection)).await;
    let found = answer.ok().and_then(Result::ok);
    store.record_answer(found.is_some());
    found
}
