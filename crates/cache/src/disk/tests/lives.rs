//! Random sequences of loads, invalidations, clean restarts and crashes. After each step the cache is compared with a
//! full record of events: an invalidated value is never a hit again, a purged one is not even served while the source
//! fails, and a flushed one is never lost.

use proptest::prelude::*;

use super::*;

const KEYS: usize = 5;
const TAGS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    /// A load, even if an entry is cached.
    Load {
        key: usize,
        tags: u8,
    },
    Invalidate {
        tag: Option<usize>,
        purges: bool,
    },
    Purge {
        key: usize,
    },
    Flush,
    /// Deletes what expired, and invalidations that are no longer needed.
    Sweep,
    Restart,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..KEYS, 0..8u8).prop_map(|(key, tags)| Step::Load { key, tags }),
        4 => (proptest::option::weighted(0.9, 0..TAGS), proptest::bool::weighted(0.3))
            .prop_map(|(tag, purges)| Step::Invalidate { tag, purges }),
        1 => (0..KEYS).prop_map(|key| Step::Purge { key }),
        3 => Just(Step::Flush),
        1 => Just(Step::Sweep),
        2 => Just(Step::Restart),
        2 => Just(Step::Crash),
    ]
}

/// A value that was loaded once.
#[derive(Debug, Clone, Copy)]
struct LoadedVersion {
    version: usize,
    tags: u8,
    validity: Validity,
    is_flushed: bool,
}

/// Everything that happened to one key, in order.
#[derive(Debug, Default)]
struct KeyHistory {
    loads: Vec<LoadedVersion>,
    /// The last this many loads may have been lost in a crash.
    uncertain: usize,
}

impl KeyHistory {
    /// The values that may be served: the last certain load, and later ones that may have been lost.
    fn candidates(&self) -> &[LoadedVersion] {
        let certain = self.loads.len() - self.uncertain;
        &self.loads[certain.saturating_sub(1)..]
    }

    fn is_certain(&self) -> bool {
        self.uncertain == 0 && !self.loads.is_empty()
    }

    fn invalidate(&mut self, covers: impl Fn(&LoadedVersion) -> bool, purges: bool) {
        for loaded in self.loads.iter_mut().filter(|loaded| covers(loaded)) {
            if purges {
                loaded.validity = Validity::Purged;
            } else if loaded.validity == Validity::Valid {
                loaded.validity = Validity::Invalidated;
            }
        }
    }

    fn crash(&mut self) {
        let flushed = self.loads.iter().rposition(|loaded| loaded.is_flushed).map_or(0, |at| at + 1);
        self.uncertain = self.uncertain.max(self.loads.len() - flushed);
    }

    fn flush(&mut self) {
        let certain = self.loads.len() - self.uncertain;
        self.loads[..certain].iter_mut().for_each(|loaded| loaded.is_flushed = true);
    }
}

struct RandomRun {
    dir: tempfile::TempDir,
    cache: Cache,
    histories: [KeyHistory; KEYS],
    versions: usize,
}

impl RandomRun {
    fn open(dir: &Path) -> Cache {
        // Room for two or three entries: most reads go to the disk.
        let memory = CacheSettings { max_bytes: 16 << 10, max_entry_bytes: 8 << 10, ..CacheSettings::default() };
        Cache::with_disk(memory, settings(dir), Clock::system(), TaskTracker::new()).expect("it opens")
    }

