//! Stores playbacks in tables of `state.db`, over its own connection. Every call blocks, so none is made on async
//! threads.

use greenroom_cache::Timestamp;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use greenroom_dialect::dashboard::{DashboardUser, PlayHistoryEntry};
use parking_lot::Mutex;
use rusqlite::{Connection, Row, TransactionBehavior, params, params_from_iter};

use super::playback::{picture, truncate};
use greenroom_state::codec::{signed, unsigned};
use greenroom_state::db::FILE;
use greenroom_state::error::StateError;
use greenroom_state::reader;

/// Max users of a server whose names are read.
const MAX_USER_NAMES: i64 = 10_000;

/// Rows of a server that is no longer configured stay hidden for this long; then they are deleted.
pub(super) const GRACE: Duration = Duration::from_millis(30 * 24 * 3_600_000);

/// The playbacks of one data directory.
#[derive(Debug)]
pub struct HistoryStore {
    pub(super) db: Mutex<Connection>,
    max_rows: u64,
}

/// Comparison of a received playback with the stored rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoredRowStatus {
    /// Stored unchanged.
    Same,
    /// Stored without item titles.
    Unnamed,
    /// Not stored. Another one may be stored under the same id, because a server whose database was recreated counts
    /// from one again.
    New,
}

impl HistoryStore {
    /// Opens the file, which must exist in its newest schema. Rows of servers other than these are hidden, and deleted
    /// after a grace period.
    ///
    /// # Errors
    /// Reason for which the file cannot be used.
    pub fn open(data_dir: &Path, max_rows: u64, servers: &[&str], now_ms: Timestamp) -> Result<Self, StateError> {
        let db = reader::open_newest(&data_dir.join(FILE))?;
        // Rows lost in a crash are requested again.
        db.pragma_update(None, "synchronous", "NORMAL")?;
        let places = vec!["?"; servers.len()].join(",");
        let now = signed(now_ms.as_millis());
        db.execute(
            &format!("UPDATE played_sync SET hidden_ms = 0 WHERE server IN ({places})"),
            params_from_iter(servers),
        )?;
        db.execute(
            &format!("UPDATE played_sync SET hidden_ms = {now} WHERE hidden_ms = 0 AND server NOT IN ({places})"),
            params_from_iter(servers),
        )?;
        let until = signed(now_ms.saturating_sub(GRACE).as_millis());
        let gone = "SELECT server FROM played_sync WHERE hidden_ms > 0 AND hidden_ms <= ?1";
        for table in ["played", "played_item", "played_user", "played_sync"] {
            db.execute(&format!("DELETE FROM {table} WHERE server IN ({gone})"), [until])?;
        }
        Ok(Self { db: Mutex::new(db), max_rows })
    }

