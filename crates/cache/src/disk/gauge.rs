//! What a reading thread does, without the thread and without the request around it: for measuring.

use std::path::Path;

use super::store::{Sight, Store};
use crate::key::Key;

/// One connection to a store, as a reading thread has it.
#[derive(Debug)]
pub struct Gauge(Store);

impl Gauge {
    /// Opens the store in `dir`.
    pub fn open(dir: &Path) -> Result<Self, String> {
        Store::open(dir, usize::MAX).and_then(Store::only_read).map(Self).map_err(|failing| failing.to_string())
    }

    /// Looks keys up within one read transaction. Tells of each how long its body is; `None` if there is none.
    pub fn look(&self, keys: &[Key], mut told: impl FnMut(Option<usize>)) -> Result<(), String> {
        let mut looks = self.0.looks().map_err(|failing| failing.to_string())?;
        for key in keys {
            match looks.look(key).map_err(|failing| failing.to_string())? {
                Sight::Found(found) => told(Some(found.value.body.len())),
                Sight::Nothing | Sight::Torn => told(None),
            }
        }
        Ok(())
    }
}
