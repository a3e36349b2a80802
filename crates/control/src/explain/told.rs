//! What is told of a read.

use serde::Serialize;
use utoipa::ToSchema;

/// What is told.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Why)]
pub struct Told {
    /// The server.
    pub server: String,
    /// What was asked about, without secrets.
    pub asked: String,
    /// `read`, `write`, `stream` or `refused`.
    pub kind: &'static str,
    /// Its class, if it is a read; why it passes or is refused, if not.
    pub class: String,
    /// What a request would get from the cache now, in a word.
    pub outcome: &'static str,
    /// What a request gets now, as a sentence.
    pub sentence: String,
    /// Who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Asker>,
    /// What the answer is kept under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyParts>,
    /// What is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Kept>,
    /// The last invalidation that reaches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidation: Option<Invalidated>,
    /// What the server says now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_says: Option<Said>,
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhyAsker)]
pub struct Asker {
    /// Where the token came from: `address`, `given`, `configured` or `none`.
    pub token: &'static str,
    /// Whether it was seen before.
    pub known: bool,
    /// Whether the server's yes to it holds for this class: `holds`, `expired` or `missing`.
    pub proof: &'static str,
    /// Whether a live signal tells what becomes stale for it.
    pub live_signal: bool,
}

/// What the answer is kept under.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhyKey)]
pub struct KeyParts {
    /// Whose part of the cache: `public`, `images`, or a keyed hash that says nothing about the token.
    pub partition: String,
    /// The question in canonical words.
    pub text: String,
    /// In which form the answer comes.
    pub representation: &'static str,
}

/// What is kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhyKept)]
pub struct Kept {
    /// Bytes of the body.
    pub bytes: usize,
    /// Where.
    pub tier: &'static str,
    /// How old it can be at most, in milliseconds.
    pub age_ms: u64,
    /// Why it was loaded.
    pub loaded_because: &'static str,
    /// Fresh for so long yet, in milliseconds; negative when that is over.
    pub fresh_left_ms: i64,
    /// Then answered while a refresh runs behind.
    pub stale_left_ms: i64,
    /// Then answered if the server cannot be asked.
    pub stale_on_error_left_ms: i64,
    /// Whether it is kept warm.
    pub warm: bool,
    /// What makes it stale.
    pub tags: Vec<String>,
}

/// The last invalidation that reaches what is kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhyInvalidated)]
pub struct Invalidated {
    /// When, in milliseconds.
    pub at_ms: u64,
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
    /// By what it reaches it.
    pub by: String,
    /// `none` if what is kept is from after it, `marked` if it may only stand in for a failure, `purged` if not even
    /// that.
    pub effect: &'static str,
}

/// What the server says now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WhySaid)]
pub struct Said {
    /// `same`, `different`, `nothing-kept` or `no-answer`.
    pub word: &'static str,
    /// Its status, if it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Where it differs from what is kept, or why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}
