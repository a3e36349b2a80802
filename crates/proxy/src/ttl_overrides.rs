//! TTL overrides: set at run time, applied over the configuration, stored in `state.db`.
//!
//! A shorter TTL applies at once, also to stored entries; a longer one from the next load on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use greenroom_dialect::class::{Class, Lifetime};
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use greenroom_state::db::FILE;
use greenroom_state::file_work_queue::FileWorkQueue;

/// Longest window, in seconds: a year.
pub const MAX_S: u32 = 365 * 24 * 3600;
/// Stands for an unset number.
const UNSET: u32 = u32::MAX;
/// Timeout for another connection's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Override of one class; unset numbers stay as configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TtlOverride {
    /// Fresh time.
    pub fresh_s: Option<u32>,
    /// Fresh time with a proven live signal. If only `fresh_s` is set, that applies here too where it is longer, and in
    /// classes that make no difference.
    pub fresh_with_signal_s: Option<u32>,
    /// Stale time after that, with one background refresh.
    pub stale_s: Option<u32>,
    /// Time after that in which it is served only if the server fails.
    pub stale_on_error_s: Option<u32>,
}

impl TtlOverride {
    /// Applies the override to this TTL; `class_default` is the class's TTL without it.
    pub fn apply_to(self, base: Lifetime, class_default: Lifetime) -> Lifetime {
        let fresh_with_signal_s = match self.fresh_s {
            None => base.fresh_with_signal_s,
            // A class that makes no difference has one number, which may shorten this one.
            Some(fresh_s) if class_default.fresh_with_signal_s <= class_default.fresh_s => fresh_s,
            Some(fresh_s) => fresh_s.max(base.fresh_with_signal_s),
        };
        Lifetime {
            fresh_s: self.fresh_s.unwrap_or(base.fresh_s),
            fresh_with_signal_s: self.fresh_with_signal_s.unwrap_or(fresh_with_signal_s),
            stale_s: self.stale_s.unwrap_or(base.stale_s),
            stale_on_error_s: self.stale_on_error_s.unwrap_or(base.stale_on_error_s),
            ..base
        }
    }

    /// All numbers, in the order of the fields.
    pub fn numbers(self) -> [Option<u32>; 4] {
        [self.fresh_s, self.fresh_with_signal_s, self.stale_s, self.stale_on_error_s]
    }

    /// The override with these numbers, in the order of the fields.
    pub fn from_numbers(numbers: [Option<u32>; 4]) -> Self {
        let [fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s] = numbers;
        Self { fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s }
    }
}

/// Overrides of a server's classes. Read with every request, so without a lock: each number is valid by itself.
#[derive(Debug)]
pub struct TtlOverrides(Vec<[AtomicU32; 4]>);

impl Default for TtlOverrides {
    fn default() -> Self {
        let unset = |_| [const { AtomicU32::new(UNSET) }; 4];
        Self(Class::EVERY.iter().map(unset).collect())
    }
}

impl TtlOverrides {
    /// Override of a class.
    pub fn get(&self, class: Class) -> TtlOverride {
        let Some(numbers) = self.0.get(class as usize) else { return TtlOverride::default() };
        TtlOverride::from_numbers(std::array::from_fn(|at| {
            Some(numbers[at].load(Ordering::Relaxed)).filter(|number| *number != UNSET)
        }))
    }

    /// Sets the override of a class.
    pub fn set(&self, class: Class, new: TtlOverride) {
        let Some(numbers) = self.0.get(class as usize) else { return };
        for (number, new) in numbers.iter().zip(new.numbers()) {
            number.store(new.unwrap_or(UNSET), Ordering::Relaxed);
        }
    }
}

/// Stored overrides of one data directory. Changes are rare, so each opens the file anew.
#[derive(Debug, Clone)]
pub struct TtlOverrideStore {
    path: PathBuf,
    /// Held from reading or writing the file until the values in memory match it.
    pub lock: Arc<tokio::sync::Mutex<()>>,
    /// Writes the file while the process runs.
    pub file_work: FileWorkQueue,
}

impl TtlOverrideStore {
    /// Overrides of this directory.
    pub fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join(FILE), lock: Arc::default(), file_work: FileWorkQueue::default() }
    }

    /// Stored overrides of a server's classes.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read(&self, server: &str) -> Result<Vec<(Class, TtlOverride)>, String> {
        self.open().and_then(|db| read_overrides(&db, server)).map_err(|error| error.to_string())
    }

    /// Changes the overrides of these classes, all or none, merged with the stored ones. Returns the new overrides.
    ///
    /// # Errors
    /// If they cannot be stored.
    pub fn change(
        &self,
        targets: &[(String, Class)],
        change_override: impl Fn(TtlOverride) -> TtlOverride,
    ) -> Result<Vec<(String, Class, TtlOverride)>, String> {
        let write = || -> rusqlite::Result<Vec<(String, Class, TtlOverride)>> {
            let mut db = self.open()?;
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut before = BTreeMap::new();
            for (server, _) in targets {
                if !before.contains_key(server) {
                    before.insert(server, read_overrides(&transaction, server)?);
                }
            }
            let before = |server: &String, class: Class| {
                let stored = before.get(server).into_iter().flatten();
                stored.clone().find(|(entry, _)| *entry == class).map(|(_, ttl)| *ttl).unwrap_or_default()
            };
            let changed =
                |(server, class): &(String, Class)| (server.clone(), *class, change_override(before(server, *class)));
            let overrides: Vec<(String, Class, TtlOverride)> = targets.iter().map(changed).collect();
            for (server, class, new) in &overrides {
                transaction
                    .execute("DELETE FROM lifetime WHERE server = ?1 AND class = ?2", params![server, class.name()])?;
                if *new == TtlOverride::default() {
                    continue;
                }
                let [fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s] = new.numbers();
                transaction.execute(
                    "INSERT INTO lifetime (server, class, fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![server, class.name(), fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s],
                )?;
            }
            transaction.commit()?;
            Ok(overrides)
        };
        write().map_err(|error| error.to_string())
    }

    /// Creating and migrating the file is the owner's task, never done here.
    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.path, flags)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        Ok(db)
    }
}

