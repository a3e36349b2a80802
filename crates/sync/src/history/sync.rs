//! Syncs playbacks from the servers, page by page, as own requests, one server after the other.

use greenroom_cache::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::class::Class;
use greenroom_dialect::dashboard::{PlayHistoryEntry, PlayHistoryPage};
use greenroom_dialect::request::ServerKind;

use super::PlaybackHistory;
use super::store::HistoryStore;
use crate::history::cursor::SyncCursor;
use greenroom_proxy::internal_client::fetch;
use greenroom_proxy::server::Server;

/// Rows per page.
const PAGE_ROWS: u64 = 200;
/// Pause between two pages, to spare the server.
const PAUSE: Duration = Duration::from_millis(100);
/// A sync starts this much before the cursor, because servers' clocks are set back and playbacks are reported late.
const OVERLAP_S: u64 = 6 * 3600;
/// Interval of full comparisons.
const FULL_INTERVAL: Duration = Duration::from_millis(24 * 3_600_000);
/// A comparison that would delete more than half is ignored, because starting servers report little, until another one
/// at least this much later agrees.
const CONFIRM_AFTER: Duration = Duration::from_secs(600);
/// Page limit, above any real history, so that a server with endless pages cannot hold the sync.
const MAX_PAGES: u64 = 100_000;
/// Items requested by key at once.
const ITEMS_PER_REQUEST: usize = 50;

/// Observes a sync and can cancel it.
pub struct SyncObserver<'a> {
    /// True if the sync is to end.
    pub is_cancelled: &'a (dyn Fn() -> bool + Sync),
    /// Called with the rows done and their total.
    pub progress: &'a (dyn Fn(u64, Option<u64>) + Sync),
}

impl PlaybackHistory {
    /// Syncs the mirror with the servers. Returns a summary.
    ///
    /// # Errors
    /// Reason for which a server could not be mirrored; rows received so far are stored.
    pub async fn sync(&self, observer: SyncObserver<'_>) -> Result<String, String> {
        let Ok(_guard) = self.sync_lock.try_lock() else { return Ok("Already running.".to_owned()) };
        let Some(store) = self.store.clone() else { return Err("the playback history is disabled".to_owned()) };
        let (mut new, mut errors) = (0, Vec::new());
        for server in self.servers.iter().filter(|server| server.origin.settings.token.is_some()) {
            if (observer.is_cancelled)() {
                errors.push("cancelled".to_owned());
                break;
            }
            match self.sync_server(&store, server, &observer).await {
                Ok(count) => new += count,
                Err(reason) => errors.push(format!("{}: {reason}", server.name())),
            }
            self.fill_details(&store, server, &observer).await?;
        }
        self.blocking(move || {
            store.evict_oldest()?;
            store.forget_unplayed_items()
        })
        .await?;
        match (errors.is_empty(), new) {
            (true, 0) => Ok("No new playbacks.".to_owned()),
            (true, 1) => Ok("1 new playback.".to_owned()),
            (true, count) => Ok(format!("{count} new playbacks.")),
            (false, _) => Err(errors.join("; ")),
        }
    }

    /// Syncs one server. Returns the number of new playbacks.
    async fn sync_server(
        &self,
        store: &Arc<HistoryStore>,
        server: &Arc<Server>,
        observer: &SyncObserver<'_>,
    ) -> Result<u64, String> {
        let name = server.name().to_owned();
        let now_ms = self.clock.now();
        let cursor = {
            let (store, name) = (Arc::clone(store), name.clone());
            self.blocking(move || {
                store.repair_cursor(&name, now_ms.as_secs())?;
                store.cursor(&name)
            })
            .await?
        };
        self.name_users(store, server).await;
        let plan = SyncPlan::new(server.origin.settings.kind, &cursor, now_ms);
        let mut progress = SyncPassResult { start: 0, new: 0, newest_s: cursor.cursor_s, is_named: true };
        for _ in 0..MAX_PAGES {
            if (observer.is_cancelled)() {
                return Err("cancelled".to_owned());
            }
            let mut page = fetch(server, plan.since_s, progress.start).await?;
            let is_last = progress.start + page.received >= page.total;
            if page.received == 0 && !is_last {
                return Err("the server returned an empty page in the middle of its history".to_owned());
            }
            progress.is_named &= self.name_items(store, server, &mut page.rows).await?;
            (observer.progress)((progress.start + page.received).min(page.total), Some(page.total));
            self.store_page(store, &name, &plan, &mut progress, page).await?;
            if is_last {
                break;
            }
            self.clock.sleep(PAUSE).await;
        }
        self.finish_pass(store, &name, &plan, &cursor, &progress).await?;
        Ok(progress.new)
    }

