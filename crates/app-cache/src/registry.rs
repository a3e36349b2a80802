//! The caches by name, the store they share, and the way of their writes into it.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use greenroom_cache::Clock;
use greenroom_config::{AppCacheSettings, AppCachesSettings};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, OnceCell, oneshot};

use crate::app_cache::AppCache;
use crate::called_removals::CalledRemovals;
use crate::counters::AppCacheEvent;
use crate::deferred::{DeferredBudget, DeferredPuts};
use crate::entry::{EntryTier, NewEntry, StoredEntry};
use crate::error::AppCacheError;
use crate::lease_waits::LeaseWaits;
use crate::lookup::EntryLookup;
use crate::name::{CacheName, EntryKey};
use crate::put::{Put, PutCondition, PutResult};
use crate::store::{self, FILE, Readers, StoreFile, WriteJob, WriteTransaction, Writer, received};

/// Max bytes of the values that one call reads, but for the last of them.
pub(crate) const MAX_READ_BYTES: u64 = if cfg!(test) { 1000 } else { 16 * 1024 * 1024 };

type CachesByName = Arc<RwLock<HashMap<CacheName, Arc<AppCache>>>>;

/// The caches by name, and their store.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) clock: Clock,
    pub(crate) waits: LeaseWaits,
    pub(crate) removals: Arc<CalledRemovals>,
    /// Wakes the flusher.
    pub(crate) flush_due: Notify,
    settings: AppCachesSettings,
    folder: std::path::PathBuf,
    store: OnceCell<Store>,
    caches: CachesByName,
    /// Caches with deferred puts that the writer does not have.
    due: Mutex<Vec<Arc<AppCache>>>,
    budget: Arc<DeferredBudget>,
    /// Tells this process's barriers from those of an earlier one.
    started_ms: Timestamp,
}

/// The open store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) readers: Readers,
    pub(crate) writer: Writer,
}

impl Registry {
    pub(crate) fn new(data_dir: &Path, settings: AppCachesSettings, clock: Clock) -> Self {
        let budget = Arc::<DeferredBudget>::default();
        let own = |settings: &AppCacheSettings| {
            let name = CacheName::parse(&settings.name)?;
            let cache = AppCache::new(name.clone(), settings.clone(), Arc::clone(&budget));
            Some((name, Arc::new(cache)))
        };
        let caches = settings.caches.iter().filter_map(own).collect();
        Self {
            waits: LeaseWaits::default(),
            removals: Arc::default(),
            flush_due: Notify::new(),
            settings,
            folder: data_dir.to_owned(),
            store: OnceCell::new(),
            caches: Arc::new(RwLock::new(caches)),
            due: Mutex::default(),
            budget,
            started_ms: clock.now(),
            clock,
        }
    }

    /// Whether there is a store, open or not.
    pub(crate) fn has_store(&self) -> bool {
        self.store.initialized() || self.folder.join(FILE).exists()
    }

    /// The open store, if it is open.
    pub(crate) fn opened(&self) -> Option<&Store> {
        self.store.get()
    }

    /// The store, opened if need be.
    pub(crate) async fn store(&self) -> Result<&Store, AppCacheError> {
        self.store.get_or_try_init(|| self.open_store()).await
    }

