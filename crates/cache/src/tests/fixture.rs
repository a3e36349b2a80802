//! The test fixture: a cache, a scripted source behind it, and paused time. Its end checks that no task is left and
//! that there were no unexpected loads.

use crate::timestamp::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::{
    AbsentValue, Cache, CacheDirective, CacheResponse, CacheSettings, CacheStatus, Clock, ConfirmedValue, Entry,
    FreshnessBound, Invalidation, Key, LoadError, LoadErrorKind, LoadReason, LoadResult, LoadedValue, Loader,
    Partition, Policy, Scope, Tag, Value,
};

pub(crate) type ReadOutcome = Result<CacheResponse<String>, LoadError>;

/// The source's response for one key.
#[derive(Debug, Clone, Default)]
pub(crate) enum LoadScript {
    /// Its current value, cacheable.
    #[default]
    Value,
    /// A value to share.
    Share,
    /// Not found.
    Gone,
    /// Not found, and to be remembered.
    Absent,
    /// An uncacheable response.
    Pass,
    /// A failure.
    Fail(LoadErrorKind),
    /// A panic.
    Panic,
    /// The cached value, confirmed; without one, or if that was invalidated, its current value.
    Confirm,
}

#[derive(Debug, Clone, Default)]
struct KeyScript {
    response: LoadScript,
    version: u64,
    duration: Duration,
    tags: Vec<Tag>,
    policy: Option<Policy>,
    body_bytes: usize,
}

#[derive(Debug, Default)]
struct SourceState {
    scripts: HashMap<String, KeyScript>,
    log: Vec<(String, LoadReason)>,
}

/// The scripted source. Its response is chosen when a load begins, and returned when it ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScriptedSource(Arc<Mutex<SourceState>>);

impl ScriptedSource {
    fn script(&self, text: &str, change: impl FnOnce(&mut KeyScript)) {
        change(self.0.lock().unwrap().scripts.entry(text.into()).or_default());
    }

    /// Sets this key's response.
    pub(crate) fn set_response(&self, text: &str, response: LoadScript) {
        self.script(text, |script| script.response = response);
    }

    /// Sets the duration of this key's loads.
    pub(crate) fn set_duration(&self, text: &str, millis: u64) {
        self.script(text, |script| script.duration = Duration::from_millis(millis));
    }

    /// Sets the tags of this key's values.
    pub(crate) fn tags(&self, text: &str, tags: &[&str]) {
        self.script(text, |script| script.tags = tags.iter().map(|tag| Tag::new(*tag)).collect());
    }

    /// Sets the TTL policy the loader returns for this key.
    pub(crate) fn set_policy(&self, text: &str, policy: Policy) {
        self.script(text, |script| script.policy = Some(policy));
    }

    /// Sets the size of this key's values.
    pub(crate) fn set_body_bytes(&self, text: &str, bytes: usize) {
        self.script(text, |script| script.body_bytes = bytes);
    }

    /// Writes a new value.
    pub(crate) fn write(&self, text: &str) {
        self.script(text, |script| script.version += 1);
    }

    /// Total number of loads.
    pub(crate) fn load_count(&self) -> usize {
        self.0.lock().unwrap().log.len()
    }

    /// Reasons of this key's loads.
    pub(crate) fn reasons(&self, text: &str) -> Vec<LoadReason> {
        let state = self.0.lock().unwrap();
        state.log.iter().filter(|(key, _)| key == text).map(|(_, reason)| *reason).collect()
    }
}

/// Loads from the source as one partition.
pub(crate) struct ScriptedLoader {
    source: ScriptedSource,
    clock: Clock,
    key: Key,
}

impl ScriptedLoader {
    pub(crate) fn new(fixture: &CacheFixture, key: &Key) -> Self {
        Self { source: fixture.source.clone(), clock: fixture.clock.clone(), key: key.clone() }
    }
}

impl Loader for ScriptedLoader {
    type Pass = String;

    async fn load(&self, reason: LoadReason, old: Option<Arc<Entry>>) -> Result<LoadResult<String>, LoadError> {
        let script = {
            let mut state = self.source.0.lock().unwrap();
            state.log.push((self.key.text().into(), reason));
            state.scripts.get(self.key.text()).cloned().unwrap_or_default()
        };
        let checked_ms = self.clock.now();
        if !script.duration.is_zero() {
            self.clock.sleep(script.duration).await;
        }
        let mut body = format!("{} v{}", self.key.partition(), script.version).into_bytes();
        body.resize(body.len().max(script.body_bytes), b' ');
        let value = Value::new(Bytes::from(body));
        match script.response {
            LoadScript::Confirm if old.is_some() && reason != LoadReason::Invalidated => {
                Ok(LoadResult::Confirmed(ConfirmedValue { checked_ms }))
            }
            LoadScript::Value | LoadScript::Confirm => Ok(LoadResult::Store(LoadedValue {
                value,
                tags: script.tags,
                policy: script.policy,
                stored_under: None,
            })),
            LoadScript::Share => Ok(LoadResult::Share(value)),
            LoadScript::Gone => Ok(LoadResult::NotFound(Value::new("gone"))),
            LoadScript::Absent => {
                Ok(LoadResult::Absent(AbsentValue { value: Value::new("absent"), tags: script.tags }))
            }
            LoadScript::Pass => Ok(LoadResult::Pass(format!("passed v{}", script.version))),
            LoadScript::Fail(kind) => Err(LoadError::new(kind, "scripted")),
            LoadScript::Panic => panic!("scripted"),
        }
    }
}