    async fn store_page(
        &self,
        store: &Arc<HistoryStore>,
        name: &str,
        plan: &SyncPlan,
        progress: &mut SyncPassResult,
        page: PlayHistoryPage,
    ) -> Result<(), String> {
        progress.newest_s = progress.newest_s.max(newest_s(&page.rows, self.clock.now().as_secs()));
        // The next page overlaps by one row, so that a deletion meanwhile cannot make us skip a row.
        progress.start += page.received.saturating_sub(1).max(1);
        let (store, name, pass) = (Arc::clone(store), name.to_owned(), plan.pass);
        // Oldest first: everything up to here is complete, even if the rest fails.
        let cursor_s = plan.is_in_order.then_some(progress.newest_s);
        let new = self
            .blocking(move || {
                let new = store.insert(&name, &page.rows, pass)?;
                if let Some(cursor_s) = cursor_s {
                    store.advance_cursor(&name, cursor_s)?;
                }
                store.evict_oldest()?;
                Ok(new)
            })
            .await?;
        progress.new += new;
        Ok(())
    }

    async fn finish_pass(
        &self,
        store: &Arc<HistoryStore>,
        name: &str,
        plan: &SyncPlan,
        cursor: &SyncCursor,
        progress: &SyncPassResult,
    ) -> Result<(), String> {
        let now_ms = self.clock.now();
        let (store, server, plan) = (Arc::clone(store), name.to_owned(), *plan);
        let (before, progress, name) = (*cursor, *progress, server.clone());
        self.blocking(move || {
            // Rows without titles are received again next time.
            if progress.is_named {
                store.advance_cursor(&name, progress.newest_s)?;
            }
            if progress.new > 0 || plan.is_full {
                store.record_synced(&name, now_ms)?;
            } else {
                store.record_unchanged_sync(&name, now_ms)?;
            }
            if plan.is_full {
                let unseen = store.count_unseen(&name, plan.pass, before.cursor_s)?;
                match DeletionDecision::decide(unseen, &before, now_ms) {
                    DeletionDecision::Confirmed => {
                        store.forget_unseen(&name, plan.pass, before.cursor_s)?;
                        store.record_suspect(&name, Timestamp::UNIX_EPOCH)?;
                    }
                    DeletionDecision::Unconfirmed { since_ms } => {
                        store.record_suspect(&name, since_ms)?;
                        tracing::warn!(
                            server = name,
                            unseen,
                            "the server's history shrank by more than half; rows are deleted only if a comparison at least 10 min later confirms it"
                        );
                    }
                }
                store.record_full_pass(&name, plan.pass, now_ms)?;
            } else if plan.is_in_order && before.full_ms == Timestamp::UNIX_EPOCH {
                // The first sync, interrupted earlier, is now complete.
                store.record_full_pass(&name, plan.pass.max(1), now_ms)?;
            }
            Ok(())
        })
        .await?;
        self.last_syncs.write().0.insert(server, now_ms.as_millis());
        Ok(())
    }

    async fn name_users(&self, store: &Arc<HistoryStore>, server: &Arc<Server>) {
        let kind = server.origin.settings.kind;
        let Ok(body) = fetch::run(server, kind.accounts_target(), Class::Users).await else { return };
        let Ok(users) = kind.accounts(&body) else { return };
        let (store, name) = (Arc::clone(store), server.name().to_owned());
        let _ = self.blocking(move || store.set_user_names(&name, &users)).await; // without names, ids are shown
    }