    async fn open_store(&self) -> Result<Store, AppCacheError> {
        let (file, now_ms) = (StoreFile::new(&self.folder), self.clock.now());
        let opening = file.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let (db, aside) = opening.open(now_ms)?;
            let caches = store::caches(&db)?;
            Ok((db, aside, caches))
        });
        let (db, aside, stored) = opened.await.unwrap_or(Err(AppCacheError::ShuttingDown))?;
        if let Some(aside) = aside {
            tracing::error!(
                aside = %aside.display(),
                "the store of the apps' caches is damaged; it is kept under another name, and a new one is started"
            );
        }
        for (name, size) in stored {
            if let Some(name) = CacheName::parse(&name) {
                self.insert(&name).set_size(size);
            }
        }
        let (caches, settings, budget) = (Arc::clone(&self.caches), self.settings.clone(), Arc::clone(&self.budget));
        let on_size = move |name: &CacheName, size: Option<store::CacheSize>| {
            let mut caches = caches.write();
            match (size, caches.get(name)) {
                (Some(size), Some(cache)) => cache.set_size(size),
                // A write that was queued before its cache was removed made it again.
                (Some(size), None) => {
                    let cache = AppCache::new(name.clone(), settings.of(name.as_str()), Arc::clone(&budget));
                    cache.set_size(size);
                    caches.insert(name.clone(), Arc::new(cache));
                }
                (None, Some(cache)) if settings.caches.iter().any(|configured| configured.name == name.as_str()) => {
                    cache.set_size(store::CacheSize::default());
                }
                (None, _) => {
                    caches.remove(name);
                }
            }
        };
        let writer = Writer::start(db, self.clock.clone(), Box::new(on_size))?;
        Ok(Store { readers: Readers::new(file), writer })
    }

    /// Settings of the cache with this name, whether it is there or not.
    pub(crate) fn settings_of(&self, name: &CacheName) -> AppCacheSettings {
        self.settings.of(name.as_str())
    }

    /// The cache with this name, if it is there.
    pub(crate) fn find_cache(&self, name: &CacheName) -> Option<Arc<AppCache>> {
        self.caches.read().get(name).cloned()
    }

    /// The cache with this name, if it is there, and the store is usable.
    pub(crate) async fn existing(&self, name: &CacheName) -> Result<Option<Arc<AppCache>>, AppCacheError> {
        if !self.has_store() {
            return Ok(None);
        }
        self.store().await?;
        Ok(self.find_cache(name))
    }

    /// The cache with this name, made if it is not there.
    pub(crate) async fn open_cache(&self, name: &CacheName) -> Result<Arc<AppCache>, AppCacheError> {
        self.store().await?;
        if let Some(cache) = self.find_cache(name) {
            return Ok(cache);
        }
        if self.caches.read().len() >= self.settings.max_caches {
            return Err(AppCacheError::TooManyCaches);
        }
        Ok(self.insert(name))
    }

    fn insert(&self, name: &CacheName) -> Arc<AppCache> {
        let make = || AppCache::new(name.clone(), self.settings.of(name.as_str()), Arc::clone(&self.budget));
        Arc::clone(self.caches.write().entry(name.clone()).or_insert_with(|| Arc::new(make())))
    }

    /// All caches in the order of their names.
    pub(crate) fn all(&self) -> Vec<Arc<AppCache>> {
        let mut all: Vec<_> = self.caches.read().values().cloned().collect();
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// The entries of some keys, expired or not. Beyond [`MAX_READ_BYTES`] the last keys are not read: the result is shorter
    /// than the keys, but never empty unless they are.
    pub(crate) async fn find(
        &self,
        cache: &AppCache,
        keys: &[EntryKey],
    ) -> Result<Vec<Option<StoredEntry>>, AppCacheError> {
        let mut left = MAX_READ_BYTES;
        let mut deferred: Vec<Option<StoredEntry>> = Vec::with_capacity(keys.len());
        {
            let puts = cache.deferred.lock();
            for key in keys {
                if left == 0 {
                    break;
                }
                let found = find_deferred(&puts, key);
                left = left.saturating_sub(found.as_ref().map_or(0, |found| found.entry.value.len() as u64));
                deferred.push(found);
            }
        }
        let rest: Vec<EntryKey> =
            keys.iter().zip(&deferred).filter(|(_, found)| found.is_none()).map(|(key, _)| key.clone()).collect();
        if rest.is_empty() {
            return Ok(deferred);
        }
        let mut stored = self.store().await?.readers.find(cache.name.clone(), rest, left).await?.into_iter();
        let read =
            deferred.into_iter().map_while(|found| found.map_or_else(|| stored.next(), |found| Some(Some(found))));
        Ok(read.collect())
    }

    /// Does a write after all deferred puts of its cache, and returns its result once it is committed.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        cache: &Arc<AppCache>,
        run: impl FnOnce(&mut WriteTransaction<'_>) -> Result<T, AppCacheError> + Send + 'static,
    ) -> Result<T, AppCacheError> {
        let store = self.store().await?;
        let (sender, result) = oneshot::channel();
        let job = WriteJob::new(run, move |result| {
            let _ = sender.send(result); // The caller may have gone.
        });
        {
            let mut deferred = cache.deferred.lock();
            Self::queue_deferred(store, cache, &mut deferred)?;
            store.writer.queue(job)?;
        }
        let result = received(result).await;
        if cache.is_over() {
            self.removals.sweep_due.notify_one();
        }
        result
    }

    /// Accepts a deferred put and returns its ticket; gives it back if there is no room.
    pub(crate) fn defer(&self, cache: &Arc<AppCache>, key: EntryKey, entry: NewEntry) -> Result<u64, Box<NewEntry>> {
        let mut deferred = cache.deferred.lock();
        let was_empty = deferred.is_empty();
        let ticket = deferred.offer(key, entry, self.clock.now())?;
        drop(deferred);
        cache.counters.count(AppCacheEvent::Deferred);
        if was_empty {
            self.due.lock().push(Arc::clone(cache));
            self.flush_due.notify_one();
        }
        Ok(ticket)
    }

    /// Gives the writer all deferred puts of all caches.
    pub(crate) fn flush_all(&self) {
        let Some(store) = self.opened() else { return };
        let due = std::mem::take(&mut *self.due.lock());
        for cache in due {
            let queued = Self::queue_deferred(store, &cache, &mut cache.deferred.lock());
            if queued.is_err() {
                self.due.lock().push(cache);
                self.flush_due.notify_one();
            }
        }
    }

    /// Gives the writer the deferred puts of a cache.
    fn queue_deferred(store: &Store, cache: &Arc<AppCache>, deferred: &mut DeferredPuts) -> Result<(), AppCacheError> {
        if deferred.is_empty() {
            return Ok(());
        }
        let taken = Arc::new(deferred.begin_writing());
        let (writing, finished, owner) = (Arc::clone(&taken), Arc::clone(&taken), Arc::clone(cache));
        let (settings, name) = (Arc::clone(&cache.settings), cache.name.clone());
        let run = move |change: &mut WriteTransaction<'_>| {
            let mut results = Vec::new();
            for (key, put) in writing.iter() {
                let entry = NewEntry::clone(&put.entry);
                let put = Put { key: key.clone(), entry, condition: PutCondition::Always, begun: None, lease: None };
                results.push(store::put(change, &name, &settings, &put)?);
            }
            Ok(results)
        };
        let finish = move |results: Result<Vec<(PutResult, u64)>, AppCacheError>| {
            match results {
                Ok(results) => results.into_iter().for_each(|(result, evicted)| owner.count_deferred(result, evicted)),
                Err(_) => owner.counters.add(AppCacheEvent::Lost, finished.len() as u64),
            }
            owner.deferred.lock().finish(&finished);
        };
        store.writer.queue(WriteJob::new(run, finish)).inspect_err(|_| deferred.return_to_queue(taken.to_vec()))
    }

    /// Waits until the deferred puts up to a ticket are on disk, all so far without one. Returns `false` for a ticket
    /// that was never given.
    pub(crate) async fn flush(&self, cache: &Arc<AppCache>, ticket: Option<u64>) -> Result<bool, AppCacheError> {
        let store = self.store().await?;
        let (ticket, mut written) = {
            let mut deferred = cache.deferred.lock();
            let last = deferred.last_ticket();
            if ticket.is_some_and(|ticket| ticket > last) {
                return Ok(false);
            }
            Self::queue_deferred(store, cache, &mut deferred)?;
            (ticket.unwrap_or(last), deferred.subscribe())
        };
        let waited = written.wait_for(|written| *written >= ticket).await;
        waited.map(|_| true).map_err(|_| AppCacheError::ShuttingDown)
    }

    /// The barrier of a ticket.
    pub(crate) fn barrier(&self, ticket: u64) -> String {
        format!("{:x}-{ticket:x}", self.started_ms.as_millis())
    }

    /// The ticket of a barrier; `None` if it is of another process, or none at all.
    pub(crate) fn ticket(&self, barrier: &str) -> Option<u64> {
        let (started, ticket) = barrier.split_once('-')?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        (number(started)? == self.started_ms.as_millis()).then(|| number(ticket)).flatten()
    }
}

