//! Bypasses. While one is set, the reads it covers go to the server as if there were no cache.
//!
//! The list is short, is stored in one small file, and survives a restart. Writes and events still invalidate during
//! a bypass, so entries cached before it can be served after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::file_work_queue::FileWorkQueue;
use crate::secrets::{BYPASS_FILE as FILE, DataDir};

/// Max number of bypasses; a person sets one or two.
pub const MAX_BYPASSES: usize = 64;

/// One bypass. It covers the reads that match every field that is set; if none is set, all reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bypass {
    /// Server whose reads it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Request type it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// App whose reads it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

impl Bypass {
    /// Whether it covers a read of this server, request type and app.
    pub fn covers(&self, server: &str, class: &str, app: &str) -> bool {
        let matches = |filter: &Option<String>, value: &str| filter.as_deref().is_none_or(|filter| filter == value);
        matches(&self.server, server) && matches(&self.class, class) && matches(&self.app, app)
    }

    /// Whether `other` covers every read that this bypass covers.
    pub fn lies_within(&self, other: &Self) -> bool {
        let contains = |own: &Option<String>, other: &Option<String>| other.is_none() || own == other;
        contains(&self.server, &other.server) && contains(&self.class, &other.class) && contains(&self.app, &other.app)
    }
}

/// Reason why a change was rejected; the list is unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BypassError {
    /// [`MAX_BYPASSES`] are set already.
    TooMany,
    /// The file could not be written; the reason is given.
    NotSaved(String),
}

impl From<String> for BypassError {
    fn from(reason: String) -> Self {
        Self::NotSaved(reason)
    }
}

/// Content of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BypassFile {
    bypasses: Vec<Bypass>,
}

/// All bypasses, for all servers.
#[derive(Debug, Default)]
pub struct Bypasses {
    list: RwLock<Vec<Bypass>>,
    /// Whether the list has entries. While it has none, a read takes no lock.
    any: AtomicBool,
    /// Serialises changes, from writing the file until the list in memory matches it. Lookups never take it.
    change_lock: Mutex<()>,
    /// Directory of the file; `None` in tests.
    data_dir: Option<DataDir>,
    /// Queue on which callers of [`Bypasses::add`] and [`Bypasses::remove`] run them, because both block.
    pub file_work: FileWorkQueue,
}

impl Bypasses {
    /// Opens the list in the data directory. A file that cannot be read or parsed is logged and ignored.
    pub fn open(data_dir: &DataDir) -> Arc<Self> {
        let list = read(data_dir).unwrap_or_else(|reason| {
            tracing::warn!(reason, "bypasses cannot be read and are ignored; the next change replaces the file");
            Vec::new()
        });
        let any = AtomicBool::new(!list.is_empty());
        let data_dir = Some(data_dir.clone());
        let (list, file_work) = (RwLock::new(list), FileWorkQueue::default());
        Arc::new(Self { list, any, change_lock: Mutex::default(), data_dir, file_work })
    }

    /// Replaces the list in memory.
    fn swap(&self, new: Vec<Bypass>) {
        let mut list = self.list.write();
        self.any.store(!new.is_empty(), Ordering::Release);
        *list = new;
    }

    /// Whether a read is bypassed.
    pub fn covers(&self, server: &str, class: &str, app: &str) -> bool {
        self.any.load(Ordering::Acquire) && self.list.read().iter().any(|bypass| bypass.covers(server, class, app))
    }

    /// Whether every read of a server is bypassed.
    pub fn covers_all_of(&self, server: &str) -> bool {
        let whole_server = Bypass { server: Some(server.to_owned()), ..Bypass::default() };
        self.list.read().iter().any(|bypass| whole_server.lies_within(bypass))
    }

    /// All bypasses.
    pub fn list(&self) -> Vec<Bypass> {
        self.list.read().clone()
    }

    /// Adds a bypass and removes those that lie within it. Returns whether the list changed. Blocks: it writes a file.
    ///
    /// # Errors
    /// If the list is full or cannot be written; it is unchanged then.
    pub fn add(&self, bypass: &Bypass) -> Result<bool, BypassError> {
        self.change(|list| {
            let others = list.iter().filter(|other| !other.lies_within(bypass));
            let new: Vec<Bypass> = others.chain([bypass]).cloned().collect();
            if new.len() > MAX_BYPASSES { Err(BypassError::TooMany) } else { Ok(new) }
        })
    }

    /// Removes all bypasses that lie within this one. Returns whether the list changed. Blocks: it writes a file.
    ///
    /// # Errors
    /// If the list cannot be written; it is unchanged then.
    pub fn remove(&self, bypass: &Bypass) -> Result<bool, BypassError> {
        self.change(|list| Ok(list.iter().filter(|other| !other.lies_within(bypass)).cloned().collect()))
    }

    /// Replaces all bypasses by those of another gateway. Returns whether the list changed. Blocks: it writes a file.
    ///
    /// # Errors
    /// If there are too many, or the list cannot be written; it is unchanged then.
    pub fn replace(&self, new: Vec<Bypass>) -> Result<bool, BypassError> {
        if new.len() > MAX_BYPASSES { Err(BypassError::TooMany) } else { self.change(|_| Ok(new)) }
    }

