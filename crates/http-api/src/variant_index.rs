//! Which request fields the responses of a resource vary by. Known in memory, and stored in the cache, so that variants
//! are found again after a restart.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{
    Cache, CacheDirective, CacheResponse, Entry, Key, LoadError, LoadReason, LoadResult, LoadedValue, Loader, Policy,
    Value,
};
use greenroom_http_caching::variant::SelectingFields;
use greenroom_state::secrets::HashKey;

/// Max resources whose fields are known in memory.
const MAX_RESOURCES: usize = 65_536;
/// How long it is stored.
const STORED_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Marks the keys of stored fields: no address begins with a space.
const KEY_PREFIX: &str = " vary ";

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

/// The index of one server.
#[derive(Debug)]
pub(crate) struct VariantIndex {
    /// By digests of keys, which may be long.
    known: quick_cache::sync::Cache<[u8; 32], Arc<SelectingFields>>,
    hash_key: HashKey,
    none: Arc<SelectingFields>,
}

/// Stores the fields of one resource, or nothing.
struct FieldsLoader(Option<String>);

impl Loader for FieldsLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        Ok(match &self.0 {
            Some(fields) => LoadResult::Store(LoadedValue::new(Value::new(fields.clone()))),
            None => LoadResult::Pass(()),
        })
    }
}

impl VariantIndex {
    /// An empty index.
    pub(crate) fn new(hash_key: HashKey) -> Self {
        Self { known: quick_cache::sync::Cache::new(MAX_RESOURCES), hash_key, none: Arc::default() }
    }

    fn digest(&self, resource: &Key) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.hash_key.0);
        let partition = resource.partition().as_str().as_bytes();
        hasher.update(&(partition.len() as u64).to_be_bytes()).update(partition).update(resource.text().as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// The fields by which the responses of a resource vary, as far as known.
    pub(crate) async fn fields(&self, cache: &Cache, resource: &Key) -> Arc<SelectingFields> {
        let digest = self.digest(resource);
        if let Some(fields) = self.known.get(&digest) {
            return fields;
        }
        let loader = || FieldsLoader(None);
        let stored = cache.get_or_load(&fields_key(resource), &POLICY, CacheDirective::OnlyIfCached, loader).await;
        let fields = match &stored {
            Ok(CacheResponse::Cached { entry, .. }) => {
                std::str::from_utf8(entry.body()).ok().and_then(SelectingFields::decode).unwrap_or_default()
            }
            _ => SelectingFields::default(),
        };
        let fields = if fields.is_empty() { Arc::clone(&self.none) } else { Arc::new(fields) };
        self.known.insert(digest, Arc::clone(&fields));
        fields
    }

    /// Adds the fields of a response, and returns all known ones; `None` if they are too many.
    pub(crate) async fn add(
        &self,
        cache: &Cache,
        resource: &Key,
        told: &SelectingFields,
    ) -> Option<Arc<SelectingFields>> {
        let known = self.fields(cache, resource).await;
        let all = known.union(told)?;
        if all == *known {
            return Some(known);
        }
        let (all, text) = (Arc::new(all.clone()), all.encode());
        self.known.insert(self.digest(resource), Arc::clone(&all));
        let loader = || FieldsLoader(Some(text));
        // It is found again after a restart if it can be stored; else variants are loaded once more.
        let _ = cache.get_or_load(&fields_key(resource), &POLICY, CacheDirective::LoadUnshared, loader).await;
        Some(all)
    }
}

fn fields_key(resource: &Key) -> Key {
    Key::new(resource.namespace(), resource.partition(), &format!("{KEY_PREFIX}{}", resource.text()))
}
