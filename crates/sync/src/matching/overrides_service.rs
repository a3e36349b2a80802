//! Creates, lists and removes match overrides.

use std::sync::Arc;

use greenroom_library::item::Item;

use super::identity::ItemIdentity;
use super::overrides_store::{OverrideFilter, OverrideStore, OverrideStoreError};
use super::{Matcher, OverrideError, TrackQuery};
use crate::index::Library;
use crate::matching::overrides::{ExportedMatchOverride, MatchOverride, MatchOverrideKind};
use crate::matching::query::OverrideKeys;
use crate::matching::session;
use greenroom_state::file_work_queue::FileWorkQueue;

impl Matcher {
    /// Confirms a match that was used and accepted; it is stored by the item's identity.
    pub async fn confirm(&self, library: &Arc<Library>, query: &TrackQuery, item: &Item) {
        self.confirm_all(library, vec![(query.clone(), item.clone())]).await;
    }

    /// Confirms several matches at the cost of one.
    pub async fn confirm_all(&self, library: &Arc<Library>, confirmed: Vec<(TrackQuery, Item)>) {
        let owned = Arc::clone(library);
        let now_ms = library.server.origin.clock.now();
        self.run_blocking(library, move |shared| {
            let generation = owned.generation();
            let number = generation.as_ref().map_or(0, |generation| generation.number);
            let overrides = confirmed.iter().filter(|(query, _)| !query.is_empty()).filter_map(|(query, item)| {
                let known = shared.overrides(&OverrideKeys::new(&owned.id, query));
                let identity = ItemIdentity::from_item(item);
                let is_known = known.iter().any(|(_, match_override)| {
                    let is_same_item = match_override.item_key == *item.key && match_override.identity == identity;
                    is_same_item
                        && match_override.kind != MatchOverrideKind::Rejection
                        && match_override.query == *query
                });
                (!is_known).then(|| MatchOverride {
                    id: 0,
                    library: owned.id.clone(),
                    kind: MatchOverrideKind::Confirmed,
                    query: query.clone(),
                    item_key: item.key.to_string(),
                    identity,
                    is_strict: session::is_exact_recording(query, item, generation.as_deref()),
                    seen_in: number,
                    created_ms: now_ms,
                })
            });
            let overrides: Vec<MatchOverride> = overrides.collect();
            if let (false, Err(error)) = (overrides.is_empty(), shared.put(overrides)) {
                tracing::debug!(?error, "a confirmed match was not saved");
            }
        })
        .await;
    }

    /// Records that the server lacks this item: its confirmed matches are deleted, and it is not offered again before
    /// the next snapshot.
    pub async fn mark_missing_on_server(&self, library: &Arc<Library>, key: &str) {
        let number = library.generation().map_or(0, |generation| generation.number);
        self.shared.missing_on_server.insert(&library.id, key, number);
        let (id, key) = (library.id.clone(), key.to_owned());
        self.run_blocking(library, move |shared| {
            shared.with_store(|store| store.forget_confirmed(&id, &key).map(drop));
        })
        .await;
    }

    /// Creates a pin or a rejection. It is on disk when this returns.
    ///
    /// # Errors
    /// The override is invalid or cannot be saved.
    pub async fn set_override(
        &self,
        library: &Arc<Library>,
        kind: MatchOverrideKind,
        query: TrackQuery,
        item_key: &str,
    ) -> Result<MatchOverride, OverrideError> {
        let generation = library.generation().ok_or(OverrideError::NoSnapshot)?;
        // An ISRC alone is no key: such an override would never be found.
        if query.is_empty() || OverrideKeys::new(&library.id, &query).storage_keys().next().is_none() {
            return Err(OverrideError::EmptyQuery);
        }
        let (owned, item_key) = (Arc::clone(library), item_key.to_owned());
        let created_ms = library.server.origin.clock.now();
        self.run_blocking(library, move |shared| {
            let snapshot = &generation.snapshot;
            let item =
                snapshot.row_of(&item_key).and_then(|row| snapshot.item(row)).ok_or(OverrideError::UnknownItem)?;
            let mut match_override = MatchOverride {
                id: 0,
                library: owned.id.clone(),
                kind,
                query,
                item_key,
                identity: ItemIdentity::from_item(&item),
                is_strict: true,
                seen_in: 0,
                created_ms,
            };
            match_override.id = shared.put(vec![match_override.clone()])?.first().copied().unwrap_or_default();
            shared.negative_cache.clear_library(&owned.id);
            Ok(match_override)
        })
        .await
    }

    /// Removes overrides; returns how many existed.
    ///
    /// # Errors
    /// They cannot be removed.
    pub async fn remove_overrides(&self, ids: Vec<i64>) -> Result<usize, OverrideError> {
        let removed = self.store_work(move |store| Ok(store.remove(&ids)?)).await?;
        // Their libraries are unknown.
        self.shared.negative_cache.clear();
        Ok(removed)
    }

    /// Overrides with an id above `after`.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn list_overrides(
        &self,
        filter: OverrideFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<MatchOverride>, OverrideError> {
        self.store_work(move |store| Ok(store.list(&filter, after, limit)?)).await
    }

    /// Number of overrides by kind.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn count_overrides(&self) -> Result<Vec<(String, u64)>, OverrideError> {
        self.store_work(|store| Ok(store.counts()?)).await
    }

    /// Imports exported overrides, all or none; returns how many.
    ///
    /// # Errors
    /// They cannot be saved.
    pub async fn import_overrides(&self, exported: Vec<ExportedMatchOverride>) -> Result<usize, OverrideError> {
        let overrides: Vec<MatchOverride> =
            exported.into_iter().filter_map(ExportedMatchOverride::into_override).collect();
        let shared = Arc::clone(&self.shared);
        let put = move || shared.put(overrides).map(|ids| ids.len());
        let stored = self.in_lane(put).await?;
        self.shared.negative_cache.clear();
        Ok(stored)
    }

    /// The queue of its file operations.
    pub fn lane(&self) -> &FileWorkQueue {
        &self.shared.lane
    }

    async fn store_work<R: Send + 'static>(
        &self,
        work: impl FnOnce(&OverrideStore) -> Result<R, OverrideStoreError> + Send + 'static,
    ) -> Result<R, OverrideError> {
        let shared = Arc::clone(&self.shared);
        self.in_lane(move || {
            work(shared.store.as_ref().ok_or(OverrideError::NoStore)?).map_err(OverrideError::NotSaved)
        })
        .await
    }

    /// Runs short disk work.
    async fn in_lane<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R, OverrideError> + Send + 'static,
    ) -> Result<R, OverrideError> {
        let result = self.shared.lane.run(work).await;
        result.unwrap_or_else(|error| Err(OverrideError::NotSaved(OverrideStoreError::Storage(error.to_string()))))
    }
}
