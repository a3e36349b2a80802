//! What is kept warm for the configured token, in words that outlive the process: see [`crate::warm_restart`].

use std::collections::HashMap;
use std::sync::Arc;

use greenroom_cache::{Cache, Key, Partition, Rhythm};
use greenroom_dialect::verdict::Read;
use parking_lot::Mutex;

use greenroom_state::grants::WarmRead;

/// Reads that are remembered per server.
const MAX_READS: usize = 256;

/// What is and was kept warm for the configured token.
#[derive(Debug, Default)]
pub struct WarmKeys {
    /// What is kept warm for it.
    pub own_reads: OwnReads,
    /// What was kept warm for it when the last process ended, until it is taken up.
    pub resumed: Mutex<Vec<WarmRead>>,
}

/// The reads of the configured token that are kept warm, by the text of their key.
#[derive(Debug, Default)]
pub struct OwnReads(Mutex<HashMap<String, Arc<Read>>>);

impl OwnReads {
    /// Remembers what is read with the configured token.
    pub fn note(&self, read: &Arc<Read>) {
        let mut reads = self.0.lock();
        if reads.len() < MAX_READS && !reads.contains_key(&read.key) {
            reads.insert(read.key.clone(), Arc::clone(read));
        }
    }

    /// What of it is kept warm now, in order of its keys. `own` is where answers to the configured token are kept.
    pub fn warm(&self, cache: &Cache, namespace: &str, own: &Partition) -> Vec<WarmRead> {
        let mut reads = self.0.lock();
        let warm = cache.warm_keys(namespace, own);
        // What is not kept warm any more makes room.
        reads.retain(|text, _| warm.iter().any(|(key, _)| key.text() == text));
        let row = |(key, rhythm): &(Key, Rhythm)| {
            let read = reads.get(key.text())?;
            let line = |(name, value): &(http::HeaderName, http::HeaderValue)| {
                Some(format!("{}: {}\n", name.as_str(), value.to_str().ok()?))
            };
            let headers = read.headers.iter().map(line).collect::<Option<String>>()?;
            Some(WarmRead { key: read.key.clone(), target: read.target.clone(), headers, rhythm: *rhythm })
        };
        let mut rows: Vec<WarmRead> = warm.iter().filter_map(row).collect();
        rows.sort_by(|one, two| one.key.cmp(&two.key));
        rows
    }
}

/// Whether both are the same reads, in whatever rhythm they are read.
pub fn are_same_reads(one: &[WarmRead], other: &[WarmRead]) -> bool {
    let words = |read: &WarmRead| (read.key.clone(), read.target.clone(), read.headers.clone());
    one.iter().map(words).eq(other.iter().map(words))
}