    /// The ids of a page that are already stored with their titles.
    pub(super) fn named_ids(&self, server: &str, page: &[PlayHistoryEntry]) -> Result<BTreeSet<String>, StateError> {
        let db = self.db.lock();
        let mut named = BTreeSet::new();
        for played in page {
            let is_named = |row: &Row<'_>| -> Result<bool, rusqlite::Error> {
                let (at_s, key): (i64, String) = (row.get(0)?, row.get(1)?);
                Ok(at_s == signed(played.at_s) && key == truncate(&played.item.key) && row.get(2)?)
            };
            let mut select = db.prepare_cached(
                "SELECT at_s, item_key, duration_ms IS NOT NULL AND kind <> 'video' FROM played
                 WHERE server = ?1 AND id = ?2",
            )?;
            let mut found = select.query_map(params![server, truncate(&played.id)], is_named)?;
            if found.next().transpose()?.unwrap_or_default() {
                named.insert(played.id.clone());
            }
        }
        Ok(named)
    }

    /// Stores a page atomically, marked with this pass. Returns the number of new rows. When the store is full, rows
    /// that would be evicted at once are skipped.
    pub(super) fn insert(&self, server: &str, page: &[PlayHistoryEntry], pass: u64) -> Result<u64, StateError> {
        let mut db = self.db.lock();
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut new = 0;
        change.execute("INSERT OR IGNORE INTO played_sync (server) VALUES (?1)", [server])?;
        let oldest_s = self.oldest_if_full(&change)?;
        {
            let mut seen =
                change.prepare_cached("UPDATE played SET pass = ?3 WHERE server = ?1 AND id = ?2 AND pass <> ?3")?;
            let mut insert = change.prepare_cached(
                "INSERT INTO played (server, id, at_s, user, item_key, kind, title, parent_title, grandparent_title,
                 place, parent_place, year, duration_ms, thumb, player, pass)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
                 ON CONFLICT (server, id) DO UPDATE SET at_s = excluded.at_s, user = excluded.user,
                 item_key = excluded.item_key, kind = excluded.kind, title = excluded.title,
                 parent_title = excluded.parent_title, grandparent_title = excluded.grandparent_title,
                 place = excluded.place, parent_place = excluded.parent_place, year = excluded.year,
                 duration_ms = excluded.duration_ms, thumb = excluded.thumb, player = excluded.player,
                 pass = excluded.pass",
            )?;
            for played in page {
                let known = stored_row_status(&change, server, played)?;
                let has_no_room = oldest_s.is_some_and(|oldest_s| played.at_s <= oldest_s);
                if known == StoredRowStatus::Same {
                    seen.execute(params![server, truncate(&played.id), signed(pass)])?;
                }
                if known == StoredRowStatus::Same || (known == StoredRowStatus::New && has_no_room) {
                    continue;
                }
                let item = &played.item;
                insert.execute(params![
                    server,
                    truncate(&played.id),
                    signed(played.at_s),
                    truncate(&played.user),
                    truncate(&item.key),
                    truncate(&item.kind),
                    truncate(&item.title),
                    item.parent_title.as_deref().map(truncate),
                    item.grandparent_title.as_deref().map(truncate),
                    item.index.map(signed),
                    item.parent_index.map(signed),
                    item.year.map(signed),
                    item.duration_ms.map(signed),
                    picture(played).map(truncate),
                    played.player.as_deref().map(truncate),
                    signed(pass),
                ])?;
                new += u64::from(known == StoredRowStatus::New);
            }
        }
        change.commit()?;
        Ok(new)
    }

    /// The time of the oldest row, if there is no room for an older one.
    fn oldest_if_full(&self, db: &Connection) -> Result<Option<u64>, StateError> {
        let (rows, oldest_s): (i64, Option<i64>) =
            db.query_row("SELECT count(*), min(at_s) FROM played", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(oldest_s.map(unsigned).filter(|_| unsigned(rows) >= self.max_rows))
    }

    /// Number of rows that a full comparison did not see, of those that existed when it began.
    pub(super) fn count_unseen(&self, server: &str, pass: u64, until_s: u64) -> Result<u64, StateError> {
        let count: i64 = self.db.lock().query_row(
            "SELECT count(*) FROM played WHERE server = ?1 AND pass <> ?2 AND at_s <= ?3",
            params![server, signed(pass), signed(until_s)],
            |row| row.get(0),
        )?;
        Ok(unsigned(count))
    }

    /// Deletes these rows, because the server has deleted them.
    pub(super) fn forget_unseen(&self, server: &str, pass: u64, until_s: u64) -> Result<(), StateError> {
        self.db.lock().execute(
            "DELETE FROM played WHERE server = ?1 AND pass <> ?2 AND at_s <= ?3",
            params![server, signed(pass), signed(until_s)],
        )?;
        Ok(())
    }

    /// Stores user names.
    pub(super) fn set_user_names(&self, server: &str, users: &[DashboardUser]) -> Result<(), StateError> {
        let mut db = self.db.lock();
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for user in users.iter().filter(|user| !user.name.is_empty()) {
            change.execute(
                "INSERT INTO played_user (server, id, name) VALUES (?1, ?2, ?3)
                 ON CONFLICT (server, id) DO UPDATE SET name = excluded.name",
                params![server, truncate(&user.id), truncate(&user.name)],
            )?;
        }
        change.commit()?;
        Ok(())
    }

    /// The users of this server with a name, as pairs of its id and the name.
    pub(super) fn user_names(&self, server: &str) -> Result<Vec<(String, String)>, StateError> {
        let db = self.db.lock();
        let mut select = db.prepare_cached("SELECT id, name FROM played_user WHERE server = ?1 LIMIT ?2")?;
        let rows = select.query_map(params![server, MAX_USER_NAMES], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Evicts the oldest rows beyond the limit. Returns their number.
    pub(super) fn evict_oldest(&self) -> Result<u64, StateError> {
        let db = self.db.lock();
        let rows: i64 = db.query_row("SELECT count(*) FROM played", [], |row| row.get(0))?;
        let over = unsigned(rows).saturating_sub(self.max_rows);
        if over > 0 {
            db.execute(
                "DELETE FROM played WHERE (server, id) IN
                 (SELECT server, id FROM played ORDER BY at_s, server, id LIMIT ?1)",
                [signed(over)],
            )?;
        }
        Ok(over)
    }
}

fn stored_row_status(db: &Connection, server: &str, played: &PlayHistoryEntry) -> Result<StoredRowStatus, StateError> {
    let mut select =
        db.prepare_cached("SELECT at_s, item_key, kind, duration_ms FROM played WHERE server = ?1 AND id = ?2")?;
    let mut found = select.query_map(params![server, truncate(&played.id)], |row| {
        let (at_s, key, kind): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let item = &played.item;
        // An item deleted from the server no longer has a key.
        let is_other = at_s != signed(played.at_s) || (!item.key.is_empty() && key != truncate(&item.key));
        let had_no_length = row.get::<_, Option<i64>>(3)?.is_none();
        let is_named_now = (kind == "video" && item.kind != kind) || (had_no_length && item.duration_ms.is_some());
        Ok(match (is_other, is_named_now) {
            (true, _) => StoredRowStatus::New,
            (false, true) => StoredRowStatus::Unnamed,
            (false, false) => StoredRowStatus::Same,
        })
    })?;
    Ok(found.next().transpose()?.unwrap_or(StoredRowStatus::New))
}
