//! Lifetimes that are said while the process runs: laid over what was configured, kept over restarts in `state.db`.
//!
//! What is shorter applies at once, also to what is kept; what is longer from the next load on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use greenroom_dialect::class::{Class, Lifetime};
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use greenroom_state::db::FILE;
use greenroom_state::file_lane::FileLane;

/// Longest window, in seconds: a year.
pub const MAX_S: u32 = 365 * 24 * 3600;
/// Stands for a number that was not said.
const UNSAID: u32 = u32::MAX;
/// How long another connection that writes is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// What was said of one class; what was not stays as it was configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Said {
    /// Answered without asking the server.
    pub fresh_s: Option<u32>,
    /// The same where a live signal is proven; if only `fresh_s` is said, it is that where that is longer,
    /// and where the class makes no difference.
    pub fresh_with_signal_s: Option<u32>,
    /// Then answered at once while one refresh runs behind.
    pub stale_s: Option<u32>,
    /// Then answered only if the server cannot be asked.
    pub stale_on_error_s: Option<u32>,
}

impl Said {
    /// This lifetime with what was said laid over it; `rule` is what holds for its class unless it is said otherwise.
    pub fn over(self, otherwise: Lifetime, rule: Lifetime) -> Lifetime {
        let signalled_s = match self.fresh_s {
            None => otherwise.fresh_with_signal_s,
            // A class that makes no difference has one number: it may be shortened by it.
            Some(fresh_s) if rule.fresh_with_signal_s <= rule.fresh_s => fresh_s,
            Some(fresh_s) => fresh_s.max(otherwise.fresh_with_signal_s),
        };
        Lifetime {
            fresh_s: self.fresh_s.unwrap_or(otherwise.fresh_s),
            fresh_with_signal_s: self.fresh_with_signal_s.unwrap_or(signalled_s),
            stale_s: self.stale_s.unwrap_or(otherwise.stale_s),
            stale_on_error_s: self.stale_on_error_s.unwrap_or(otherwise.stale_on_error_s),
            ..otherwise
        }
    }

    fn numbers(self) -> [Option<u32>; 4] {
        [self.fresh_s, self.fresh_with_signal_s, self.stale_s, self.stale_on_error_s]
    }

    fn of(numbers: [Option<u32>; 4]) -> Self {
        let [fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s] = numbers;
        Self { fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s }
    }
}

/// What was said of a server's classes. Read with every request, so it takes no lock: each number is right by itself.
#[derive(Debug)]
pub struct Lifetimes(Vec<[AtomicU32; 4]>);

impl Default for Lifetimes {
    fn default() -> Self {
        let unsaid = |_| [const { AtomicU32::new(UNSAID) }; 4];
        Self(Class::EVERY.iter().map(unsaid).collect())
    }
}

impl Lifetimes {
    /// What was said of a class.
    pub fn said(&self, class: Class) -> Said {
        let Some(numbers) = self.0.get(class as usize) else { return Said::default() };
        Said::of(std::array::from_fn(|at| {
            Some(numbers[at].load(Ordering::Relaxed)).filter(|number| *number != UNSAID)
        }))
    }

    /// This is said of a class from now on.
    pub fn say(&self, class: Class, said: Said) {
        let Some(numbers) = self.0.get(class as usize) else { return };
        for (number, said) in numbers.iter().zip(said.numbers()) {
            number.store(said.unwrap_or(UNSAID), Ordering::Relaxed);
        }
    }
}

/// What was said, in one data directory. Said seldom, so each time the file is opened anew.
#[derive(Debug, Clone)]
pub struct Book {
    path: PathBuf,
    /// Held from reading or writing it until what is there holds here.
    pub turn: Arc<tokio::sync::Mutex<()>>,
    /// Where it is written while the process runs.
    pub lane: FileLane,
}

impl Book {
    /// Those of this directory.
    pub fn of(data_dir: &Path) -> Self {
        Self { path: data_dir.join(FILE), turn: Arc::default(), lane: FileLane::default() }
    }

    /// What was said of a server's classes.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, server: &str) -> Result<Vec<(Class, Said)>, String> {
        self.open().and_then(|db| said_of(&db, server)).map_err(|error| error.to_string())
    }

    /// Changes what is said of these classes, all of them or none: laid over what holds in the file. Returns what is said from now on.
    ///
    /// # Errors
    /// If it cannot be kept.
    pub fn change(
        &self,
        which: &[(String, Class)],
        over: impl Fn(Said) -> Said,
    ) -> Result<Vec<(String, Class, Said)>, String> {
        let write = || -> rusqlite::Result<Vec<(String, Class, Said)>> {
            let mut db = self.open()?;
            let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut before = BTreeMap::new();
            for (server, _) in which {
                if !before.contains_key(server) {
                    before.insert(server, said_of(&change, server)?);
                }
            }
            let before = |server: &String, class: Class| {
                let all = before.get(server).into_iter().flatten();
                all.clone().find(|(one, _)| *one == class).map(|(_, said)| *said).unwrap_or_default()
            };
            let said =
                |(server, class): &(String, Class)| (server.clone(), *class, over(before(server, *class)));
            let all: Vec<(String, Class, Said)> = which.iter().map(said).collect();
            for (server, class, said) in &all {
                change.execute(
                    "DELETE FROM lifetime WHERE server = ?1 AND class = ?2",
                    params![server, class.name()],
                )?;
                if *said == Said::default() {
                    continue;
                }
                let [fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s] = said.numbers();
                change.execute(
                    "INSERT INTO lifetime (server, class, fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![server, class.name(), fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s],
                )?;
            }
            change.commit()?;
            Ok(all)
        };
        write().map_err(|error| error.to_string())
    }

    /// The file is made and brought up to date by who keeps the state, never here.
    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.path, flags)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        Ok(db)
    }
}

