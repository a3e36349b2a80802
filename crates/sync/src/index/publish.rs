//! The step from one generation to the next: whether it is believed, its indexes, the swap, and the file.

use std::sync::Arc;

use greenroom_dialect::crawl::Shelf;
use greenroom_library::snapshot::{Snapshot, SnapshotBuilder, diff};

use super::progress::Phase;
use super::store::{About, Store};
use super::{Failure, Generation};
use crate::index::scheduler::Keeper;
use crate::index::status::Begun;
use greenroom_proxy::server::Server;
use greenroom_proxy::shrink_guard::{Belief, Doubt, judge};

/// For so long after the start it is not known whether the server has settled.
const UNSETTLED_MS: u64 = 120_000;

/// A snapshot that was built, with what is different to the one before.
pub(super) struct Built {
    pub(super) snapshot: Snapshot,
    pub(super) diff: Option<diff::Diff>,
    pub(super) took_ms: u64,
}

/// What is ready to take the place of what is kept.
pub(super) struct Ready {
    pub(super) about: About,
    pub(super) built: Built,
    pub(super) taken_at_ms: u64,
}

impl Keeper {
    /// Whether a library of so many items may take the place of what is kept.
    pub(super) fn believe(&self, came: u64, is_scanning: bool) -> Result<(), Failure> {
        let library = &self.library;
        let server = &library.server;
        let Some(held) = library.generation() else {
            library.facts.lock().shrunk = None;
            return Ok(());
        };
        let now_ms = server.origin.clock.now_ms();
        let is_settled = !is_scanning && is_settled(server, now_ms);
        let mut facts = library.facts.lock();
        let was = facts.settled_items.max(held.snapshot.len() as u64);
        if judge(was, came, is_settled, facts.shrunk, now_ms) == Belief::Believed {
            // What was doubted before is settled with it; the next loss is doubted anew.
            facts.shrunk = None;
            let is_short = came.saturating_mul(2) < was;
            if is_settled || is_short {
                facts.settled_items = came;
            }
            if is_short {
                library.tell_of_loss(was, came);
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
        let clock = self.library.server.origin.clock.clone();
        let work = move || {
            let began_us = clock.now_us();
            let snapshot = builder.build();
            let diff = held.map(|held| diff::between(&held.snapshot, &snapshot));
            Built { snapshot, diff, took_ms: clock.since_ms(began_us) }
        };
        let built =
            self.library.server.origin.tasks.spawn_blocking(work).await.map_err(|_| Failure::Unfit)?;
        let now_ms = self.library.server.origin.clock.now_ms();
        self.library.facts.lock().indexed = (now_ms, built.took_ms);
        Ok(built)
    }

    /// Keeps the new generation on disk, then takes the step to it: a number that was used is never used again, whatever
    /// becomes of the process. Returns whether it was taken: not if the library was turned off meanwhile. After the step
    /// nothing is waited for, so whoever calls this says at once that it succeeded.
    pub(super) async fn publish(&self, ready: Ready, begun: &Begun) -> bool {
        let library = &self.library;
        let Ready { about, built: Built { snapshot, diff, .. }, taken_at_ms } = ready;
        let is_same = diff.as_ref().is_some_and(is_same);
        // If nothing that could be told is different, whoever remembers the number need not look again.
        let same = library.generation().filter(|_| is_same);
        let (number, taken_at_ms) = same.as_ref().map_or_else(
            || (library.next_number(taken_at_ms), taken_at_ms),
            |held| (held.number, held.taken_at_ms),
        );
        let about = About { number, taken_at_ms, ..about };
        let new = || Arc::new(Generation { number, taken_at_ms, snapshot });
        let generation = same.clone().unwrap_or_else(new);
        library.turn(|progress| {
            if progress.is_building() {
                progress.phase = Phase::Saving;
            }
        });
        self.save(about.clone(), Arc::clone(&generation)).await;
        {
            let mut facts = library.facts.lock();
            if !library.is_on(&facts) || facts.turned_off != begun.turned_off {
                return false;
            }
            facts.about = about;
            if same.is_none() {
                match &diff {
                    Some(diff) => {
                        let keys = crate::index::incremental::changed_keys(diff, &generation.snapshot);
                        facts.note_changes(number, keys);
                    }
                    // All of it came: nothing is known of before.
                    None => facts.changes.clear(),
                }
                facts.diff = diff.map(Arc::new);
                *library.generation.write() = Some(generation);
            }
        }
        true
    }

    /// Keeps what is held on disk. What cannot be kept is built again after a restart, and nothing else.
    pub(super) async fn save(&self, about: About, generation: Arc<Generation>) {
        let Some(store) = self.store() else { return };
        let id = about.id();
        let clock = &self.library.server.origin.clock;
        let began_us = clock.now_us();
        let saved = self
            .library
            .server
            .origin
            .tasks
            .spawn_blocking(move || store.save(&about, &generation.snapshot))
            .await;
        // Writing a large library again and again would keep the disk as busy as indexing does a processor.
        self.library.facts.lock().indexed.1 += clock.since_ms(began_us);
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

/// Whether the server neither started nor was in trouble nor scanned lately.
pub(super) fn is_settled(server: &Server, now_ms: u64) -> bool {
    now_ms.saturating_sub(server.origin.began_ms) >= UNSETTLED_MS
        && server.doubts.is_settled(server.origin.breaker.troubled_ms(), now_ms)
}

/// Whether there is no difference at all.
fn is_same(diff: &diff::Diff) -> bool {
    diff.is_empty() && diff.changed_rows.is_empty()
}
