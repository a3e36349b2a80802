//! A disk cache, a source that never fails, and bodies that identify their key and show whether they are complete.

use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::disk::DiskSettings;
use greenroom_cache::*;
use tokio_util::task::TaskTracker;

/// Longer than anything here takes, unless it hangs.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) const POLICY: Policy = Policy {
    class: "disk",
    fresh: Duration::from_hours(100),
    stale: Duration::ZERO,
    stale_on_error: Duration::ZERO,
    refresh_ahead: false,
    warm: false,
    freshness_bound: None,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(60),
};

/// Polls until the condition holds; fails with the caller's line if it never does.
#[track_caller]
pub(crate) fn wait_until(mut is_so: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let caller = Location::caller();
    let wait = async move {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    async move {
        let result = tokio::time::timeout(LONG, wait).await;
        assert!(result.is_ok(), "after {LONG:?} it has not come to that: {caller}");
    }
}

/// A source whose responses carry an edition.
#[derive(Clone, Default)]
pub(crate) struct EditionLoader {
    edition: u64,
    name: String,
    length: usize,
    loads: Arc<AtomicU64>,
}

impl Loader for EditionLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        let loaded = LoadedValue::new(Value::new(body(&self.name, self.edition, self.length)));
        Ok(LoadResult::Store(LoadedValue { tags: vec![Tag::new(self.name.clone())], ..loaded }))
    }
}

/// A body unique to its key, edition and length; long ones are hard to compress.
pub(crate) fn body(name: &str, edition: u64, length: usize) -> Vec<u8> {
    let mut state = name.bytes().fold(edition.wrapping_add(0x9e37_79b9_7f4a_7c15), |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut body = format!("{name} {edition} {length} ").into_bytes();
    while body.len() < length {
        body.extend_from_slice(&next_random(&mut state).to_le_bytes());
    }
    body.truncate(length.max(1));
    body
}

/// Pseudo-random numbers, the same in every run.
pub(crate) fn next_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Memory for only a small part of what the tests store.
pub(crate) fn memory() -> CacheSettings {
    CacheSettings { max_bytes: 5 << 20, max_entry_bytes: 2300 << 10, ..CacheSettings::default() }
}

pub(crate) fn disk(dir: &Path) -> DiskSettings {
    // For slow test machines: the speed of the disk is not under test.
    DiskSettings { read_timeout: LONG, invalidation_timeout: LONG, drain_timeout: LONG, ..DiskSettings::new(dir) }
}

pub(crate) fn open(dir: &Path) -> DiskFixture {
    DiskFixture::open(disk(dir))
}

/// A cache, and the number of its source's loads.
#[derive(Clone)]
pub(crate) struct DiskFixture {
    pub(crate) cache: Cache,
    pub(crate) loads: Arc<AtomicU64>,
}

impl DiskFixture {
    pub(crate) fn open(disk: DiskSettings) -> Self {
        Self::open_at(disk, Clock::system())
    }

    pub(crate) fn open_at(disk: DiskSettings, clock: Clock) -> Self {
        super::warning_log::listen();
        let cache = Cache::with_disk(memory(), disk, clock, TaskTracker::new()).expect("it opens");
        Self { cache, loads: Arc::default() }
    }

    /// Reads while the source has that edition. Checks every byte, and returns the edition served.
    pub(crate) async fn read(&self, name: &str, edition: u64, length: usize) -> u64 {
        let loads = Arc::clone(&self.loads);
        let source = || EditionLoader { edition, name: name.to_owned(), length, loads };
        let response = self.cache.get_or_load(&key(name), &POLICY, CacheDirective::Any, source).await;
        let Ok(CacheResponse::Cached { entry, .. }) = response else { panic!("{name}: no answer") };
        let edition = (0..=edition).find(|edition| entry.body()[..] == body(name, *edition, length));
        edition.unwrap_or_else(|| panic!("{name}: what was answered is not what was kept"))
    }

    /// Stores a value that was never requested before.
    pub(crate) async fn store(&self, name: &str, length: usize) {
        let loads = Arc::clone(&self.loads);
        let source = || EditionLoader { edition: 0, name: name.to_owned(), length, loads };
        let response = self.cache.get_or_load(&key(name), &POLICY, CacheDirective::LoadUnshared, source).await;
        assert!(response.is_ok(), "{name}: {:?}", response.err());
    }

    pub(crate) async fn invalidate(&self, name: &str) {
        let scope = Scope::Tag { namespace: "home".into(), partition: None, tag: Tag::new(name) };
        self.cache.invalidate(&scope, &Invalidation::mark_stale());
        assert!(self.cache.flush_invalidations().await);
    }

    /// Waits until nothing is queued, whether written or lost.
    pub(crate) async fn drain(&self) {
        let _is_written = self.cache.flush(LONG).await;
        assert_eq!(self.stats().queued, 0);
    }

    pub(crate) async fn flush(&self) {
        assert!(self.cache.flush(LONG).await, "it is written");
    }

    /// Stores new values until one is certainly written, and returns its name: damage may be noticed a second time, by
    /// another page, and then pending writes are lost and counted.
    pub(crate) async fn store_until_written(&self, name: &str, length: usize) -> String {
        for round in 0..5 {
            let name = format!("{name}-{round}");
            self.store(&name, length).await;
            if self.cache.flush(LONG).await {
                return name;
            }
        }
        panic!("{name}: nothing is written any more: {:?}", self.cache.disk_error());
    }

    pub(crate) fn stats(&self) -> greenroom_cache::disk::DiskStats {
        self.cache.disk_stats().expect("there is a disk")
    }

    pub(crate) fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// Stores new values until one is written, so writing works again. Each check waits for the writer.
    pub(crate) async fn wait_written(&self, name: &str) {
        let before = self.stats().written;
        let mut round = 0u64;
        wait_until(async || {
            round += 1;
            self.read(&format!("{name}-{round}"), 0, 300).await;
            self.cache.flush(Duration::from_secs(5)).await;
            self.stats().written > before
        })
        .await;
        assert_eq!(self.cache.disk_error(), None, "the trouble is over");
    }
}

pub(crate) fn key(name: &str) -> Key {
    Key::new("home", &Partition::new("anna"), name)
}
