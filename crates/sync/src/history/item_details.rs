//! Stores details of played items that rows of a history lack (genres, summary, ratings, length) in tables of
//! `state.db`.
//!
//! An item's details are read once, and again if it was played again since, because its key may belong to another item
//! by then.

use greenroom_cache::Timestamp;
use greenroom_dialect::dashboard::ItemDetails;
use greenroom_state::codec::signed;
use greenroom_state::error::StateError;
use rusqlite::{Row, TransactionBehavior, params};
use std::time::Duration;

use super::playback::{truncate, truncate_to};
use super::store::HistoryStore;

/// An item that the server does not have is requested again after this time …
const MISSING_RETRY: Duration = Duration::from_millis(30 * 24 * 3_600_000);
/// … and after this time if it has none of the requested ones, because a starting server has none.
const ALL_MISSING_RETRY: Duration = Duration::from_millis(24 * 3_600_000);
/// Longest summary stored.
const MAX_SUMMARY_BYTES: usize = 2_048;
/// Max genres stored per item.
const MAX_GENRES: usize = 20;

/// Stored details of an item, as [`crate::history::query`] reads them.
pub(super) const COLUMNS: &str = "played_item.rating,
     coalesce(played_item.content_rating, above.content_rating), coalesce(played_item.studio, above.studio),
     played_item.summary, coalesce(played_item.genres, above.genres)";
/// Joins the details of the played item, and of its show or artist.
pub(super) const JOINS: &str = "
     LEFT JOIN played_item ON played_item.server = played.server AND played_item.key = played.item_key
     LEFT JOIN played_item AS above ON above.server = played.server AND above.key = played_item.grandparent_key";

impl HistoryStore {
    /// Keys of played items, and of their shows, whose details are to be read; the newest playbacks first.
    pub(super) fn keys_without_details(
        &self,
        server: &str,
        now_ms: Timestamp,
        limit: usize,
    ) -> Result<Vec<String>, StateError> {
        let db = self.db.lock();
        let mut select = db.prepare_cached(
            "SELECT key FROM (
                 SELECT played.item_key AS key, max(played.at_s) AS at_s FROM played
                 LEFT JOIN played_item ON played_item.server = played.server AND played_item.key = played.item_key
                 WHERE played.server = ?1 AND played.item_key <> '' AND (played_item.key IS NULL
                     OR played_item.retry_ms <= ?2
                     OR (played_item.read_ms < played.at_s * 1000 AND played.at_s * 1000 <= ?2))
                 GROUP BY played.item_key
                 UNION ALL
                 SELECT below.grandparent_key AS key, below.read_ms / 1000 AS at_s FROM played_item AS below
                 LEFT JOIN played_item ON played_item.server = below.server AND played_item.key = below.grandparent_key
                 WHERE below.server = ?1 AND below.grandparent_key <> ''
                     AND (played_item.key IS NULL OR played_item.retry_ms <= ?2)
             ) GROUP BY key ORDER BY max(at_s) DESC, key LIMIT ?3",
        )?;
        let keys =
            select.query_map(params![server, signed(now_ms.as_millis()), signed(limit as u64)], |row| row.get(0))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// Stores the details read, and which of the requested items the server does not have.
    pub(super) fn put_details(
        &self,
        server: &str,
        keys: &[String],
        items: &[ItemDetails],
        now_ms: Timestamp,
    ) -> Result<(), StateError> {
        let retry_after_ms = if items.is_empty() { ALL_MISSING_RETRY } else { MISSING_RETRY };
        let mut db = self.db.lock();
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = change.prepare_cached(
                "INSERT OR REPLACE INTO played_item (server, key, grandparent_key, year, duration_ms, rating,
                 content_rating, studio, summary, genres, read_ms, retry_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?;
            for key in keys {
                let found = items.iter().find(|item| item.key == *key);
                let retry_ms = found.is_none().then(|| signed(now_ms.saturating_add(retry_after_ms).as_millis()));
                let missing = ItemDetails::default();
                let item = found.unwrap_or(&missing);
                insert.execute(params![
                    server,
                    key,
                    item.grandparent_key.as_deref().map(truncate),
                    item.year.map(signed),
                    item.duration_ms.map(signed),
                    item.rating,
                    item.content_rating.as_deref().map(truncate),
                    item.studio.as_deref().map(truncate),
                    item.summary.as_deref().map(|summary| truncate_to(summary, MAX_SUMMARY_BYTES)),
                    genres_text(&item.genres),
                    signed(now_ms.as_millis()),
                    retry_ms,
                ])?;
            }
        }
        change.commit()?;
        Ok(())
    }

    /// Deletes details of items that no stored playback is about.
    pub(super) fn forget_unplayed_items(&self) -> Result<(), StateError> {
        self.db.lock().execute(
            "DELETE FROM played_item WHERE
             NOT EXISTS (SELECT 1 FROM played
                 WHERE played.server = played_item.server AND played.item_key = played_item.key)
             AND NOT EXISTS (SELECT 1 FROM played_item AS below
                 WHERE below.server = played_item.server AND below.grandparent_key = played_item.key)",
            [],
        )?;
        Ok(())
    }
}

/// Genres as stored; `None` without any, so that those of the show count.
fn genres_text(genres: &[String]) -> Option<String> {
    let genres: Vec<&str> = genres.iter().take(MAX_GENRES).map(|genre| truncate(genre)).collect();
    if genres.is_empty() { None } else { serde_json::to_string(&genres).ok() }
}

/// The details of a row: [`COLUMNS`] from this column on. The key, the year and the length have columns of their own.
pub(super) fn from_row(row: &Row<'_>, first: usize) -> Result<ItemDetails, rusqlite::Error> {
    let genres: Option<String> = row.get(first + 4)?;
    Ok(ItemDetails {
        rating: row.get(first)?,
        content_rating: row.get(first + 1)?,
        studio: row.get(first + 2)?,
        summary: row.get(first + 3)?,
        genres: genres.and_then(|genres| serde_json::from_str(&genres).ok()).unwrap_or_default(),
        ..ItemDetails::default()
    })
}
