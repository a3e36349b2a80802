//! Secrets of the data directory: the identity key, the control tokens, and the secret part of the webhook address.
//!
//! The directory has mode 0700, the files 0600; each file is written beside its place and then renamed, so a crash
//! leaves either the old one or the new one.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use greenroom_dialect::credential::Secret;

use greenroom_config::source::is_server_name;

/// The key that hashes identities: without it the stored hashes are useless.
pub const KEY_FILE: &str = "identity.key";
const TOKEN_FILE: &str = "control.token";
const READ_TOKEN_FILE: &str = "read.token";
/// File of an earlier version, which must not be taken for a token.
const DEVICE_FILE: &str = "device.id";
const HOOK_FILE: &str = "webhook.secret";
/// Folder of the library indexes.
pub const LIBRARIES_FOLDER: &str = "libraries";
/// Lock file of the data directory.
pub const LOCK_FILE: &str = "greenroom.lock";
/// Socket at which another process requests the listening sockets.
pub const TAKEOVER_SOCKET: &str = "takeover.sock";
/// File of the active bypasses.
pub const BYPASS_FILE: &str = "bypass.json";
/// A stored token shorter than this is damaged.
const LEAST_TOKEN_LENGTH: usize = 16;
/// Max bytes read of a file.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Secret key that turns tokens into partitions. Its `Debug` shows nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashKey(pub [u8; 32]);

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// The data directory.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// The control token, and whether it was just created.
#[derive(Debug, Clone)]
pub struct ControlToken {
    /// The token.
    pub secret: Secret,
    /// Whether it was created by this start.
    pub is_new: bool,
}

impl DataDir {
    /// Opens the directory, or creates it.
    ///
    /// # Errors
    /// It cannot be created; the message names it and the remedy.
    pub fn open(path: &Path) -> Result<Self, String> {
        // An existing directory keeps its mode: it may be shared. Our files stay private.
        let made: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| explain(path, &error))?;
        made.into_iter().rev().for_each(give_to_owner);
        Ok(Self(path.to_owned()))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The identity key.
    ///
    /// # Errors
    /// It can be neither read nor created.
    pub fn identity_key(&self) -> Result<HashKey, String> {
        let path = self.0.join(KEY_FILE);
        let kept = read(&path).map_err(|error| explain(&path, &error))?;
        if let Some(key) = kept.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok()) {
            return Ok(HashKey(key));
        }
        let key: [u8; 32] = random();
        write(&path, &key).map_err(|error| explain(&path, &error))?;
        Ok(HashKey(key))
    }

    /// The control token.
    ///
    /// # Errors
    /// It can be neither read nor created.
    pub fn control_token(&self) -> Result<ControlToken, String> {
        match self.stored_token(TOKEN_FILE)? {
            Some(text) => Ok(ControlToken { secret: Secret::new(text), is_new: false }),
            None => self.rotate_control_token(),
        }
    }

    /// The control token in another process's directory, if readable.
    pub fn control_token_in(path: &Path) -> Option<Secret> {
        Self(path.to_owned()).stored_control_token()
    }

    /// The stored control token, if any.
    pub fn stored_control_token(&self) -> Option<Secret> {
        self.stored_token(TOKEN_FILE).ok().flatten().map(Secret::new)
    }

    /// Modification time of the control token.
    pub fn control_token_written(&self) -> Option<SystemTime> {
        self.written(TOKEN_FILE)
    }

    /// The read-only token.
    ///
    /// # Errors
    /// It can be neither read nor created.
    pub fn read_token(&self) -> Result<Secret, String> {
        match self.stored_token(READ_TOKEN_FILE)? {
            Some(text) => Ok(Secret::new(text)),
            None => self.rotate_read_token(),
        }
    }

    /// The stored read-only token, if any.
    pub fn stored_read_token(&self) -> Option<Secret> {
        self.stored_token(READ_TOKEN_FILE).ok().flatten().map(Secret::new)
    }

    /// Modification time of the read-only token.
    pub fn read_token_written(&self) -> Option<SystemTime> {
        self.written(READ_TOKEN_FILE)
    }

    /// Creates a new read-only token; the old one is void from then on.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn rotate_read_token(&self) -> Result<Secret, String> {
        self.make_token(READ_TOKEN_FILE)
    }

    /// The secret part of the webhook address.
    ///
    /// # Errors
    /// It can be neither read nor created.
    pub fn webhook_secret(&self) -> Result<Secret, String> {
        match self.stored_token(HOOK_FILE)? {
            Some(text) => Ok(Secret::new(text)),
            None => self.make_token(HOOK_FILE),
        }
    }

    /// Creates a new control token; the old one and its sessions are void from then on.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn rotate_control_token(&self) -> Result<ControlToken, String> {
        Ok(ControlToken { secret: self.make_token(TOKEN_FILE)?, is_new: true })
    }

    /// Contents of a small file of ours; `None` if it does not exist.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, file: &str) -> Result<Option<Vec<u8>>, String> {
        let path = self.0.join(file);
        read(&path).map_err(|error| explain(&path, &error))
    }

    /// Replaces a small file of ours atomically.
    ///
    /// # Errors
    /// It cannot be written; then the old one is still there.
    pub fn replace(&self, file: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.0.join(file);
        write(&path, bytes).map_err(|error| explain(&path, &error))
    }

    fn written(&self, file: &str) -> Option<SystemTime> {
        std::fs::metadata(self.0.join(file)).and_then(|file| file.modified()).ok()
    }

    fn stored_token(&self, file: &str) -> Result<Option<String>, String> {
        let path = self.0.join(file);
        let kept = read(&path).map_err(|error| explain(&path, &error))?;
        let text = kept.and_then(|bytes| String::from_utf8(bytes).ok()).map(|text| text.trim().to_owned());
        Ok(text.filter(|text| text.len() >= LEAST_TOKEN_LENGTH))
    }

    fn make_token(&self, file: &str) -> Result<Secret, String> {
        let path = self.0.join(file);
        let text = new_token();
        write(&path, text.as_bytes()).map_err(|error| explain(&path, &error))?;
        Ok(Secret::new(text))
    }
}

