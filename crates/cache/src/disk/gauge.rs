//! For measuring: what a reading thread does without the thread and the request around it, and what an offer costs
//! without the load before it or without a writer behind it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::queue::Queue;
use super::store::{Offer, Sight, Store};
use crate::cache::Cache;
use crate::clock::Clock;
use crate::key::Key;
use crate::load::LoadReason;
use crate::policy::Horizons;
use crate::reach::Reach;
use crate::stamp::Stamp;
use crate::value::{Draft, Entry, Value};

/// One connection to a store, as a reading thread has it.
#[derive(Debug)]
pub struct Gauge(Store);

impl Gauge {
    /// Opens the store in `dir`.
    pub fn open(dir: &Path) -> Result<Self, String> {
        Store::open(dir, usize::MAX)
            .and_then(Store::only_read)
            .map(Self)
            .map_err(|failing| failing.to_string())
    }

    /// Looks keys up within one read transaction. Tells of each how long its body is; `None` if there is none.
    pub fn look(&self, keys: &[Key], mut told: impl FnMut(Option<usize>)) -> Result<(), String> {
        let mut looks = self.0.looks().map_err(|failing| failing.to_string())?;
        for key in keys {
            match looks.look(key).map_err(|failing| failing.to_string())? {
                Sight::Found(found) => told(Some(found.value.body.len())),
                Sight::Nothing | Sight::Torn(_) => told(None),
            }
        }
        Ok(())
    }
}

/// The queue before the writer, without a writer.
#[derive(Debug)]
pub struct Intake {
    queue: Queue,
    clock: Clock,
    offers: Vec<Offer>,
}

impl Intake {
    /// Entries under these keys, ready to be offered.
    pub fn of(keys: &[Key], body: &[u8]) -> Self {
        let offers = keys.iter().map(|key| {
            let reach = Reach::of_key(key);
            let entry = Arc::new(Entry::new(Draft {
                key,
                value: Value::new(body.to_vec()),
                tags: Vec::new(),
                created: Stamp::end_of(1),
                created_ms: 1,
                stored_ms: 1,
                horizons: Horizons {
                    fresh_until_ms: 2,
                    stale_until_ms: 2,
                    error_until_ms: 2,
                    refresh_at_ms: 2,
                },
                adapted: false,
                why: LoadReason::Absent,
                reach,
                cell: Arc::default(),
                quota: Arc::default(),
                warmth: None,
                epoch: 0,
            }));
            Offer { key: key.clone(), entry, seen: 0 }
        });
        Self { queue: Queue::new(u64::MAX), clock: Clock::system(), offers: offers.collect() }
    }

    /// Offers the entry of one key.
    pub fn offer(&self, at: usize) {
        let Offer { key, entry, seen } = &self.offers[at];
        self.queue.offer(Offer { key: key.clone(), entry: Arc::clone(entry), seen: *seen }, 0);
    }

    /// Takes everything out again, as a writer does.
    pub fn empty(&self) {
        while self.queue.depth().offers > 0 {
            let delivery = self.queue.next(Duration::ZERO, Duration::ZERO, &self.clock);
            self.queue.done(&delivery.batch);
        }
    }
}

/// Offers an entry to the disk, as a load does that has just been kept.
pub fn offer(cache: &Cache, key: &Key, entry: &Arc<Entry>) {
    cache.0.desk.hand_down(key, entry);
}
