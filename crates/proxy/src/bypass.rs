//! Bypasses. While one is set, the reads it covers go to the media server as if there were no cache.
//!
//! The list is short, is stored in one small file, and survives a restart. Writes and events still invalidate during
//! a bypass, so entries cached before it can be served after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use greenroom_state::file_work_queue::FileWorkQueue;
use greenroom_state::secrets::{BYPASS_FILE as FILE, DataDir};

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
        let fits = |said: &Option<String>, is: &str| said.as_deref().is_none_or(|said| said == is);
        fits(&self.server, server) && fits(&self.class, class) && fits(&self.app, app)
    }

    /// Whether `other` covers every read that this bypass covers.
    pub fn lies_within(&self, other: &Self) -> bool {
        let within = |own: &Option<String>, other: &Option<String>| other.is_none() || own == other;
        within(&self.server, &other.server) && within(&self.class, &other.class) && within(&self.app, &other.app)
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
    changing: Mutex<()>,
    /// Directory of the file; `None` in tests.
    data_dir: Option<DataDir>,
    /// Queue on which callers of [`Bypasses::add`] and [`Bypasses::remove`] run them, because both block.
    pub lane: FileWorkQueue,
}

impl Bypasses {
    /// Opens the list in the data directory. A file that cannot be read or parsed is logged and ignored.
    pub fn open(data_dir: &DataDir) -> Arc<Self> {
        let list = read(data_dir).unwrap_or_else(|reason| {
            tracing::warn!(
                reason,
                "what is bypassed cannot be read and is ignored: nothing is bypassed; the next change replaces it"
            );
            Vec::new()
        });
        let any = AtomicBool::new(!list.is_empty());
        let data_dir = Some(data_dir.clone());
        let (list, lane) = (RwLock::new(list), FileWorkQueue::default());
        Arc::new(Self { list, any, changing: Mutex::default(), data_dir, lane })
    }

    /// Replaces the list in memory.
    fn swap(&self, wanted: Vec<Bypass>) {
        let mut list = self.list.write();
        self.any.store(!wanted.is_empty(), Ordering::Release);
        *list = wanted;
    }

    /// Whether a read is bypassed.
    pub fn covers(&self, server: &str, class: &str, app: &str) -> bool {
        self.any.load(Ordering::Acquire) && self.list.read().iter().any(|bypass| bypass.covers(server, class, app))
    }

    /// Whether every read of a server is bypassed.
    pub fn covers_all_of(&self, server: &str) -> bool {
        let whole = Bypass { server: Some(server.to_owned()), ..Bypass::default() };
        self.list.read().iter().any(|bypass| whole.lies_within(bypass))
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
            let wanted: Vec<Bypass> = others.chain([bypass]).cloned().collect();
            if wanted.len() > MAX_BYPASSES { Err(BypassError::TooMany) } else { Ok(wanted) }
        })
    }

    /// Removes all bypasses that lie within this one. Returns whether the list changed. Blocks: it writes a file.
    ///
    /// # Errors
    /// If the list cannot be written; it is unchanged then.
    pub fn remove(&self, bypass: &Bypass) -> Result<bool, BypassError> {
        self.change(|list| Ok(list.iter().filter(|other| !other.lies_within(bypass)).cloned().collect()))
    }

    /// Writes the changed list to the file, then replaces the one in memory, so that lookups never wait for a disk.
    fn change(&self, change: impl FnOnce(&[Bypass]) -> Result<Vec<Bypass>, BypassError>) -> Result<bool, BypassError> {
        let _changing = self.changing.lock();
        let before = self.list();
        let wanted = change(&before)?;
        let has_changed = wanted != before;
        if let Some(data_dir) = self.data_dir.as_ref().filter(|_| has_changed) {
            let kept = BypassFile { bypasses: wanted.clone() };
            let text = serde_json::to_string_pretty(&kept).map_err(|error| error.to_string())?;
            data_dir.replace(FILE, text.as_bytes())?;
        }
        self.swap(wanted);
        Ok(has_changed)
    }
}

