//! Random lives of a store: loads, invalidations and restarts, clean ones and such as after a crash, beside a list of all
//! that happened: what was invalidated never comes back, what was purged not even in place of a failure, and what
//! was flushed is never lost.

use proptest::prelude::*;

use super::*;

const KEYS: usize = 5;
const TAGS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    /// A load, whatever is kept.
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
    /// Other processes sweep too.
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
struct Loaded {
    version: usize,
    tags: u8,
    marking: Marking,
    is_flushed: bool,
}

/// All that happened to one key, in order.
#[derive(Debug, Default)]
struct Past {
    loads: Vec<Loaded>,
    /// So many of the last loads may have been lost.
    doubtful: usize,
}

impl Past {
    /// What may be answered: the last load that is certain, and those after it that may have been lost.
    fn candidates(&self) -> &[Loaded] {
        let certain = self.loads.len() - self.doubtful;
        &self.loads[certain.saturating_sub(1)..]
    }

    fn is_certain(&self) -> bool {
        self.doubtful == 0 && !self.loads.is_empty()
    }

    fn invalidate(&mut self, covers: impl Fn(&Loaded) -> bool, purges: bool) {
        for loaded in self.loads.iter_mut().filter(|loaded| covers(loaded)) {
            if purges {
                loaded.marking = Marking::Purged;
            } else if loaded.marking == Marking::Clear {
                loaded.marking = Marking::Marked;
            }
        }
    }

    fn crash(&mut self) {
        let flushed = self.loads.iter().rposition(|loaded| loaded.is_flushed).map_or(0, |at| at + 1);
        self.doubtful = self.doubtful.max(self.loads.len() - flushed);
    }

    fn flush(&mut self) {
        let certain = self.loads.len() - self.doubtful;
        self.loads[..certain].iter_mut().for_each(|loaded| loaded.is_flushed = true);
    }
}

struct Play {
    dir: tempfile::TempDir,
    cache: Cache,
    pasts: [Past; KEYS],
    versions: usize,
}

impl Play {
    fn open(dir: &Path) -> Cache {
        // Room for two or three entries: most reads go to the disk.
        let memory = Settings { max_bytes: 16 << 10, max_entry_bytes: 8 << 10, ..Settings::default() };
        Cache::with_disk(memory, settings(dir), Clock::system(), TaskTracker::new()).expect("it opens")
    }

    async fn play(&mut self, step: &Step) {
        match step {
            Step::Load { key, tags } => self.load(*key, *tags).await,
            Step::Invalidate { tag: at, purges } => {
                let scope = at.map_or(Scope::All, |at| tag(&format!("t{at}")));
                let covers = |loaded: &Loaded| at.is_none_or(|at| loaded.tags & (1 << at) != 0);
                self.pasts.iter_mut().for_each(|past| past.invalidate(covers, *purges));
                let how = if *purges { Invalidation::purge() } else { Invalidation::mark() };
                self.cache.invalidate(&scope, &how);
                assert!(self.cache.settled().await);
            }
            Step::Purge { key: at } => {
                self.pasts[*at].invalidate(|_| true, true);
                self.cache.invalidate(&Scope::Key(key(&format!("/{at}"))), &Invalidation::purge());
                assert!(self.cache.settled().await);
            }
            Step::Flush => {
                assert!(self.cache.flush(LONG).await);
                self.pasts.iter_mut().for_each(Past::flush);
            }
            Step::Sweep => {
                // Markers are swept an hour from now: what was loaded before has been written by then.
                assert!(self.cache.flush(LONG).await);
                self.pasts.iter_mut().for_each(Past::flush);
                let mut store = Store::open(self.dir.path(), 65_536).expect("it opens");
                while store.sweep(Clock::system().now_ms() + 3_600_000, u64::MAX).expect("swept") {}
            }
            Step::Restart => {
                assert_eq!(self.cache.close_disk().await, 0);
                self.pasts.iter_mut().for_each(Past::flush);
                self.cache = Self::open(self.dir.path());
            }
            Step::Crash => {
                self.pasts.iter_mut().for_each(Past::crash);
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
        let source = Source { tags: names.collect(), ..Source::of(body) };
        let loader = || source;
        let answer = self.cache.get_or_load(&key(&format!("/{at}")), &POLICY, Demand::Own, loader).await;
        assert!(answer.is_ok());
        let past = &mut self.pasts[at];
        // From here on only this one counts, until it is in doubt itself.
        past.loads.push(Loaded { version, tags, marking: Marking::Clear, is_flushed: false });
        past.doubtful = 0;
    }

    async fn answered(&self, at: usize, demand: Demand) -> Option<usize> {
        let loader = || Source::down();
        let answer = self.cache.get_or_load(&key(&format!("/{at}")), &POLICY, demand, loader).await;
        let Ok(Answer::Kept { entry, .. }) = answer else { return None };
        let text = String::from_utf8(entry.body().to_vec()).expect("a text");
        Some(text.split(' ').next().and_then(|number| number.parse().ok()).expect("a version"))
    }

    /// What is answered now is what may be answered.
    async fn compare(&self) {
        for (at, past) in self.pasts.iter().enumerate() {
            for (demand, worst) in
                [(Demand::OnlyIfCached, Marking::Clear), (Demand::Offline, Marking::Marked)]
            {
                let may = |loaded: &&Loaded| loaded.marking == Marking::Clear || loaded.marking == worst;
                let answered = self.answered(at, demand).await;
                let candidates = past.candidates();
                if let Some(version) = answered {
                    let is_allowed = candidates.iter().filter(may).any(|loaded| loaded.version == version);
                    assert!(is_allowed, "/{at}, {demand:?}: {version} of {candidates:?}");
                } else if past.is_certain() {
                    let is_lost = candidates.last().as_ref().is_some_and(may);
                    assert!(!is_lost, "/{at}, {demand:?}: {candidates:?} is lost");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lives_with_restarts_bring_nothing_back_and_lose_nothing(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let dir = tempfile::tempdir().expect("a folder");
            let cache = Play::open(dir.path());
            let mut play = Play { dir, cache, pasts: Default::default(), versions: 0 };
            for step in &steps {
                play.play(step).await;
                play.compare().await;
            }
        });
    }
}
