//! A gateway's memory of the store over a restart: where it stood in the sequence, and whether invalidations
//! were made that the store does not know.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use tokio::sync::oneshot;

use crate::agreement::SequencePosition;

/// Name of the file in the data directory.
pub const JOURNAL_FILE: &str = "remote-store.journal";
const VERSION: &str = "1";
/// Says that the store lacks purges; older versions do not read so far.
const PURGES: &str = "purges";
/// Max bytes read of it.
const MAX_BYTES: u64 = 4096;

/// Content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct JournalRecord {
    /// Hash of the store and prefix that it speaks of.
    pub(crate) store: String,
    /// Position of this gateway.
    pub(crate) standing: SequencePosition,
    /// Whether the store lacks invalidations that were made.
    pub(crate) is_behind: bool,
    /// Whether purges are among them.
    pub(crate) lacks_purges: bool,
}

/// Writes the file on a thread of its own, so that a hanging disk blocks no task.
#[derive(Debug)]
pub(crate) struct Journal {
    sender: mpsc::SyncSender<(JournalRecord, oneshot::Sender<bool>)>,
}

/// Records that may wait for a slow disk.
const MAX_WAITING: usize = 16;

impl Journal {
    /// Reads the file and starts the thread. An unreadable file counts as none.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn open(data_dir: &Path) -> Result<(Self, Option<JournalRecord>), String> {
        let path = data_dir.join(JOURNAL_FILE);
        let record = read(&path);
        let (sender, receiver) = mpsc::sync_channel::<(JournalRecord, oneshot::Sender<bool>)>(MAX_WAITING);
        let thread = std::thread::Builder::new().name("greenroom-journal".into()).spawn(move || {
            while let Ok((record, done)) = receiver.recv() {
                let written = write(&path, &record);
                if let Err(error) = &written {
                    tracing::warn!(path = %path.display(), %error, "the standing with the remote store cannot be written");
                }
                let _ = done.send(written.is_ok()); // The caller may have stopped waiting.
            }
        });
        thread.map_err(|error| format!("the journal's thread could not be started: {error}"))?;
        Ok((Self { sender }, record))
    }

    /// Writes a record. The receiver tells when it is written; dropping it changes nothing. A full queue is false.
    pub(crate) fn write(&self, record: JournalRecord) -> oneshot::Receiver<bool> {
        let (done, receiver) = oneshot::channel();
        // If the queue is full, the sender is dropped, and the receiver learns that.
        let _ = self.sender.try_send((record, done));
        receiver
    }
}

/// Removes the file: without a store, invalidations are made that no store knows.
pub fn forget(data_dir: &Path) {
    let _ = std::fs::remove_file(data_dir.join(JOURNAL_FILE)); // There usually is none.
}

fn read(path: &Path) -> Option<JournalRecord> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    let mut words = text.trim_end().split(' ');
    if words.next() != Some(VERSION) {
        return None;
    }
    let (store, epoch, heard) = (words.next()?.to_owned(), words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let is_behind = words.next()? == "behind";
    let token = words.next().unwrap_or_default().to_owned();
    let lacks_purges = is_behind && words.next() == Some(PURGES);
    Some(JournalRecord { store, standing: SequencePosition { epoch, heard, token }, is_behind, lacks_purges })
}

fn write(path: &Path, record: &JournalRecord) -> std::io::Result<()> {
    let beside: PathBuf = path.with_extension("journal-new");
    let JournalRecord { store, standing, is_behind, lacks_purges } = record;
    let state = if *is_behind { "behind" } else { "level" };
    let purges = if *lacks_purges { format!(" {PURGES}") } else { String::new() };
    let text = format!("{VERSION} {store} {} {} {state} {}{purges}\n", standing.epoch, standing.heard, standing.token);
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_record_comes_back_after_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        let record = JournalRecord {
            store: "abc".into(),
            standing: SequencePosition { epoch: 7, heard: 9, token: "x:1".into() },
            is_behind: true,
            lacks_purges: true,
        };
        let (journal, before) = Journal::open(dir.path()).expect("it opens");
        assert_eq!(before, None);
        assert_eq!(journal.write(record.clone()).await, Ok(true));
        assert_eq!(Journal::open(dir.path()).expect("it opens").1, Some(record));
        forget(dir.path());
        assert_eq!(Journal::open(dir.path()).expect("it opens").1, None);
    }

    #[test]
    fn a_damaged_file_counts_as_none() {
        let dir = tempfile::tempdir().expect("a folder");
        for text in ["", "1", "2 a 1 1 level x", "1 a b c level x", "\u{0}\u{0}"] {
            std::fs::write(dir.path().join(JOURNAL_FILE), text).expect("it is written");
            assert_eq!(Journal::open(dir.path()).expect("it opens").1, None, "{text:?}");
        }
    }
}