/// Other files and folders of the data directory, which this module does not manage.
const OTHERS: [&str; 15] = [
    "state.db",
    "state.db-wal",
    "state.db-shm",
    "state.db.new",
    "apps.db",
    "apps.db-wal",
    "apps.db-shm",
    "state.lock",
    "running",
    "cache",
    LIBRARIES_FOLDER,
    BYPASS_FILE,
    LOCK_FILE,
    TAKEOVER_SOCKET,
    // Of earlier versions.
    "bypass.lock",
];

/// Whether Greenroom has a file of this name in its data directory.
pub fn is_ours(name: &str) -> bool {
    is_saved(name)
        || OTHERS.contains(&name)
        || ["state.db.before-v", "replaced-"].iter().any(|start| name.starts_with(start))
}

/// Whether a file of this name belongs in a backup.
pub fn is_saved(name: &str) -> bool {
    [KEY_FILE, TOKEN_FILE, READ_TOKEN_FILE, DEVICE_FILE, HOOK_FILE, BYPASS_FILE].contains(&name)
        || is_server_token(name)
}

/// Whether a file of this name holds a media server's token, as `login` writes it.
pub fn is_server_token(name: &str) -> bool {
    ![TOKEN_FILE, READ_TOKEN_FILE].contains(&name) && name.strip_suffix(".token").is_some_and(is_server_name)
}

/// Whether a media server's token may be written to this file: it does not exist, or holds such a token already.
///
/// # Errors
/// The file has other content, which the text names.
pub fn may_hold_server_token(path: &Path) -> Result<(), String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if is_ours(&name) && !is_server_token(&name) {
        return Err(format!("{}: this name is kept for a file of Greenroom's own; choose another", path.display()));
    }
    let taken = || format!("{}: it holds something else than a token; choose another file", path.display());
    match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() || meta.len() >= MAX_FILE_BYTES => return Err(taken()),
        _ => {}
    }
    let held = read(path).map_err(|error| explain(path, &error))?.unwrap_or_default();
    let is_one_word = std::str::from_utf8(&held).is_ok_and(|text| text.split_whitespace().count() <= 1);
    if is_one_word { Ok(()) } else { Err(taken()) }
}

