//! Stored checks that confirm, after a restart, entries that were loaded before it.

use greenroom_cache::Timestamp;
use rusqlite::{Connection, Transaction, params};

use crate::codec::{signed, unsigned};
use crate::error::StateError;

/// The fingerprint of an account's user state, in one section or over all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFingerprint {
    /// The account's partition.
    pub partition: String,
    /// The section; empty for all.
    pub section: String,
    /// The fingerprint.
    pub value: String,
    /// It vouches for what was loaded from this moment on, in milliseconds …
    pub from_ms: Timestamp,
    /// … and before this one, at which it was taken.
    pub taken_ms: Timestamp,
}

/// The last check of a section, or of the whole library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLibraryCheck {
    /// The section; empty for all.
    pub section: String,
    /// Its change counter.
    pub counter: String,
    /// Every change to the library was noticed from this moment on, in milliseconds …
    pub from_ms: Timestamp,
    /// … until this one.
    pub checked_ms: Timestamp,
}

/// All of that for one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredConfirmations {
    /// Fingerprints.
    pub fingerprints: Vec<StoredFingerprint>,
    /// Checks of the library.
    pub checks: Vec<StoredLibraryCheck>,
}

/// The stored checks of a server, except times after `until_ms`: the clock was set back since.
pub(crate) fn read(db: &Connection, server: &str, until_ms: i64) -> Result<StoredConfirmations, StateError> {
    let mut select = db.prepare(
        "SELECT partition, section, value, from_ms, taken_ms FROM fingerprint WHERE server = ?1 AND taken_ms <= ?2",
    )?;
    let fingerprints = select.query_map(params![server, until_ms], |row| {
        Ok(StoredFingerprint {
            partition: row.get(0)?,
            section: row.get(1)?,
            value: row.get(2)?,
            from_ms: Timestamp::from_millis(unsigned(row.get(3)?)),
            taken_ms: Timestamp::from_millis(unsigned(row.get(4)?)),
        })
    })?;
    let fingerprints = fingerprints.collect::<Result<_, _>>()?;
    let mut select = db.prepare(
        "SELECT section, counter, from_ms, checked_ms FROM library_check WHERE server = ?1 AND checked_ms <= ?2",
    )?;
    let checks = select.query_map(params![server, until_ms], |row| {
        Ok(StoredLibraryCheck {
            section: row.get(0)?,
            counter: row.get(1)?,
            from_ms: Timestamp::from_millis(unsigned(row.get(2)?)),
            checked_ms: Timestamp::from_millis(unsigned(row.get(3)?)),
        })
    })?;
    let checks = checks.collect::<Result<_, _>>()?;
    Ok(StoredConfirmations { fingerprints, checks })
}

/// Replaces what is stored for a server.
pub(crate) fn replace(
    db: &Transaction<'_>,
    server: &str,
    confirmations: &StoredConfirmations,
) -> Result<(), StateError> {
    db.execute("DELETE FROM fingerprint WHERE server = ?1", [server])?;
    let mut insert = db.prepare_cached("INSERT OR REPLACE INTO fingerprint VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for StoredFingerprint { partition, section, value, from_ms, taken_ms } in &confirmations.fingerprints {
        insert.execute(params![
            server,
            partition,
            section,
            value,
            signed((*from_ms).as_millis()),
            signed((*taken_ms).as_millis())
        ])?;
    }
    db.execute("DELETE FROM library_check WHERE server = ?1", [server])?;
    let mut insert = db.prepare_cached("INSERT OR REPLACE INTO library_check VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for StoredLibraryCheck { section, counter, from_ms, checked_ms } in &confirmations.checks {
        insert.execute(params![
            server,
            section,
            counter,
            signed((*from_ms).as_millis()),
            signed((*checked_ms).as_millis())
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{ServerRows, StateDb};

    #[test]
    fn what_vouches_for_entries_survives_a_restart_but_not_a_clock_that_was_set_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut db = StateDb::open(folder.path()).expect("it opens");
        let confirmations = StoredConfirmations {
            fingerprints: vec![StoredFingerprint {
                partition: "anna".into(),
                section: "1".into(),
                value: "3 4".into(),
                from_ms: Timestamp::from_millis(1_000),
                taken_ms: Timestamp::from_millis(2_000),
            }],
            checks: vec![StoredLibraryCheck {
                section: "1".into(),
                counter: "7/8".into(),
                from_ms: Timestamp::from_millis(1_000),
                checked_ms: Timestamp::from_millis(3_000),
            }],
        };
        let rows =
            ServerRows { server: "home".into(), confirmations: Some(confirmations.clone()), ..ServerRows::default() };
        db.write(&[rows], Timestamp::from_millis(3_000)).expect("it is written");
        drop(db);
        let mut db = StateDb::open(folder.path()).expect("it opens");
        assert_eq!(db.read("home", Timestamp::from_millis(3_000)).expect("it is read").confirmations, confirmations);
        assert_eq!(
            db.read("den", Timestamp::from_millis(3_000)).expect("it is read").confirmations,
            StoredConfirmations::default()
        );
        assert_eq!(
            db.read("home", Timestamp::UNIX_EPOCH).expect("it is read").confirmations.checks,
            [],
            "it is from the future"
        );
        let rows = ServerRows { server: "home".into(), confirmations: Some(<_>::default()), ..ServerRows::default() };
        db.write(&[rows], Timestamp::from_millis(3_000)).expect("it is written");
        assert_eq!(
            db.read("home", Timestamp::from_millis(3_000)).expect("it is read").confirmations,
            StoredConfirmations::default()
        );
    }
}
