//! The step from one generation to the next: whether it is believed, its indexes, the swap, and the file.

use std::sync::Arc;

use greenroom_library::snapshot::{Snapshot, SnapshotBuilder, diff};
use greenroom_upstream::crawl::Shelf;

use super::keeper::Keeper;
use super::progress::Phase;
use super::store::{About, Store};
use super::{Failure, Generation};
use crate::doubt::{Belief, Doubt, judge};

/// For so long after the start it is not known whether the server has settled.
const UNSETTLED_MS: u64 = 120_000;

/// A snapshot that was built, with what is different to the one before.
pub(super) struct Built {
    pub(super) snapshot: Snapshot,
    pub(super) diff: Option<diff::Diff>,
    pub(super) took_ms: u64,
}

impl Keeper {
    /// Whether a library of so many items may take the place of what is kept.
    pub(super) fn believe(&self, came: u64, is_scanning: bool) -> Result<(), Failure> {
        let library = &self.library;
        let server = &library.server;
        let Some(held) = library.generation() else { return Ok(()) };
        let now_ms = server.clock.now_ms();
        let is_settled = !is_scanning
            && now_ms.saturating_sub(server.began_ms) >= UNSETTLED_MS
            && server.doubts.is_settled(server.breaker.troubled_ms(), now_ms);
        let mut facts = library.facts.lock();
        let was = facts.settled_items.max(held.snapshot.len() as u64);
        if judge(was, came, is_settled, facts.shrunk, now_ms) == Belief::Believed {
            if is_settled || facts.shrunk.take().is_some() {
                facts.settled_items = came;
            }
            return Ok(());
        }
        let new = Doubt { total: came, since_ms: now_ms, same_since_ms: now_ms };
        let doubt = facts.shrunk.get_or_insert(new);
        if doubt.total != came {
            *doubt = Doubt { total: came, same_since_ms: now_ms, ..*doubt };
        }
        // It is read again as a whole, whatever is heard until then.
        facts.doubted_at_ms = Some(now_ms);
        Err(Failure::Shrunk { was, came })
    }

    /// What is known of the library whatever its items are.
    pub(super) fn about(&self, shelf: &Shelf) -> About {
        let before = self.library.facts.lock().about.clone();
        About {
            server: self.library.id.server.clone(),
            key: self.library.id.key.clone(),
            title: shelf.title.clone(),
            contents: shelf.contents.word().to_owned(),
            stamp: shelf.stamp.clone(),
            ..before
        }
    }

    /// Builds the indexes, beside the workers that answer apps.
    pub(super) async fn index(&self, builder: SnapshotBuilder) -> Result<Built, Failure> {
        let held = self.library.generation();
        let clock = self.library.server.clock.clone();
        let work = move || {
            let began_ms = clock.now_ms();
            let snapshot = builder.build();
            let diff = held.map(|held| diff::between(&held.snapshot, &snapshot));
            Built { snapshot, diff, took_ms: clock.now_ms().saturating_sub(began_ms) }
        };
        let built = self.library.server.tasks.spawn_blocking(work).await.map_err(|_| Failure::Unfit)?;
        let now_ms = self.library.server.clock.now_ms();
        self.library.facts.lock().indexed = (now_ms, built.took_ms);
        Ok(built)
    }

    /// Takes the step to the new generation, and keeps it on disk.
    pub(super) async fn publish(&self, about: About, built: Built, taken_at_ms: u64) {
        let library = &self.library;
        let number = library.next_number(taken_at_ms);
        let about = About { number, taken_at_ms, ..about };
        let generation = Arc::new(Generation { number, taken_at_ms, snapshot: built.snapshot });
        let is_same = built.diff.as_ref().is_some_and(is_same);
        if let Some(held) = library.generation().filter(|_| is_same) {
            // Nothing that could be told is different: whoever remembers the number need not look again.
            let about = About { number: held.number, taken_at_ms: held.taken_at_ms, ..about };
            library.facts.lock().about = about.clone();
            return self.save(about, Some(held)).await;
        }
        {
            let mut facts = library.facts.lock();
            facts.about = about.clone();
            match &built.diff {
                Some(diff) => {
                    facts.note_changes(number, super::following::changed_keys(diff, &generation.snapshot));
                }
                // All of it came: nothing is known of before.
                None => facts.changes.clear(),
            }
            facts.diff = built.diff.map(Arc::new);
            *library.generation.write() = Some(Arc::clone(&generation));
        }
        library.turn(|progress| {
            if progress.is_building() {
                progress.phase = Phase::Saving;
            }
        });
        self.save(about, Some(generation)).await;
    }

    /// Keeps what is held on disk. What cannot be kept is built again after a restart, and nothing else.
    pub(super) async fn save(&self, about: About, generation: Option<Arc<Generation>>) {
        let Some(generation) = generation else { return };
        let Some(store) = self.store() else { return };
        let id = about.id();
        let clock = &self.library.server.clock;
        let began_ms = clock.now_ms();
        let saved =
            self.library.server.tasks.spawn_blocking(move || store.save(&about, &generation.snapshot)).await;
        // Writing a large library again and again would keep the disk as busy as indexing does a processor.
        self.library.facts.lock().indexed.1 += clock.now_ms().saturating_sub(began_ms);
        if let Ok(Err(error)) = saved {
            tracing::warn!(library = %id, %error, "the index cannot be kept on disk: it is built anew after a restart");
        }
    }

    pub(super) fn store(&self) -> Option<Store> {
        let server = &self.library.server;
        let data_dir = self.libraries.data_dir.as_deref()?;
        Some(Store::of(data_dir, &server.own_partition()?, server.name()))
    }
}

/// Whether there is no difference at all.
fn is_same(diff: &diff::Diff) -> bool {
    diff.is_empty() && diff.changed_rows.is_empty()
}
