//! How far the mirror of each server is.

use std::collections::BTreeMap;

use rusqlite::params;

use super::store::Store;
use greenroom_state::codec::{signed, unsigned};
use greenroom_state::error::Failing;

/// That a sync brought nothing is written with this precision.
const SYNCED_EXACT_MS: u64 = 24 * 3_600_000;

/// How far the mirror of a server is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// Everything up to then is kept, in seconds since 1970.
    pub(super) cursor_s: u64,
    /// The number of the last whole comparison.
    pub(super) pass: u64,
    /// When it was made, in milliseconds.
    pub(super) full_ms: u64,
    /// Rows that are kept.
    pub(super) rows: u64,
    /// When a whole comparison was first not believed, in milliseconds; 0 if the last one was.
    pub(super) doubted_ms: u64,
}

/// When a sync of each server last came to its end, in milliseconds; a server of which none did is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Synced(pub(super) BTreeMap<String, u64>);

impl Synced {
    /// When all of these were as their servers had them: the oldest moment, and `None` if one never was. A server that
    /// cannot be asked, as it has no token, and never was mirrored has nothing to be told of.
    pub(super) fn of_all<'a>(&self, servers: impl Iterator<Item = (&'a str, bool)>) -> Option<u64> {
        let moments = servers.filter_map(|(name, is_asked)| {
            let moment = self.0.get(name).copied();
            (is_asked || moment.is_some()).then_some(moment)
        });
        moments.collect::<Option<Vec<u64>>>()?.into_iter().min()
    }
}

impl Store {
    /// When a sync of each server last came to its end.
    pub(super) fn synced(&self) -> Result<Synced, Failing> {
        let db = self.db.lock();
        let sql = "SELECT server, synced_ms FROM played_sync WHERE hidden_ms = 0 AND synced_ms > 0";
        let mut select = db.prepare_cached(sql)?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?;
        Ok(Synced(rows.collect::<Result<_, _>>()?))
    }

    /// How far the mirror of a server is.
    pub(super) fn reached(&self, server: &str) -> Result<Reached, Failing> {
        let db = self.db.lock();
        let rows: i64 =
            db.query_row("SELECT count(*) FROM played WHERE server = ?1", [server], |row| row.get(0))?;
        let mut select = db.prepare_cached(
            "SELECT cursor_s, pass, full_ms, doubted_ms FROM played_sync WHERE server = ?1",
        )?;
        let mut found = select.query_map([server], |row| {
            let number = |at: usize| row.get::<_, i64>(at).map(unsigned);
            let (cursor_s, pass, full_ms, doubted_ms) = (number(0)?, number(1)?, number(2)?, number(3)?);
            Ok(Reached { cursor_s, pass, full_ms, rows: 0, doubted_ms })
        })?;
        let reached = found.next().transpose()?.unwrap_or_default();
        Ok(Reached { rows: unsigned(rows), ..reached })
    }

    /// A place in the future is taken back to the newest that is kept and can have been: a server told a wrong date.
    pub(super) fn heal(&self, server: &str, now_s: u64) -> Result<(), Failing> {
        self.db.lock().execute(
            "UPDATE played_sync SET cursor_s =
             (SELECT coalesce(max(at_s), 0) FROM played WHERE server = ?1 AND at_s <= ?2)
             WHERE server = ?1 AND cursor_s > ?2",
            params![server, signed(now_s)],
        )?;
        Ok(())
    }

    /// Everything up to then is kept.
    pub(super) fn advance(&self, server: &str, cursor_s: u64) -> Result<(), Failing> {
        self.db.lock().execute(
            "INSERT INTO played_sync (server, cursor_s) VALUES (?1, ?2)
             ON CONFLICT (server) DO UPDATE SET cursor_s = excluded.cursor_s WHERE excluded.cursor_s > cursor_s",
            params![server, signed(cursor_s)],
        )?;
        Ok(())
    }

    /// A sync came to its end.
    pub(super) fn note_synced(&self, server: &str, now_ms: u64) -> Result<(), Failing> {
        self.db.lock().execute(
            "INSERT INTO played_sync (server, synced_ms) VALUES (?1, ?2)
             ON CONFLICT (server) DO UPDATE SET synced_ms = excluded.synced_ms",
            params![server, signed(now_ms)],
        )?;
        Ok(())
    }

    /// A sync came to its end and brought nothing: that is written once a day, so that an idle process writes nothing.
    pub(super) fn note_synced_again(&self, server: &str, now_ms: u64) -> Result<(), Failing> {
        self.db.lock().execute(
            "UPDATE played_sync SET synced_ms = ?2
             WHERE server = ?1 AND (synced_ms > ?2 OR ?2 - synced_ms >= ?3)",
            params![server, signed(now_ms), signed(SYNCED_EXACT_MS)],
        )?;
        Ok(())
    }

    /// Since then whole comparisons are not believed; 0 if the last one was.
    pub(super) fn note_doubt(&self, server: &str, doubted_ms: u64) -> Result<(), Failing> {
        self.db.lock().execute(
            "UPDATE played_sync SET doubted_ms = ?2 WHERE server = ?1",
            params![server, signed(doubted_ms)],
        )?;
        Ok(())
    }

    /// A whole comparison was made.
    pub(super) fn note_full(&self, server: &str, pass: u64, now_ms: u64) -> Result<(), Failing> {
        self.db.lock().execute(
            "INSERT INTO played_sync (server, pass, full_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (server) DO UPDATE SET pass = excluded.pass, full_ms = excluded.full_ms",
            params![server, signed(pass), signed(now_ms)],
        )?;
        Ok(())
    }
}