/// Stored overrides of a server's classes; unknown classes are skipped.
fn read_overrides(db: &Connection, server: &str) -> rusqlite::Result<Vec<(Class, TtlOverride)>> {
    let mut rows = db.prepare(
        "SELECT class, fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s FROM lifetime WHERE server = ?1",
    )?;
    let rows = rows.query_map([server], |row| {
        let number = |at| -> rusqlite::Result<Option<u32>> {
            let number: Option<i64> = row.get(at)?;
            Ok(number.and_then(|number| u32::try_from(number).ok()).filter(|number| *number <= MAX_S))
        };
        Ok((row.get::<_, String>(0)?, TtlOverride::from_numbers([number(1)?, number(2)?, number(3)?, number(4)?])))
    })?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(rows.into_iter().filter_map(|(class, new)| Some((Class::parse(&class)?, new))).collect())
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::request::ServerKind;

    use super::*;

    #[test]
    fn an_override_replaces_only_the_numbers_it_sets() {
        let default = Class::Lists.lifetime(ServerKind::Plex);
        assert_eq!(TtlOverride::default().apply_to(default, default), default);
        let shortened = TtlOverride { fresh_s: Some(7), ..TtlOverride::default() }.apply_to(default, default);
        assert_eq!((shortened.fresh_s, shortened.fresh_with_signal_s, shortened.stale_s), (7, 3_600, default.stale_s));
        let lengthened = TtlOverride { fresh_s: Some(450), ..TtlOverride::default() }.apply_to(default, default);
        assert_eq!(
            (lengthened.fresh_s, lengthened.fresh_with_signal_s),
            (450, 3_600),
            "a longer fresh time shortens no other number"
        );
        let long_ttl = TtlOverride { fresh_s: Some(7_200), ..TtlOverride::default() }.apply_to(default, default);
        assert_eq!((long_ttl.fresh_s, long_ttl.fresh_with_signal_s), (7_200, 7_200));
        let shared = Lifetime { fresh_s: 3_600, user_state: false, ..default };
        let lengthened = TtlOverride { fresh_s: Some(450), ..TtlOverride::default() }.apply_to(shared, default);
        assert_eq!(lengthened.fresh_with_signal_s, 3_600, "nor in types without user state");
        let one_number = Class::Sections.lifetime(ServerKind::Plex);
        let shortened = TtlOverride { fresh_s: Some(7), ..TtlOverride::default() }.apply_to(one_number, one_number);
        assert_eq!((shortened.fresh_s, shortened.fresh_with_signal_s), (7, 7), "a type with one number is shortened");
        let combined = TtlOverride { fresh_s: Some(7), fresh_with_signal_s: Some(9), ..TtlOverride::default() }
            .apply_to(default, default);
        assert_eq!((combined.fresh_s, combined.fresh_with_signal_s), (7, 9));
    }

    #[test]
    fn every_class_has_its_own_override_and_zero_is_a_value() {
        let overrides = TtlOverrides::default();
        for (number, class) in (0_u32..).zip(Class::EVERY) {
            overrides.set(class, TtlOverride { stale_s: Some(number), ..TtlOverride::default() });
        }
        for (number, class) in (0_u32..).zip(Class::EVERY) {
            assert_eq!(overrides.get(class), TtlOverride { stale_s: Some(number), ..TtlOverride::default() });
        }
        overrides.set(Class::Lists, TtlOverride::default());
        assert_eq!(overrides.get(Class::Lists), TtlOverride::default());
    }

    #[test]
    fn overrides_are_stored_and_removed_ones_are_not() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = TtlOverrideStore::new(dir.path());
        assert!(store.read("home").is_err(), "no database file is created");
        greenroom_state::db::StateDb::open(dir.path()).expect("a state database");
        let new = TtlOverride { fresh_s: Some(15), stale_s: Some(0), ..TtlOverride::default() };
        let overrides = [("home".to_owned(), Class::Sessions), ("home".to_owned(), Class::Lists)];
        store.change(&overrides, |_| new).expect("overrides stored");
        store.change(&overrides[1..], |_| TtlOverride::default()).expect("overrides stored");
        assert_eq!(store.read("home"), Ok(vec![(Class::Sessions, new)]));
        assert_eq!(store.read("attic"), Ok(Vec::new()));
        let add_stale_on_error = |before| TtlOverride { stale_on_error_s: Some(9), ..before };
        let combined = TtlOverride { stale_on_error_s: Some(9), ..new };
        let changed = store.change(&overrides[..1], add_stale_on_error);
        assert_eq!(changed, Ok(vec![("home".to_owned(), Class::Sessions, combined)]), "other numbers stay");
    }
}
