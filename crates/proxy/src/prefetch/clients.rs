//! What was learnt of whom: a guest is one app with one identity. Nothing of a credential is kept here.

use std::collections::HashMap;

use greenroom_cache::Partition;
use greenroom_dialect::sequel::habits::Habits;
use parking_lot::Mutex;

use crate::request::meaning::Meaning;

/// Guests remembered per server, some 50 KiB each at the most.
const MAX_GUESTS: usize = 128;
/// Who was not seen for so long is forgotten when room is needed.
const IDLE_MS: u64 = 30 * 60 * 1000;

/// One app with one identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Guest {
    partition: Partition,
    app: usize,
}

impl Guest {
    /// Who was answered.
    pub fn new(meaning: &Meaning) -> Self {
        Self { partition: meaning.identity.partition().clone(), app: meaning.app.number }
    }
}

/// The guests of one server.
#[derive(Debug, Default)]
pub struct Guests(Mutex<HashMap<Guest, Known>>);

#[derive(Debug, Default)]
struct Known {
    habits: Habits,
    seen_ms: u64,
}

impl Guests {
    /// What is known of a guest, to be looked at and changed.
    pub fn with<T>(&self, guest: &Guest, now_ms: u64, look: impl FnOnce(&mut Habits) -> T) -> T {
        let mut guests = self.0.lock();
        if guests.len() >= MAX_GUESTS && !guests.contains_key(guest) {
            make_room(&mut guests, now_ms);
        }
        let known = guests.entry(guest.clone()).or_default();
        known.seen_ms = now_ms;
        look(&mut known.habits)
    }

    /// The same for a guest that is still known.
    pub fn with_known(&self, guest: &Guest, look: impl FnOnce(&mut Habits)) {
        if let Some(known) = self.0.lock().get_mut(guest) {
            look(&mut known.habits);
        }
    }
}

/// Forgets those who are gone; if nobody is, who was not seen for longest.
fn make_room(guests: &mut HashMap<Guest, Known>, now_ms: u64) {
    guests.retain(|_, known| now_ms.saturating_sub(known.seen_ms) < IDLE_MS);
    if guests.len() >= MAX_GUESTS {
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
        let guests = Guests::default();
        let guest = |app| Guest { partition: Partition::new("anna"), app };
        for app in 0..3 * MAX_GUESTS {
            guests.with(&guest(app), app as u64, |_| ());
            guests.with(&guest(0), app as u64, |_| ());
        }
        assert_eq!(guests.0.lock().len(), MAX_GUESTS);
        assert!(guests.0.lock().contains_key(&guest(0)), "it was here all the time");
        guests.with(&guest(9999), IDLE_MS * 2, |_| ());
        assert_eq!(guests.0.lock().len(), 1);
    }
}
