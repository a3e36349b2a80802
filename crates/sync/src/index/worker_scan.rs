//! Indexes the video libraries that an app lists whole again and again: with an index, lookups of paths need no listing.

use greenroom_config::CacheMode;
use greenroom_dialect::crawl::LibraryContents;
use greenroom_dialect::video_listing::VideoListing;

use super::Library;

impl Library {
    /// Starts indexing if an app listed this library twice within a short time; unlike a lookup, that is no reason to warn
    /// that the index is off. Nothing is indexed by itself while requests are only observed.
    pub(super) fn record_scan(&self, listing: &VideoListing) {
        let is_listed = listing.section.as_deref().is_none_or(|section| section.eq_ignore_ascii_case(&self.id.key));
        let has_rows = match self.contents() {
            LibraryContents::Films => listing.has_films,
            LibraryContents::Shows => listing.has_episodes,
            LibraryContents::Music | LibraryContents::Other => false,
        };
        if !is_listed || !has_rows || self.server.mode() != CacheMode::Cache {
            return;
        }
        let mut status = self.status.lock();
        if self.is_on(&status) && !std::mem::replace(&mut status.is_auto_indexed, true) {
            drop(status);
            tracing::info!(library = %self.id, "an app lists this library again and again: it is indexed");
            self.wake.notify_one();
        }
    }
}
