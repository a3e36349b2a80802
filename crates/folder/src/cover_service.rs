//! Covers on request: from the store, or made by a worker apart from requests.

use std::sync::Arc;

use crate::archive::read_first_page;
use crate::cover::make_cover;
use crate::cover_store::{CoverResult, CoverStore};
use crate::enrichment::open_listed;
use crate::file_entry::FileEntry;
use crate::folder::Folder;
use crate::scan::Root;

impl Folder {
    /// The cover of a file: from the store, or made now by a worker.
    pub async fn cover(self: &Arc<Self>, file: &Arc<FileEntry>) -> CoverResult {
        let has_cover = file.details.as_ref().is_none_or(|details| details.has_cover);
        let key = CoverStore::key(file);
        if self.settings.cover_cache_bytes == 0 || !has_cover || self.covers.has_failed(&key) {
            return CoverResult::Absent;
        }
        let Ok(_place) = Arc::clone(&self.covers.waiting).try_acquire_owned() else { return CoverResult::Busy };
        let (folder, stored_key) = (Arc::clone(self), key.clone());
        let stored = self.context.tasks.spawn_blocking(move || folder.covers.read(&stored_key)).await;
        if let Ok(Some(picture)) = stored {
            return CoverResult::Picture(picture);
        }
        let Ok(worker) = Arc::clone(&self.covers.workers).acquire_owned().await else { return CoverResult::Busy };
        let (folder, file) = (Arc::clone(self), Arc::clone(file));
        let made = self.context.tasks.spawn_blocking(move || {
            let made = folder.make_cover(&file, &key);
            drop(worker);
            made
        });
        made.await.unwrap_or(CoverResult::Absent)
    }

    fn make_cover(&self, file: &FileEntry, key: &str) -> CoverResult {
        if let Some(picture) = self.covers.read(key) {
            return CoverResult::Picture(picture);
        }
        let opened = Root::open(&self.settings.path).and_then(|root| open_listed(&root, file));
        // That says nothing of the file's cover: it may be asked for again.
        let Ok(opened) = opened else { return CoverResult::Absent };
        let page = read_first_page(opened).map_err(|error| error.to_string());
        let picture = match page.and_then(|page| {
            // A decoder that breaks on a damaged page must not take the worker with it.
            std::panic::catch_unwind(|| make_cover(&page)).unwrap_or_else(|_| Err("it broke its decoder".into()))
        }) {
            Ok(picture) => picture,
            Err(reason) => {
                tracing::debug!(folder = self.settings.name, path = %file.path, reason, "a file has no cover");
                self.covers.fail(key);
                return CoverResult::Absent;
            }
        };
        if let Err(error) = self.covers.write(key, &picture) {
            tracing::debug!(folder = self.settings.name, %error, "a cover cannot be stored");
        }
        if self.covers.count() {
            self.covers.prune();
        }
        CoverResult::Picture(picture)
    }

    pub(crate) fn prune_covers(self: &Arc<Self>) {
        let folder = Arc::clone(self);
        self.context.tasks.spawn_blocking(move || folder.covers.prune());
    }
}
