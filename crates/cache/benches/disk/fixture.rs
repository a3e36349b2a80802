//! A disk cache, with keys and values to fill it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::disk::DiskSettings;
use greenroom_cache::{
    Cache, CacheDirective, CacheResponse, CacheSettings, Clock, Entry, Key, LoadError, LoadErrorKind, LoadReason,
    LoadResult, LoadedValue, Loader, Partition, Policy, Tag, Value,
};
use tokio_util::task::TaskTracker;

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(600);

const POLICY: Policy = Policy {
    class: "bench",
    fresh: Duration::from_hours(10),
    freshness_bound: None,
    stale: Duration::ZERO,
    stale_on_error: Duration::ZERO,
    refresh_ahead: false,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(30),
};

/// A source with one value, or none.
pub(crate) struct BodyLoader(pub(crate) Option<Vec<u8>>);

impl Loader for BodyLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        let body = self.0.clone().ok_or_else(|| LoadError::new(LoadErrorKind::Refused, "nothing is loaded here"))?;
        Ok(LoadResult::Store(LoadedValue { tags: vec![Tag::new("item:1")], ..LoadedValue::new(Value::new(body)) }))
    }
}

/// Memory for next to nothing.
pub(crate) fn small() -> CacheSettings {
    CacheSettings { max_bytes: 256 * 1024, max_entry_bytes: 64 * 1024, ..CacheSettings::default() }
}

pub(crate) fn open(dir: &Path, memory: CacheSettings, change: impl FnOnce(&mut DiskSettings)) -> Cache {
    let mut disk = DiskSettings { read_timeout: LONG, drain_timeout: LONG, ..DiskSettings::new(dir) };
    change(&mut disk);
    Cache::with_disk(memory, disk, Clock::system(), TaskTracker::new()).expect("it opens")
}

pub(crate) fn key(name: &str) -> Key {
    Key::new("home", &Partition::new("anna"), name)
}

/// Stores a value.
pub(crate) async fn store(cache: &Cache, key: &Key, body: &[u8]) {
    // Unshared: skips the lookup for an existing entry.
    let source = || BodyLoader(Some(body.to_vec()));
    cache.get_or_load(key, &POLICY, CacheDirective::LoadUnshared, source).await.expect("it is kept");
}

/// Reads a cached value.
pub(crate) async fn read(cache: &Cache, key: &Key) -> Option<Arc<Entry>> {
    match cache.get_or_load(key, &POLICY, CacheDirective::OnlyIfCached, || BodyLoader(None)).await {
        Ok(CacheResponse::Cached { entry, .. }) => Some(entry),
        _ => None,
    }
}

/// Pairs of a key and a value that is hard to compress.
pub(crate) fn pairs(count: usize, length: usize) -> Vec<(String, Vec<u8>)> {
    let mut random = XorShiftRng(0x9e37_79b9_7f4a_7c15);
    (0..count).map(|at| (format!("/library/metadata/{at}"), random.bytes(length))).collect()
}

/// Pseudo-random numbers, the same in every run.
pub(crate) struct XorShiftRng(pub(crate) u64);

impl XorShiftRng {
    pub(crate) fn random(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.random().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            let other = usize::try_from(self.random() % (at as u64 + 1)).expect("an index");
            all.swap(at, other);
        }
    }
}
