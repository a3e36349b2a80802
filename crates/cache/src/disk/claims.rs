//! Who loads a key, among all processes that have the store open: whoever holds the lock on the key's file. A
//! process that dies lets go of it, so a claim needs no lease.
//!
//! Claims spare the source loads, and that is all: nothing is wrong if two are granted, or if none can be. One
//! thread makes and removes the files, so that a disk that hangs holds up nobody else.

use std::collections::HashSet;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_128;

use crate::key::Key;

/// The folder of all claims.
const FOLDER: &str = "loading";
/// Claims of this process at a time: each is an open file. Who comes when there are more loads without one.
const MAX_CLAIMS: usize = 256;
/// Attempts and releases that wait for the thread.
const MAX_ORDERS: usize = 1024;
/// A file may be removed between being opened and being locked: then it is opened again.
const TRIES: usize = 8;

/// A key as its file is named: nothing can be read from it.
type Name = u128;

/// All claims of this process.
#[derive(Debug)]
pub(crate) struct Claims {
    door: RwLock<Option<SyncSender<Order>>>,
    ours: Ours,
    patience: Duration,
}

/// The keys this process has a claim to.
type Ours = Arc<Mutex<HashSet<Name>>>;

/// What became of an attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The claim is ours.
    Granted(Claim),
    /// Another process loads.
    Taken,
    /// Nobody knows: another load of our own has the claim, there are too many, or the disk does not answer.
    Unknown,
}

/// The right to load a key. Dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Claim {
    name: Name,
    held: Option<Held>,
    door: SyncSender<Order>,
    ours: Ours,
}

/// A locked file.
#[derive(Debug)]
struct Held {
    #[expect(dead_code, reason = "locked until it is dropped")]
    file: File,
    path: PathBuf,
}

enum Order {
    Try { name: Name, answer: oneshot::Sender<io::Result<Option<Held>>> },
    Release(Held),
}

impl Claims {
    /// Starts the thread. `patience` is how long an attempt may take before it counts as failed.
    pub(crate) fn start(dir: &Path, patience: Duration) -> Result<Self, String> {
        let (door, orders) = sync_channel(MAX_ORDERS);
        let folder = dir.join(FOLDER);
        std::thread::Builder::new()
            .name("greenroom-claims".into())
            .spawn(move || serve(&folder, &orders))
            .map_err(|error| format!("no thread to claim loads with: {error}"))?;
        Ok(Self { door: RwLock::new(Some(door)), ours: Ours::default(), patience })
    }

    /// Tries once.
    pub(crate) async fn attempt(&self, key: &Key) -> Attempt {
        let Some(door) = self.door.read().unwrap_or_else(PoisonError::into_inner).clone() else {
            return Attempt::Unknown;
        };
        let name = xxh3_128(key.whole().as_bytes());
        // From here on the name is given back by whatever happens to the claim.
        let Some(mut claim) = Claim::begin(name, &door, &self.ours) else { return Attempt::Unknown };
        let (answer, answered) = oneshot::channel();
        if door.try_send(Order::Try { name, answer }).is_err() {
            return Attempt::Unknown;
        }
        match tokio::time::timeout(self.patience, answered).await {
            Ok(Ok(Ok(Some(held)))) => {
                claim.held = Some(held);
                Attempt::Granted(claim)
            }
            Ok(Ok(Ok(None))) => Attempt::Taken,
            _ => Attempt::Unknown,
        }
    }