/// A new random token of 32 hexadecimal digits.
pub fn new_token() -> String {
    format!("{:032x}", u128::from_be_bytes(random::<16>()))
}

/// Random bytes from the system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Writes a file that only this user may read: beside its place, then renamed.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    give_to_owner(&beside);
    std::fs::rename(&beside, path)
}

/// Gives a file written by root (a rotated token) to the directory's owner, so that the process can read it. Other
/// users cannot change owners, and need not.
pub fn give_to_owner(file: &Path) {
    if let Some(Ok(folder)) = file.parent().map(std::fs::metadata) {
        drop(std::os::unix::fs::chown(file, Some(folder.uid()), Some(folder.gid())));
    }
}

/// One line about a problem with a file or folder of the data directory, and its remedy.
pub fn explain(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => "; make it writable for this user, or name another with --data-dir",
        io::ErrorKind::ReadOnlyFilesystem => "; name another with --data-dir",
        _ => "",
    };
    format!("{}: {error}{remedy}", path.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_that_hides_tokens_is_not_printed() {
        assert!(!format!("{:?}", HashKey([7; 32])).contains('7'));
    }

    #[test]
    fn secrets_are_made_once_and_only_for_the_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(&folder.path().join("state")).expect("it can be made");
        let first = dir.control_token().expect("a token");
        assert!(first.is_new);
        assert_eq!(dir.control_token().expect("a token").secret, first.secret);
        assert_eq!(dir.identity_key().expect("a key"), dir.identity_key().expect("a key"));
        let mode = |path: PathBuf| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(folder.path().join("state")), 0o700);
        assert_eq!(mode(folder.path().join("state/control.token")), 0o600);
        assert_eq!(mode(folder.path().join("state/identity.key")), 0o600);
        let reads = dir.read_token().expect("a token");
        assert_eq!(dir.read_token().expect("a token"), reads);
        assert_ne!(reads, first.secret);
        assert_ne!(dir.rotate_read_token().expect("another"), reads);
        assert_eq!(dir.control_token().expect("a token").secret, first.secret, "the other one stays");
        assert_eq!(mode(folder.path().join("state/read.token")), 0o600);
    }

    #[test]
    fn a_token_is_written_only_where_none_but_a_token_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        assert_eq!(may_hold_server_token(&path("new/home.token")), Ok(()));
        let long = "x".repeat(usize::try_from(MAX_FILE_BYTES).expect("it fits"));
        for (name, held, may) in [
            ("home.token", "abc-def\n", true),
            ("empty", "", true),
            ("notes", "two words", false),
            ("long", &long, false),
            ("control.token", "0123456789abcdef", false),
            ("read.token", "0123456789abcdef", false),
            ("device.id", "0123456789abcdef", false),
        ] {
            std::fs::write(path(name), held).expect("written");
            assert_eq!(may_hold_server_token(&path(name)).is_ok(), may, "{name}");
        }
        assert!(may_hold_server_token(folder.path()).is_err(), "a folder");
    }

    #[test]
    fn our_files_are_known_by_their_names() {
        let names = [KEY_FILE, TOKEN_FILE, READ_TOKEN_FILE, DEVICE_FILE, HOOK_FILE, "living-room.token"];
        for name in names.into_iter().chain(OTHERS).chain(["state.db.before-v2", "replaced-20260131-235959"]) {
            assert!(is_ours(name), "{name}");
        }
        for name in ["photos", "My Server.token", ".token", "token"] {
            assert!(!is_ours(name), "{name}");
        }
        assert!(is_server_token("home.token") && !is_server_token(TOKEN_FILE));
    }

    #[test]
    fn a_damaged_key_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(folder.path()).expect("it is there");
        std::fs::write(folder.path().join(KEY_FILE), b"short").expect("written");
        assert_eq!(dir.identity_key().expect("a key"), dir.identity_key().expect("a key"));
    }
}