    /// Adds titles to rows stored without them. Returns true if the server responded.
    async fn name_items(
        &self,
        store: &Arc<HistoryStore>,
        server: &Arc<Server>,
        rows: &mut [PlayHistoryEntry],
    ) -> Result<bool, String> {
        if server.origin.settings.kind.items_by_key_target(&[]).is_none() {
            return Ok(true);
        }
        let (store, name, page) = (Arc::clone(store), server.name().to_owned(), rows.to_vec());
        let named = self.blocking(move || store.named_ids(&name, &page)).await?;
        Ok(name_rows(server, rows, &named).await)
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, greenroom_state::error::StateError> + Send + 'static,
    ) -> Result<T, String> {
        let result = self.file_work.run(work).await;
        result.map_err(|error| error.to_string())?.map_err(|error| error.message)
    }
}

/// Plan of one sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SyncPlan {
    /// Start time.
    since_s: u64,
    /// True for a full comparison.
    is_full: bool,
    /// True if rows arrive oldest first.
    is_in_order: bool,
    /// Marks the rows seen.
    pass: u64,
}

#[derive(Debug, Clone, Copy)]
struct SyncPassResult {
    start: u64,
    new: u64,
    newest_s: u64,
    /// True if the server returned the titles of all requested rows.
    is_named: bool,
}

impl SyncPlan {
    fn new(kind: ServerKind, cursor: &SyncCursor, now_ms: Timestamp) -> Self {
        let incremental = Self {
            since_s: cursor.cursor_s.saturating_sub(OVERLAP_S),
            is_full: false,
            is_in_order: kind == ServerKind::Plex,
            pass: cursor.pass,
        };
        let is_due = now_ms.duration_since(cursor.full_ms) >= FULL_INTERVAL;
        let is_interrupted = cursor.full_ms == Timestamp::UNIX_EPOCH && cursor.cursor_s > 0 && cursor.pass == 0;
        match kind {
            // Its log drops old entries: what is missing there was played all the same.
            ServerKind::Jellyfin => incremental,
            // If there was no comparison yet, an interrupted sync continues first.
            ServerKind::Plex if !is_due || is_interrupted => incremental,
            ServerKind::Plex => Self { since_s: 0, is_full: true, pass: cursor.pass + 1, ..incremental },
        }
    }
}

/// Whether missing rows count as deleted on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeletionDecision {
    /// Deleted here too.
    Confirmed,
    /// Kept until another comparison agrees.
    Unconfirmed { since_ms: Timestamp },
}

impl DeletionDecision {
    fn decide(unseen: u64, before: &SyncCursor, now_ms: Timestamp) -> Self {
        let is_confirmed = before.suspect_since_ms > Timestamp::UNIX_EPOCH
            && now_ms.duration_since(before.suspect_since_ms) >= CONFIRM_AFTER;
        match before.suspect_since_ms {
            _ if unseen <= before.rows / 2 || is_confirmed => Self::Confirmed,
            Timestamp::UNIX_EPOCH => Self::Unconfirmed { since_ms: now_ms },
            since_ms => Self::Unconfirmed { since_ms },
        }
    }
}

/// Time of the newest plausible row, because a server may report dates in the future.
fn newest_s(rows: &[PlayHistoryEntry], now_s: u64) -> u64 {
    rows.iter().map(|row| row.at_s).filter(|at_s| *at_s <= now_s).max().unwrap_or_default()
}

async fn fetch(server: &Arc<Server>, since_s: u64, start: u64) -> Result<PlayHistoryPage, String> {
    let kind = server.origin.settings.kind;
    let target = kind.play_history_target(since_s, start, PAGE_ROWS);
    let body = fetch::run(server, &target, Class::History).await;
    let body = body.map_err(|error| error.message().to_owned())?;
    kind.play_history(&body).map_err(|_| "the server sent an unexpected response".to_owned())
}

