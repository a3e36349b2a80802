//! What servers said last, over restarts: one row in `state.db`, written when it changes, so seldom, and each time the
//! file is opened anew. Who plays what is no part of it: that is over by then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use serde::{Deserialize, Serialize};

use super::figures::Amounts;
use greenroom_state::db::FILE;
use greenroom_state::file_lane::FileLane;

/// How long another connection that writes is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Libraries that are kept; more than that nobody has.
pub(super) const MAX_LIBRARIES: usize = 1_000;

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    pub(super) libraries: Vec<Library>,
    /// How many users each server has, and when it said so.
    pub(super) users: BTreeMap<String, (u64, u64)>,
    /// Most that played at once.
    pub(super) peak: u64,
    /// When that was.
    pub(super) peak_ms: Option<u64>,
}

/// How much there is in one library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Library {
    pub(super) server: String,
    pub(super) key: String,
    pub(super) amounts: Amounts,
    pub(super) generation: u64,
    pub(super) counted_ms: u64,
}

impl Kept {
    /// The same for who sees these servers only, and the clock now: what lies ahead of it was said before it was set back.
    pub(super) fn seen(mut self, servers: &[&str], now_ms: u64) -> Self {
        self.libraries.retain(|library| servers.contains(&library.server.as_str()));
        self.libraries.iter_mut().for_each(|library| library.counted_ms = library.counted_ms.min(now_ms));
        self.users.retain(|server, _| servers.contains(&server.as_str()));
        self.users.values_mut().for_each(|(_, asked_ms)| *asked_ms = (*asked_ms).min(now_ms));
        self.peak_ms = self.peak_ms.map(|peak_ms| peak_ms.min(now_ms));
        self
    }

    /// This with what another gateway wrote since this one wrote `before`: of each library and each server's users what was
    /// said last, and the greater peak. What this one knew and knows no more is gone, unless it was said again; what lies
    /// ahead of the clock was said before that was set back.
    fn beside(self, before: &Self, other: Self, now_ms: u64) -> Self {
        let at_ms: BTreeMap<_, u64> =
            before.libraries.iter().map(|library| (library.place(), library.counted_ms)).collect();
        let mut libraries: BTreeMap<_, Library> =
            self.libraries.into_iter().map(|library| (library.place(), library)).collect();
        for library in other.libraries.into_iter().filter(|library| library.counted_ms <= now_ms) {
            let is_older = match (libraries.get(&library.place()), at_ms.get(&library.place())) {
                (Some(own), _) => library.counted_ms <= own.counted_ms,
                (None, Some(before_ms)) => library.counted_ms <= *before_ms,
                (None, None) => false,
            };
            if !is_older && (libraries.len() < MAX_LIBRARIES || libraries.contains_key(&library.place())) {
                libraries.insert(library.place(), library);
            }
        }
        let mut users = self.users;
        for (server, said) in other.users.into_iter().filter(|(_, said)| said.1 <= now_ms) {
            let own = users.get(&server).or_else(|| before.users.get(&server));
            if own.is_none_or(|(_, asked_ms)| *asked_ms < said.1)
                && (users.len() < MAX_LIBRARIES || users.contains_key(&server))
            {
                users.insert(server, said);
            }
        }
        let is_greater = other.peak > self.peak;
        let (peak, peak_ms) =
            if is_greater { (other.peak, other.peak_ms) } else { (self.peak, self.peak_ms) };
        Self { libraries: libraries.into_values().collect(), users, peak, peak_ms }
    }
}

impl Library {
    fn place(&self) -> (String, String) {
        (self.server.clone(), self.key.clone())
    }
}

/// Where it is kept.
#[derive(Debug, Clone)]
pub(super) struct Row {
    path: PathBuf,
    /// Where it is written while the process runs.
    pub(super) lane: FileLane,
}

impl Row {
    /// That of this directory.
    pub(super) fn of(data_dir: &Path) -> Self {
        Self { path: data_dir.join(FILE), lane: FileLane::default() }
    }

    /// What was kept; nothing if nothing ever was, or in words that another version used.
    pub(super) fn read(&self) -> Result<Kept, String> {
        self.open().and_then(|db| kept_in(&db)).map_err(|error| error.to_string())
    }

