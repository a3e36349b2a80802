//! Where decisions are kept: two tables of `state.db`, over a connection of their own. Every call blocks: nobody on the
//! async threads makes one.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use crate::index::LibraryId;
use crate::matching::pin::{Ruling, RulingKind};
use crate::matching::query::Keys;
use greenroom_state::codec::signed;
use greenroom_state::db::FILE;
use greenroom_state::error::Failing;
use greenroom_state::reader;

/// Bytes of what is kept of one track or item.
const MAX_TEXT_BYTES: usize = 16 * 1024;
const COLUMNS: &str =
    "ruling.id, server, library, kind, wanted, item_key, identity, is_strict, seen_in, made_ms";

/// Why a decision is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotKept {
    /// There are as many as may be, and none that may go.
    Full,
    /// It is longer than any track is described.
    TooLong,
    /// The file cannot be written.
    Failing(String),
}

impl<E: Into<Failing>> From<E> for NotKept {
    fn from(failing: E) -> Self {
        Self::Failing(failing.into().message)
    }
}

/// The decisions of one data directory.
#[derive(Debug)]
pub struct Store {
    db: Mutex<Connection>,
    /// Keys of pins and rejections, once somebody asked, and the file's own count of what others wrote into it at that
    /// time; `None` after they changed. Taken only while `db` is held.
    by_hand: Mutex<Option<(i64, Arc<HashSet<i64>>)>>,
    max_rulings: usize,
}

/// Which decisions are meant; what is not said is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this library.
    pub library: Option<LibraryId>,
    /// Of this kind.
    pub kind: Option<RulingKind>,
}

impl Store {
    /// Opens the file, which has to be there in its newest layout.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(data_dir: &Path, max_rulings: usize) -> Result<Self, Failing> {
        let db = reader::open_newest(&data_dir.join(FILE))?;
        db.pragma_update(None, "foreign_keys", true)?;
        Ok(Self { db: Mutex::new(db), by_hand: Mutex::default(), max_rulings })
    }

    /// All decisions under these keys, each once, with the places of the keys it was found under; in the order of those.
    pub(super) fn find(&self, keys: &Keys) -> Result<Vec<(usize, Ruling)>, Failing> {
        let db = self.db.lock();
        let mut select = db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM ruling_key JOIN ruling ON ruling.id = ruling_key.ruling
             WHERE ruling_key.key = ?1 ORDER BY ruling.id DESC"
        ))?;
        let mut found: Vec<(usize, Ruling)> = Vec::new();
        for (place, key) in keys.asked().enumerate() {
            for ruling in select.query_map([key], read)? {
                let ruling = ruling?;
                if found.iter().all(|(_, known)| known.id != ruling.id) {
                    found.push((place, ruling));
                }
            }
        }
        Ok(found)
    }

    /// All keys of pins and rejections. Who looks up thousands of paths asks here first, and not the file for each.
    pub(super) fn by_hand(&self) -> Result<Arc<HashSet<i64>>, Failing> {
        let db = self.db.lock();
        let mut by_hand = self.by_hand.lock();
        // Another gateway on the same directory may have written.
        let version: i64 = db.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if let Some((of, known)) = &*by_hand
            && *of == version
        {
            return Ok(Arc::clone(known));
        }
        let mut select = db.prepare_cached(
            "SELECT ruling_key.key FROM ruling JOIN ruling_key ON ruling_key.ruling = ruling.id
             WHERE ruling.kind != 'confirmed'",
        )?;
        let keys = Arc::new(select.query_map([], |row| row.get(0))?.collect::<Result<HashSet<i64>, _>>()?);
        *by_hand = Some((version, Arc::clone(&keys)));
        Ok(keys)
    }

    /// How many there are of each kind.
    pub fn tally(&self) -> Result<Vec<(String, u64)>, Failing> {
        let db = self.db.lock();
        let mut select =
            db.prepare_cached("SELECT kind, count(*) FROM ruling GROUP BY kind ORDER BY kind")?;
        let rows =
            select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.max(0).cast_unsigned())))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps decisions, all or none. What each contradicts goes. What somebody decided is on the disk when this returns.
    pub(super) fn put(&self, rulings: &[(Ruling, Keys)]) -> Result<Vec<i64>, NotKept> {
        let mut db = self.db.lock();
        let is_by_hand = rulings.iter().any(|(ruling, _)| ruling.kind != RulingKind::Confirmed);
        db.pragma_update(None, "synchronous", if is_by_hand { "FULL" } else { "NORMAL" })?;
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut ids = Vec::with_capacity(rulings.len());
        for (ruling, keys) in rulings {
            clear(&change, ruling, keys)?;
            ids.push(insert(&change, ruling, keys)?);
        }
        self.make_room(&change)?;
        change.commit()?;
        if is_by_hand {
            *self.by_hand.lock() = None;
        }
        Ok(ids)
    }

    /// The oldest of what was only confirmed goes when there are too many.
    fn make_room(&self, change: &Transaction<'_>) -> Result<(), NotKept> {
        let over = count(change)? - i64::try_from(self.max_rulings).unwrap_or(i64::MAX);
        if over <= 0 {
            return Ok(());
        }
        let gone = change.execute(
            "DELETE FROM ruling WHERE id IN
                (SELECT id FROM ruling WHERE kind = 'confirmed' ORDER BY made_ms, id LIMIT ?1)",
            [over],
        )?;
        if i64::try_from(gone).unwrap_or(0) < over { Err(NotKept::Full) } else { Ok(()) }
    }

    /// The item of a decision has another key now.
    pub(super) fn rekey(&self, id: i64, item_key: &str) -> Result<(), Failing> {
        self.db.lock().execute("UPDATE ruling SET item_key = ?2 WHERE id = ?1", params![id, item_key])?;
        Ok(())
    }

    /// Forgets decisions; how many there were.
    pub(super) fn remove(&self, ids: &[i64]) -> Result<usize, Failing> {
        let mut db = self.db.lock();
        db.pragma_update(None, "synchronous", "FULL")?;
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut gone = 0;
        for id in ids {
            gone += change.execute("DELETE FROM ruling WHERE id = ?1", [id])?;
        }
        change.commit()?;
        *self.by_hand.lock() = None;
        Ok(gone)
    }

    /// Forgets what was confirmed of an item, by the key it had; how many there were.
    pub(super) fn forget_confirmed(&self, library: &LibraryId, item_key: &str) -> Result<usize, Failing> {
        let gone = self.db.lock().execute(
            "DELETE FROM ruling WHERE server = ?1 AND library = ?2 AND item_key = ?3 AND kind = 'confirmed'",
            params![library.server, library.key, item_key],
        )?;
        Ok(gone)
    }

    /// Decisions with a number above `after`, in their order.
    pub(super) fn list(&self, filter: &Filter, after: i64, most: usize) -> Result<Vec<Ruling>, Failing> {
        let db = self.db.lock();
        let mut select = db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM ruling WHERE id > ?1 AND (?2 IS NULL OR (server = ?2 AND library = ?3))
             AND (?4 IS NULL OR kind = ?4) ORDER BY id LIMIT ?5"
        ))?;
        let library = filter.library.as_ref();
        let rows = select.query_map(
            params![
                after,
                library.map(|library| &library.server),
                library.map(|library| &library.key),
                filter.kind.map(RulingKind::word),
                i64::try_from(most).unwrap_or(i64::MAX)
            ],
            read,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn count(db: &Connection) -> Result<i64, rusqlite::Error> {
    db.prepare_cached("SELECT count(*) FROM ruling")?.query_row([], |row| row.get(0))
}

/// A track has one item at most that it was pinned to or confirmed as. What is pinned is not rejected, and what is
/// rejected neither pinned nor confirmed.
fn clear(change: &Transaction<'_>, ruling: &Ruling, keys: &Keys) -> Result<(), NotKept> {
    let mut select = change.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM ruling_key JOIN ruling ON ruling.id = ruling_key.ruling WHERE ruling_key.key = ?1"
    ))?;
    let mut delete = change.prepare_cached("DELETE FROM ruling WHERE id = ?1")?;
    for key in keys.kept() {
        let rulings: Vec<Ruling> = select.query_map([key], read)?.collect::<Result<_, _>>()?;
        for old in rulings {
            let is_same_item = old.identity.is_same(&ruling.identity) || old.item_key == ruling.item_key;
            let goes = match (ruling.kind, old.kind) {
                (RulingKind::Pin, RulingKind::Pin | RulingKind::Confirmed)
                | (RulingKind::Confirmed, RulingKind::Confirmed) => true,
                (RulingKind::Pin, RulingKind::Rejection) | (RulingKind::Rejection, _) => is_same_item,
                (RulingKind::Confirmed, _) => false,
            };
            if goes {
                delete.execute([old.id])?;
            }
        }
    }
    Ok(())
}

