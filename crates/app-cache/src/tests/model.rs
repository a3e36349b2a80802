//! Random operations against a naive model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Stage, cache, entry, key, put, tags};
use crate::app_caches::AppCaches;
use crate::batch::{BatchOperation, BatchResult};
use crate::error::AppCacheError;
use crate::put::{Put, PutCondition, PutResult};
use crate::scope::InvalidationScope;

const CACHES: [&str; 2] = ["one", "two"];
const KEYS: [&str; 6] = ["a", "a/b", "a/c", "b", "é", "a\0"];
const TAGS: [&str; 3] = ["red", "green", "blue"];

#[derive(Debug, Clone)]
enum Step {
    Put { at: (usize, usize), tag: usize, condition: u8, is_deferred: bool },
    Get((usize, usize)),
    Pop((usize, usize)),
    Retag { at: (usize, usize), tag: usize },
    Add((usize, usize)),
    Invalidate { cache: usize, scope: InvalidationScope, is_killed: bool },
    List(usize),
    Begin(usize),
    PutSince { at: (usize, usize), tag: usize },
    Batch { cache: usize, first: usize, second: usize },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let at = || (0..CACHES.len(), 0..KEYS.len());
    let tag = || 0..TAGS.len();
    let scope = prop_oneof![
        (0..KEYS.len()).prop_map(|at| InvalidationScope::Key(KEYS[at].into())),
        (0..KEYS.len()).prop_map(|at| InvalidationScope::Prefix(KEYS[at].into())),
        tag().prop_map(|tag| InvalidationScope::Tag(TAGS[tag].into())),
        Just(InvalidationScope::All),
    ];
    prop_oneof![
        6 => (at(), tag(), 0..3_u8, any::<bool>())
            .prop_map(|(at, tag, condition, is_deferred)| Step::Put { at, tag, condition, is_deferred }),
        6 => at().prop_map(Step::Get),
        2 => at().prop_map(Step::Pop),
        1 => (at(), tag()).prop_map(|(at, tag)| Step::Retag { at, tag }),
        2 => at().prop_map(Step::Add),
        2 => (0..CACHES.len(), scope, any::<bool>())
            .prop_map(|(cache, scope, is_killed)| Step::Invalidate { cache, scope, is_killed }),
        1 => (0..CACHES.len()).prop_map(Step::List),
        1 => (0..CACHES.len()).prop_map(Step::Begin),
        2 => (at(), tag()).prop_map(|(at, tag)| Step::PutSince { at, tag }),
        1 => (0..CACHES.len(), 0..KEYS.len(), 0..KEYS.len())
            .prop_map(|(cache, first, second)| Step::Batch { cache, first, second }),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Debug, Default)]
struct Model {
    /// Value and tag by cache and key.
    entries: BTreeMap<(usize, usize), (String, usize)>,
    /// Number of the model's step at which each key was written last, and each scope invalidated.
    written: BTreeMap<(usize, usize), u64>,
    invalidated: Vec<(u64, usize, InvalidationScope)>,
    steps: u64,
    /// Number of the store and of the model at which a load began.
    begun: Option<(u64, u64)>,
}

impl Model {
    fn is_overtaken(&self, at: (usize, usize), tag: usize, begun: u64) -> bool {
        self.written.get(&at).is_some_and(|written| *written > begun && self.entries.contains_key(&at))
            || self.invalidated.iter().any(|(step, cache, scope)| {
                *step > begun && *cache == at.0 && scope.covers(KEYS[at.1], &tags(&[TAGS[tag]]))
            })
    }

    fn store(&mut self, at: (usize, usize), value: String, tag: usize) {
        self.entries.insert(at, (value, tag));
        self.written.insert(at, self.steps);
    }

    fn pop(&mut self, at: (usize, usize)) -> Option<(String, usize)> {
        self.invalidated.push((self.steps, at.0, InvalidationScope::Key(KEYS[at.1].into())));
        self.entries.remove(&at)
    }

    fn keys(&self, cache: usize) -> Vec<String> {
        let mut keys: Vec<&str> = self.entries.keys().filter(|at| at.0 == cache).map(|at| KEYS[at.1]).collect();
        keys.sort_unstable();
        keys.into_iter().map(str::to_owned).collect()
    }