    async fn play(&mut self, step: &Step) {
        match step {
            Step::Load { key, tags } => self.load(*key, *tags).await,
            Step::Invalidate { tag: at, purges } => {
                let scope = at.map_or(Scope::All, |at| tag(&format!("t{at}")));
                let covers = |loaded: &LoadedVersion| at.is_none_or(|at| loaded.tags & (1 << at) != 0);
                self.histories.iter_mut().for_each(|history| history.invalidate(covers, *purges));
                let mode = if *purges { Invalidation::purge() } else { Invalidation::mark_stale() };
                self.cache.invalidate(&scope, &mode);
                assert!(self.cache.flush_invalidations().await);
            }
            Step::Purge { key: at } => {
                self.histories[*at].invalidate(|_| true, true);
                self.cache.invalidate(&Scope::Key(key(&format!("/{at}"))), &Invalidation::purge());
                assert!(self.cache.flush_invalidations().await);
            }
            Step::Flush => {
                assert!(self.cache.flush(LONG).await);
                self.histories.iter_mut().for_each(KeyHistory::flush);
            }
            Step::Sweep => {
                // The sweep takes place as if an hour had passed, so that invalidations are old enough. By then every
                // load would have been written, so all are flushed first.
                assert!(self.cache.flush(LONG).await);
                self.histories.iter_mut().for_each(KeyHistory::flush);
                let mut store = DiskStore::open(self.dir.path(), 65_536).expect("it opens");
                while store
                    .evict(Timestamp::from_millis(Clock::system().now_ms() + 3_600_000), u64::MAX)
                    .expect("swept")
                {}
            }
            Step::Restart => {
                assert_eq!(self.cache.close_disk().await, 0);
                self.histories.iter_mut().for_each(KeyHistory::flush);
                self.cache = Self::open(self.dir.path());
            }
            Step::Crash => {
                self.histories.iter_mut().for_each(KeyHistory::crash);
                self.cache.crash_disk().await;
                self.cache = Self::open(self.dir.path());
            }
        }
    }

    async fn load(&mut self, at: usize, tags: u8) {
        self.versions += 1;
        let version = self.versions;
        let mut body = format!("{version} ").into_bytes();
        body.resize(3000 + version * 700 % 4000, b'x');
        let names = (0..TAGS).filter(|tag| tags & (1 << tag) != 0).map(|tag| Tag::new(format!("t{tag}")));
        let source = CountingLoader { tags: names.collect(), ..CountingLoader::new(body) };
        let loader = || source;
        let response =
            self.cache.get_or_load(&key(&format!("/{at}")), &POLICY, CacheDirective::LoadUnshared, loader).await;
        assert!(response.is_ok());
        let history = &mut self.histories[at];
        // Only this load may be served from here on. A crash may make it uncertain again.
        history.loads.push(LoadedVersion { version, tags, validity: Validity::Valid, is_flushed: false });
        history.uncertain = 0;
    }

    async fn answered(&self, at: usize, directive: CacheDirective) -> Option<usize> {
        let loader = || CountingLoader::down();
        let response = self.cache.get_or_load(&key(&format!("/{at}")), &POLICY, directive, loader).await;
        let Ok(CacheResponse::Cached { entry, .. }) = response else { return None };
        let text = String::from_utf8(entry.body().to_vec()).expect("a text");
        Some(text.split(' ').next().and_then(|number| number.parse().ok()).expect("a version"))
    }

    /// Checks that every response is one of the candidates, and that no certain one is lost.
    async fn compare(&self) {
        for (at, history) in self.histories.iter().enumerate() {
            for (directive, worst) in
                [(CacheDirective::OnlyIfCached, Validity::Valid), (CacheDirective::Offline, Validity::Invalidated)]
            {
                let may_serve =
                    |loaded: &&LoadedVersion| loaded.validity == Validity::Valid || loaded.validity == worst;
                let answered = self.answered(at, directive).await;
                let candidates = history.candidates();
                if let Some(version) = answered {
                    let is_allowed = candidates.iter().filter(may_serve).any(|loaded| loaded.version == version);
                    assert!(is_allowed, "/{at}, {directive:?}: {version} of {candidates:?}");
                } else if history.is_certain() {
                    let is_lost = candidates.last().as_ref().is_some_and(may_serve);
                    assert!(!is_lost, "/{at}, {directive:?}: {candidates:?} is lost");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_runs_with_restarts_revive_nothing_and_lose_nothing(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let dir = tempfile::tempdir().expect("a folder");
            let cache = RandomRun::open(dir.path());
            let mut run = RandomRun { dir, cache, histories: Default::default(), versions: 0 };
            for step in &steps {
                run.play(step).await;
                run.compare().await;
            }
        });
    }
}
