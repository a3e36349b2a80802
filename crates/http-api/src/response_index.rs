//! Facts in the responses of a resource that decide on its keys: which request fields they vary by, and which
//! differences of a query make none. Known in memory, and stored in the cache, so that it is known after a restart.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{
    Cache, CacheDirective, CacheResponse, Entry, Key, LoadError, LoadReason, LoadResult, LoadedValue, Loader, Policy,
    Value,
};
use greenroom_http_caching::search_variance::SearchVariance;
use greenroom_http_caching::variant::SelectingFields;
use greenroom_state::secrets::HashKey;

/// Max resources of which something is known in memory.
const MAX_RESOURCES: usize = 65_536;
/// Time for which it is stored.
const STORED_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

const POLICY: Policy = Policy {
    class: "vary",
    fresh: STORED_FOR,
    freshness_bound: None,
    stale: Duration::ZERO,
    stale_on_error: Duration::ZERO,
    refresh_ahead: false,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(1),
};

/// A fact about a resource.
pub(crate) trait IndexedFact: Default + PartialEq + Send + Sync + 'static {
    /// Marks the keys of stored facts: no address begins with a space.
    const KEY_PREFIX: &'static str;

    /// As text, for storage.
    fn to_text(&self) -> String;

    /// From stored text.
    fn from_text(text: &str) -> Self;
}

impl IndexedFact for SelectingFields {
    const KEY_PREFIX: &'static str = " vary ";

    fn to_text(&self) -> String {
        self.encode()
    }

    fn from_text(text: &str) -> Self {
        Self::decode(text).unwrap_or_default()
    }
}

impl IndexedFact for SearchVariance {
    const KEY_PREFIX: &'static str = " search ";

    fn to_text(&self) -> String {
        self.encode()
    }

    fn from_text(text: &str) -> Self {
        Self::decode(text)
    }
}

/// The index of one server.
#[derive(Debug)]
pub(crate) struct ResponseIndex<F> {
    /// By digests of keys, which may be long.
    known: quick_cache::sync::Cache<[u8; 32], Arc<F>>,
    hash_key: HashKey,
    none: Arc<F>,
}

/// By which request fields the responses of a resource vary.
pub(crate) type VariantIndex = ResponseIndex<SelectingFields>;

/// Differences of the query that make none, by path.
pub(crate) type SearchVarianceIndex = ResponseIndex<SearchVariance>;

/// Stores a text, or nothing.
struct TextLoader(Option<String>);

impl Loader for TextLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        Ok(match &self.0 {
            Some(text) => LoadResult::Store(LoadedValue::new(Value::new(text.clone()))),
            None => LoadResult::Pass(()),
        })
    }
}

impl<F: IndexedFact> ResponseIndex<F> {
    /// An empty index.
    pub(crate) fn new(hash_key: HashKey) -> Self {
        Self { known: quick_cache::sync::Cache::new(MAX_RESOURCES), hash_key, none: Arc::default() }
    }

    /// Digest of a resource, for [`Self::known`].
    pub(crate) fn digest(&self, resource: &Key) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.hash_key.0);
        let partition = resource.partition().as_str().as_bytes();
        hasher.update(&(partition.len() as u64).to_be_bytes()).update(partition).update(resource.text().as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// The known fact of a resource in memory, by its digest.
    pub(crate) fn known(&self, digest: &[u8; 32]) -> Option<Arc<F>> {
        self.known.get(digest)
    }

    /// The known fact of a resource.
    pub(crate) async fn get(&self, cache: &Cache, resource: &Key) -> Arc<F> {
        let digest = self.digest(resource);
        if let Some(fact) = self.known.get(&digest) {
            return fact;
        }
        let loader = || TextLoader(None);
        let stored = cache.get_or_load(&fact_key::<F>(resource), &POLICY, CacheDirective::OnlyIfCached, loader).await;
        let fact = match &stored {
            Ok(CacheResponse::Cached { entry, .. }) => {
                std::str::from_utf8(entry.body()).map(F::from_text).unwrap_or_default()
            }
            _ => F::default(),
        };
        let fact = if fact == *self.none { Arc::clone(&self.none) } else { Arc::new(fact) };
        self.known.insert(digest, Arc::clone(&fact));
        fact
    }

    async fn put(&self, cache: &Cache, resource: &Key, fact: F) -> Arc<F> {
        let text = Some(fact.to_text());
        let fact = Arc::new(fact);
        self.known.insert(self.digest(resource), Arc::clone(&fact));
        // It is found again after a restart if it can be stored; else it is learned once more.
        let loader = || TextLoader(text);
        let _ = cache.get_or_load(&fact_key::<F>(resource), &POLICY, CacheDirective::LoadUnshared, loader).await;
        fact
    }
}

impl VariantIndex {
    /// The fields by which the responses of a resource vary, as far as known.
    pub(crate) async fn fields(&self, cache: &Cache, resource: &Key) -> Arc<SelectingFields> {
        self.get(cache, resource).await
    }

    /// Adds the fields of a response, and returns all known ones; `None` if they are too many.
    pub(crate) async fn add(
        &self,
        cache: &Cache,
        resource: &Key,
        told: &SelectingFields,
    ) -> Option<Arc<SelectingFields>> {
        let known = self.get(cache, resource).await;
        let all = known.union(told)?;
        if all == *known { Some(known) } else { Some(self.put(cache, resource, all).await) }
    }
}

impl SearchVarianceIndex {
    /// Replaces what is known of a path by what a response says, if that says anything, and returns what counts now.
    pub(crate) async fn learn(&self, cache: &Cache, path: &Key, told: SearchVariance) -> Arc<SearchVariance> {
        let known = self.get(cache, path).await;
        if told.is_default() || told == *known { known } else { self.put(cache, path, told).await }
    }
}

fn fact_key<F: IndexedFact>(resource: &Key) -> Key {
    Key::new(resource.namespace(), resource.partition(), &format!("{}{}", F::KEY_PREFIX, resource.text()))
}
