//! All caches of the process: what may be asked of them.

use greenroom_cache::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_config::{AppCachesSettings, EvictionPolicy};

use crate::app_cache::AppCacheReport;
use crate::counters::AppCacheEvent;
use crate::entry::{FreshTime, NewEntry, StoredEntry};
use crate::error::AppCacheError;
use crate::lookup::EntryLookup;
use crate::name::{CacheName, EntryKey, EntryTags};
use crate::put::{Put, PutResult};
use crate::registry::Registry;
use crate::store::{self, EntryListing, ListedEntry};

/// All caches of the process.
#[derive(Debug, Clone)]
pub struct AppCaches {
    pub(crate) registry: Arc<Registry>,
}

impl AppCaches {
    /// Caches in this data directory. The file is opened by [`Self::start`], or by the first write.
    pub fn new(data_dir: &Path, settings: AppCachesSettings, clock: Clock) -> Self {
        Self { registry: Arc::new(Registry::new(data_dir, settings, clock)) }
    }

    /// Looks an entry up: of this version, or of any.
    ///
    /// # Errors
    /// The store failed.
    pub async fn get(
        &self,
        cache: &CacheName,
        key: &EntryKey,
        version: Option<&str>,
    ) -> Result<EntryLookup, AppCacheError> {
        let Some(cache) = self.registry.existing(cache).await? else { return Ok(EntryLookup::Miss) };
        let found = self.registry.find(&cache, std::slice::from_ref(key)).await;
        let found = cache.checked(found)?.pop().flatten();
        let lookup = EntryLookup::of(found, version, self.registry.clock.now());
        cache.count_lookup(&lookup);
        Ok(lookup)
    }

    /// Stores an entry. It outlives the process once this returns.
    ///
    /// # Errors
    /// The store failed, or the value is too long: nothing was stored.
    pub async fn put(&self, cache: &CacheName, put: Put) -> Result<PutResult, AppCacheError> {
        let cache = self.registry.open_cache(cache).await?;
        cache.check_length(&put.entry)?;
        let settings = Arc::clone(&cache.settings);
        let (name, key) = (cache.name.clone(), put.key.clone());
        let written = self.registry.write(&cache, move |change| store::put(change, &name, &settings, &put)).await;
        let (result, evicted) = cache.checked(written)?;
        cache.count_put(result, evicted);
        self.registry.waits.wake(&cache.name, &key);
        Ok(result)
    }

    /// Accepts an unconditional put that is stored later, and returns the barrier to wait for with [`Self::flush`];
    /// without room for it, or in a cache that evicts nothing, it is stored at once, and `None` is returned.
    ///
    /// # Errors
    /// As [`Self::put`], or the cache refused it.
    pub async fn put_later(
        &self,
        cache: &CacheName,
        key: EntryKey,
        entry: NewEntry,
    ) -> Result<Option<String>, AppCacheError> {
        let own = self.registry.open_cache(cache).await?;
        own.check_length(&entry)?;
        // A cache that refuses what is too much can say so only once it was asked.
        let may_refuse =
            own.settings.eviction == EvictionPolicy::Off || entry.weight(key.as_str()) > own.settings.max_bytes;
        let entry = if may_refuse {
            entry
        } else {
            match self.registry.defer(&own, key.clone(), entry) {
                Ok(ticket) => return Ok(Some(self.registry.barrier(ticket))),
                Err(entry) => *entry,
            }
        };
        let put = Put { key, entry, condition: crate::put::PutCondition::Always, begun: None, lease: None };
        match self.put(cache, put).await? {
            PutResult::Full => Err(AppCacheError::Full),
            PutResult::TooLarge => Err(AppCacheError::ValueTooLong),
            PutResult::Stored(_) | PutResult::ConditionFailed | PutResult::Fenced => Ok(None),
        }
    }

    /// Removes an entry and returns it if it was fresh. A load of the key that is under way is not stored.
    ///
    /// # Errors
    /// The store failed.
    pub async fn pop(&self, cache: &CacheName, key: &EntryKey) -> Result<Option<StoredEntry>, AppCacheError> {
        // A cache that is not there is made, so that a load under way is fenced.
        let cache = self.registry.open_cache(cache).await?;
        let (name, popped) = (cache.name.clone(), key.clone());
        let found = self.registry.write(&cache, move |change| store::pop(change, &name, &popped)).await;
        let found = cache.checked(found)?;
        cache.counters.add(AppCacheEvent::Removed, u64::from(found.is_some()));
        self.registry.waits.wake(&cache.name, key);
        Ok(found)
    }

