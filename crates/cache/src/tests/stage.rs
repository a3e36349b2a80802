//! The stage: a cache, a scripted source behind it, and paused time. Checks when it is struck that the floor is
//! clean: no task left, no load nobody expected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::{
    Answer, Cache, Clock, Demand, Entry, Failure, FailureKind, Fill, Invalidation, Key, Load, LoadReason,
    Loader, Partition, Policy, Scope, Served, Settings, Tag, Value,
};

pub(crate) type Outcome = Result<Answer<String>, Failure>;

/// What the source says about one key.
#[derive(Debug, Clone, Default)]
pub(crate) enum Says {
    /// Its present value, to be kept.
    #[default]
    Value,
    /// A value to share.
    Share,
    /// That there is no such thing.
    Gone,
    /// Something not for keeping.
    Pass,
    /// A failure.
    Fail(FailureKind),
    /// Nothing: it panics.
    Panic,
}

#[derive(Debug, Clone, Default)]
struct Script {
    says: Says,
    version: u64,
    takes: Duration,
    tags: Vec<Tag>,
    policy: Option<Policy>,
    body_bytes: usize,
}

#[derive(Debug, Default)]
struct SourceState {
    scripts: HashMap<String, Script>,
    log: Vec<(String, LoadReason)>,
}

/// The scripted source. What it says is read when a load begins, and told when it ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source(Arc<Mutex<SourceState>>);

impl Source {
    fn script(&self, text: &str, change: impl FnOnce(&mut Script)) {
        change(self.0.lock().unwrap().scripts.entry(text.into()).or_default());
    }

    /// What this key's loads come to from now on.
    pub(crate) fn says(&self, text: &str, says: Says) {
        self.script(text, |script| script.says = says);
    }

    /// How long this key's loads take from now on.
    pub(crate) fn takes(&self, text: &str, millis: u64) {
        self.script(text, |script| script.takes = Duration::from_millis(millis));
    }

    /// The tags this key's values carry from now on.
    pub(crate) fn tags(&self, text: &str, tags: &[&str]) {
        self.script(text, |script| script.tags = tags.iter().map(|tag| Tag::new(*tag)).collect());
    }

    /// The lifetime the loader sets for this key's values.
    pub(crate) fn lives(&self, text: &str, policy: Policy) {
        self.script(text, |script| script.policy = Some(policy));
    }

    /// How large this key's values are from now on.
    pub(crate) fn weighs(&self, text: &str, bytes: usize) {
        self.script(text, |script| script.body_bytes = bytes);
    }

    /// A write: the value becomes another.
    pub(crate) fn write(&self, text: &str) {
        self.script(text, |script| script.version += 1);
    }

    /// How often the source was asked in all.
    pub(crate) fn asked(&self) -> usize {
        self.0.lock().unwrap().log.len()
    }

    /// Why the source was asked for this key.
    pub(crate) fn reasons(&self, text: &str) -> Vec<LoadReason> {
        let state = self.0.lock().unwrap();
        state.log.iter().filter(|(asked, _)| asked == text).map(|(_, why)| *why).collect()
    }
}

/// Loads from the source as one partition.
pub(crate) struct FromSource {
    source: Source,
    clock: Clock,
    key: Key,
}

impl FromSource {
    pub(crate) fn new(stage: &Stage, key: &Key) -> Self {
        Self { source: stage.source.clone(), clock: stage.clock.clone(), key: key.clone() }
    }
}

impl Loader for FromSource {
    type Pass = String;

    async fn load(&self, why: LoadReason, _old: Option<Arc<Entry>>) -> Result<Load<String>, Failure> {
        let script = {
            let mut state = self.source.0.lock().unwrap();
            state.log.push((self.key.text().into(), why));
            state.scripts.get(self.key.text()).cloned().unwrap_or_default()
        };
        if !script.takes.is_zero() {
            self.clock.sleep(script.takes).await;
        }
        let mut body = format!("{} v{}", self.key.partition(), script.version).into_bytes();
        body.resize(body.len().max(script.body_bytes), b' ');
        let value = Value::new(Bytes::from(body));
        match script.says {
            Says::Value => Ok(Load::Store(Fill { value, tags: script.tags, policy: script.policy })),
            Says::Share => Ok(Load::Share(value)),
            Says::Gone => Ok(Load::Gone(Value::new("gone"))),
            Says::Pass => Ok(Load::Pass(format!("passed v{}", script.version))),
            Says::Fail(kind) => Err(Failure::new(kind, "scripted")),
            Says::Panic => panic!("scripted"),
        }
    }
}

