//! Prediction models by client: one app with one identity. Holds no credential.

use std::collections::HashMap;

use greenroom_cache::Partition;
use greenroom_dialect::prediction::model::PredictionModel;
use parking_lot::Mutex;

use crate::request::classified_request::ClassifiedRequest;

/// Max clients per server, at most some 50 KiB each.
const MAX_CLIENTS: usize = 128;
/// Clients idle for longer are evicted when the table is full.
const IDLE_MS: u64 = 30 * 60 * 1000;

/// One app with one identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId {
    partition: Partition,
    app: usize,
}

impl ClientId {
    /// The client of a request.
    pub fn new(meaning: &ClassifiedRequest) -> Self {
        Self { partition: meaning.identity.partition().clone(), app: meaning.app.number }
    }
}

/// The clients of one server.
#[derive(Debug, Default)]
pub struct ClientTable(Mutex<HashMap<ClientId, ClientEntry>>);

#[derive(Debug, Default)]
struct ClientEntry {
    model: PredictionModel,
    seen_ms: u64,
}

impl ClientTable {
    /// Gives access to a client's model, creating it if needed.
    pub fn with<T>(&self, guest: &ClientId, now_ms: u64, look: impl FnOnce(&mut PredictionModel) -> T) -> T {
        let mut guests = self.0.lock();
        if guests.len() >= MAX_CLIENTS && !guests.contains_key(guest) {
            make_room(&mut guests, now_ms);
        }
        let known = guests.entry(guest.clone()).or_default();
        known.seen_ms = now_ms;
        look(&mut known.model)
    }

    /// Gives access to a client's model, if there is one.
    pub fn with_existing(&self, guest: &ClientId, look: impl FnOnce(&mut PredictionModel)) {
        if let Some(known) = self.0.lock().get_mut(guest) {
            look(&mut known.model);
        }
    }
}

/// Evicts idle clients; if there are none, the one idle for longest.
fn make_room(guests: &mut HashMap<ClientId, ClientEntry>, now_ms: u64) {
    guests.retain(|_, known| now_ms.saturating_sub(known.seen_ms) < IDLE_MS);
    if guests.len() >= MAX_CLIENTS {
        let oldest = guests.iter().min_by_key(|(_, known)| known.seen_ms).map(|(guest, _)| guest.clone());
        if let Some(oldest) = oldest {
            guests.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_bounded_and_the_one_gone_longest_makes_room() {
        let guests = ClientTable::default();
        let guest = |app| ClientId { partition: Partition::new("anna"), app };
        for app in 0..3 * MAX_CLIENTS {
            guests.with(&guest(app), app as u64, |_| ());
            guests.with(&guest(0), app as u64, |_| ());
        }
        assert_eq!(guests.0.lock().len(), MAX_CLIENTS);
        assert!(guests.0.lock().contains_key(&guest(0)), "it was here all the time");
        guests.with(&guest(9999), IDLE_MS * 2, |_| ());
        assert_eq!(guests.0.lock().len(), 1);
    }
}
