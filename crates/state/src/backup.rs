//! Backup and restore: one file with the state and the small files of the data directory, never the cache.
//!
//! A backup is a SQLite database: a consistent copy of `state.db`, made while others write, with the small files in a
//! table of its own. It is marked as a backup, so that neither is mistaken for the other.

use greenroom_cache::Timestamp;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::db::FILE;
use crate::error::StateError;
use crate::secrets::{DataDir, explain, give_to_owner};
use crate::unfinished_backups::{folder_of, unfinished};
use crate::{migrations, ownership, secrets, unfinished_backups};

/// Application id of a backup: "Grnb".
const APPLICATION: i64 = 0x4772_6e62;
/// Name of the state while it is prepared.
const PREPARED: &str = "state.db.new";

const SCHEMA: &str = "
    CREATE TABLE backup (made_ms INTEGER NOT NULL, version TEXT NOT NULL);
    CREATE TABLE backup_file (name TEXT PRIMARY KEY, bytes BLOB NOT NULL);";

/// Grants expire within minutes, and one revoked since the backup must not come back.
const RESET_GRANTS: &str = "
    DROP TABLE backup; DROP TABLE backup_file;
    DELETE FROM accepted; DELETE FROM image; DELETE FROM refusal; DELETE FROM warm;
    UPDATE identity SET proven_ms = 0;
    UPDATE server SET heard_ms = 0, down_since_ms = 0, is_choosy = 1;";

/// Contents of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupContents {
    /// Its path.
    pub file: PathBuf,
    /// Whether it contains the state, which does not exist before the first run of the gateway.
    pub has_state: bool,
    /// Names of the small files.
    pub files: Vec<String>,
    /// Its time, in milliseconds since 1970.
    pub made_ms: Timestamp,
}

/// Result of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreReport {
    /// The restored parts.
    pub contents: BackupContents,
    /// Folder of the files that were replaced.
    pub replaced: Option<PathBuf>,
    /// Whether the identity key changed, which makes the cache unreachable.
    pub has_other_key: bool,
}

/// Saves the state of a directory, for the process that owns it. `to` is a file, or a folder for a new one. Only an
/// older backup is replaced.
///
/// # Errors
/// One line with the problem and its remedy.
pub fn save(data_dir: &Path, to: &Path, now_ms: Timestamp) -> Result<BackupContents, String> {
    let names = small_files(data_dir)?;
    let state = data_dir.join(FILE);
    if names.is_empty() && !state.exists() {
        return Err(format!("{}: no gateway ever ran on this directory; there is nothing to save", data_dir.display()));
    }
    let file = file_of(to, now_ms)?;
    unfinished_backups::remove_beside(&file);
    // A unique name in the same folder: the old file stays until the new one is complete.
    let beside = unfinished(folder_of(&file));
    let has_state = state.exists();
    let written = write(data_dir, &names, &beside, has_state, now_ms)
        .and_then(|()| std::fs::rename(&beside, &file).map_err(|error| explain(&file, &error)));
    if let Err(reason) = written {
        drop(std::fs::remove_file(&beside));
        return Err(reason);
    }
    Ok(BackupContents { file, has_state, files: names, made_ms: now_ms })
}

/// The file to write a backup to. Only an older backup is replaced.
fn file_of(to: &Path, now_ms: Timestamp) -> Result<PathBuf, String> {
    let file = if to.is_dir() { to.join(format!("greenroom-{}.backup", stamp(now_ms))) } else { to.to_owned() };
    if file.exists() && open_backup(&file).is_err() {
        return Err(format!("{}: it is no backup of Greenroom and is not replaced; name another file", file.display()));
    }
    Ok(file)
}

/// A backup as sent to another process, by the one that owns the directory.
///
/// # Errors
/// One line with the problem and its remedy.
pub fn bytes(data_dir: &Path, now_ms: Timestamp) -> Result<Vec<u8>, String> {
    let beside = unfinished(data_dir);
    let bytes =
        save(data_dir, &beside, now_ms).and_then(|_| std::fs::read(&beside).map_err(|error| explain(&beside, &error)));
    drop(std::fs::remove_file(&beside));
    bytes
}

