//! One wish being carried out: how far it is, and what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::report::{Failure, Report};

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "stage")]
#[schema(as = PlaylistProgress)]
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

impl Ending {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done(report) if report.has_failed() => "failed",
            Self::Done(report) if report.was_cancelled() => "cancelled",
            Self::Done(_) => "done",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
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
    weight: AtomicUsize,
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
            weight: AtomicUsize::new(0),
        }
    }

    /// Whether it writes a playlist of this name on this server, as far as is known.
    pub fn is_of(&self, server: &str, name: &str) -> bool {
        let name = name.trim();
        self.server == server && !name.is_empty() && self.name.lock().trim() == name
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
        if let Ending::Done(report) = &ending {
            self.weight.store(report.weight(), Ordering::Relaxed);
        }
        *self.ending.lock() = Some(ending);
        self.tell(Progress::Ended);
    }

    /// How it ended, if it did.
    pub fn ending(&self) -> Option<Ending> {
        self.ending.lock().clone()
    }

    /// About how many bytes its report takes.
    pub fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
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
        self.ending().map_or("running", |ending| ending.word())
    }
}