/// What is said of a server's classes; a class that nobody knows any more is passed over.
fn said_of(db: &Connection, server: &str) -> rusqlite::Result<Vec<(Class, Said)>> {
    let mut rows = db.prepare(
        "SELECT class, fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s FROM lifetime WHERE server = ?1",
    )?;
    let rows = rows.query_map([server], |row| {
        let number = |at| -> rusqlite::Result<Option<u32>> {
            let number: Option<i64> = row.get(at)?;
            Ok(number.and_then(|number| u32::try_from(number).ok()).filter(|number| *number <= MAX_S))
        };
        Ok((row.get::<_, String>(0)?, Said::of([number(1)?, number(2)?, number(3)?, number(4)?])))
    })?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(rows.into_iter().filter_map(|(class, said)| Some((Class::named(&class)?, said))).collect())
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::ask::Kind;

    use super::*;

    #[test]
    fn what_is_said_lies_over_what_was_and_the_rest_stays() {
        let usual = Class::Lists.lifetime(Kind::Plex);
        assert_eq!(Said::default().over(usual, usual), usual);
        let short = Said { fresh_s: Some(7), ..Said::default() }.over(usual, usual);
        assert_eq!((short.fresh_s, short.fresh_with_signal_s, short.stale_s), (7, 3_600, usual.stale_s));
        let longer = Said { fresh_s: Some(450), ..Said::default() }.over(usual, usual);
        assert_eq!(
            (longer.fresh_s, longer.fresh_with_signal_s),
            (450, 3_600),
            "what is to lengthen one shortens none"
        );
        let long = Said { fresh_s: Some(7_200), ..Said::default() }.over(usual, usual);
        assert_eq!((long.fresh_s, long.fresh_with_signal_s), (7_200, 7_200));
        let shared = Lifetime { fresh_s: 3_600, user_state: false, ..usual };
        let longer = Said { fresh_s: Some(450), ..Said::default() }.over(shared, usual);
        assert_eq!(longer.fresh_with_signal_s, 3_600, "nor of those that have no user state");
        let plain = Class::Sections.lifetime(Kind::Plex);
        let short = Said { fresh_s: Some(7), ..Said::default() }.over(plain, plain);
        assert_eq!(
            (short.fresh_s, short.fresh_with_signal_s),
            (7, 7),
            "a class with one number is shortened"
        );
        let both =
            Said { fresh_s: Some(7), fresh_with_signal_s: Some(9), ..Said::default() }.over(usual, usual);
        assert_eq!((both.fresh_s, both.fresh_with_signal_s), (7, 9));
    }

    #[test]
    fn every_class_has_numbers_of_its_own_and_zero_is_one() {
        let lifetimes = Lifetimes::default();
        for (number, class) in (0_u32..).zip(Class::EVERY) {
            lifetimes.say(class, Said { stale_s: Some(number), ..Said::default() });
        }
        for (number, class) in (0_u32..).zip(Class::EVERY) {
            assert_eq!(lifetimes.said(class), Said { stale_s: Some(number), ..Said::default() });
        }
        lifetimes.say(Class::Lists, Said::default());
        assert_eq!(lifetimes.said(Class::Lists), Said::default());
    }

    #[test]
    fn what_was_said_is_kept_and_what_was_taken_back_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let book = Book::of(folder.path());
        assert!(book.read("home").is_err(), "it makes no file of its own");
        greenroom_state::db::Book::open(folder.path()).expect("it can be made");
        let said = Said { fresh_s: Some(15), stale_s: Some(0), ..Said::default() };
        let all = [("home".to_owned(), Class::Sessions), ("home".to_owned(), Class::Lists)];
        book.change(&all, |_| said).expect("it can be kept");
        book.change(&all[1..], |_| Said::default()).expect("it can be kept");
        assert_eq!(book.read("home"), Ok(vec![(Class::Sessions, said)]));
        assert_eq!(book.read("attic"), Ok(Vec::new()));
        let more = |before| Said { stale_on_error_s: Some(9), ..before };
        let both = Said { stale_on_error_s: Some(9), ..said };
        let changed = book.change(&all[..1], more);
        assert_eq!(changed, Ok(vec![("home".to_owned(), Class::Sessions, both)]), "what is not named stays");
    }
}
