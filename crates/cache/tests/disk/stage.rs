//! A cache on disk, a source that never fails, and bodies by which one sees whose they are and whether all is there.

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
    earlier: None,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(60),
};

/// A source of which every answer has an edition.
#[derive(Clone, Default)]
pub(crate) struct Source {
    edition: u64,
    name: String,
    length: usize,
    asked: Arc<AtomicU64>,
}

impl Loader for Source {
    type Pass = ();

    async fn load(&self, _why: LoadReason, _old: Option<Arc<Entry>>) -> Result<Load<()>, Failure> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let fill = Fill::new(Value::new(body(&self.name, self.edition, self.length)));
        Ok(Load::Store(Fill { tags: vec![Tag::new(self.name.clone())], ..fill }))
    }
}

/// A body that no other key, edition or length has; long ones are hard to compress.
pub(crate) fn body(name: &str, edition: u64, length: usize) -> Vec<u8> {
    let mut state = name.bytes().fold(edition.wrapping_add(0x9e37_79b9_7f4a_7c15), |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut body = format!("{name} {edition} {length} ").into_bytes();
    while body.len() < length {
        body.extend_from_slice(&draw(&mut state).to_le_bytes());
    }
    body.truncate(length.max(1));
    body
}

/// Numbers that look random and are the same in every run.
pub(crate) fn draw(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Memory that holds only a small part of what the tests keep.
pub(crate) fn memory() -> Settings {
    Settings { max_bytes: 5 << 20, max_entry_bytes: 2300 << 10, ..Settings::default() }
}

pub(crate) fn disk(dir: &Path) -> DiskSettings {
    // Slow test machines: what is being tested is not how fast the disk is.
    DiskSettings { read_timeout: LONG, mark_timeout: LONG, drain_timeout: LONG, ..DiskSettings::new(dir) }
}

pub(crate) fn open(dir: &Path) -> Stage {
    Stage::open(disk(dir))
}

/// A cache and what was asked of its source.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) cache: Cache,
    pub(crate) asked: Arc<AtomicU64>,
}

impl Stage {
    pub(crate) fn open(disk: DiskSettings) -> Self {
        Self::open_at(disk, Clock::system())
    }

    pub(crate) fn open_at(disk: DiskSettings, clock: Clock) -> Self {
        super::ears::listen();
        let cache = Cache::with_disk(memory(), disk, clock, TaskTracker::new()).expect("it opens");
        Self { cache, asked: Arc::default() }
    }

    /// Reads; the source has that edition by now. Gives the edition that was answered, of which every byte is right.
    pub(crate) async fn read(&self, name: &str, edition: u64, length: usize) -> u64 {
        let asked = Arc::clone(&self.asked);
        let source = || Source { edition, name: name.to_owned(), length, asked };
        let answer = self.cache.get_or_load(&key(name), &POLICY, Demand::Any, source).await;
        let Ok(Answer::Kept { entry, .. }) = answer else { panic!("{name}: no answer") };
        let edition = (0..=edition).find(|edition| entry.body()[..] == body(name, *edition, length));
        edition.unwrap_or_else(|| panic!("{name}: what was answered is not what was kept"))
    }

    /// Keeps something that was never asked for.
    pub(crate) async fn keep(&self, name: &str, length: usize) {
        let asked = Arc::clone(&self.asked);
        let source = || Source { edition: 0, name: name.to_owned(), length, asked };
        let answer = self.cache.get_or_load(&key(name), &POLICY, Demand::Own, source).await;
        assert!(answer.is_ok(), "{name}: {:?}", answer.err());
    }

    pub(crate) async fn invalidate(&self, name: &str) {
        let scope = Scope::Tag { namespace: "home".into(), partition: None, tag: Tag::new(name) };
        self.cache.invalidate(&scope, &Invalidation::mark());
        assert!(self.cache.settled().await);
    }

    /// Waits until nothing waits any more, whether it was written or lost.
    pub(crate) async fn drain(&self) {
        let _is_written = self.cache.flush(LONG).await;
        assert_eq!(self.stats().queued, 0);
    }

    pub(crate) async fn flush(&self) {
        assert!(self.cache.flush(LONG).await, "it is written");
    }

    /// Keeps something new until it was surely written, and tells its name: damage may be noticed a second time, by
    /// another page, and what is on its way then is lost and counted.
    pub(crate) async fn kept_for_sure(&self, name: &str, length: usize) -> String {
        for round in 0..5 {
            let name = format!("{name}-{round}");
            self.keep(&name, length).await;
            if self.cache.flush(LONG).await {
                return name;
            }
        }
        panic!("{name}: nothing is written any more: {:?}", self.cache.disk_trouble());
    }

    pub(crate) fn stats(&self) -> greenroom_cache::disk::DiskStats {
        self.cache.disk_stats().expect("there is a disk")
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Keeps new things until one of them was written: so writing works again. Each look at it waits for the writer.
    pub(crate) async fn until_written(&self, name: &str) {
        let before = self.stats().written;
        for round in 0u64.. {
            self.read(&format!("{name}-{round}"), 0, 300).await;
            self.cache.flush(Duration::from_secs(5)).await;
            if self.stats().written > before {
                break;
            }
        }
        assert_eq!(self.cache.disk_trouble(), None, "the trouble is over");
    }
}

pub(crate) fn key(name: &str) -> Key {
    Key::new("home", &Partition::new("anna"), name)
}
