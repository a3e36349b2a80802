//! How one request was answered. Nothing of what it asked for is in it: no path, no query, no token.

use std::fmt;
use std::sync::Arc;

use greenroom_cache::{FailureKind, LoadReason, Reason, Served};
use greenroom_dialect::class::Class;
use greenroom_dialect::verdict;
use serde::Serialize;

use crate::record::pass_reason::Passage;
use greenroom_origin::client_apps::App;

/// What was asked for, as far as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A read of this class.
    Read(Class),
    /// A write.
    Write,
    /// What passes through.
    Stream,
    /// What is not forwarded at all.
    Refused,
}

impl Subject {
    /// How many there are.
    pub const COUNT: usize = Class::EVERY.len() + 3;

    /// What this request is.
    pub fn of(verdict: &verdict::Verdict) -> Self {
        match verdict {
            verdict::Verdict::Read(read) => Self::Read(read.class),
            verdict::Verdict::Write(_) => Self::Write,
            verdict::Verdict::Stream(_) => Self::Stream,
            verdict::Verdict::Refuse(_) => Self::Refused,
        }
    }

    /// The word for it, beside the classes' own.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read(class) => class.name(),
            Self::Write => "writes",
            Self::Stream => "streams",
            Self::Refused => "refused",
        }
    }

    /// Every one, in the order of [`Subject::place`].
    pub fn every() -> impl Iterator<Item = Self> {
        let others = [Self::Write, Self::Stream, Self::Refused];
        Class::EVERY.into_iter().map(Self::Read).chain(others)
    }

    pub(super) fn place(self) -> usize {
        match self {
            Self::Read(class) => class as usize,
            Self::Write => Class::EVERY.len(),
            Self::Stream => Class::EVERY.len() + 1,
            Self::Refused => Class::EVERY.len() + 2,
        }
    }

    /// Whether the age of its answers says anything about the library: pictures and files are meant to be old.
    pub(super) fn ages(self) -> bool {
        !matches!(self, Self::Read(Class::Images | Class::Assets))
    }
}

/// In which way a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// From the cache, fresh.
    Hit,
    /// From the cache, with one refresh behind.
    Stale,
    /// By asking the server.
    Loaded,
    /// By waiting for a question of somebody else.
    Joined,
    /// By asking the server, in place of something that was kept.
    Refreshed,
    /// From the cache although too old, because the server did not answer.
    StaleOnError,
    /// With what was loaded for all who asked, and is not kept.
    Shared,
    /// By the server: it passed through.
    Passed,
    /// By the server: a write.
    Write,
    /// With an error.
    Failed,
    /// Not at all.
    Refused,
}

impl Verdict {
    /// Every one.
    pub const EVERY: [Self; 11] = [
        Self::Hit,
        Self::Stale,
        Self::Loaded,
        Self::Joined,
        Self::Refreshed,
        Self::StaleOnError,
        Self::Shared,
        Self::Passed,
        Self::Write,
        Self::Failed,
        Self::Refused,
    ];

    /// The word for it; where the engine has one, that.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => Served::Hit.name(),
            Self::Stale => Served::Stale.name(),
            Self::Loaded => Served::Loaded.name(),
            Self::Joined => Served::Joined.name(),
            Self::Refreshed => Served::Refreshed.name(),
            Self::StaleOnError => Served::StaleOnError.name(),
            Self::Shared => "shared",
            Self::Passed => "passed",
            Self::Write => "write",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }

    /// What was kept was served so.
    pub fn of(served: Served) -> Self {
        match served {
            Served::Hit => Self::Hit,
            Served::Stale => Self::Stale,
            Served::Loaded => Self::Loaded,
            Served::Joined => Self::Joined,
            Served::Refreshed => Self::Refreshed,
            Served::StaleOnError => Self::StaleOnError,
        }
    }
}

/// Why a request was answered in this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The load was made for this reason.
    Missed(LoadReason),
    /// What the engine says of what was kept.
    Judged(Reason),
    /// There was no answer.
    Failed(FailureKind),
    /// It went past the cache.
    Passed(Passage),
    /// A token is needed, and there was none.
    NoToken,
    /// It is nothing that is forwarded.
    Inadmissible,
    /// The error is ours: the server did not answer, or the request was not whole.
    Unanswered,
    /// The client left before the answer came.
    Left,
}

impl Why {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missed(why) => why.name(),
            Self::Judged(reason) => reason.name(),
            Self::Failed(kind) => kind.name(),
            Self::Passed(passage) => passage.name(),
            Self::NoToken => "no-token",
            Self::Inadmissible => "inadmissible",
            Self::Unanswered => "unanswered",
            Self::Left => "left",
        }
    }
}

/// What only the one who answers knows of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// In which way it was answered.
    pub verdict: Verdict,
    /// Why.
    pub why: Option<Why>,
    /// How old the answer may be, if it was kept.
    pub age_ms: Option<u64>,
    /// Whether the server was not asked.
    pub is_saved: bool,
}

impl Outcome {
    /// An answer that was not kept.
    pub fn new(verdict: Verdict, why: Why) -> Self {
        Self { why: Some(why), ..Self::bare(verdict) }
    }

    /// The same, and nobody says why.
    pub fn bare(verdict: Verdict) -> Self {
        Self { verdict, why: None, age_ms: None, is_saved: false }
    }
}

/// Somebody, without saying who: the beginning of a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct User(u32);

impl User {
    /// Somebody by the first bytes of a keyed hash.
    pub fn new(hash: [u8; 4]) -> Self {
        Self(u32::from_be_bytes(hash))
    }

    /// Somebody by a keyed hash in hexadecimal; `None` if it is none.
    pub fn of_hash(text: &str) -> Option<Self> {
        u32::from_str_radix(text.get(..8)?, 16).ok().map(Self)
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl Serialize for User {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One request, answered.
#[derive(Debug, Clone)]
pub struct Decision {
    /// When it was answered.
    pub at_ms: u64,
    /// What it asked for.
    pub subject: Subject,
    /// Which app asked.
    pub app: Arc<App>,
    /// Who asked, if the server is known to accept that token.
    pub user: Option<User>,
    /// Which question it was, by hash, if it is one whose answer may be kept.
    pub question: Option<u64>,
    /// How it was answered.
    pub outcome: Outcome,
    /// The status of the answer.
    pub status: u16,
    /// How long it took until the answer began.
    pub elapsed_us: u64,
    /// The length of its body, as far as it is known when it begins.
    pub bytes: u64,
}