fn find_deferred(deferred: &DeferredPuts, key: &EntryKey) -> Option<StoredEntry> {
    let put = deferred.find(key)?;
    let entry = NewEntry::clone(&put.entry);
    // It has no number before it is written.
    Some(StoredEntry { entry, stored_ms: put.accepted_ms, sequence: 0, tier: EntryTier::Memory })
}

impl AppCache {
    /// Counts a lookup.
    pub(crate) fn count_lookup(&self, lookup: &EntryLookup) {
        self.counters.count(match lookup {
            EntryLookup::Hit(_) => AppCacheEvent::Hit,
            EntryLookup::Stale(_) => AppCacheEvent::Stale,
            EntryLookup::Miss => AppCacheEvent::Miss,
        });
    }

    /// Counts a put and what it evicted.
    pub(crate) fn count_put(&self, result: PutResult, evicted: u64) {
        let is_stored = matches!(result, PutResult::Stored(_));
        self.counters.count(if is_stored { AppCacheEvent::Stored } else { AppCacheEvent::Refused });
        self.counters.add(AppCacheEvent::Evicted, evicted);
    }

    /// Counts a put that was answered before its result was known.
    fn count_deferred(&self, result: PutResult, evicted: u64) {
        self.count_put(result, evicted);
        self.counters.add(AppCacheEvent::Lost, u64::from(!matches!(result, PutResult::Stored(_))));
    }

    /// Counts a failure.
    pub(crate) fn checked<T>(&self, result: Result<T, AppCacheError>) -> Result<T, AppCacheError> {
        result.inspect_err(|_| self.counters.count(AppCacheEvent::Failed))
    }

    /// Refuses a value that is too long.
    pub(crate) fn check_length(&self, entry: &NewEntry) -> Result<(), AppCacheError> {
        if entry.value.len() as u64 > self.settings.max_value_bytes {
            self.counters.count(AppCacheEvent::Refused);
            return Err(AppCacheError::ValueTooLong);
        }
        Ok(())
    }
}
