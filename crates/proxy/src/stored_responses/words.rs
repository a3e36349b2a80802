//! What is asked and told about stored responses, over the API and by commands.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which responses to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = StoredQuery)]
pub struct Query {
    /// Only those of this server.
    pub server: Option<String>,
    /// Only those of this class.
    pub class: Option<String>,
    /// Only those too old to be served without asking the server.
    pub expired: bool,
    /// So many at most; 0 for all.
    pub limit: usize,
}

/// Which response to show.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = StoredShowQuery)]
pub struct ShowQuery {
    /// Its key, or an address or path.
    pub what: String,
    /// Only those of this server.
    pub server: Option<String>,
    /// With the body.
    pub body: bool,
}

/// Whether to mend.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = StoredVerifyQuery)]
pub struct VerifyQuery {
    /// Take out what is damaged.
    pub repair: bool,
}

/// One stored response. Times are in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredResponse)]
pub struct Response {
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
    /// When it was read last, exact to the hour.
    pub used_ms: u64,
    /// Until when it is fresh.
    pub fresh_until_ms: u64,
    /// Until when it is served stale.
    pub stale_until_ms: u64,
    /// Until when it is served if the server fails.
    pub stale_on_error_until_ms: u64,
    /// What it is good for now.
    pub state: String,
    /// Invalidations that cover it; only where one response is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub markers: Option<Vec<Marker>>,
    /// Its media type; only where one response is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether it is what was written; only where one response is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_whole: Option<bool>,
    /// The body, in hexadecimal digits; only if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_hex: Option<String>,
}

/// An invalidation that covers a stored response.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredMarker)]
pub struct Marker {
    /// What was invalidated.
    pub by: String,
    /// Whether the response may not even stand in for a failure.
    pub purges: bool,
    /// Whether it came after the response was loaded.
    pub is_newer: bool,
}

/// Stored responses, the one read last first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredResponses)]
pub struct Responses {
    /// Those that were asked for.
    pub items: Vec<Response>,
    /// So many more fit.
    pub more: u64,
}

/// What is stored in all.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredTotals)]
pub struct Totals {
    /// Where it is.
    pub dir: String,
    /// Responses.
    pub answers: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those too old to be served without asking the server.
    pub expired: u64,
    /// Those with a file of their own.
    pub files: u64,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Of these, free.
    pub free_bytes: u64,
    /// Bytes of the write-ahead log.
    pub log_bytes: u64,
    /// Invalidations.
    pub markers: u64,
    /// The same by server and class.
    pub classes: Vec<ClassTotals>,
}

/// What is stored of one class.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredClass)]
pub struct ClassTotals {
    /// The server.
    pub server: String,
    /// The class.
    pub class: String,
    /// Responses.
    pub answers: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those too old to be served without asking the server.
    pub expired: u64,
    /// Those with a file of their own.
    pub files: u64,
}

/// What a check found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredVerified)]
pub struct Verified {
    /// Responses that were checked.
    pub answers: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// What is damaged.
    pub damage: Vec<Damaged>,
    /// Files that belong to no response.
    pub orphans: u64,
    /// Damaged responses that were taken out.
    pub repaired: u64,
}

/// One damage.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredDamage)]
pub struct Damaged {
    /// `torn`, `no-body` or `database`.
    pub what: String,
    /// The key it was found under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What the database says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Bytes of database and log.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredVacuumed)]
pub struct Vacuumed {
    /// Before.
    pub before_bytes: u64,
    /// After.
    pub after_bytes: u64,
}