/// Writes a backup made by another process. Only an older backup is replaced.
///
/// # Errors
/// One line with the problem and its remedy.
pub fn save_bytes(bytes: &[u8], to: &Path, now_ms: Timestamp) -> Result<BackupContents, String> {
    let file = file_of(to, now_ms)?;
    unfinished_backups::remove_beside(&file);
    let beside = unfinished(folder_of(&file));
    let written = || -> io::Result<()> {
        let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        new.write_all(bytes)?;
        new.sync_all()
    };
    let kept = written().map_err(|error| explain(&file, &error)).and_then(|()| {
        let (_, contents) = open_backup(&beside).map_err(|failing| format!("{}: {failing}", file.display()))?;
        std::fs::rename(&beside, &file).map_err(|error| explain(&file, &error))?;
        Ok(BackupContents { file, ..contents })
    });
    if kept.is_err() {
        drop(std::fs::remove_file(&beside));
    }
    kept
}

fn write(data_dir: &Path, names: &[String], to: &Path, has_state: bool, now_ms: Timestamp) -> Result<(), String> {
    let failed = |failing: StateError| format!("{}: {failing}", to.display());
    let state = data_dir.join(FILE);
    let source = if has_state {
        let damaged = |failing: StateError| {
            format!(
                "{}: {failing}; nothing was saved. An older backup can be restored with `greenroom restore`",
                state.display()
            )
        };
        let db = read_only(&state).map_err(damaged)?;
        migrations::schema_version(&db).and_then(|_| migrations::check(&db)).map_err(damaged)?;
        db
    } else {
        Connection::open_in_memory().map_err(|error| failed(error.into()))?
    };
    migrations::copy_into(&source, to).map_err(failed)?;
    drop(source);
    let fill = || -> Result<(), StateError> {
        let db = Connection::open(to)?;
        db.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
        db.execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION};"))?;
        let made_ms = i64::try_from(now_ms.as_millis()).unwrap_or(i64::MAX);
        db.execute("INSERT INTO backup VALUES (?1, ?2)", params![made_ms, env!("CARGO_PKG_VERSION")])?;
        for name in names {
            let bytes = std::fs::read(data_dir.join(name))?;
            db.execute("INSERT INTO backup_file VALUES (?1, ?2)", params![name, bytes])?;
        }
        db.execute_batch("COMMIT")?;
        Ok(())
    };
    fill().map_err(failed)
}

/// Restores a backup that another process sends. It is written beside the data before it is checked.
///
/// # Errors
/// One line with the problem and its remedy. If the backup is invalid or incomplete, nothing has changed.
pub fn restore_from(data_dir: &Path, source: &mut dyn io::Read, now_ms: Timestamp) -> Result<RestoreReport, String> {
    let folder = DataDir::open(data_dir)?.path().to_owned();
    unfinished_backups::remove_beside(&folder.join(FILE));
    let beside = unfinished(&folder);
    let mut receive = || -> io::Result<()> {
        let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        io::copy(source, &mut new)?;
        new.sync_all()
    };
    let received = receive().map_err(|error| explain(&beside, &error));
    let restored = received.and_then(|()| restore(&folder, &beside, now_ms));
    // What is left is removed by the next backup.
    let _ = std::fs::remove_file(&beside);
    restored.map_err(|reason| reason.replace(&beside.display().to_string(), "standard input"))
}