    /// Writes the changed list to the file, then replaces the one in memory, so that lookups never wait for a disk.
    fn change(&self, change: impl FnOnce(&[Bypass]) -> Result<Vec<Bypass>, BypassError>) -> Result<bool, BypassError> {
        let _guard = self.change_lock.lock();
        let before = self.list();
        let new = change(&before)?;
        let has_changed = new != before;
        if let Some(data_dir) = self.data_dir.as_ref().filter(|_| has_changed) {
            let file = BypassFile { bypasses: new.clone() };
            let text = serde_json::to_string_pretty(&file).map_err(|error| error.to_string())?;
            data_dir.replace(FILE, text.as_bytes())?;
        }
        self.swap(new);
        Ok(has_changed)
    }
}

/// Reads the file.
fn read(data_dir: &DataDir) -> Result<Vec<Bypass>, String> {
    let Some(bytes) = data_dir.read(FILE)? else { return Ok(Vec::new()) };
    let file: BypassFile =
        serde_json::from_slice(&bytes).map_err(|error| format!("{FILE} is damaged at line {}", error.line()))?;
    Ok(file.bypasses.into_iter().take(MAX_BYPASSES).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn bypass(server: &str, class: &str, app: &str) -> Bypass {
        let field = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Bypass { server: field(server), class: field(class), app: field(app) }
    }

    #[test]
    fn a_bypass_covers_reads_that_match_all_its_fields() {
        let all_reads = Bypass::default();
        assert!(all_reads.covers("home", "lists", "Kometa"));
        assert!(bypass("home", "", "").covers("home", "lists", "Kometa"));
        assert!(!bypass("attic", "", "").covers("home", "lists", "Kometa"));
        assert!(!bypass("home", "images", "").covers("home", "lists", "Kometa"));
        assert!(bypass("", "lists", "Kometa").covers("home", "lists", "Kometa"));
    }

    #[test]
    fn removing_a_server_bypass_removes_all_within_it() {
        let bypasses = Bypasses::default();
        for bypass in [bypass("home", "lists", ""), bypass("attic", "", ""), bypass("", "", "Kometa")] {
            bypasses.add(&bypass).expect("bypass added");
        }
        assert!(bypasses.covers_all_of("attic") && !bypasses.covers_all_of("home"));
        bypasses.remove(&bypass("home", "", "")).expect("bypass removed");
        assert_eq!(bypasses.list(), [bypass("attic", "", ""), bypass("", "", "Kometa")]);
        bypasses.remove(&Bypass::default()).expect("bypass removed");
        assert!(!bypasses.covers("attic", "lists", "Kometa"));
    }

    #[test]
    fn a_wider_bypass_replaces_narrower_ones() {
        let bypasses = Bypasses::default();
        bypasses.add(&bypass("home", "lists", "")).expect("bypass added");
        bypasses.add(&bypass("home", "", "")).expect("bypass added");
        bypasses.add(&bypass("home", "", "")).expect("bypass added");
        assert_eq!(bypasses.list(), [bypass("home", "", "")]);
    }

    #[test]
    fn concurrent_changes_are_not_lost() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data_dir = DataDir::open(dir.path()).expect("a data directory");
        let bypasses = Bypasses::open(&data_dir);
        bypasses.add(&bypass("home", "", "")).expect("bypass added");
        std::thread::scope(|scope| {
            let bypasses = &bypasses;
            let threads = ["attic", "den"].map(|server| scope.spawn(move || bypasses.add(&bypass(server, "", ""))));
            for thread in threads {
                assert_eq!(thread.join().expect("a finished thread"), Ok(true));
            }
        });
        let mut stored = Bypasses::open(&data_dir).list();
        stored.sort_by(|left, right| left.server.cmp(&right.server));
        assert_eq!(stored, [bypass("attic", "", ""), bypass("den", "", ""), bypass("home", "", "")]);
    }

    #[test]
    fn the_number_of_bypasses_is_bounded() {
        let bypasses = Bypasses::default();
        for index in 0..MAX_BYPASSES {
            bypasses.add(&bypass("", "", &index.to_string())).expect("bypass added");
        }
        assert_eq!(bypasses.add(&bypass("", "", "one more")), Err(BypassError::TooMany));
        assert_eq!(bypasses.list().len(), MAX_BYPASSES);
    }

    #[test]
    fn the_file_is_private_and_a_damaged_one_is_ignored() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data_dir = DataDir::open(dir.path()).expect("a data directory");
        Bypasses::open(&data_dir).add(&bypass("home", "", "")).expect("bypass added");
        assert_eq!(Bypasses::open(&data_dir).list(), [bypass("home", "", "")]);
        let path = dir.path().join(FILE);
        let mode = std::fs::metadata(&path).expect("file metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for damaged in ["{\"bypasses\": [", "{\"bypasses\": [{\"sever\": \"home\"}]}", ""] {
            std::fs::write(&path, damaged).expect("written");
            let bypasses = Bypasses::open(&data_dir);
            assert!(!bypasses.covers("home", "lists", "x"), "{damaged}");
            bypasses.add(&bypass("attic", "", "")).expect("bypass added");
            assert_eq!(Bypasses::open(&data_dir).list(), [bypass("attic", "", "")]);
        }
    }
}