    /// Keeps this, beside what another gateway kept since this one kept `before`.
    pub(super) fn write(&self, kept: Kept, before: &Kept, now_ms: u64) -> Result<(), String> {
        let mut db = self.open().map_err(|error| error.to_string())?;
        let change = db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| error.to_string())?;
        let other = kept_in(&change).map_err(|error| error.to_string())?;
        let text =
            serde_json::to_string(&kept.beside(before, other, now_ms)).map_err(|error| error.to_string())?;
        let sql = "INSERT INTO dashboard (id, kept) VALUES (0, ?1)
                   ON CONFLICT (id) DO UPDATE SET kept = excluded.kept";
        change.execute(sql, [text]).and_then(|_| change.commit()).map_err(|error| error.to_string())
    }

    /// The file is made and brought up to date by who keeps the state, never here.
    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.path, flags)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        Ok(db)
    }
}

fn kept_in(db: &Connection) -> rusqlite::Result<Kept> {
    let sql = "SELECT kept FROM dashboard WHERE id = 0";
    let text: Option<String> = db.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_state::db::Book;

    #[test]
    fn what_was_said_last_is_kept_and_what_another_version_wrote_is_as_good_as_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let row = Row::of(folder.path());
        assert!(row.read().is_err(), "it makes no file of its own");
        Book::open(folder.path()).expect("it can be made");
        assert_eq!(row.read(), Ok(Kept::default()));
        let library = |server: &str| Library {
            server: server.to_owned(),
            key: "1".to_owned(),
            amounts: Amounts { films: 7, ..Amounts::default() },
            generation: 0,
            counted_ms: 900,
        };
        let users = BTreeMap::from([("home".to_owned(), (3, 400))]);
        let kept =
            Kept { libraries: vec![library("gone"), library("home")], users, peak: 2, peak_ms: Some(500) };
        row.write(Kept::default(), &Kept::default(), 1_000).expect("it can be kept");
        row.write(kept.clone(), &Kept::default(), 1_000).expect("it can be kept");
        assert_eq!(row.read().as_ref(), Ok(&kept));
        let seen = kept.seen(&["home"], 450);
        assert_eq!(seen.libraries, [Library { counted_ms: 450, ..library("home") }]);
        assert_eq!((seen.users["home"], seen.peak_ms), ((3, 400), Some(450)), "the clock was set back");
        row.open().expect("it opens").execute("UPDATE dashboard SET kept = 'odd'", []).expect("written");
        assert_eq!(row.read(), Ok(Kept::default()));
    }

    #[test]
    fn two_gateways_keep_what_either_of_them_heard_last() {
        let folder = tempfile::tempdir().expect("a folder");
        Book::open(folder.path()).expect("it can be made");
        let row = Row::of(folder.path());
        let library = |key: &str, counted_ms: u64| Library {
            server: "home".to_owned(),
            key: key.to_owned(),
            amounts: Amounts { films: counted_ms, ..Amounts::default() },
            generation: 0,
            counted_ms,
        };
        let users = |asked_ms: u64| BTreeMap::from([("home".to_owned(), (asked_ms, asked_ms))]);
        let of = |libraries: &[Library], asked_ms, peak| Kept {
            libraries: libraries.to_vec(),
            users: users(asked_ms),
            peak,
            peak_ms: Some(peak * 10),
        };
        // Both knew of libraries 1 and 2; one has seen 2 go, 1 grow and 3 come, and the other has not.
        let before = of(&[library("1", 100), library("2", 100)], 100, 3);
        row.write(before.clone(), &Kept::default(), 1_000).expect("it can be kept");
        let one = of(&[library("1", 200), library("3", 200)], 150, 4);
        row.write(one, &before, 1_000).expect("it can be kept");
        let both = of(&[library("1", 200), library("3", 200)], 150, 4);
        assert_eq!(row.read(), Ok(both));
        let other = of(&[library("1", 150), library("4", 300)], 400, 2);
        row.write(other, &before, 1_000).expect("it can be kept");
        let all = of(&[library("1", 200), library("3", 200), library("4", 300)], 400, 4);
        assert_eq!(row.read(), Ok(all));
        // The clock was set back: what was said then does not stand for ever.
        let after = of(&[library("1", 120)], 120, 2);
        row.write(after, &Kept::default(), 130).expect("it can be kept");
        assert_eq!(row.read(), Ok(Kept { peak: 4, peak_ms: Some(40), ..of(&[library("1", 120)], 120, 2) }));
    }
}