/// Reads the file.
fn read(data_dir: &DataDir) -> Result<Vec<Bypass>, String> {
    let Some(bytes) = data_dir.read(FILE)? else { return Ok(Vec::new()) };
    let kept: BypassFile =
        serde_json::from_slice(&bytes).map_err(|error| format!("{FILE} is damaged in line {}", error.line()))?;
    Ok(kept.bypasses.into_iter().take(MAX_BYPASSES).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn of(server: &str, class: &str, app: &str) -> Bypass {
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Bypass { server: said(server), class: said(class), app: said(app) }
    }

    #[test]
    fn a_bypass_covers_what_fits_every_word_of_it() {
        let everything = Bypass::default();
        assert!(everything.covers("home", "lists", "Kometa"));
        assert!(of("home", "", "").covers("home", "lists", "Kometa"));
        assert!(!of("attic", "", "").covers("home", "lists", "Kometa"));
        assert!(!of("home", "images", "").covers("home", "lists", "Kometa"));
        assert!(of("", "lists", "Kometa").covers("home", "lists", "Kometa"));
    }

    #[test]
    fn taking_back_a_server_takes_back_all_of_it_and_nothing_else() {
        let bypasses = Bypasses::default();
        for bypass in [of("home", "lists", ""), of("attic", "", ""), of("", "", "Kometa")] {
            bypasses.add(&bypass).expect("there is room");
        }
        assert!(bypasses.covers_all_of("attic") && !bypasses.covers_all_of("home"));
        bypasses.remove(&of("home", "", "")).expect("it can be taken back");
        assert_eq!(bypasses.list(), [of("attic", "", ""), of("", "", "Kometa")]);
        bypasses.remove(&Bypass::default()).expect("it can be taken back");
        assert!(!bypasses.covers("attic", "lists", "Kometa"));
    }

    #[test]
    fn what_a_wider_one_covers_is_not_kept_beside_it() {
        let bypasses = Bypasses::default();
        bypasses.add(&of("home", "lists", "")).expect("there is room");
        bypasses.add(&of("home", "", "")).expect("there is room");
        bypasses.add(&of("home", "", "")).expect("twice is once");
        assert_eq!(bypasses.list(), [of("home", "", "")]);
    }

    #[test]
    fn two_changes_at_once_lose_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(folder.path()).expect("it is there");
        let bypasses = Bypasses::open(&dir);
        bypasses.add(&of("home", "", "")).expect("it can be kept");
        std::thread::scope(|scope| {
            let bypasses = &bypasses;
            let adding = ["attic", "den"].map(|server| scope.spawn(move || bypasses.add(&of(server, "", ""))));
            for one in adding {
                assert_eq!(one.join().expect("it ends"), Ok(true));
            }
        });
        let mut kept = Bypasses::open(&dir).list();
        kept.sort_by(|one, other| one.server.cmp(&other.server));
        assert_eq!(kept, [of("attic", "", ""), of("den", "", ""), of("home", "", "")]);
    }

    #[test]
    fn the_list_is_bounded() {
        let bypasses = Bypasses::default();
        for index in 0..MAX_BYPASSES {
            bypasses.add(&of("", "", &index.to_string())).expect("there is room");
        }
        assert_eq!(bypasses.add(&of("", "", "one more")), Err(BypassError::TooMany));
        assert_eq!(bypasses.list().len(), MAX_BYPASSES);
    }

    #[test]
    fn it_is_kept_for_the_owner_alone_and_a_damaged_file_bypasses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(folder.path()).expect("it is there");
        Bypasses::open(&dir).add(&of("home", "", "")).expect("it can be kept");
        assert_eq!(Bypasses::open(&dir).list(), [of("home", "", "")]);
        let path = folder.path().join(FILE);
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for damaged in ["{\"bypasses\": [", "{\"bypasses\": [{\"sever\": \"home\"}]}", ""] {
            std::fs::write(&path, damaged).expect("written");
            let bypasses = Bypasses::open(&dir);
            assert!(!bypasses.covers("home", "lists", "x"), "{damaged}");
            bypasses.add(&of("attic", "", "")).expect("the next change replaces it");
            assert_eq!(Bypasses::open(&dir).list(), [of("attic", "", "")]);
        }
    }
}
