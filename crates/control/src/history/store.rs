//! Where playbacks are kept: tables of `state.db`, over a connection of their own. Every call blocks: nobody on the async
//! threads makes one.

use std::collections::BTreeSet;
use std::path::Path;

use greenroom_dialect::dashboard::{Played, User};
use parking_lot::Mutex;
use rusqlite::{Connection, Row, TransactionBehavior, params, params_from_iter};

use super::row::{kept, picture};
use greenroom_state::codec::{signed, unsigned};
use greenroom_state::db::FILE;
use greenroom_state::error::Failing;
use greenroom_state::reader;

/// What is kept of a server that is not configured any more stays hidden for so long; then it goes.
pub(super) const GRACE_MS: u64 = 30 * 24 * 3_600_000;

/// The playbacks of one data directory.
#[derive(Debug)]
pub struct Store {
    pub(super) db: Mutex<Connection>,
    max_rows: u64,
}

/// What is known of a playback that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It is kept as it is.
    Same,
    /// It is kept without the names of what was played.
    Unnamed,
    /// It is not kept; another one may be, under the same id: a server whose database is made anew counts from one again.
    New,
}

impl Store {
    /// Opens the file, which has to be there in its newest layout. What is kept of servers that are not among these is hidden,
    /// and forgotten once that was so for long.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(data_dir: &Path, max_rows: u64, servers: &[&str], now_ms: u64) -> Result<Self, Failing> {
        let db = reader::open_newest(&data_dir.join(FILE))?;
        // What a crash takes is asked for again.
        db.pragma_update(None, "synchronous", "NORMAL")?;
        let places = vec!["?"; servers.len()].join(",");
        let now = signed(now_ms);
        db.execute(
            &format!("UPDATE played_sync SET hidden_ms = 0 WHERE server IN ({places})"),
            params_from_iter(servers),
        )?;
        db.execute(
            &format!(
                "UPDATE played_sync SET hidden_ms = {now} WHERE hidden_ms = 0 AND server NOT IN ({places})"
            ),
            params_from_iter(servers),
        )?;
        let until = signed(now_ms.saturating_sub(GRACE_MS));
        let gone = "SELECT server FROM played_sync WHERE hidden_ms > 0 AND hidden_ms <= ?1";
        for table in ["played", "played_user", "played_sync"] {
            db.execute(&format!("DELETE FROM {table} WHERE server IN ({gone})"), [until])?;
        }
        Ok(Self { db: Mutex::new(db), max_rows })
    }

    /// Which of a page are kept already with the names of what was played, by their ids.
    pub(super) fn named(&self, server: &str, page: &[Played]) -> Result<BTreeSet<String>, Failing> {
        let db = self.db.lock();
        let mut named = BTreeSet::new();
        for played in page {
            let is_named = |row: &Row<'_>| -> Result<bool, rusqlite::Error> {
                let (at_s, key): (i64, String) = (row.get(0)?, row.get(1)?);
                Ok(at_s == signed(played.at_s) && key == kept(&played.item.key) && row.get(2)?)
            };
            let mut select = db.prepare_cached(
                "SELECT at_s, item_key, duration_ms IS NOT NULL AND kind <> 'video' FROM played
                 WHERE server = ?1 AND id = ?2",
            )?;
            let mut found = select.query_map(params![server, kept(&played.id)], is_named)?;
            if found.next().transpose()?.unwrap_or_default() {
                named.insert(played.id.clone());
            }
        }
        Ok(named)
    }

    /// Keeps a page, all of it or nothing, as seen by this pass. Returns how many were not known. Where there is no room,
    /// nothing comes that would have to go again.
    pub(super) fn put(&self, server: &str, page: &[Played], pass: u64) -> Result<u64, Failing> {
        let mut db = self.db.lock();
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut new = 0;
        change.execute("INSERT OR IGNORE INTO played_sync (server) VALUES (?1)", [server])?;
        let oldest_s = self.oldest_if_full(&change)?;
        {
            let mut seen = change
                .prepare_cached("UPDATE played SET pass = ?3 WHERE server = ?1 AND id = ?2 AND pass <> ?3")?;
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
                let known = known(&change, server, played)?;
                let has_no_room = oldest_s.is_some_and(|oldest_s| played.at_s <= oldest_s);
                if known == Known::Same {
                    seen.execute(params![server, kept(&played.id), signed(pass)])?;
                }
                if known == Known::Same || (known == Known::New && has_no_room) {
                    continue;
                }
                let item = &played.item;
                insert.execute(params![
                    server,
                    kept(&played.id),
                    signed(played.at_s),
                    kept(&played.user),
                    kept(&item.key),
                    kept(&item.kind),
                    kept(&item.title),
                    item.parent_title.as_deref().map(kept),
                    item.grandparent_title.as_deref().map(kept),
                    item.index.map(signed),
                    item.parent_index.map(signed),
                    item.year.map(signed),
                    item.duration_ms.map(signed),
                    picture(played).map(kept),
                    played.player.as_deref().map(kept),
                    signed(pass),
                ])?;
                new += u64::from(known == Known::New);
            }
        }
        change.commit()?;
        Ok(new)
    }

    /// The time of the oldest, if there is no room for an older one.
    fn oldest_if_full(&self, db: &Connection) -> Result<Option<u64>, Failing> {
        let (rows, oldest_s): (i64, Option<i64>) =
            db.query_row("SELECT count(*), min(at_s) FROM played", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(oldest_s.map(unsigned).filter(|_| unsigned(rows) >= self.max_rows))
    }

    /// How many a whole comparison did not come upon, of those that were there when it began.
    pub(super) fn unseen(&self, server: &str, pass: u64, until_s: u64) -> Result<u64, Failing> {
        let count: i64 = self.db.lock().query_row(
            "SELECT count(*) FROM played WHERE server = ?1 AND pass <> ?2 AND at_s <= ?3",
            params![server, signed(pass), signed(until_s)],
            |row| row.get(0),
        )?;
        Ok(unsigned(count))
    }

    /// Forgets them: the server has.
    pub(super) fn forget_unseen(&self, server: &str, pass: u64, until_s: u64) -> Result<(), Failing> {
        self.db.lock().execute(
            "DELETE FROM played WHERE server = ?1 AND pass <> ?2 AND at_s <= ?3",
            params![server, signed(pass), signed(until_s)],
        )?;
        Ok(())
    }

    /// Keeps the names of users.
    pub(super) fn name(&self, server: &str, users: &[User]) -> Result<(), Failing> {
        let mut db = self.db.lock();
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for user in users.iter().filter(|user| !user.name.is_empty()) {
            change.execute(
                "INSERT INTO played_user (server, id, name) VALUES (?1, ?2, ?3)
                 ON CONFLICT (server, id) DO UPDATE SET name = excluded.name",
                params![server, kept(&user.id), kept(&user.name)],
            )?;
        }
        change.commit()?;
        Ok(())
    }

    /// Makes room: the oldest go. Returns how many went.
    pub(super) fn make_room(&self) -> Result<u64, Failing> {
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

fn known(db: &Connection, server: &str, played: &Played) -> Result<Known, Failing> {
    let mut select = db.prepare_cached(
        "SELECT at_s, item_key, kind, duration_ms FROM played WHERE server = ?1 AND id = ?2",
    )?;
    let mut found = select.query_map(params![server, kept(&played.id)], |row| {
        let (at_s, key, kind): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let item = &played.item;
        // An item that is gone from the server has no key any more.
        let is_other = at_s != signed(played.at_s) || (!item.key.is_empty() && key != kept(&item.key));
        let had_no_length = row.get::<_, Option<i64>>(3)?.is_none();
        let is_named_now =
            (kind == "video" && item.kind != kind) || (had_no_length && item.duration_ms.is_some());
        Ok(match (is_other, is_named_now) {
            (true, _) => Known::New,
            (false, true) => Known::Unnamed,
            (false, false) => Known::Same,
        })
    })?;
    Ok(found.next().transpose()?.unwrap_or(Known::New))
}