/// Adds titles to playbacks that carry only a key, where the server still knows the item. Returns true if the server
/// responded.
async fn name_rows(server: &Arc<Server>, rows: &mut [PlayHistoryEntry], named: &BTreeSet<String>) -> bool {
    let kind = server.origin.settings.kind;
    let rows: &mut Vec<&mut PlayHistoryEntry> = &mut rows.iter_mut().filter(|row| !named.contains(&row.id)).collect();
    let keys: BTreeSet<String> = rows.iter().map(|row| row.item.key.clone()).filter(|key| !key.is_empty()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for keys in keys.chunks(ITEMS_PER_REQUEST) {
        let Some(target) = kind.items_by_key_target(keys) else { return true };
        let Ok(body) = fetch::run(server, &target, Class::Item).await else { return false };
        let Ok(items) = kind.recent(&body) else { return false };
        for row in rows.iter_mut() {
            if let Some(item) = items.iter().find(|item| item.key == row.item.key) {
                row.item = item.clone();
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(100 * 24 * 3_600_000);

    #[test]
    fn the_first_sync_is_complete_and_later_ones_are_incremental() {
        let first = SyncPlan::new(ServerKind::Plex, &SyncCursor::default(), NOW);
        assert_eq!((first.since_s, first.is_full), (0, true));
        let cursor = SyncCursor {
            cursor_s: 1_000_000,
            pass: 1,
            full_ms: NOW - Duration::from_millis(1),
            rows: 10,
            suspect_since_ms: Timestamp::UNIX_EPOCH,
        };
        let next = SyncPlan::new(ServerKind::Plex, &cursor, NOW);
        assert_eq!((next.since_s, next.is_full, next.pass), (1_000_000 - OVERLAP_S, false, 1));
        let due = SyncPlan::new(ServerKind::Plex, &SyncCursor { full_ms: NOW - FULL_INTERVAL, ..cursor }, NOW);
        assert_eq!((due.since_s, due.is_full, due.pass), (0, true, 2));
    }

    #[test]
    fn an_interrupted_first_sync_continues_where_it_ended() {
        let cursor = SyncCursor {
            cursor_s: 1_000_000,
            pass: 0,
            full_ms: Timestamp::UNIX_EPOCH,
            rows: 500,
            suspect_since_ms: Timestamp::UNIX_EPOCH,
        };
        let plan = SyncPlan::new(ServerKind::Plex, &cursor, NOW);
        assert_eq!((plan.since_s, plan.is_full), (1_000_000 - OVERLAP_S, false));
    }

    #[test]
    fn a_log_that_drops_old_entries_is_never_compared() {
        let cursor = SyncCursor {
            cursor_s: 1_000_000,
            pass: 0,
            full_ms: Timestamp::UNIX_EPOCH,
            rows: 500,
            suspect_since_ms: Timestamp::UNIX_EPOCH,
        };
        let plan = SyncPlan::new(ServerKind::Jellyfin, &cursor, NOW);
        assert!(!plan.is_full && !plan.is_in_order);
    }

    #[test]
    fn deletions_of_more_than_half_need_a_second_comparison() {
        let before = |rows, doubted_ms| SyncCursor {
            cursor_s: 9,
            pass: 1,
            full_ms: Timestamp::from_millis(1),
            rows,
            suspect_since_ms: doubted_ms,
        };
        assert_eq!(
            DeletionDecision::decide(500, &before(1_000, Timestamp::UNIX_EPOCH), NOW),
            DeletionDecision::Confirmed
        );
        assert_eq!(DeletionDecision::decide(0, &before(0, Timestamp::UNIX_EPOCH), NOW), DeletionDecision::Confirmed);
        for (unseen, rows) in [(600, 1_000), (80, 80), (1, 1)] {
            assert_eq!(
                DeletionDecision::decide(unseen, &before(rows, Timestamp::UNIX_EPOCH), NOW),
                DeletionDecision::Unconfirmed { since_ms: NOW }
            );
            let early =
                DeletionDecision::decide(unseen, &before(rows, NOW), NOW + CONFIRM_AFTER - Duration::from_millis(1));
            assert_eq!(early, DeletionDecision::Unconfirmed { since_ms: NOW });
            assert_eq!(
                DeletionDecision::decide(unseen, &before(rows, NOW), NOW + CONFIRM_AFTER),
                DeletionDecision::Confirmed
            );
        }
    }

    #[test]
    fn a_date_in_the_future_does_not_advance_the_cursor() {
        let row = |at_s| PlayHistoryEntry { at_s, ..PlayHistoryEntry::default() };
        assert_eq!(newest_s(&[row(5), row(10), row(9_999)], 10), 10);
        assert_eq!(newest_s(&[row(9_999)], 10), 0);
    }
}