    fn invalidate(&mut self, cache: usize, scope: &InvalidationScope) -> u64 {
        let before = self.entries.len();
        self.entries.retain(|at, (_, tag)| at.0 != cache || !scope.covers(KEYS[at.1], &tags(&[TAGS[*tag]])));
        self.invalidated.push((self.steps, cache, scope.clone()));
        (before - self.entries.len()) as u64
    }
}

async fn play(stage: &Stage, model: &mut Model, step: &Step) {
    model.steps += 1;
    let value = format!("{}", model.steps);
    let caches = &stage.caches;
    match step.clone() {
        Step::Put { at, tag, condition, is_deferred } => {
            play_put(caches, model, (at, tag), condition, is_deferred).await;
        }
        Step::Get(at) => {
            let expected = model.entries.get(&at).map(|(value, _)| value.clone());
            assert_eq!(stage.text(CACHES[at.0], KEYS[at.1]).await, expected, "{step:?}");
        }
        Step::Pop(at) => {
            let popped = caches.pop(&cache(CACHES[at.0]), &key(KEYS[at.1])).await.expect("it works");
            let popped = popped.map(|found| String::from_utf8(found.entry.value).expect("text"));
            assert_eq!(popped, model.pop(at).map(|(value, _)| value));
        }
        Step::Retag { at, tag } => {
            let tagged = caches.retag(&cache(CACHES[at.0]), key(KEYS[at.1]), tags(&[TAGS[tag]])).await;
            assert_eq!(tagged.expect("it works"), model.entries.contains_key(&at));
            if let Some(entry) = model.entries.get_mut(&at) {
                entry.1 = tag;
            }
        }
        Step::Add(at) => {
            let sum = caches.add_integer(&cache(CACHES[at.0]), key(KEYS[at.1]), (5, None), (None, None)).await;
            let Some((old, tag)) = model.entries.get(&at).cloned() else { return assert_eq!(sum, Ok(None)) };
            let expected = old.parse::<i64>().expect("the model stores numbers") + 5;
            assert_eq!(sum, Ok(Some(expected)));
            model.store(at, expected.to_string(), tag);
        }
        Step::Invalidate { cache: at, scope, is_killed: true } => {
            stage.begin_invalidation(CACHES[at], scope.clone()).await.expect("it works");
            model.invalidate(at, &scope);
        }
        Step::List(at) => {
            caches.flush(&cache(CACHES[at]), None).await.expect("it works");
            let expected: Vec<String> = model.keys(at);
            assert_eq!(stage.keys(CACHES[at]).await, expected);
        }
        Step::Invalidate { cache: at, scope, is_killed: false } => {
            let removed = caches.invalidate(&cache(CACHES[at]), scope.clone()).await.expect("it works");
            // Rows that an unfinished invalidation hides already may be counted once more.
            assert!(removed.removed >= model.invalidate(at, &scope), "{step:?}");
        }
        Step::Begin(at) => {
            // What is deferred has no number before it is written.
            caches.flush(&cache(CACHES[at]), None).await.expect("it works");
            caches.flush(&cache(CACHES[1 - at]), None).await.expect("it works");
            model.begun = Some((caches.sequence().await.expect("it works"), model.steps));
        }
        Step::PutSince { at, tag } => {
            let Some((begun, steps)) = model.begun else { return };
            let entry = crate::entry::NewEntry { tags: tags(&[TAGS[tag]]), ..entry(&value) };
            let put =
                Put { key: key(KEYS[at.1]), entry, condition: PutCondition::Always, begun: Some(begun), lease: None };
            let result = caches.put(&cache(CACHES[at.0]), put).await.expect("it works");
            let is_fenced = model.is_overtaken(at, tag, steps);
            assert_eq!(result == PutResult::Fenced, is_fenced, "{step:?}");
            if !is_fenced {
                model.store(at, value, tag);
            }
        }
        Step::Batch { cache: at, first, second } => play_batch(caches, model, at, (first, second)).await,
        Step::Reopen => {}
    }
}

