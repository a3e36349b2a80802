//! Random histories of reads, writes, invalidations, failures and passing time, applied to the engine and to the naive
//! cache. Every response, the entries after every step, and the number of loads must agree.

use crate::timestamp::Timestamp;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError};

use super::fixture::{CacheFixture, LoadScript, NAMESPACE, ReadOutcome, settle, text};
use super::naive::{
    ExpectedResponse, HOLD_MS, KeyIndex, NaiveCache, NaiveInvalidation, NaiveScope, PARTITIONS, SETTLE_FRESH_MS,
    SETTLE_MS, TEXTS,
};
use crate::{
    CacheDirective, CacheResponse, CacheSettings, GracePeriod, Invalidation, InvalidationMode, Key, LoadErrorKind,
    Partition, Scope, Tag,
};

const TAGS: [&str; 3] = ["t0", "t1", "t2"];

#[derive(Debug, Clone)]
enum Step {
    Read(KeyIndex, CacheDirective),
    /// A read, and an invalidation while it may still wait.
    Race(KeyIndex, CacheDirective, u64, NaiveInvalidation),
    Pass(u64),
    Invalidate(NaiveInvalidation),
    Write(usize),
    Respond(usize, LoadScript),
    SetDuration(usize, u64),
    Tags(usize, u8),
    /// Changes may have been missed.
    Gap,
}

fn key_index() -> impl Strategy<Value = KeyIndex> {
    (0..PARTITIONS.len(), 0..TEXTS.len())
}

fn directive() -> impl Strategy<Value = CacheDirective> {
    prop_oneof![
        8 => Just(CacheDirective::Any),
        2 => Just(CacheDirective::Reload),
        1 => Just(CacheDirective::LoadUnshared),
        1 => Just(CacheDirective::OnlyIfCached),
        1 => Just(CacheDirective::Offline),
    ]
}

fn invalidated() -> impl Strategy<Value = NaiveInvalidation> {
    let partition = || proptest::option::of(0..PARTITIONS.len());
    let scope = prop_oneof![
        2 => key_index().prop_map(NaiveScope::Key),
        4 => (partition(), 0..3_u8).prop_map(|(partition, tag)| NaiveScope::Tag(partition, tag)),
        2 => (partition(), prop_oneof![Just("/a"), Just("/a/x"), Just("/b"), Just("/c")])
            .prop_map(|(partition, prefix)| NaiveScope::Prefix(partition, prefix)),
        1 => (0..PARTITIONS.len()).prop_map(NaiveScope::Partition),
        1 => Just(NaiveScope::Everything),
    ];
    let mode = prop_oneof![3 => Just(InvalidationMode::MarkStale), 1 => Just(InvalidationMode::Purge)];
    (scope, mode, proptest::bool::weighted(0.3), proptest::bool::weighted(0.15))
        .prop_map(|(scope, mode, has_grace_period, holds)| NaiveInvalidation::new(scope, mode, has_grace_period, holds))
}

