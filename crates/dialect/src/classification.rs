//! Result of classifying a request.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::class::{Class, Lifetime};
use crate::tag::{Tag, TagInvalidation};

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
    /// Which tokens may share the response.
    pub sharing: SharingScope,
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

/// Which tokens may share a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharingScope {
    /// Only the token that made the request.
    Identity,
    /// Everyone, even without a token (public info).
    Public,
    /// All tokens share the bytes, but a hit needs an image grant of its token for this subject.
    Image(ImageSubject),
}

/// What an image shows, in whatever size and format.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageSubject {
    /// The item; where the path names none, the image itself.
    pub item: String,
    /// Which of the item's images, in the server's spelling (`Primary`, `thumb`); empty if it has but one.
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
}

/// The throttled invalidations of a progress report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottledInvalidation {
    /// Key of the playing item.
    pub item: String,
    /// Applied at most once a minute.
    pub invalidations: Vec<TagInvalidation>,
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
    /// A WebSocket.
    Socket,
    /// A stream of server-sent events, or a request that the server answers when something happens.
    Events,
    /// Accounts, tokens, security, login: never cached.
    Account,
    /// A playback decision, a play queue, a probe: the response is valid for this moment only.
    Moment,
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
            Self::Events => "events",
            Self::Account => "account",
            Self::Moment => "moment",
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