/// A cache on stage.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) cache: Cache,
    pub(crate) source: Source,
    pub(crate) clock: Clock,
    pub(crate) policy: Policy,
    pub(crate) tasks: TaskTracker,
}

/// Fresh for 100 s, stale for 50 s, a fallback for 1000 s; a second's patience with something old, thirty without.
pub(crate) const POLICY: Policy = Policy {
    class: "scene",
    fresh: Duration::from_secs(100),
    earlier: None,
    stale: Duration::from_secs(50),
    stale_on_error: Duration::from_secs(1000),
    refresh_ahead: true,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(30),
};

pub(crate) const NAMESPACE: &str = "home";

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let (clock, tasks) = (Clock::system(), TaskTracker::new());
        let cache = Cache::new(settings, clock.clone(), tasks.clone());
        Self { cache, source: Source::default(), clock, policy: POLICY, tasks }
    }

    pub(crate) fn key(text: &str) -> Key {
        Self::key_of("anna", text)
    }

    pub(crate) fn key_of(partition: &str, text: &str) -> Key {
        Key::new(NAMESPACE, &Partition::new(partition), text)
    }

    /// Reads a key of Anna's.
    pub(crate) async fn read(&self, text: &str) -> Outcome {
        self.ask(&Self::key(text), Demand::Any).await
    }

    pub(crate) async fn ask(&self, key: &Key, demand: Demand) -> Outcome {
        let loader =
            || FromSource { source: self.source.clone(), clock: self.clock.clone(), key: key.clone() };
        self.cache.get_or_load(key, &self.policy, demand, loader).await
    }

    /// A caller in a task of his own, who has arrived when this returns.
    pub(crate) async fn caller(&self, key: &Key, demand: Demand) -> JoinHandle<Outcome> {
        let (stage, key) = (self.clone(), key.clone());
        let task = self.tasks.spawn(async move { stage.ask(&key, demand).await });
        settle().await;
        task
    }

    pub(crate) async fn reader(&self, text: &str) -> JoinHandle<Outcome> {
        self.caller(&Self::key(text), Demand::Any).await
    }

    /// Lets time pass, and everything happen that happens in it.
    pub(crate) async fn pass(&self, millis: u64) {
        self.clock.sleep(Duration::from_millis(millis)).await;
        settle().await;
    }

    pub(crate) async fn pass_s(&self, seconds: u64) {
        self.pass(seconds * 1000).await;
    }

    /// Waits until no task is left.
    pub(crate) async fn settle_tasks(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    pub(crate) fn mark_tag(&self, tag: &str) {
        self.cache.invalidate(&tag_scope(tag), &Invalidation::mark());
    }

    pub(crate) fn class(&self) -> crate::ClassStats {
        let stats = self.cache.stats();
        stats.classes.into_iter().find(|class| class.class == self.policy.class).expect("somebody asked")
    }

    /// Ends the performance: everything under way ends, and the source was asked exactly so often.
    pub(crate) async fn strike(self, asked: usize) {
        self.cache.shutdown();
        self.tasks.close();
        self.tasks.wait().await;
        assert_eq!(self.cache.stats().flights, 0, "a flight was left in the air");
        assert_eq!(self.source.asked(), asked, "loads: {:?}", self.source.0.lock().unwrap().log);
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

/// What was answered, in short: the word and the body.
pub(crate) fn said(outcome: &Outcome) -> (Served, String) {
    match outcome {
        Ok(Answer::Kept { entry, served, .. }) => (*served, text(entry.value())),
        Ok(Answer::Shared { value, served }) => (*served, text(value)),
        other => panic!("no value: {other:?}"),
    }
}

pub(crate) fn text(value: &Value) -> String {
    String::from_utf8_lossy(&value.body).trim_end().to_owned()
}

/// The kind of failure that was answered.
pub(crate) fn kind(outcome: &Outcome) -> FailureKind {
    match outcome {
        Err(failure) => failure.kind,
        Ok(answer) => panic!("no failure: {answer:?}"),
    }
}
