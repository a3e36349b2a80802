//! Warm keys of the configured token, in a form that survives the process: see [`crate::warm_restart`].

use std::collections::HashMap;
use std::sync::Arc;

use greenroom_cache::{AccessRhythmSnapshot, Cache, Key, Partition};
use greenroom_dialect::classification::Read;
use parking_lot::Mutex;

use greenroom_state::grants::StoredWarmKey;

/// Max remembered reads per server.
const MAX_READS: usize = 256;

/// Current and earlier warm keys of the configured token.
#[derive(Debug, Default)]
pub struct WarmKeys {
    /// Reads of the current ones.
    pub own_reads: OwnReads,
    /// Warm keys of the last process, until they are resumed.
    pub resumed: Mutex<Vec<StoredWarmKey>>,
}

/// Reads of the configured token that may be warm, by the text of their key.
#[derive(Debug, Default)]
pub struct OwnReads(Mutex<HashMap<String, Arc<Read>>>);

impl OwnReads {
    /// Remembers a read with the configured token.
    pub fn record(&self, read: &Arc<Read>) {
        let mut reads = self.0.lock();
        if reads.len() < MAX_READS && !reads.contains_key(&read.key) {
            reads.insert(read.key.clone(), Arc::clone(read));
        }
    }

    /// The reads that are warm now, in order of their keys. `partition` is the partition of the configured token.
    pub fn warm_reads(&self, cache: &Cache, namespace: &str, partition: &Partition) -> Vec<StoredWarmKey> {
        let mut reads = self.0.lock();
        let warm = cache.warm_keys(namespace, partition);
        // Keys that are no longer warm make room.
        reads.retain(|text, _| warm.iter().any(|(key, _)| key.text() == text));
        let to_row = |(key, rhythm): &(Key, AccessRhythmSnapshot)| {
            let read = reads.get(key.text())?;
            let header_line = |(name, value): &(http::HeaderName, http::HeaderValue)| {
                Some(format!("{}: {}\n", name.as_str(), value.to_str().ok()?))
            };
            let headers = read.headers.iter().map(header_line).collect::<Option<String>>()?;
            Some(StoredWarmKey { key: read.key.clone(), target: read.target.clone(), headers, rhythm: *rhythm })
        };
        let mut rows: Vec<StoredWarmKey> = warm.iter().filter_map(to_row).collect();
        rows.sort_by(|left, right| left.key.cmp(&right.key));
        rows
    }
}

/// Whether both are the same reads, whatever their rhythms.
pub fn are_same_reads(left: &[StoredWarmKey], right: &[StoredWarmKey]) -> bool {
    let identity_of = |read: &StoredWarmKey| (read.key.clone(), read.target.clone(), read.headers.clone());
    left.iter().map(identity_of).eq(right.iter().map(identity_of))
}
