//! Prediction models by client: one app with one identity. Holds no credential.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

use greenroom_cache::Partition;
use greenroom_prefetch::prediction::model::PredictionModel;
use parking_lot::Mutex;

use crate::request::classified_request::ClassifiedRequest;

/// Max clients per server, at most some 50 KiB each.
const MAX_CLIENTS: usize = 128;
/// Clients idle for longer are evicted when the table is full.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// One app with one identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId {
    token: Partition,
    app: usize,
}

impl ClientId {
    /// The client of a request.
    pub fn new(classified: &ClassifiedRequest) -> Self {
        Self { token: classified.identity.token().clone(), app: classified.app.number }
    }
}

/// The clients of one server.
#[derive(Debug, Default)]
pub struct ClientTable(Mutex<HashMap<ClientId, ClientEntry>>);

#[derive(Debug, Default)]
struct ClientEntry {
    model: PredictionModel,
    seen_ms: Timestamp,
}

impl ClientTable {
    /// Gives access to a client's model, creating it if needed.
    pub fn with<T>(&self, client: &ClientId, now_ms: Timestamp, access: impl FnOnce(&mut PredictionModel) -> T) -> T {
        let mut clients = self.0.lock();
        if clients.len() >= MAX_CLIENTS && !clients.contains_key(client) {
            evict(&mut clients, now_ms);
        }
        let entry = clients.entry(client.clone()).or_default();
        entry.seen_ms = now_ms;
        access(&mut entry.model)
    }

    /// Gives access to a client's model, if there is one.
    pub fn with_existing(&self, client: &ClientId, access: impl FnOnce(&mut PredictionModel)) {
        if let Some(entry) = self.0.lock().get_mut(client) {
            access(&mut entry.model);
        }
    }
}

/// Evicts idle clients; if there are none, the one idle for longest.
fn evict(clients: &mut HashMap<ClientId, ClientEntry>, now_ms: Timestamp) {
    clients.retain(|_, entry| now_ms.duration_since(entry.seen_ms) < IDLE);
    if clients.len() >= MAX_CLIENTS {
        let oldest = clients.iter().min_by_key(|(_, entry)| entry.seen_ms).map(|(client, _)| client.clone());
        if let Some(oldest) = oldest {
            clients.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_bounded_and_the_one_idle_for_longest_is_evicted() {
        let clients = ClientTable::default();
        let client = |app| ClientId { token: Partition::new("anna"), app };
        for app in 0..3 * MAX_CLIENTS {
            clients.with(&client(app), Timestamp::from_millis(app as u64), |_| ());
            clients.with(&client(0), Timestamp::from_millis(app as u64), |_| ());
        }
        assert_eq!(clients.0.lock().len(), MAX_CLIENTS);
        assert!(clients.0.lock().contains_key(&client(0)), "it was active all the time");
        clients.with(&client(9999), Timestamp::UNIX_EPOCH + IDLE * 2, |_| ());
        assert_eq!(clients.0.lock().len(), 1);
    }
}