/// A cache with its scripted source.
#[derive(Clone)]
pub(crate) struct CacheFixture {
    pub(crate) cache: Cache,
    pub(crate) source: ScriptedSource,
    pub(crate) clock: Clock,
    pub(crate) policy: Policy,
    pub(crate) tasks: TaskTracker,
}

/// Fresh for 100 s, stale for 50 s, on error for 1000 s; timeouts of 1 s with an old value, 30 s without.
pub(crate) const POLICY: Policy = Policy {
    class: "scene",
    fresh: Duration::from_secs(100),
    freshness_bound: None,
    stale: Duration::from_secs(50),
    stale_on_error: Duration::from_secs(1000),
    refresh_ahead: true,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(30),
};

pub(crate) const NAMESPACE: &str = "home";

impl CacheFixture {
    pub(crate) fn new() -> Self {
        Self::with(CacheSettings::default())
    }

    pub(crate) fn with(settings: CacheSettings) -> Self {
        let (clock, tasks) = (Clock::system(), TaskTracker::new());
        let cache = Cache::new(settings, clock.clone(), tasks.clone());
        Self { cache, source: ScriptedSource::default(), clock, policy: POLICY, tasks }
    }

    pub(crate) fn key(text: &str) -> Key {
        Self::key_of("anna", text)
    }

    pub(crate) fn key_of(partition: &str, text: &str) -> Key {
        Key::new(NAMESPACE, &Partition::new(partition), text)
    }

    /// Reads a key of Anna's.
    pub(crate) async fn read(&self, text: &str) -> ReadOutcome {
        self.read_with(&Self::key(text), CacheDirective::Any).await
    }

    pub(crate) async fn read_with(&self, key: &Key, directive: CacheDirective) -> ReadOutcome {
        let loader = || ScriptedLoader { source: self.source.clone(), clock: self.clock.clone(), key: key.clone() };
        self.cache.get_or_load(key, &self.policy, directive, loader).await
    }

    /// A caller in its own task, which has arrived when this returns.
    pub(crate) async fn caller(&self, key: &Key, directive: CacheDirective) -> JoinHandle<ReadOutcome> {
        let (fixture, key) = (self.clone(), key.clone());
        let task = self.tasks.spawn(async move { fixture.read_with(&key, directive).await });
        settle().await;
        task
    }

    pub(crate) async fn reader(&self, text: &str) -> JoinHandle<ReadOutcome> {
        self.caller(&Self::key(text), CacheDirective::Any).await
    }

    /// Lets time pass, and runs everything due in it.
    pub(crate) async fn advance(&self, millis: u64) {
        self.clock.sleep(Duration::from_millis(millis)).await;
        settle().await;
    }

    pub(crate) async fn advance_s(&self, seconds: u64) {
        self.advance(seconds * 1000).await;
    }

    /// From now on everything loaded before is unconfirmed.
    pub(crate) fn open_gap(&mut self) {
        let unconfirmed_before_ms = self.clock.now();
        self.policy.freshness_bound = Some(FreshnessBound {
            loaded_before_ms: Timestamp::UNIX_EPOCH,
            max_fresh: Duration::ZERO,
            unconfirmed_before_ms,
        });
    }

    /// Waits until no task is left.
    pub(crate) async fn settle_tasks(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    pub(crate) fn mark_tag(&self, tag: &str) {
        self.cache.invalidate(&tag_scope(tag), &Invalidation::mark_stale());
    }

    pub(crate) fn class(&self) -> crate::ClassStats {
        let stats = self.cache.stats();
        stats.classes.into_iter().find(|class| class.class == self.policy.class).expect("the class was read")
    }

    /// Ends the test: waits for everything in progress, and checks the total number of loads.
    pub(crate) async fn finish(self, loads: usize) {
        self.cache.shutdown();
        self.tasks.close();
        self.tasks.wait().await;
        assert_eq!(self.cache.stats().flights, 0, "a flight was left in the air");
        assert_eq!(self.source.load_count(), loads, "loads: {:?}", self.source.0.lock().unwrap().log);
    }
}

pub(crate) fn tag_scope(tag: &str) -> Scope {
    Scope::Tag { namespace: NAMESPACE.into(), partition: None, tag: Tag::new(tag) }
}

/// Lets every task run until it waits for time.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// The response in short: status and body.
pub(crate) fn status_and_text(outcome: &ReadOutcome) -> (CacheStatus, String) {
    match outcome {
        Ok(CacheResponse::Cached { entry, served, .. }) => (*served, text(entry.value())),
        Ok(CacheResponse::Shared { value, served, .. }) => (*served, text(value)),
        other => panic!("no value: {other:?}"),
    }
}

pub(crate) fn text(value: &Value) -> String {
    String::from_utf8_lossy(&value.body).trim_end().to_owned()
}

/// Kind of the failure returned.
pub(crate) fn kind(outcome: &ReadOutcome) -> LoadErrorKind {
    match outcome {
        Err(failure) => failure.kind,
        Ok(response) => panic!("no failure: {response:?}"),
    }
}
