//! Sync progress of each server's playback history.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::params;

use super::store::HistoryStore;
use greenroom_state::codec::{signed, unsigned};
use greenroom_state::error::StateError;

/// Syncs without new rows are recorded with this precision.
const UNCHANGED_PRECISION: Duration = Duration::from_millis(24 * 3_600_000);

/// Sync progress of one server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SyncCursor {
    /// Everything up to this time is stored, in seconds since 1970.
    pub(super) cursor_s: u64,
    /// Number of the last full comparison.
    pub(super) pass: u64,
    /// Time of the last full comparison, in milliseconds.
    pub(super) full_ms: Timestamp,
    /// Stored rows.
    pub(super) rows: u64,
    /// When a full comparison first looked implausible, in milliseconds; 0 if the last one was accepted.
    pub(super) suspect_since_ms: Timestamp,
}

/// Last completed sync per server, in milliseconds; servers without one are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LastSyncTimes(pub(super) BTreeMap<String, u64>);

impl LastSyncTimes {
    /// The time up to which all of these servers are mirrored: the oldest of their syncs, `None` if one was never
    /// synced. A server without a token that was never synced is ignored, because it cannot be asked.
    pub(super) fn oldest<'a>(&self, servers: impl Iterator<Item = (&'a str, bool)>) -> Option<u64> {
        let times = servers.filter_map(|(name, is_asked)| {
            let time = self.0.get(name).copied();
            (is_asked || time.is_some()).then_some(time)
        });
        times.collect::<Option<Vec<u64>>>()?.into_iter().min()
    }
}

impl HistoryStore {
    /// The last completed sync of each server.
    pub(super) fn last_sync_times(&self) -> Result<LastSyncTimes, StateError> {
        let db = self.db.lock();
        let sql = "SELECT server, synced_ms FROM played_sync WHERE hidden_ms = 0 AND synced_ms > 0";
        let mut select = db.prepare_cached(sql)?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?;
        Ok(LastSyncTimes(rows.collect::<Result<_, _>>()?))
    }

    /// The sync progress of a server.
    pub(super) fn cursor(&self, server: &str) -> Result<SyncCursor, StateError> {
        let db = self.db.lock();
        let rows: i64 = db.query_row("SELECT count(*) FROM played WHERE server = ?1", [server], |row| row.get(0))?;
        let mut select =
            db.prepare_cached("SELECT cursor_s, pass, full_ms, doubted_ms FROM played_sync WHERE server = ?1")?;
        let mut rows_found = select.query_map([server], |row| {
            let number = |at: usize| row.get::<_, i64>(at).map(unsigned);
            let (cursor_s, pass, full_ms, doubted_ms) = (number(0)?, number(1)?, number(2)?, number(3)?);
            Ok(SyncCursor {
                cursor_s,
                pass,
                full_ms: Timestamp::from_millis(full_ms),
                rows: 0,
                suspect_since_ms: Timestamp::from_millis(doubted_ms),
            })
        })?;
        let cursor = rows_found.next().transpose()?.unwrap_or_default();
        Ok(SyncCursor { rows: unsigned(rows), ..cursor })
    }

    /// Moves a cursor in the future back to the newest plausible row: a server reported a wrong date.
    pub(super) fn repair_cursor(&self, server: &str, now_s: u64) -> Result<(), StateError> {
        self.db.lock().execute(
            "UPDATE played_sync SET cursor_s =
             (SELECT coalesce(max(at_s), 0) FROM played WHERE server = ?1 AND at_s <= ?2)
             WHERE server = ?1 AND cursor_s > ?2",
            params![server, signed(now_s)],
        )?;
        Ok(())
    }

    /// Records that everything up to `cursor_s` is stored.
    pub(super) fn advance_cursor(&self, server: &str, cursor_s: u64) -> Result<(), StateError> {
        self.db.lock().execute(
            "INSERT INTO played_sync (server, cursor_s) VALUES (?1, ?2)
             ON CONFLICT (server) DO UPDATE SET cursor_s = excluded.cursor_s WHERE excluded.cursor_s > cursor_s",
            params![server, signed(cursor_s)],
        )?;
        Ok(())
    }

    /// Records a completed sync.
    pub(super) fn record_synced(&self, server: &str, now_ms: Timestamp) -> Result<(), StateError> {
        self.db.lock().execute(
            "INSERT INTO played_sync (server, synced_ms) VALUES (?1, ?2)
             ON CONFLICT (server) DO UPDATE SET synced_ms = excluded.synced_ms",
            params![server, signed(now_ms.as_millis())],
        )?;
        Ok(())
    }

    /// Records a completed sync without new rows; written once a day, so that an idle process writes nothing.
    pub(super) fn record_unchanged_sync(&self, server: &str, now_ms: Timestamp) -> Result<(), StateError> {
        self.db.lock().execute(
            "UPDATE played_sync SET synced_ms = ?2
             WHERE server = ?1 AND (synced_ms > ?2 OR ?2 - synced_ms >= ?3)",
            params![server, signed(now_ms.as_millis()), signed(millis(UNCHANGED_PRECISION))],
        )?;
        Ok(())
    }

    /// Records since when full comparisons are implausible; 0 if the last one was accepted.
    pub(super) fn record_suspect(&self, server: &str, doubted_ms: Timestamp) -> Result<(), StateError> {
        self.db.lock().execute(
            "UPDATE played_sync SET doubted_ms = ?2 WHERE server = ?1",
            params![server, signed(doubted_ms.as_millis())],
        )?;
        Ok(())
    }

    /// Records a full comparison.
    pub(super) fn record_full_pass(&self, server: &str, pass: u64, now_ms: Timestamp) -> Result<(), StateError> {
        self.db.lock().execute(
            "INSERT INTO played_sync (server, pass, full_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (server) DO UPDATE SET pass = excluded.pass, full_ms = excluded.full_ms",
            params![server, signed(pass), signed(now_ms.as_millis())],
        )?;
        Ok(())
    }
}
