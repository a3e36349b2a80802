//! One wish being carried out: how far it is, and what came of it.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::report::{Failure, Report};

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "stage")]
pub enum Progress {
    /// It has its turn soon.
    Queued,
    /// It waits for what is known of the library to be whole.
    WaitingForLibrary {
        /// How much of it is read.
        percent: Option<u64>,
        /// How long the rest will take, in milliseconds.
        left_ms: Option<u64>,
    },
    /// It reads the playlist it comes from.
    ReadingSource,
    /// It looks for its rows in the library.
    Resolving {
        /// Rows that are done.
        done: usize,
        /// Rows in all.
        total: usize,
    },
    /// It writes an account's playlist.
    Writing {
        /// The account; `None` is the owner's token.
        account: Option<String>,
        /// Tracks that were sent.
        done: usize,
        /// Tracks to be sent, as far as is known.
        total: usize,
    },
    /// It ended.
    Ended,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// There is a report.
    Done(Arc<Report>),
    /// It could not begin to write.
    Failed(Failure),
    /// It was told to stop before anything was written.
    Cancelled,
}

/// One run.
#[derive(Debug)]
pub struct Run {
    /// Its number, for people and programs.
    pub id: String,
    /// What was wished, in short.
    pub server: String,
    /// The playlist's name as far as it is known.
    pub name: Mutex<String>,
    /// When it began, in milliseconds since 1970.
    pub begun_ms: u64,
    /// Told to stop between two writes.
    pub cancel: CancellationToken,
    progress: watch::Sender<Progress>,
    ending: Mutex<Option<Ending>>,
}

impl Run {
    /// One that begins now.
    pub fn new(id: String, server: &str, name: &str, begun_ms: u64, cancel: CancellationToken) -> Self {
        Self {
            id,
            server: server.to_owned(),
            name: Mutex::new(name.to_owned()),
            begun_ms,
            cancel,
            progress: watch::Sender::new(Progress::Queued),
            ending: Mutex::default(),
        }
    }

    /// It is this far.
    pub fn tell(&self, progress: Progress) {
        self.progress.send_replace(progress);
    }

    /// How far it is, and whenever that changes.
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// It ended.
    pub fn end(&self, ending: Ending) {
        *self.ending.lock() = Some(ending);
        self.tell(Progress::Ended);
    }

    /// How it ended, if it did.
    pub fn ending(&self) -> Option<Ending> {
        self.ending.lock().clone()
    }

    /// Rows that its report holds.
    pub fn rows(&self) -> usize {
        match &*self.ending.lock() {
            Some(Ending::Done(report)) => report.rows.len(),
            _ => 0,
        }
    }

    /// Waits until it ends.
    pub async fn ended(&self) -> Ending {
        let mut progress = self.watch();
        loop {
            if let Some(ending) = self.ending() {
                return ending;
            }
            // The sender lives as long as we do.
            drop(progress.changed().await);
        }
    }

    /// How it stands, in a word.
    pub fn word(&self) -> &'static str {
        match self.ending() {
            None => "running",
            Some(Ending::Done(report)) if report.has_failed() => "failed",
            Some(Ending::Done(report))
                if report
                    .accounts
                    .iter()
                    .any(|account| account.standing == super::report::Standing::Cancelled) =>
            {
                "cancelled"
            }
            Some(Ending::Done(_)) => "done",
            Some(Ending::Failed(_)) => "failed",
            Some(Ending::Cancelled) => "cancelled",
        }
    }
}
