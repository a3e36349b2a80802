//! Publishes a generation: plausibility check, indexes, swap, file.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::crawl::LibraryInfo;
use greenroom_library::snapshot::{Snapshot, SnapshotBuilder, diff};

use super::progress::BuildPhase;
use super::store::{SnapshotMetadata, SnapshotStore};
use super::{Generation, IndexError};
use crate::index::scheduler::LibraryWorker;
use crate::index::status::BuildHandle;
use greenroom_origin::shrink_guard::{ShrinkDecision, SuspectList, decide, is_halved};
use greenroom_proxy::server::Server;

/// For this long after the start the server may not have settled.
const UNSTABLE_AFTER_START: Duration = Duration::from_secs(120);

/// A built snapshot with its diff from the previous one.
pub(super) struct BuiltIndex {
    pub(super) snapshot: Snapshot,
    pub(super) diff: Option<diff::SnapshotDiff>,
    pub(super) took_ms: Duration,
}

/// A generation ready to be published.
pub(super) struct PreparedGeneration {
    pub(super) metadata: SnapshotMetadata,
    pub(super) built: BuiltIndex,
    pub(super) taken_at_ms: Timestamp,
}

impl LibraryWorker {
    /// Whether a library of this many items may replace the current generation.
    pub(super) fn check_shrink(&self, came: u64, is_scanning: bool) -> Result<(), IndexError> {
        let library = &self.library;
        let server = &library.server;
        let Some(current) = library.generation() else {
            library.status.lock().suspect = None;
            return Ok(());
        };
        let now_ms = server.origin.clock.now();
        let is_stable_server = !is_scanning && is_stable(server, now_ms);
        let mut status = library.status.lock();
        let was = status.stable_items.max(current.snapshot.len() as u64);
        if decide(was, came, is_stable_server, status.suspect, now_ms) == ShrinkDecision::Accept {
            // Settles the earlier suspicion; the next loss is checked again.
            status.suspect = None;
            let is_short = is_halved(was, came);
            if is_stable_server || is_short {
                status.stable_items = came;
            }
            if is_short {
                library.notify_loss(was, came);
            }
            return Ok(());
        }
        let new = SuspectList { total: came, since_ms: now_ms, same_since_ms: now_ms };
        let suspect = status.suspect.get_or_insert(new);
        if suspect.total != came {
            *suspect = SuspectList { total: came, same_since_ms: now_ms, ..*suspect };
        }
        // It is read again in full, whatever events arrive until then.
        status.compare_at_ms = Some(now_ms);
        Err(IndexError::Shrunk { was, came })
    }

    /// Metadata of the library apart from its items.
    pub(super) fn metadata(&self, info: &LibraryInfo) -> SnapshotMetadata {
        let before = self.library.status.lock().metadata.clone();
        SnapshotMetadata {
            server: self.library.id.server.clone(),
            key: self.library.id.key.clone(),
            title: info.title.clone(),
            contents: info.contents.name().to_owned(),
            stamp: info.stamp.clone(),
            ..before
        }
    }

    /// Builds the indexes off the workers that serve apps.
    pub(super) async fn index(&self, builder: SnapshotBuilder) -> Result<BuiltIndex, IndexError> {
        let current = self.library.generation();
        let clock = self.library.server.origin.clock.clone();
        let work = move || {
            let started_us = clock.now_us();
            let snapshot = builder.build();
            let diff = current.map(|current| diff::between(&current.snapshot, &snapshot));
            BuiltIndex { snapshot, diff, took_ms: Duration::from_millis(clock.since_ms(started_us)) }
        };
        let built = self.library.server.origin.tasks.spawn_blocking(work).await.map_err(|_| IndexError::Unfit)?;
        let now_ms = self.library.server.origin.clock.now();
        self.library.status.lock().indexed = (now_ms, built.took_ms);
        Ok(built)
    }