/// Restores a backup. The replaced files are moved into a folder of their own.
///
/// # Errors
/// One line with the problem and its remedy. If the backup is invalid, nothing has changed.
pub fn restore(data_dir: &Path, from: &Path, now_ms: Timestamp) -> Result<RestoreReport, String> {
    let (backup, contents) = open_backup(from).map_err(|failing| format!("{}: {failing}", from.display()))?;
    let data_dir = DataDir::open(data_dir)?;
    let folder = data_dir.path();
    if let Some(holder) = ownership::holder(folder) {
        return Err(format!("a gateway runs on {} ({holder}); stop it first, then restore", folder.display()));
    }
    let _lock = ownership::try_lock_data_dir(folder)?;
    let prepared = folder.join(PREPARED);
    if contents.has_state {
        prepare(&backup, &prepared).map_err(|failing| format!("{}: {failing}", from.display()))?;
    }
    let key_before = std::fs::read(folder.join(secrets::KEY_FILE)).ok();
    let files = read_files(&backup).map_err(|failing| format!("{}: {failing}", from.display()))?;
    let replaced = set_aside(folder, &contents, now_ms).map_err(|error| explain(folder, &error))?;
    for (name, bytes) in &files {
        data_dir.replace(name, bytes)?;
    }
    if contents.has_state {
        std::fs::rename(&prepared, folder.join(FILE)).map_err(|error| explain(&prepared, &error))?;
    }
    let key = files.iter().find(|(name, _)| name == secrets::KEY_FILE).map(|(_, bytes)| bytes);
    let has_other_key = key_before.is_some() && key.is_some() && key_before.as_ref() != key;
    Ok(RestoreReport { contents, replaced, has_other_key })
}

/// Opens a backup, if it is one, complete, and of a supported version.
fn open_backup(path: &Path) -> Result<(Connection, BackupContents), StateError> {
    use crate::error::StateErrorKind;
    let no_backup = || StateError::new(StateErrorKind::Damaged, "it is no backup of Greenroom");
    let db = read_only(path)?;
    let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    if number("application_id").map_err(|_| no_backup())? != APPLICATION {
        return Err(no_backup());
    }
    migrations::check(&db)?;
    let layout = number("user_version")?;
    if layout > migrations::latest_version() {
        let message = "it was made by a newer version of Greenroom; restore it with that version";
        return Err(StateError::new(StateErrorKind::Newer, message));
    }
    let made_ms: Option<i64> = db.query_row("SELECT made_ms FROM backup", [], |row| row.get(0)).optional()?;
    let contents = BackupContents {
        file: path.to_owned(),
        has_state: layout > 0,
        files: read_files(&db)?.into_iter().map(|(name, _)| name).collect(),
        made_ms: Timestamp::from_millis(made_ms.ok_or_else(no_backup)?.max(0).cast_unsigned()),
    };
    Ok((db, contents))
}

/// The small files in a backup. Unknown names are skipped, so that none leads elsewhere.
fn read_files(db: &Connection) -> Result<Vec<(String, Vec<u8>)>, StateError> {
    let mut select = db.prepare("SELECT name, bytes FROM backup_file ORDER BY name")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let files = rows.collect::<Result<Vec<(String, Vec<u8>)>, _>>()?;
    Ok(files.into_iter().filter(|(name, _)| secrets::is_saved(name)).collect())
}

/// Creates the state from a backup, beside its place.
fn prepare(backup: &Connection, to: &Path) -> Result<(), StateError> {
    migrations::copy_into(backup, to)?;
    let mut db = Connection::open(to)?;
    db.execute_batch(&format!("PRAGMA application_id = {};", migrations::APPLICATION))?;
    migrations::migrate(&mut db, to, migrations::STEPS)?;
    db.execute_batch(&format!("BEGIN; {RESET_GRANTS} COMMIT; VACUUM;"))?;
    migrations::check(&db)
}

/// Moves away the files to be replaced.
fn set_aside(folder: &Path, contents: &BackupContents, now_ms: Timestamp) -> io::Result<Option<PathBuf>> {
    let state = [FILE.to_owned(), format!("{FILE}-wal"), format!("{FILE}-shm")];
    let state = state.iter().filter(|_| contents.has_state);
    let there: Vec<&String> = contents.files.iter().chain(state).filter(|name| folder.join(name).exists()).collect();
    if there.is_empty() {
        return Ok(None);
    }
    let aside = folder.join(format!("replaced-{}", stamp(now_ms)));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&aside)?;
    give_to_owner(&aside);
    for name in there {
        std::fs::rename(folder.join(name), aside.join(name))?;
    }
    Ok(Some(aside))
}

