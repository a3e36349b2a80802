//! Making decisions, listing them, and taking them back.

use std::sync::Arc;

use greenroom_library::item::Item;

use super::identity::Identity;
use super::store::{Filter, NotKept, Store};
use super::{Matching, Refused, Wanted};
use crate::index::Library;
use crate::matching::pin::{Ruling, RulingKind, Written};
use crate::matching::query::Keys;
use crate::matching::session;
use greenroom_state::file_lane::FileLane;

impl Matching {
    /// What was accepted has been used and was right: it is remembered by what does not change.
    pub async fn confirm(&self, library: &Arc<Library>, wanted: &Wanted, item: &Item) {
        self.confirm_all(library, vec![(wanted.clone(), item.clone())]).await;
    }

    /// The same for several at once, which costs no more than for one.
    pub async fn confirm_all(&self, library: &Arc<Library>, used: Vec<(Wanted, Item)>) {
        let owned = Arc::clone(library);
        let now_ms = library.server.origin.clock.now_ms();
        self.on_a_thread(library, move |shared| {
            let generation = owned.generation();
            let number = generation.as_ref().map_or(0, |generation| generation.number);
            let rulings =
                used.iter().filter(|(wanted, _)| !wanted.is_empty()).filter_map(|(wanted, item)| {
                    let known = shared.rulings(&Keys::of(&owned.id, wanted));
                    let identity = Identity::of(item);
                    let is_known = known.iter().any(|(_, ruling)| {
                        let is_that = ruling.item_key == *item.key && ruling.identity == identity;
                        is_that && ruling.kind != RulingKind::Rejection && ruling.wanted == *wanted
                    });
                    let is_listed = generation
                        .as_ref()
                        .is_some_and(|generation| generation.snapshot.row_of(&item.key).is_some());
                    (!is_known).then(|| Ruling {
                        id: 0,
                        library: owned.id.clone(),
                        kind: RulingKind::Confirmed,
                        wanted: wanted.clone(),
                        item_key: item.key.to_string(),
                        identity,
                        is_strict: session::is_strictly(wanted, item, generation.as_deref()),
                        seen_in: if is_listed { 0 } else { number },
                        made_ms: now_ms,
                    })
                });
            let rulings: Vec<Ruling> = rulings.collect();
            if let (false, Err(refused)) = (rulings.is_empty(), shared.put(rulings)) {
                tracing::debug!(?refused, "what was confirmed is not remembered");
            }
        })
        .await;
    }

    /// The server does not have this item (any more): what was confirmed of it is forgotten, and it is not offered again
    /// before the next snapshot.
    pub async fn disown(&self, library: &Arc<Library>, key: &str) {
        let number = library.generation().map_or(0, |generation| generation.number);
        self.shared.disowned.note(&library.id, key, number);
        let (id, key) = (library.id.clone(), key.to_owned());
        self.on_a_thread(library, move |shared| {
            shared.with_store(|store| store.forget_confirmed(&id, &key).map(drop));
        })
        .await;
    }

    /// Somebody says: it is this item, or it is never this one. On the disk when this returns.
    ///
    /// # Errors
    /// Why that cannot be.
    pub async fn rule(
        &self,
        library: &Arc<Library>,
        kind: RulingKind,
        wanted: Wanted,
        item_key: &str,
    ) -> Result<Ruling, Refused> {
        let generation = library.generation().ok_or(Refused::NoSnapshot)?;
        // An ISRC alone is no key: a decision about it would never be found again.
        if wanted.is_empty() || Keys::of(&library.id, &wanted).kept().next().is_none() {
            return Err(Refused::Nothing);
        }
        let (owned, item_key) = (Arc::clone(library), item_key.to_owned());
        let made_ms = library.server.origin.clock.now_ms();
        self.on_a_thread(library, move |shared| {
            let snapshot = &generation.snapshot;
            let item =
                snapshot.row_of(&item_key).and_then(|row| snapshot.item(row)).ok_or(Refused::UnknownItem)?;
            let mut ruling = Ruling {
                id: 0,
                library: owned.id.clone(),
                kind,
                wanted,
                item_key,
                identity: Identity::of(&item),
                is_strict: true,
                seen_in: 0,
                made_ms,
            };
            ruling.id = shared.put(vec![ruling.clone()])?.first().copied().unwrap_or_default();
            shared.misses.forget_all_of(&owned.id);
            Ok(ruling)
        })
        .await
    }

    /// Takes decisions back; how many there were.
    ///
    /// # Errors
    /// If they cannot be.
    pub async fn take_back(&self, ids: Vec<i64>) -> Result<usize, Refused> {
        let gone = self.store_work(move |store| Ok(store.remove(&ids)?)).await?;
        // It is not said of which libraries they were.
        self.shared.misses.forget_everything();
        Ok(gone)
    }

    /// Decisions with a number above `after`.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn list(&self, filter: Filter, after: i64, most: usize) -> Result<Vec<Ruling>, Refused> {
        self.store_work(move |store| Ok(store.list(&filter, after, most)?)).await
    }

    /// How many decisions of each kind there are.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn count(&self) -> Result<Vec<(String, u64)>, Refused> {
        self.store_work(|store| Ok(store.tally()?)).await
    }

    /// Keeps decisions that were written out before, all or none; how many.
    ///
    /// # Errors
    /// If they cannot be kept.
    pub async fn read_in(&self, written: Vec<Written>) -> Result<usize, Refused> {
        let rulings: Vec<Ruling> = written.into_iter().filter_map(Written::read).collect();
        let shared = Arc::clone(&self.shared);
        let put = move || shared.put(rulings).map(|ids| ids.len());
        let kept = self.in_lane(put).await?;
        self.shared.misses.forget_everything();
        Ok(kept)
    }

    /// Where its files are read and written.
    pub fn lane(&self) -> &FileLane {
        &self.shared.lane
    }

    async fn store_work<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<R, NotKept> + Send + 'static,
    ) -> Result<R, Refused> {
        let shared = Arc::clone(&self.shared);
        self.in_lane(move || work(shared.store.as_ref().ok_or(Refused::NoStore)?).map_err(Refused::NotKept))
            .await
    }

    /// Short work with the disk.
    async fn in_lane<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R, Refused> + Send + 'static,
    ) -> Result<R, Refused> {
        let done = self.shared.lane.run(work).await;
        done.unwrap_or_else(|undone| Err(Refused::NotKept(NotKept::Failing(undone.to_string()))))
    }
}