    /// Saves the new generation, then publishes it: a number that was used is never used again, even after a crash.
    /// Returns whether it was published; not if the library was turned off meanwhile. Nothing is awaited after the
    /// swap, so the caller can report success at once.
    pub(super) async fn publish(&self, ready: PreparedGeneration, handle: &BuildHandle) -> bool {
        let library = &self.library;
        let PreparedGeneration { metadata, built: BuiltIndex { snapshot, diff, .. }, taken_at_ms } = ready;
        let is_same = diff.as_ref().is_some_and(is_same);
        // Without a visible difference the number stays, so that callers need not look again.
        let same = library.generation().filter(|_| is_same);
        let (number, taken_at_ms) = same.as_ref().map_or_else(
            || (library.next_number(taken_at_ms), taken_at_ms),
            |current| (current.number, current.taken_at_ms),
        );
        let metadata = SnapshotMetadata { number, taken_at_ms: taken_at_ms.as_millis(), ..metadata };
        let new = || Arc::new(Generation { number, taken_at_ms, snapshot });
        let generation = same.clone().unwrap_or_else(new);
        library.update_progress(|progress| {
            if progress.is_building() {
                progress.phase = BuildPhase::Saving;
            }
        });
        self.save(metadata.clone(), Arc::clone(&generation)).await;
        {
            let mut status = library.status.lock();
            if !library.is_on(&status) || status.turned_off != handle.turned_off {
                return false;
            }
            status.metadata = metadata;
            if same.is_none() {
                match &diff {
                    Some(diff) => {
                        let keys = crate::index::incremental::changed_keys(diff, &generation.snapshot);
                        status.record_changes(number, keys);
                    }
                    // The whole snapshot is new: earlier changes are unknown.
                    None => status.changes.clear(),
                }
                status.diff = diff.map(Arc::new);
                *library.generation.write() = Some(generation);
            }
        }
        true
    }

    /// Builds the track index whole, off the workers that serve apps, if so many tracks were patched that it is due. The
    /// items, their rows and the number of the generation stay.
    pub(super) async fn merge_index(&self) {
        let library = &self.library;
        let Some(current) = library.generation().filter(|current| current.snapshot.is_merge_due()) else { return };
        let patched = Arc::clone(&current);
        let work = move || patched.snapshot.merged();
        let Ok(snapshot) = library.server.origin.tasks.spawn_blocking(work).await else { return };
        let mut generation = library.generation.write();
        // It is not there any more if the library was turned off meanwhile.
        if generation.as_ref().is_some_and(|held| Arc::ptr_eq(held, &current)) {
            let Generation { number, taken_at_ms, .. } = *current;
            *generation = Some(Arc::new(Generation { number, taken_at_ms, snapshot }));
        }
    }

    /// Saves the current generation. One that cannot be saved is built again after a restart.
    pub(super) async fn save(&self, metadata: SnapshotMetadata, generation: Arc<Generation>) {
        let Some(store) = self.store() else { return };
        let id = metadata.id();
        let clock = &self.library.server.origin.clock;
        let started_us = clock.now_us();
        let saved =
            self.library.server.origin.tasks.spawn_blocking(move || store.save(&metadata, &generation.snapshot)).await;
        // Saves count too, so that repeated writes of a large library do not keep the disk busy.
        self.library.status.lock().indexed.1 += Duration::from_millis(clock.since_ms(started_us));
        if let Ok(Err(error)) = saved {
            tracing::warn!(library = %id, %error, "the index cannot be saved: it will be built again after a restart");
        }
    }

    pub(super) fn store(&self) -> Option<SnapshotStore> {
        let server = &self.library.server;
        let data_dir = self.libraries.data_dir.as_deref()?;
        Some(SnapshotStore::new(data_dir, &server.own_partition()?, server.name()))
    }
}

/// Whether the server has not started, failed or scanned recently.
pub(super) fn is_stable(server: &Server, now_ms: Timestamp) -> bool {
    now_ms.duration_since(server.origin.started_ms) >= UNSTABLE_AFTER_START
        && server.shrink_guard.is_settled(server.origin.breaker.last_restart_sign_ms(), now_ms)
}

/// Whether there is no difference at all.
fn is_same(diff: &diff::SnapshotDiff) -> bool {
    diff.is_empty() && diff.changed_rows.is_empty()
}