fn insert(change: &Transaction<'_>, ruling: &Ruling, keys: &Keys) -> Result<i64, NotKept> {
    let text = |json: Result<String, serde_json::Error>| {
        json.ok().filter(|text| text.len() <= MAX_TEXT_BYTES).ok_or(NotKept::TooLong)
    };
    let wanted = text(serde_json::to_string(&ruling.wanted))?;
    let identity = text(serde_json::to_string(&ruling.identity))?;
    change
        .prepare_cached(
            "INSERT INTO ruling (server, library, kind, wanted, item_key, identity, is_strict, seen_in, made_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            ruling.library.server,
            ruling.library.key,
            ruling.kind.word(),
            wanted,
            ruling.item_key,
            identity,
            ruling.is_strict,
            signed(ruling.seen_in),
            signed(ruling.made_ms)
        ])?;
    let id = change.last_insert_rowid();
    let mut key = change.prepare_cached("INSERT OR IGNORE INTO ruling_key (key, ruling) VALUES (?1, ?2)")?;
    for kept in keys.kept() {
        key.execute([kept, id])?;
    }
    Ok(id)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Ruling> {
    let odd = |column: usize| {
        rusqlite::Error::InvalidColumnType(column, "ruling".into(), rusqlite::types::Type::Text)
    };
    let kind: String = row.get(3)?;
    let (wanted, identity): (String, String) = (row.get(4)?, row.get(6)?);
    Ok(Ruling {
        id: row.get(0)?,
        library: LibraryId { server: row.get(1)?, key: row.get(2)? },
        kind: RulingKind::named(&kind).ok_or_else(|| odd(3))?,
        wanted: serde_json::from_str(&wanted).map_err(|_| odd(4))?,
        item_key: row.get(5)?,
        identity: serde_json::from_str(&identity).map_err(|_| odd(6))?,
        is_strict: row.get(7)?,
        seen_in: row.get::<_, i64>(8)?.max(0).cast_unsigned(),
        made_ms: row.get::<_, i64>(9)?.max(0).cast_unsigned(),
    })
}
