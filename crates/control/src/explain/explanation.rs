//! The explanation of a read.

use serde::Serialize;
use utoipa::ToSchema;

/// The explanation of a read.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Why)]
pub struct Explanation {
    /// The server.
    pub server: String,
    /// The request, without secrets.
    pub asked: String,
    /// `read`, `write`, `stream` or `refused`.
    pub kind: &'static str,
    /// The request type of a read; otherwise why it passes or is rejected.
    pub class: String,
    /// Identifier of the response a request would get now.
    pub outcome: &'static str,
    /// The response a request gets now, as a sentence.
    pub sentence: String,
    /// The token's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<ExplainedCaller>,
    /// The cache key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyParts>,
    /// The cache entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<ExplainedEntry>,
    /// The last invalidation that affects it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidation: Option<LastInvalidation>,
    /// The server's current response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_says: Option<OriginComparison>,
}

/// The token and its identity.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhyAsker)]
pub struct ExplainedCaller {
    /// Where the token came from: `address`, `given`, `configured` or `none`.
    pub token: &'static str,
    /// True if it was seen before.
    pub known: bool,
    /// Grant of this token for this request type: `holds`, `expired` or `missing`.
    pub proof: &'static str,
    /// True if an event stream invalidates entries for it.
    pub live_signal: bool,
}

/// The cache key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhyKey)]
pub struct KeyParts {
    /// The partition: `public`, `images`, or a keyed hash that reveals nothing about the token.
    pub partition: String,
    /// The canonical request.
    pub text: String,
    /// The format of the response.
    pub representation: &'static str,
}

/// The cache entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhyKept)]
pub struct ExplainedEntry {
    /// Bytes of the body.
    pub bytes: usize,
    /// The tier that holds it.
    pub tier: &'static str,
    /// Its maximum age, in milliseconds.
    pub age_ms: u64,
    /// Why it was loaded.
    pub loaded_because: &'static str,
    /// Time until it stops being fresh, in milliseconds; negative afterwards.
    pub fresh_left_ms: i64,
    /// Time until it stops being served stale, with a background refresh.
    pub stale_left_ms: i64,
    /// Time until it stops being served on errors.
    pub stale_on_error_left_ms: i64,
    /// True if it is a warm key.
    pub warm: bool,
    /// The tags that invalidate it.
    pub tags: Vec<String>,
}

/// The last invalidation that affects the cache entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhyInvalidated)]
pub struct LastInvalidation {
    /// When, in milliseconds.
    pub at_ms: u64,
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
    /// The tag or scope by which it applies.
    pub by: String,
    /// `none` if the entry was loaded later, `marked` if it is served on errors only, `purged` if not even then.
    pub effect: &'static str,
}

/// The server's current response.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhySaid)]
pub struct OriginComparison {
    /// `same`, `different`, `nothing-kept` or `no-answer`.
    pub word: &'static str,
    /// The response's status, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Where it differs from the cached response, or why there is no response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}
