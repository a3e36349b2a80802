//! The explanation of a read.

use serde::Serialize;
use utoipa::ToSchema;

/// The explanation of a read.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Why)]
pub struct Explanation {
    /// The server.
    pub(crate) server: String,
    /// The request, without secrets.
    pub(crate) asked: String,
    /// `read`, `write`, `stream` or `refused`.
    pub(crate) kind: &'static str,
    /// The request type of a read; otherwise why it passes or is rejected.
    pub(crate) class: String,
    /// Identifier of the response a request would get now.
    pub(crate) outcome: &'static str,
    /// The response a request gets now, as a sentence.
    pub(crate) sentence: String,
    /// The token's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<ExplainedCaller>,
    /// The cache key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<KeyParts>,
    /// The cache entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entry: Option<ExplainedEntry>,
    /// The last invalidation that affects it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invalidation: Option<LastInvalidation>,
    /// The server's current response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_says: Option<OriginComparison>,
}

/// The token and its identity.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhyAsker)]
pub struct ExplainedCaller {
    /// Source of the token: `address`, `given`, `configured` or `none`.
    pub(crate) token: &'static str,
    /// True if it was seen before.
    pub(crate) known: bool,
    /// Grant of this token for this request type: `holds`, `expired` or `missing`.
    pub(crate) proof: &'static str,
    /// True if an event stream invalidates entries for it.
    pub(crate) live_signal: bool,
}

/// The cache key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhyKey)]
pub struct KeyParts {
    /// The partition: `public`, `images`, or a keyed hash that reveals nothing about the token.
    pub(crate) partition: String,
    /// The canonical request.
    pub(crate) text: String,
    /// The format of the response.
    pub(crate) representation: &'static str,
}

/// The cache entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhyKept)]
pub struct ExplainedEntry {
    /// Bytes of the body.
    pub(crate) bytes: usize,
    /// The tier that holds it.
    pub(crate) tier: &'static str,
    /// Its maximum age, in milliseconds.
    pub(crate) age_ms: u64,
    /// Reason of its load.
    pub(crate) loaded_because: &'static str,
    /// Time until it stops being fresh, in milliseconds; negative afterwards.
    pub(crate) fresh_left_ms: i64,
    /// Time until it stops being served stale, with a background refresh.
    pub(crate) stale_left_ms: i64,
    /// Time until it stops being served on errors.
    pub(crate) stale_on_error_left_ms: i64,
    /// True if it is a warm key.
    pub(crate) warm: bool,
    /// The tags that invalidate it.
    pub(crate) tags: Vec<String>,
}

/// The last invalidation that affects the cache entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhyInvalidated)]
pub struct LastInvalidation {
    /// When, in milliseconds.
    pub(crate) at_ms: u64,
    /// Time since then, in milliseconds.
    pub(crate) ago_ms: u64,
    /// The tag or scope by which it applies.
    pub(crate) by: String,
    /// `none` if the entry was loaded later, `marked` if it is served on errors only, `purged` if not even then.
    pub(crate) effect: &'static str,
}

/// The server's current response.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhySaid)]
pub struct OriginComparison {
    /// `same`, `different`, `nothing-kept` or `no-answer`.
    pub(crate) word: &'static str,
    /// The response's status, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// First difference from the cached response, or the reason for which there is no response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    /// Its duration, in milliseconds.
    pub(crate) took_ms: u64,
}
