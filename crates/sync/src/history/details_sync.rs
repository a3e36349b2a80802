//! Reads the details of played items that have none yet: many items per request, as own requests, the newest playbacks
//! first.

use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::class::Class;
use greenroom_dialect::dashboard::ItemDetails;

use super::store::HistoryStore;
use super::{PlaybackHistory, SyncObserver};
use greenroom_proxy::internal_client::fetch;
use greenroom_proxy::internal_client::fetch::InternalFetchError;
use greenroom_proxy::server::Server;

/// Items per request.
const ITEMS_PER_REQUEST: usize = 50;
/// Requests per sync and server; the next sync continues.
const MAX_REQUESTS: usize = 20;
/// Rounds per sync: the second one reads the shows of the episodes that the first one read.
const MAX_ROUNDS: usize = 2;
/// Pause between two requests, to spare the server.
const PAUSE: Duration = Duration::from_millis(100);

impl PlaybackHistory {
    /// Reads the details of items that have none yet. What cannot be read now is left to the next sync.
    pub(super) async fn fill_details(
        &self,
        store: &Arc<HistoryStore>,
        server: &Arc<Server>,
        observer: &SyncObserver<'_>,
    ) -> Result<(), String> {
        let mut requests_left = MAX_REQUESTS;
        for _ in 0..MAX_ROUNDS {
            let limit = requests_left * ITEMS_PER_REQUEST;
            let (own_store, name, now_ms) = (Arc::clone(store), server.name().to_owned(), self.clock.now());
            let keys = self.blocking(move || own_store.keys_without_details(&name, now_ms, limit)).await?;
            for keys in keys.chunks(ITEMS_PER_REQUEST) {
                if (observer.is_cancelled)() {
                    return Ok(());
                }
                requests_left -= 1;
                let items = match read(server, keys).await {
                    Ok(items) => items,
                    // Asked again, it would be the same, and keep the rest from being read.
                    Err(InternalFetchError::UnexpectedResponse) => Vec::new(),
                    Err(_) => return Ok(()),
                };
                let (own_store, name, keys) = (Arc::clone(store), server.name().to_owned(), keys.to_vec());
                let now_ms = self.clock.now();
                self.blocking(move || own_store.put_details(&name, &keys, &items, now_ms)).await?;
                self.clock.sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}

/// The details of these items, without those that the server does not have.
async fn read(server: &Arc<Server>, keys: &[String]) -> Result<Vec<ItemDetails>, InternalFetchError> {
    let kind = server.origin.settings.kind;
    let valid: Vec<&str> = keys.iter().map(String::as_str).filter(|key| kind.is_item_key(key)).collect();
    let Some(target) = kind.item_details_target(&valid) else { return Ok(Vec::new()) };
    match fetch::run(server, &target, Class::Item).await {
        Ok(body) => kind.item_details(&body).map_err(|_| InternalFetchError::UnexpectedResponse),
        Err(InternalFetchError::Missing) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
