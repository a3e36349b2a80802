//! Requests and responses about stored responses, for the API and commands.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Selects the responses to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = StoredQuery)]
pub struct StoredQuery {
    /// Only of this server.
    pub server: Option<String>,
    /// Only of this class.
    pub class: Option<String>,
    /// Only those that are no longer served without asking the server.
    pub expired: bool,
    /// Max number; 0 for all.
    pub limit: usize,
}

/// Selects the response to show.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = StoredShowQuery)]
pub struct StoredShowQuery {
    /// Its key, or a URL or path.
    pub what: String,
    /// Only of this server.
    pub server: Option<String>,
    /// Include the body.
    pub body: bool,
}

/// Options of a check.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = StoredVerifyQuery)]
pub struct StoredVerifyQuery {
    /// Delete damaged responses.
    pub repair: bool,
}

/// One stored response. Times are in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredResponse)]
pub struct StoredResponse {
    /// Its key, without server and partition.
    pub key: String,
    /// Its server.
    pub server: String,
    /// The partition of the identity it was loaded for.
    pub partition: String,
    /// Its class.
    pub class: String,
    /// All its tags.
    pub tags: Vec<String>,
    /// Bytes of the body.
    pub length: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Whether the body is a file of its own.
    pub in_file: bool,
    /// Whether it is compressed on disk.
    pub compressed: bool,
    /// When its load began.
    pub created_ms: u64,
    /// When it was stored.
    pub stored_ms: u64,
    /// Time of the last read, exact to the hour.
    pub used_ms: u64,
    /// End of the fresh time.
    pub fresh_until_ms: u64,
    /// End of the stale time.
    pub stale_until_ms: u64,
    /// End of the time in which it is served if the server fails.
    pub stale_on_error_until_ms: u64,
    /// Current freshness.
    pub state: String,
    /// Invalidations that cover it; only where one response is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub markers: Option<Vec<StoredInvalidation>>,
    /// Its media type; only where one response is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether it is undamaged; only where one response is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_whole: Option<bool>,
    /// The body in hexadecimal digits; only on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_hex: Option<String>,
}

/// An invalidation that covers a stored response.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredMarker)]
pub struct StoredInvalidation {
    /// The invalidated scope.
    pub by: String,
    /// Whether the response must not be served even if a load fails.
    pub purges: bool,
    /// Whether it is newer than the response's load.
    pub is_newer: bool,
}

/// Stored responses, last read first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredResponses)]
pub struct StoredResponses {
    /// The selected responses.
    pub items: Vec<StoredResponse>,
    /// Number of further matches.
    pub more: u64,
}

/// Totals of the disk tier.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredTotals)]
pub struct StoredTotals {
    /// Its directory.
    pub dir: String,
    /// Number of responses.
    pub answers: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, the ones no longer served without asking the server.
    pub expired: u64,
    /// Of these, the ones with a file of their own.
    pub files: u64,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Of these, free bytes.
    pub free_bytes: u64,
    /// Bytes of the write-ahead log.
    pub log_bytes: u64,
    /// Number of invalidations.
    pub markers: u64,
    /// Totals by server and class.
    pub classes: Vec<StoredClassTotals>,
}

/// Totals of one class.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredClass)]
pub struct StoredClassTotals {
    /// The server.
    pub server: String,
    /// The class.
    pub class: String,
    /// Number of responses.
    pub answers: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, the ones no longer served without asking the server.
    pub expired: u64,
    /// Of these, the ones with a file of their own.
    pub files: u64,
}

/// Result of a check.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredVerified)]
pub struct StoredVerifyResult {
    /// Responses checked.
    pub answers: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Damage found.
    pub damage: Vec<StoredDamage>,
    /// Files without a response.
    pub orphans: u64,
    /// Damaged responses deleted.
    pub repaired: u64,
}

/// One damaged response or part of the database.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredDamage)]
pub struct StoredDamage {
    /// `torn`, `no-body` or `database`.
    pub what: String,
    /// Key of the damaged response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Message of the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Bytes of database and log before and after a vacuum.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredVacuumed)]
pub struct StoredVacuumResult {
    /// Before.
    pub before_bytes: u64,
    /// After.
    pub after_bytes: u64,
}
