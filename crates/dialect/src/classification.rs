//! Result of classifying a request.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::class::{Class, Lifetime};
use crate::tag::{Tag, TagInvalidation};

/// Begins the name of a user's document in the lineage.
pub(crate) const USER_DOCUMENTS: &str = "users/";

/// Name of a write that starts a scan for changed files.
pub(crate) const SCAN: &str = "scan";

/// Classification of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Classification {
    /// A read: its response may be cached.
    Read(Arc<Read>),
    /// A write: forwarded once, and invalidates cached responses.
    Write(Box<Write>),
    /// A pass-through: forwarded unbuffered and uncached.
    Stream(StreamReason),
    /// A rejected request: not forwarded.
    Refuse(RejectionReason),
}

/// A request whose response may be cached. The upstream request is rebuilt from `target` and `headers` plus
/// the client's credential; nothing else of the client's request reaches the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Request type.
    pub class: Class,
    /// Canonical text of the request: two requests that the server must answer alike have the same text.
    /// Holds no identity and no secret.
    pub key: String,
    /// Path and query of the upstream request, without any credential.
    pub target: String,
    /// Headers of the upstream request (representation, paging, language); never a credential, never a
    /// `Host`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Tags of the response as far as the request shows them; `inspect` may add more.
    pub tags: Vec<Tag>,
    /// Representation of the response.
    pub representation: Representation,
    /// Tokens that may share the response.
    pub sharing: SharingScope,
    /// Dependence of the response on the token itself, beyond its account and the key.
    pub token_dependence: TokenDependence,
    /// Default lifetime, adapted to the request (bodies with user state live shorter).
    pub lifetime: Lifetime,
}

/// Format of a response. Different representations never share a key.
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

/// Tokens that may share a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharingScope {
    /// Only the token that made the request, and others that are proven to be of the same account.
    Identity,
    /// Everyone, even without a token (public info).
    Public,
    /// All tokens share the bytes, but a hit needs an image grant of its token for this subject.
    Image(ImageSubject),
}

/// Dependence of a response on a token, beyond its account and the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenDependence {
    /// Nothing: all tokens of an account get the same.
    Nothing,
    /// The name of the key, if the token is an API key: the server takes it for the name of the app, whatever the
    /// request says. Otherwise the request names the app, and the key of the response holds what depends on it.
    KeyName,
    /// The device or app that the server knows the token by, because the request names none.
    Device,
}

/// The subject of an image, in whatever size and format.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageSubject {
    /// The item; where the path names none, the image itself.
    pub item: String,
    /// Kind of the item's image, in the server's spelling (`Primary`, `thumb`); empty if it has but one.
    pub kind: String,
}

impl ImageSubject {
    /// An item's image of this kind.
    pub fn new(item: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { item: item.into(), kind: kind.into() }
    }
}

/// A request that changes something on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Name for statistics: `scrobble`, `playlist`, `edit`, `timeline`, `unknown` …
    pub name: &'static str,
    /// Invalidations to apply as soon as the write succeeds.
    pub invalidations: Vec<TagInvalidation>,
    /// For progress reports: invalidations applied at most once a minute per item.
    pub throttled: Option<ThrottledInvalidation>,
    /// Tokens that the write revokes.
    pub revokes: TokenRevocation,
    /// If its body replaces a document: compared with that, it may concern less.
    pub edit: Option<DocumentEdit>,
}

impl Write {
    /// The invalidations that are made at once where events and changed-since requests tell what happens later. A scan
    /// that was only started has changed nothing yet but the activities.
    pub fn at_once(&self) -> Vec<TagInvalidation> {
        let is_told_later = |stale: &TagInvalidation| self.name == SCAN && stale.tag != Tag::activities();
        self.invalidations.iter().filter(|stale| !is_told_later(stale)).cloned().collect()
    }
}

/// A document that a write replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditedDocument {
    /// That of an item, by its id.
    Item(String),
    /// The configuration of a user, by its id.
    UserConfiguration(String),
}

/// A write that replaces a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentEdit {
    /// The document.
    pub document: EditedDocument,
    /// Its new fields, with hashes of their values.
    pub fields: Vec<(String, u64)>,
}

impl EditedDocument {
    /// The name of the document in the lineage.
    pub fn key(&self) -> Cow<'_, str> {
        match self {
            Self::Item(id) => Cow::Borrowed(id),
            Self::UserConfiguration(id) => Cow::Owned(format!("{USER_DOCUMENTS}{id}")),
        }
    }
}

/// The throttled invalidations of a progress report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottledInvalidation {
    /// Key of the playing item.
    pub item: String,
    /// Progress of the item.
    pub progress: ReportedProgress,
    /// Applied at most once a minute.
    pub invalidations: Vec<TagInvalidation>,
}

/// Progress of an item, in the unit of the server's running times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportedProgress {
    /// Playback started, which counts as a play.
    Started,
    /// A position, and the running time if the report tells it.
    At {
        /// The position.
        position: u64,
        /// The running time.
        run_time: Option<u64>,
    },
    /// The report does not tell.
    Untold,
}

/// Tokens that a write revokes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRevocation {
    /// No token.
    Nothing,
    /// The client's own token (a logout).
    Caller,
    /// An unknown token of this server: all grants of the server are deleted.
    Everyone,
}

/// Reason for a pass-through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamReason {
    /// Media, transcodes, downloads.
    Media,
    /// A notification socket.
    Socket,
    /// A request to upgrade to a WebSocket on another path, where only the server knows whether there is one.
    Upgrade,
    /// A stream of server-sent events, or a request that the server answers when something happens.
    Events,
    /// Accounts, tokens, security, login: never cached.
    Account,
    /// A playback decision, a play queue, a probe: the response is valid for this moment only.
    Moment,
    /// A file of the server's own pages.
    Asset,
    /// The path, the query or a header is odd (dot segments, doubled slashes, conflicting parameters …).
    Odd,
    /// A GET or HEAD that is in no table.
    Unknown,
}

impl StreamReason {
    /// Name used in headers, statistics and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Socket => "socket",
            Self::Upgrade => "upgrade",
            Self::Events => "events",
            Self::Account => "account",
            Self::Moment => "moment",
            Self::Asset => "asset",
            Self::Odd => "odd",
            Self::Unknown => "unknown",
        }
    }
}

/// Reason for rejecting a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionReason {
    /// The path is one no honest client sends (NUL, `..`, encoded slash, …).
    BadPath,
    /// Claiming or first setup of a server, which is not allowed through a gateway.
    Setup,
    /// Emby, which is not supported.
    Emby,
}

impl RejectionReason {
    /// HTTP status of the rejection.
    pub fn status(self) -> u16 {
        match self {
            Self::BadPath => 400,
            Self::Setup => 403,
            Self::Emby => 501,
        }
    }

    /// One line for the client that gives the reason.
    pub fn message(self) -> &'static str {
        match self {
            Self::BadPath => "the request path is malformed",
            Self::Setup => "claim and set up the server on the server itself",
            Self::Emby => "Emby is not supported yet",
        }
    }
}
