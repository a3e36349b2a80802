//! For measuring: what a reading thread does without the thread and the request around it, and what an offer costs
//! without the load before it.

use std::path::Path;
use std::sync::Arc;

use crate::cache::Cache;
use crate::disk::sight::Sight;
use crate::disk::store::Store;
use crate::key::Key;
use crate::older_copy::OlderCopy;
use crate::value::Entry;

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

/// Offers an entry to the disk, as a load does that has just been kept.
pub fn offer(cache: &Cache, key: &Key, entry: &Arc<Entry>) {
    cache.0.desk.hand_down(key, entry, OlderCopy::Void);
}