async fn play_put(
    caches: &AppCaches,
    model: &mut Model,
    (at, tag): ((usize, usize), usize),
    condition: u8,
    is_deferred: bool,
) {
    let value = model.steps.to_string();
    let entry = crate::entry::NewEntry { tags: tags(&[TAGS[tag]]), ..entry(&value) };
    let is_there = model.entries.contains_key(&at);
    let (condition, holds) = match condition {
        _ if is_deferred => (PutCondition::Always, true),
        0 => (PutCondition::Always, true),
        1 => (PutCondition::Absent, !is_there),
        _ => (PutCondition::Present, is_there),
    };
    let own = key(KEYS[at.1]);
    let stored = if is_deferred {
        caches.put_later(&cache(CACHES[at.0]), own, entry).await.expect("it works").is_some()
    } else {
        let put = Put { key: own, entry, condition, begun: None, lease: None };
        let result = caches.put(&cache(CACHES[at.0]), put).await.expect("it works");
        matches!(result, PutResult::Stored(_))
    };
    assert_eq!(stored, holds, "{at:?}");
    if holds {
        model.store(at, value, tag);
    }
}

async fn play_batch(caches: &AppCaches, model: &mut Model, at: usize, (first, second): (usize, usize)) {
    let value = model.steps.to_string();
    let operations = vec![
        BatchOperation::Get(key(KEYS[second])),
        BatchOperation::Put(put(KEYS[first], &value)),
        BatchOperation::Delete(key(KEYS[second])),
    ];
    let results = caches.batch(&cache(CACHES[at]), operations).await.expect("it works");
    let before = model.entries.get(&(at, second)).map(|(value, _)| value.clone());
    let BatchResult::Got(got) = &results[0] else { panic!("a lookup: {results:?}") };
    assert_eq!(got.as_ref().map(|got| got.entry.value.clone()), before.map(String::into_bytes));
    model.entries.insert((at, first), (value, usize::MAX));
    model.written.insert((at, first), model.steps);
    assert_eq!(results[2], BatchResult::Deleted(model.pop((at, second)).is_some()));
    // The entry that remains has no tag; the model gives it one by the store's own call.
    if let Some(entry) = model.entries.get_mut(&(at, first)) {
        entry.1 = 0;
        caches.retag(&cache(CACHES[at]), key(KEYS[first]), tags(&[TAGS[0]])).await.expect("it works");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_operation_answers_as_a_map_does_also_after_a_restart(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let folder = tempfile::tempdir().expect("a folder");
            let mut stage = Stage::open(folder.path(), Vec::new()).await;
            let mut model = Model::default();
            for step in &steps {
                if matches!(step, Step::Reopen) {
                    stage.close().await;
                    stage = Stage::open(folder.path(), Vec::new()).await;
                }
                play(&stage, &mut model, step).await;
            }
            for at in (0..CACHES.len()).flat_map(|cache| (0..KEYS.len()).map(move |key| (cache, key))) {
                let expected = model.entries.get(&at).map(|(value, _)| value.clone());
                assert_eq!(stage.text(CACHES[at.0], KEYS[at.1]).await, expected);
            }
            for (number, name) in CACHES.iter().enumerate() {
                stage.caches.flush(&cache(name), None).await.expect("it works");
                stage.sweep().await;
                let expected = model.entries.keys().filter(|at| at.0 == number).count() as u64;
                let entries = stage.caches.report(&cache(name)).map_or(0, |report| report.entries);
                assert_eq!(entries, expected, "the size is counted");
            }
            stage.close().await;
        });
    }
}

#[tokio::test]
async fn an_integer_is_added_to_and_nothing_else_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    let name = cache("c");
    let add =
        |text: &'static str, delta, default| stage.caches.add_integer(&name, key(text), (delta, default), (None, None));
    assert_eq!(add("n", 2, None).await, Ok(None));
    assert_eq!(add("n", 2, Some(40)).await, Ok(Some(42)));
    assert_eq!(add("n", i64::MAX, Some(0)).await, Err(AppCacheError::Overflow));
    assert_eq!(add("n", -43, None).await, Ok(Some(-1)));
    stage.set("c", "t", "text").await;
    assert_eq!(add("t", 1, Some(0)).await, Err(AppCacheError::NotAnInteger));
    assert_eq!(stage.text("c", "t").await.as_deref(), Some("text"));
    stage.close().await;
}