/// The small files of a data directory that belong in a backup.
fn small_files(data_dir: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(data_dir).map_err(|error| explain(data_dir, &error))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| secrets::is_saved(name)).collect();
    names.sort();
    Ok(names)
}

fn read_only(path: &Path) -> Result<Connection, StateError> {
    Ok(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

/// A time as part of a file name: `20260131-235959`, in UTC.
fn stamp(time: Timestamp) -> String {
    let at = i64::try_from(time.as_millis()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.unwrap_or(jiff::Timestamp::MAX).strftime("%Y%m%d-%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_its_name() {
        for (ms, name) in [
            (0, "19700101-000000"),
            (951_782_400_000, "20000229-000000"),
            (1_709_251_199_000, "20240229-235959"),
            (1_709_251_200_000, "20240301-000000"),
            (1_798_761_599_000, "20261231-235959"),
        ] {
            assert_eq!(stamp(Timestamp::from_millis(ms)), name);
        }
    }

    #[test]
    fn a_backup_takes_nothing_away_that_lies_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        DataDir::open(&path("data")).expect("it is made").identity_key().expect("a key");
        std::fs::write(path("saved.new"), "a letter").expect("written");
        for made_ms in [1, 2] {
            save(&path("data"), &path("saved.backup"), Timestamp::from_millis(made_ms)).expect("it is saved");
            assert_eq!(std::fs::read(path("saved.new")).expect("it is there"), b"a letter");
        }
        assert_eq!(open_backup(&path("saved.backup")).expect("it is one").1.made_ms, Timestamp::from_millis(2));
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 3, "nothing is left over");
    }

    /// Only root can change owners, and only for root it matters.
    #[test]
    fn what_root_restores_belongs_to_whom_the_directory_belongs() {
        use std::os::unix::fs::{MetadataExt, chown};
        let folder = tempfile::tempdir().expect("a folder");
        let (data_dir, file) = (folder.path().join("data"), folder.path().join("backup"));
        let made = DataDir::open(&data_dir).expect("it is made");
        made.identity_key().expect("a key");
        drop(crate::db::StateDb::open(&data_dir).expect("it can be made"));
        save(&data_dir, &file, Timestamp::from_millis(1)).expect("it is saved");
        if chown(&data_dir, Some(4_711), Some(4_712)).is_err() {
            return;
        }
        let replaced = restore(&data_dir, &file, Timestamp::from_millis(2))
            .expect("it is restored")
            .replaced
            .expect("some was there");
        let named = ["state.db", "greenroom.lock", "identity.key"].map(|name| data_dir.join(name));
        for path in named.iter().chain([&replaced]) {
            let meta = std::fs::metadata(path).expect("it is there");
            assert_eq!((meta.uid(), meta.gid()), (4_711, 4_712), "{}", path.display());
        }
        let fresh = data_dir.join("not/there/yet");
        DataDir::open(&fresh).expect("it is made");
        for path in [fresh.as_path(), &data_dir.join("not")] {
            assert_eq!(std::fs::metadata(path).expect("it is there").uid(), 4_711, "{}", path.display());
        }
    }

    #[test]
    fn a_name_in_a_backup_leads_nowhere_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data_dir, file) = (folder.path().join("data"), folder.path().join("backup"));
        DataDir::open(&data_dir).expect("it is made").identity_key().expect("a key");
        save(&data_dir, &file, Timestamp::from_millis(1)).expect("it is saved");
        let db = Connection::open(&file).expect("it opens");
        db.execute("INSERT INTO backup_file VALUES ('../evil.token', x'78'), ('cache.db', x'78')", [])
            .expect("written");
        drop(db);
        let restored = restore(&folder.path().join("other"), &file, Timestamp::from_millis(2)).expect("it is restored");
        assert_eq!(restored.contents.files, ["identity.key"]);
        assert!(!folder.path().join("evil.token").exists());
    }
}
