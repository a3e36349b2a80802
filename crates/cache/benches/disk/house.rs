//! A cache on disk with keys and values to fill it with.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::disk::DiskSettings;
use greenroom_cache::{
    Answer, Cache, Clock, Demand, Entry, Failure, FailureKind, Fill, Key, Load, LoadReason, Loader,
    Partition, Policy, Settings, Tag, Value,
};
use tokio_util::task::TaskTracker;

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(600);

const POLICY: Policy = Policy {
    class: "bench",
    fresh: Duration::from_hours(10),
    earlier: None,
    stale: Duration::ZERO,
    stale_on_error: Duration::ZERO,
    refresh_ahead: false,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(30),
};

/// A source that has one value, or none.
pub(crate) struct Source(pub(crate) Option<Vec<u8>>);

impl Loader for Source {
    type Pass = ();

    async fn load(&self, _why: LoadReason, _old: Option<Arc<Entry>>) -> Result<Load<()>, Failure> {
        let body =
            self.0.clone().ok_or_else(|| Failure::new(FailureKind::Refused, "nothing is loaded here"))?;
        Ok(Load::Store(Fill { tags: vec![Tag::new("item:1")], ..Fill::new(Value::new(body)) }))
    }
}

/// Memory that holds next to nothing.
pub(crate) fn small() -> Settings {
    Settings { max_bytes: 256 * 1024, max_entry_bytes: 64 * 1024, ..Settings::default() }
}

pub(crate) fn open(dir: &Path, memory: Settings, change: impl FnOnce(&mut DiskSettings)) -> Cache {
    let mut disk = DiskSettings { read_timeout: LONG, drain_timeout: LONG, ..DiskSettings::new(dir) };
    change(&mut disk);
    Cache::with_disk(memory, disk, Clock::system(), TaskTracker::new()).expect("it opens")
}

pub(crate) fn key(name: &str) -> Key {
    Key::new("home", &Partition::new("anna"), name)
}

/// Keeps a value.
pub(crate) async fn keep(cache: &Cache, key: &Key, body: &[u8]) {
    // His own: whether something is kept already is not looked up.
    let source = || Source(Some(body.to_vec()));
    cache.get_or_load(key, &POLICY, Demand::Own, source).await.expect("it is kept");
}

/// Reads what is kept.
pub(crate) async fn read(cache: &Cache, key: &Key) -> Option<Arc<Entry>> {
    match cache.get_or_load(key, &POLICY, Demand::OnlyIfCached, || Source(None)).await {
        Ok(Answer::Kept { entry, .. }) => Some(entry),
        _ => None,
    }
}

/// Pairs of a key and a value that is hard to compress.
pub(crate) fn pairs(count: usize, length: usize) -> Vec<(String, Vec<u8>)> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..count).map(|at| (format!("/library/metadata/{at}"), random.bytes(length))).collect()
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.draw().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            let other = usize::try_from(self.draw() % (at as u64 + 1)).expect("an index");
            all.swap(at, other);
        }
    }
}