    /// Gives a fresh entry new times from now on. Returns whether there is one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn touch(
        &self,
        cache: &CacheName,
        key: EntryKey,
        deadlines: (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<bool, AppCacheError> {
        let Some(cache) = self.registry.existing(cache).await? else { return Ok(false) };
        let name = cache.name.clone();
        let written = self.registry.write(&cache, move |change| store::touch(change, &name, &key, deadlines)).await;
        cache.checked(written)
    }

    /// Replaces the tags of a fresh entry. Returns whether there is one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn retag(&self, cache: &CacheName, key: EntryKey, tags: EntryTags) -> Result<bool, AppCacheError> {
        let Some(cache) = self.registry.existing(cache).await? else { return Ok(false) };
        let name = cache.name.clone();
        let written = self.registry.write(&cache, move |change| store::retag(change, &name, &key, &tags)).await;
        cache.checked(written)
    }

    /// Adds to an integer, which begins at `default` with these times. Returns the sum; `None` without an entry and a
    /// default.
    ///
    /// # Errors
    /// The store failed, the entry is no integer, the sum is too large, or the cache is full: nothing changed.
    pub async fn add_integer(
        &self,
        cache: &CacheName,
        key: EntryKey,
        terms: (i64, Option<i64>),
        deadlines: (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Option<i64>, AppCacheError> {
        let cache = self.registry.open_cache(cache).await?;
        let (name, settings) = (cache.name.clone(), Arc::clone(&cache.settings));
        let sum = self
            .registry
            .write(&cache, move |change| store::add_integer(change, (&name, &settings), &key, terms, deadlines));
        let (sum, evicted) = cache.checked(sum.await)?;
        cache.counters.add(AppCacheEvent::Evicted, evicted);
        cache.counters.add(AppCacheEvent::Stored, u64::from(sum.is_some()));
        Ok(sum)
    }

    /// Number of the last write of all caches.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sequence(&self) -> Result<u64, AppCacheError> {
        if !self.registry.has_store() {
            return Ok(0);
        }
        self.registry.store().await?.readers.sequence().await
    }

    /// A page of a cache's keys in their order, and whether there are more. Deferred puts that are not on disk are not
    /// among them.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(
        &self,
        cache: &CacheName,
        prefix: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<ListedEntry>, bool), AppCacheError> {
        if self.registry.existing(cache).await?.is_none() {
            return Ok((Vec::new(), false));
        }
        let listing = EntryListing { cache: cache.clone(), prefix: prefix.to_owned(), after, limit };
        let mut page = self.registry.store().await?.readers.list(listing).await?;
        let is_more = page.len() > limit;
        page.truncate(limit);
        Ok((page, is_more))
    }

    /// Waits until deferred puts are on disk: those up to a barrier, else all so far. Returns `false` for a barrier of
    /// another process, whose puts may be lost.
    ///
    /// # Errors
    /// The store failed.
    pub async fn flush(&self, cache: &CacheName, barrier: Option<&str>) -> Result<bool, AppCacheError> {
        let ticket = match barrier.map(|barrier| self.registry.ticket(barrier)) {
            None => None,
            Some(Some(ticket)) => Some(ticket),
            Some(None) => return Ok(false),
        };
        let Some(cache) = self.registry.existing(cache).await? else { return Ok(ticket.is_none()) };
        self.registry.flush(&cache, ticket).await
    }

    /// Removes a cache with everything in it. Returns how many entries it had; `None` if there is none. A configured
    /// cache remains, empty.
    ///
    /// # Errors
    /// The store failed.
    pub async fn remove(&self, cache: &CacheName) -> Result<Option<u64>, AppCacheError> {
        let Some(cache) = self.registry.existing(cache).await? else { return Ok(None) };
        let name = cache.name.clone();
        let removed = self.registry.write(&cache, move |change| store::drop_cache(change, &name)).await?;
        self.registry.waits.wake_all();
        self.registry.removals.sweep_due.notify_one();
        Ok(Some(removed))
    }

    /// Deadlines of an entry of this cache that is stored now; without a stale time that of the cache's settings.
    pub fn deadlines(
        &self,
        cache: &CacheName,
        ttl: FreshTime,
        stale: Option<Duration>,
    ) -> (Option<Timestamp>, Option<Timestamp>) {
        let settings = self.registry.settings_of(cache);
        let ttl = match ttl {
            FreshTime::Usual => settings.ttl,
            FreshTime::Unlimited => None,
            FreshTime::Limited(ttl) => Some(ttl),
        };
        NewEntry::deadlines(self.registry.clock.now(), ttl, stale.unwrap_or(settings.stale))
    }

    /// Max bytes of a value of this cache.
    pub fn max_value_bytes(&self, cache: &CacheName) -> u64 {
        self.registry.settings_of(cache).max_value_bytes
    }

    /// The process clock.
    pub fn now_ms(&self) -> Timestamp {
        self.registry.clock.now()
    }

    /// All caches, in the order of their names.
    pub fn reports(&self) -> Vec<AppCacheReport> {
        self.registry.all().iter().map(|cache| cache.report()).collect()
    }

    /// One cache; `None` if there is none.
    pub fn report(&self, cache: &CacheName) -> Option<AppCacheReport> {
        self.registry.find_cache(cache).map(|cache| cache.report())
    }
}
