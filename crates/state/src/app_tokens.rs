//! Tokens of apps: each opens only the folders and caches it names, and is stored as a hash. `greenroom token add` makes one.

use greenroom_cache::Timestamp;
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use greenroom_dialect::credential::Secret;
use parking_lot::RwLock;
use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use subtle::ConstantTimeEq as _;

use crate::db::FILE;
use crate::error::{StateError, StateErrorKind};
use crate::reader;
use crate::secrets::random;

/// Every token of an app begins with this, so that scanners for leaked secrets can find it.
const PREFIX: &str = "grapp_";
/// Max tokens.
const MAX_TOKENS: usize = 200;

/// A token of an app, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppToken {
    /// Name of the app.
    pub name: String,
    /// Its scope.
    #[serde(flatten)]
    pub access: AppAccess,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    #[serde(skip)]
    hash: [u8; 32],
}

/// Scope of an app's token: the paths of the API that it may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AppAccess {
    /// Folders.
    pub folders: Vec<String>,
    /// Caches.
    pub caches: Vec<String>,
    /// Whether it changes nothing.
    pub is_read_only: bool,
}

impl AppToken {
    /// Its number, which no other token has.
    pub fn number(&self) -> u64 {
        u64::from_le_bytes(self.hash[..8].try_into().unwrap_or_default())
    }
}

/// All tokens of apps, in memory; a change by another process is read when a token is unknown.
#[derive(Debug, Default)]
pub struct AppTokens {
    file: Option<PathBuf>,
    tokens: RwLock<Vec<AppToken>>,
}

impl AppTokens {
    /// Reads the tokens of a data directory.
    ///
    /// # Errors
    /// `state.db` cannot be read.
    pub fn open(data_dir: &Path) -> Result<Self, StateError> {
        let tokens = Self { file: Some(data_dir.join(FILE)), tokens: RwLock::default() };
        tokens.reload()?;
        Ok(tokens)
    }

    /// Reads the tokens anew. It blocks.
    ///
    /// # Errors
    /// `state.db` cannot be read; the tokens stay as they were.
    pub fn reload(&self) -> Result<(), StateError> {
        let Some(file) = &self.file else { return Ok(()) };
        let read = read(file)?;
        *self.tokens.write() = read;
        Ok(())
    }

    /// The app that presents this token.
    pub fn find(&self, presented: &[u8]) -> Option<AppToken> {
        if !presented.starts_with(PREFIX.as_bytes()) {
            return None;
        }
        let hash = hash(presented);
        self.tokens.read().iter().find(|token| bool::from(token.hash.ct_eq(&hash))).cloned()
    }

    /// Whether the token with this number is still there.
    pub fn is_valid(&self, number: u64) -> bool {
        self.tokens.read().iter().any(|token| token.number() == number)
    }
}

/// Makes a token and stores its hash. The token itself is not stored.
///
/// # Errors
/// There is one with this name, there are too many, or `state.db` cannot be written.
pub fn add(data_dir: &Path, name: &str, access: &AppAccess, created_ms: Timestamp) -> Result<Secret, StateError> {
    let secret = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&random::<32>()));
    let db = reader::open_newest(&data_dir.join(FILE))?;
    let count: i64 = db.query_row("SELECT count(*) FROM app_token", [], |row| row.get(0))?;
    let known: Option<i64> =
        db.query_row("SELECT 1 FROM app_token WHERE name = ?1", [name], |row| row.get(0)).optional()?;
    if known.is_some() {
        return Err(StateError::new(StateErrorKind::Unavailable, "there is a token with this name; revoke it first"));
    }
    if usize::try_from(count).unwrap_or(usize::MAX) >= MAX_TOKENS {
        return Err(StateError::new(StateErrorKind::Unavailable, "there are 200 tokens already; revoke some first"));
    }
    let names = |names: &[String]| serde_json::to_string(names).unwrap_or_default();
    let (folders, caches) = (names(&access.folders), names(&access.caches));
    let created_ms = i64::try_from(created_ms.as_millis()).unwrap_or(i64::MAX);
    db.execute(
        "INSERT INTO app_token (name, hash, folders, caches, is_read_only, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![name, hash(secret.as_bytes()), folders, caches, access.is_read_only, created_ms],
    )?;
    Ok(Secret::new(secret))
}

/// Deletes a token. Returns whether there was one.
///
/// # Errors
/// `state.db` cannot be written.
pub fn revoke(data_dir: &Path, name: &str) -> Result<bool, StateError> {
    let db = reader::open_newest(&data_dir.join(FILE))?;
    Ok(db.execute("DELETE FROM app_token WHERE name = ?1", [name])? > 0)
}

/// All tokens of a data directory.
///
/// # Errors
/// `state.db` cannot be read.
pub fn list(data_dir: &Path) -> Result<Vec<AppToken>, StateError> {
    read(&data_dir.join(FILE))
}

fn read(file: &Path) -> Result<Vec<AppToken>, StateError> {
    let db = reader::open_newest(file)?;
    let sql = "SELECT name, hash, folders, caches, is_read_only, created_ms FROM app_token ORDER BY name";
    let mut rows = db.prepare(sql)?;
    let names = |column: String| serde_json::from_str(&column).unwrap_or_default();
    let rows = rows.query_map([], |row| {
        let access = AppAccess { folders: names(row.get(2)?), caches: names(row.get(3)?), is_read_only: row.get(4)? };
        let created_ms = row.get::<_, i64>(5)?.max(0).cast_unsigned();
        Ok(AppToken { name: row.get(0)?, hash: row.get(1)?, access, created_ms })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Tokens are random and long, so that a plain hash cannot be reversed.
fn hash(token: &[u8]) -> [u8; 32] {
    *blake3::hash(token).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::StateDb;

    #[test]
    fn a_token_opens_what_it_names_until_it_is_revoked_and_is_stored_only_as_a_hash() {
        let folder = tempfile::tempdir().expect("a folder");
        StateDb::open(folder.path()).expect("the state");
        let tokens = AppTokens::open(folder.path()).expect("read");
        let access = AppAccess { folders: vec!["comics".into()], caches: vec!["worker".into()], is_read_only: true };
        let secret = add(folder.path(), "page", &access, Timestamp::from_millis(7)).expect("made");
        let presented = secret.expose().as_bytes().to_vec();
        assert_eq!(tokens.find(&presented), None, "not read yet");
        tokens.reload().expect("read");
        let found = tokens.find(&presented).expect("known");
        assert_eq!((found.name.as_str(), &found.access), ("page", &access));
        assert!(tokens.is_valid(found.number()));
        assert!(add(folder.path(), "page", &access, Timestamp::from_millis(7)).is_err(), "the name is taken");
        for file in ["state.db", "state.db-wal"] {
            let bytes = std::fs::read(folder.path().join(file)).unwrap_or_default();
            assert!(!bytes.windows(presented.len()).any(|window| window == presented), "{file}");
        }
        assert_eq!(revoke(folder.path(), "page"), Ok(true));
        assert_eq!(revoke(folder.path(), "page"), Ok(false));
        tokens.reload().expect("read");
        assert!(tokens.find(&presented).is_none() && !tokens.is_valid(found.number()));
        assert!(tokens.find(b"grapp_").is_none() && tokens.find(b"other").is_none());
    }
}