    /// Lets the thread end when the last claim is given back.
    pub(crate) fn close(&self) {
        self.door.write().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Claim {
    fn begin(name: Name, door: &SyncSender<Order>, ours: &Ours) -> Option<Self> {
        let mut names = ours.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = names.len() < MAX_CLAIMS && names.insert(name);
        is_new.then(|| Self { name, held: None, door: door.clone(), ours: Arc::clone(ours) })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
        if let Some(held) = self.held.take() {
            // If it cannot be sent, dropping it unlocks it all the same; the empty file is used again.
            drop(self.door.try_send(Order::Release(held)));
        }
    }
}

fn serve(folder: &Path, orders: &Receiver<Order>) {
    clean(folder);
    while let Ok(order) = orders.recv() {
        match order {
            Order::Try { name, answer } => {
                // Who asked may have gone meanwhile.
                if let Err(Ok(Some(held))) = answer.send(take(folder, name)) {
                    release(&held);
                }
            }
            Order::Release(held) => release(&held),
        }
    }
}

fn take(folder: &Path, name: Name) -> io::Result<Option<Held>> {
    let path = folder.join(format!("{name:032x}"));
    for _ in 0..TRIES {
        let file = match open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
                open(&path)?
            }
            other => other?,
        };
        match file.try_lock() {
            Ok(()) if file.metadata()?.nlink() > 0 => return Ok(Some(Held { file, path })),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Removed while it is locked: whoever opened it meanwhile sees that it is gone, and makes a new one.
fn release(held: &Held) {
    drop(std::fs::remove_file(&held.path));
}

/// Removes what processes left that died while they loaded.
fn clean(folder: &Path) {
    let Ok(files) = std::fs::read_dir(folder) else { return };
    for file in files.flatten() {
        let opened = OpenOptions::new().write(true).open(file.path());
        if opened.is_ok_and(|opened| opened.try_lock().is_ok()) {
            drop(std::fs::remove_file(file.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Partition;

    const LONG: Duration = Duration::from_secs(20);

    fn claims(dir: &Path) -> Claims {
        Claims::start(dir, LONG).expect("a thread")
    }

    fn key(text: &str) -> Key {
        Key::new("home", &Partition::new("anna"), text)
    }

    async fn granted(claims: &Claims, text: &str) -> Claim {
        loop {
            // A release is an order to a thread: it is done a moment later.
            if let Attempt::Granted(claim) = claims.attempt(&key(text)).await {
                return claim;
            }
        }
    }

    #[tokio::test]
    async fn one_process_has_the_claim_and_the_next_gets_it_after_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let (one, two) = (claims(dir.path()), claims(dir.path()));
        let claim = granted(&one, "/x").await;
        assert!(matches!(two.attempt(&key("/x")).await, Attempt::Taken));
        assert!(matches!(one.attempt(&key("/x")).await, Attempt::Unknown), "nobody waits for himself");
        let other = granted(&two, "/y").await;
        drop((claim, other));
        drop(granted(&two, "/x").await);
        drop(granted(&one, "/x").await);
    }

    #[tokio::test]
    async fn a_claim_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a folder");
        let one = claims(dir.path());
        for at in 0..2 * MAX_CLAIMS {
            drop(granted(&one, &format!("/{at}")).await);
        }
        drop(granted(&one, "/last").await);
        let files = || std::fs::read_dir(dir.path().join(FOLDER)).expect("listed").count();
        while files() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(one.ours.lock().expect("held").is_empty());
    }

    #[tokio::test]
    async fn claims_are_bounded() {
        let dir = tempfile::tempdir().expect("a folder");
        let one = claims(dir.path());
        let mut held = Vec::new();
        for at in 0..MAX_CLAIMS {
            held.push(granted(&one, &format!("/{at}")).await);
        }
        assert!(matches!(one.attempt(&key("/more")).await, Attempt::Unknown));
    }

    #[tokio::test]
    async fn a_file_left_by_the_dead_is_no_claim() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join(FOLDER);
        std::fs::create_dir(&folder).expect("made");
        let name = format!("{:032x}", xxh3_128(key("/x").whole().as_bytes()));
        std::fs::write(folder.join(name), "").expect("written");
        drop(granted(&claims(dir.path()), "/x").await);
    }

    #[tokio::test]
    async fn where_no_file_can_be_made_nobody_waits() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(FOLDER), "a file where the folder should be").expect("written");
        assert!(matches!(claims(dir.path()).attempt(&key("/x")).await, Attempt::Unknown));
    }
}
