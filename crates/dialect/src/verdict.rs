//! What a request turns out to be.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::class::{Class, Lifetime};
use crate::tag::{Staling, Tag};

/// The decision about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its answer may be kept.
    Read(Arc<Read>),
    /// It changes something; it is forwarded once and makes answers stale.
    Write(Box<Write>),
    /// It passes through unbuffered and uncached.
    Stream(StreamReason),
    /// It is not forwarded at all.
    Refuse(Refusal),
}

/// A request whose answer may be kept. The upstream request is rebuilt from `target` and `headers` plus the
/// caller's credential; nothing else of the client's request reaches the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Which class of answers this is.
    pub class: Class,
    /// Canonical text of the request: two requests that the server must answer alike have the same text. Holds no
    /// identity and no secret.
    pub key: String,
    /// Path and query to ask the server for, without any credential.
    pub target: String,
    /// Headers to send with it (representation, paging, language); never a credential, never a `Host`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What the answer is about, as far as the request tells; `inspect` may add more.
    pub tags: Vec<Tag>,
    /// In which form the answer comes.
    pub representation: Representation,
    /// Between whom the answer may be shared.
    pub sharing: Sharing,
    /// Default lifetime, after what the request tells (bodies with user state live shorter).
    pub lifetime: Lifetime,
}

/// In which form an answer comes. Representations never share a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Representation {
    /// XML, the default of Plex.
    Xml,
    /// JSON as the server writes it by default.
    Json,
    /// Jellyfin's JSON with lower-case first letters.
    JsonCamel,
    /// An image or another opaque body.
    Opaque,
}

/// Between whom an answer may be shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharing {
    /// Only with the identity that asked.
    Identity,
    /// With everybody, also without a token (public info).
    Public,
    /// The bytes are shared, but a hit needs proof that this token was shown this item's image. The text names the
    /// item (or, where the path names none, the image itself).
    Image(String),
}

/// A request that changes something on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// A word for statistics: `scrobble`, `playlist`, `edit`, `timeline`, `unknown` …
    pub name: &'static str,
    /// What its success makes stale at once.
    pub stale: Vec<Staling>,
    /// For progress reports while playing: what it makes stale at most once a minute per item.
    pub minutely: Option<Minutely>,
    /// Whether the caller's token, or another's, ceases to be valid by it.
    pub forgets: Forgets,
}

/// The slow part of a progress report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minutely {
    /// The item that plays.
    pub item: String,
    /// What follows at most once a minute.
    pub stale: Vec<Staling>,
}

/// Whose standing a write ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgets {
    /// Nobody's.
    Nobody,
    /// The caller's own token (a logout).
    Caller,
    /// Somebody's on this server: every proof of authorisation is forgotten.
    Everyone,
}

/// Why a request passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamReason {
    /// Media, transcodes, downloads, ranges.
    Media,
    /// A WebSocket.
    Socket,
    /// A stream of server-sent events.
    Events,
    /// Accounts, tokens, security, log-in: never kept.
    Account,
    /// A playback decision, a queue, a probe: its answer is for this moment only.
    Moment,
    /// The path, the query or a header is odd (dot segments, doubled slashes, conflicting parameters …).
    Odd,
    /// A GET or HEAD that no table knows.
    Unknown,
}

impl StreamReason {
    /// The word used in headers, statistics and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Socket => "socket",
            Self::Events => "events",
            Self::Account => "account",
            Self::Moment => "moment",
            Self::Odd => "odd",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a request is not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The path cannot be what an honest client sends (NUL, `..`, encoded slash, …).
    BadPath,
    /// Claiming or first set-up of a server is not done through a gateway.
    Setup,
    /// Emby is not spoken yet.
    Emby,
}

impl Refusal {
    /// The status the client gets.
    pub fn status(self) -> u16 {
        match self {
            Self::BadPath => 400,
            Self::Setup => 403,
            Self::Emby => 501,
        }
    }

    /// One line that says why.
    pub fn message(self) -> &'static str {
        match self {
            Self::BadPath => "the request path is malformed",
            Self::Setup => "claiming and first set-up must be done on the server itself",
            Self::Emby => "Emby is not supported yet",
        }
    }
}
