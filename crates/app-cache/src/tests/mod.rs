//! Tests of the caches as a whole.

mod deferred;
mod files;
mod leases;
mod limits;
mod model;
mod removals;
mod sizes;

use std::path::Path;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_config::{AppCacheSettings, AppCachesSettings};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app_caches::AppCaches;
use crate::entry::NewEntry;
use crate::error::AppCacheError;
use crate::lease::LeaseRequest;
use crate::name::{CacheName, EntryKey, EntryTags};
use crate::put::{Put, PutCondition, PutResult};
use crate::scope::InvalidationScope;
use crate::store::{self, RemovalStep};
use crate::upkeep::sweep_once;

/// Caches in a folder, with their upkeep.
pub(crate) struct Stage {
    pub(crate) caches: AppCaches,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Stage {
    /// Opens the caches of a folder.
    pub(crate) async fn open(folder: &Path, configured: Vec<AppCacheSettings>) -> Self {
        let settings = AppCachesSettings { caches: configured, ..AppCachesSettings::default() };
        Self::with(folder, settings).await
    }

    pub(crate) async fn with(folder: &Path, settings: AppCachesSettings) -> Self {
        let caches = AppCaches::new(folder, settings, Clock::system());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        caches.start(&tasks, &stop).await.expect("the store opens");
        Self { caches, tasks, stop }
    }

    /// Ends as the process does.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        assert!(self.caches.close().await, "all is written in time");
    }

    /// Stores a text for ever.
    pub(crate) async fn set(&self, name: &str, text: &str, value: &str) -> PutResult {
        self.caches.put(&cache(name), put(text, value)).await.expect("the store works")
    }

    /// Invalidates as a process does that is killed after the first transaction.
    pub(crate) async fn begin_invalidation(
        &self,
        name: &str,
        scope: InvalidationScope,
    ) -> Result<RemovalStep, AppCacheError> {
        let own = self.caches.registry.open_cache(&cache(name)).await?;
        let name = own.name.clone();
        self.caches.registry.write(&own, move |change| store::invalidate(change, &name, &scope)).await
    }

    /// Removes everything that is to be removed in the background.
    pub(crate) async fn sweep(&self) {
        while sweep_once(&self.caches.registry).await.expect("the store works") {}
    }

    /// All keys of a cache.
    pub(crate) async fn keys(&self, name: &str) -> Vec<String> {
        let (page, is_more) = self.caches.list(&cache(name), "", None, 1000).await.expect("the store works");
        assert!(!is_more);
        page.into_iter().map(|listed| listed.key).collect()
    }

    /// The fresh or stale text of a key.
    pub(crate) async fn text(&self, name: &str, text: &str) -> Option<String> {
        let found = self.caches.get(&cache(name), &key(text), Some("")).await.expect("the store works");
        found.into_entry().map(|found| String::from_utf8(found.entry.value).expect("text"))
    }
}

pub(crate) fn cache(name: &str) -> CacheName {
    CacheName::parse(name).expect("valid")
}

pub(crate) fn key(text: &str) -> EntryKey {
    EntryKey::parse(text).expect("valid")
}

pub(crate) fn tags(names: &[&str]) -> EntryTags {
    EntryTags::parse(names.iter().map(ToString::to_string).collect()).expect("valid")
}

pub(crate) fn entry(value: &str) -> NewEntry {
    NewEntry {
        value: value.as_bytes().to_vec(),
        media_type: "text/plain".into(),
        expires_ms: None,
        dies_ms: None,
        tags: EntryTags::default(),
        version: String::new(),
    }
}

pub(crate) fn put(text: &str, value: &str) -> Put {
    Put { key: key(text), entry: entry(value), condition: PutCondition::Always, begun: None, lease: None }
}

pub(crate) fn request(text: &str, seconds: u64) -> LeaseRequest {
    LeaseRequest {
        key: key(text),
        tags: EntryTags::default(),
        version: String::new(),
        duration: Duration::from_secs(seconds),
    }
}