fn response() -> impl Strategy<Value = LoadScript> {
    prop_oneof![
        6 => Just(LoadScript::Value),
        3 => Just(LoadScript::Confirm),
        1 => Just(LoadScript::Share),
        1 => Just(LoadScript::Gone),
        2 => Just(LoadScript::Absent),
        1 => Just(LoadScript::Pass),
        1 => Just(LoadScript::Panic),
        3 => proptest::sample::select(&LoadErrorKind::EVERY[..9]).prop_map(LoadScript::Fail),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..TEXTS.len();
    let pass = prop_oneof![
        4 => 1..500_u64,
        3 => 500..10_000_u64,
        3 => 10_000..120_000_u64,
        1 => 120_000..1_300_000_u64,
    ];
    let takes = prop_oneof![Just(0_u64), Just(307), Just(2_013), Just(40_039)];
    prop_oneof![
        10 => (key_index(), directive()).prop_map(|(key_index, directive)| Step::Read(key_index, directive)),
        3 => (key_index(), directive(), 1..1500_u64, invalidated())
            .prop_map(|(key_index, directive, after, invalidated)| Step::Race(key_index, directive, after, invalidated)),
        8 => pass.prop_map(Step::Pass),
        3 => invalidated().prop_map(Step::Invalidate),
        3 => key().prop_map(Step::Write),
        3 => (key(), response()).prop_map(|(key, response)| Step::Respond(key, response)),
        3 => (key(), takes).prop_map(|(key, millis)| Step::SetDuration(key, millis)),
        2 => (key(), 0..8_u8).prop_map(|(key, tags)| Step::Tags(key, tags)),
        1 => Just(Step::Gap),
    ]
}

/// Both caches, side by side.
struct CachePair {
    fixture: CacheFixture,
    naive: NaiveCache,
    base_ms: Timestamp,
}

impl CachePair {
    fn new() -> Self {
        // Backing off is random and has its own tests.
        let none = Duration::ZERO;
        let settings = CacheSettings { refresh_backoff: none, refresh_backoff_max: none, ..CacheSettings::default() };
        let fixture = CacheFixture::with(settings);
        Self { base_ms: fixture.clock.now(), naive: NaiveCache::default(), fixture }
    }

    fn key(key_index: KeyIndex) -> Key {
        CacheFixture::key_of(PARTITIONS[key_index.0], TEXTS[key_index.1])
    }

    fn invalidate(fixture: &CacheFixture, invalidated: &NaiveInvalidation) {
        let partition = |at: &Option<usize>| at.map(|at| Partition::new(PARTITIONS[at]));
        let namespace = NAMESPACE.to_owned();
        let scope = match &invalidated.scope {
            NaiveScope::Key(key_index) => Scope::Key(Self::key(*key_index)),
            NaiveScope::Tag(at, tag) => {
                let tag = Tag::new(TAGS[usize::from(*tag)]);
                Scope::Tag { namespace, partition: partition(at), tag }
            }
            NaiveScope::Prefix(at, prefix) => {
                Scope::Prefix { namespace, partition: partition(at), prefix: (*prefix).into() }
            }
            NaiveScope::Partition(at) => Scope::Partition { namespace, partition: Partition::new(PARTITIONS[*at]) },
            NaiveScope::Everything => Scope::All,
        };
        let grace_period = GracePeriod {
            duration: Duration::from_millis(SETTLE_MS),
            max_fresh: Duration::from_millis(SETTLE_FRESH_MS),
        };
        let invalidation = Invalidation {
            mode: invalidated.mode,
            grace_period: invalidated.has_grace_period.then_some(grace_period),
            unstorable_for: invalidated.holds.then_some(Duration::from_millis(HOLD_MS)),
        };
        fixture.cache.invalidate(&scope, &invalidation);
    }

    async fn run_step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let (fixture, naive) = (&self.fixture, &mut self.naive);
        match step {
            Step::Read(key_index, directive) => self.read(*key_index, *directive).await?,
            Step::Race(key_index, directive, after_ms, invalidated) => {
                naive.next_hold_end = Some((naive.now_ms + after_ms, invalidated.clone()));
                let (racing, invalidated, after_ms) = (fixture.clone(), invalidated.clone(), *after_ms);
                let race = fixture.tasks.spawn(async move {
                    racing.clock.sleep(Duration::from_millis(after_ms)).await;
                    Self::invalidate(&racing, &invalidated);
                });
                settle().await;
                self.read(*key_index, *directive).await?;
                if self.naive.same_time {
                    return Ok(());
                }
                // If the read ended earlier, time continues until the invalidation.
                race.await.unwrap();
                let now_ms = self.fixture.clock.now().millis_since(self.base_ms);
                self.naive.pass(now_ms - self.naive.now_ms);
            }
            Step::Pass(millis) => {
                fixture.advance(*millis).await;
                naive.pass(*millis);
            }
            Step::Invalidate(invalidated) => {
                Self::invalidate(fixture, invalidated);
                naive.invalidate(invalidated.clone());
            }
            Step::Write(key) => {
                fixture.source.write(TEXTS[*key]);
                naive.scripts[*key].version += 1;
            }
            Step::Respond(key, response) => {
                fixture.source.set_response(TEXTS[*key], response.clone());
                naive.scripts[*key].response = response.clone();
            }
            Step::SetDuration(key, millis) => {
                fixture.source.set_duration(TEXTS[*key], *millis);
                naive.scripts[*key].takes_ms = *millis;
            }
            Step::Tags(key, tags) => {
                let carried_tags: Vec<&str> =
                    (0..3).filter(|tag| tags & (1 << tag) != 0).map(|tag| TAGS[tag]).collect();
                fixture.source.tags(TEXTS[*key], &carried_tags);
                naive.scripts[*key].tags = *tags;
            }
            Step::Gap => {
                self.fixture.open_gap();
                naive.unconfirmed_before_ms = naive.now_ms;
            }
        }
        self.compare().await
    }

    async fn read(&mut self, key_index: KeyIndex, directive: CacheDirective) -> Result<(), TestCaseError> {
        let key = Self::key(key_index);
        let refresh_at_ms = self.fixture.cache.peek(&key).map(|entry| {
            let after_ms = entry.refresh_at_ms().millis_since(entry.stored_ms());
            assert!((76_000..=84_000).contains(&after_ms), "a refresh is due after {after_ms} ms");
            entry.refresh_at_ms().millis_since(self.base_ms)
        });
        let outcome = self.fixture.read_with(&key, directive).await;
        let expected = self.naive.read(key_index, directive, refresh_at_ms);
        if self.naive.same_time {
            return Ok(());
        }
        prop_assert_eq!(answered(&outcome), expected, "{:?} {:?}", key_index, directive);
        Ok(())
    }

    async fn compare(&mut self) -> Result<(), TestCaseError> {
        settle().await;
        self.naive.pass(0);
        if self.naive.same_time {
            return Ok(());
        }
        prop_assert_eq!(self.fixture.clock.now().millis_since(self.base_ms), self.naive.now_ms, "time");
        prop_assert_eq!(self.fixture.source.load_count(), self.naive.loads, "loads");
        for partition in 0..PARTITIONS.len() {
            for key in 0..TEXTS.len() {
                let cached = self.fixture.cache.peek(&Self::key((partition, key)));
                let cached = cached.map(|entry| text(entry.value()));
                prop_assert_eq!(cached, self.naive.keeps((partition, key)), "kept of {:?}", (partition, key));
            }
        }
        Ok(())
    }
}

fn answered(outcome: &ReadOutcome) -> ExpectedResponse {
    match outcome {
        Ok(CacheResponse::Cached { entry, served, .. }) => ExpectedResponse::Value(*served, text(entry.value())),
        Ok(CacheResponse::Shared { value, served, .. }) => ExpectedResponse::Value(*served, text(value)),
        Ok(CacheResponse::Passed(passed)) => {
            ExpectedResponse::Passed(passed.strip_prefix("passed v").unwrap().parse().unwrap())
        }
        Err(failure) => ExpectedResponse::Failed(failure.kind),
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn every_history_is_served_as_by_the_naive_cache(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut pair = CachePair::new();
            for step in &steps {
                pair.run_step(step).await?;
                if pair.naive.same_time {
                    break;
                }
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}
