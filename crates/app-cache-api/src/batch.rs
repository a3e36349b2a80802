//! Several operations in one transaction.

use greenroom_cache::Timestamp;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::{Extension, Json};
use data_encoding::BASE64;
use greenroom_app_cache::batch::{BatchOperation, BatchResult, MAX_BATCH_OPERATIONS};
use greenroom_app_cache::entry::{
    EntryState, FreshTime, MAX_MEDIA_TYPE_BYTES, NewEntry, StoredEntry, USUAL_MEDIA_TYPE,
};
use greenroom_app_cache::put::{Put, PutCondition, PutResult};
use greenroom_app_cache::{AppCacheError, AppCaches, CacheName, EntryKey};
use http::HeaderMap;
use http::header::HeaderValue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::parameters::{MAX_TIME, tags, version};
use crate::problem::{AppCacheProblem, BATCH_TOO_LONG};
use crate::request::{cache_name, read_call};

/// Max bytes of a batch.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Several operations.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppCacheBatch)]
pub(crate) struct BatchRequest {
    /// At most 1000. All lookups see what was there before the batch; after values of 16 MiB the others are `later`.
    operations: Vec<BatchItem>,
    /// Answer before the puts are on disk. The batch must consist of plain puts.
    #[serde(default)]
    defer: bool,
}

/// Keys of entries to look up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppCacheBatchLookup)]
pub(crate) struct BatchLookup {
    /// At most 1000. After values of 16 MiB the others are `later`.
    keys: Vec<String>,
}

/// Kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = AppCacheOperationKind)]
pub(crate) enum OperationKind {
    /// Looks an entry up.
    Get,
    /// Stores an entry.
    Put,
    /// Stores an entry if there is no fresh one.
    Add,
    /// Removes an entry.
    Delete,
}

/// One operation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppCacheOperation)]
pub(crate) struct BatchItem {
    op: OperationKind,
    key: String,
    /// The value in base 64.
    value: Option<String>,
    /// Media type of the value.
    media_type: Option<String>,
    /// Fresh time; `-1`: for ever. Default: the cache's.
    ttl_ms: Option<i64>,
    /// Stale time. Default: the cache's.
    stale_ms: Option<u64>,
    /// Tags.
    #[serde(default)]
    tags: Vec<String>,
    /// Version of the value's form.
    #[serde(default)]
    version: String,
    /// As the parameter of a put.
    begun: Option<u64>,
    /// As the parameter of a put.
    lease: Option<u64>,
}

/// Results of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheBatchResults)]
pub(crate) struct BatchResponse {
    /// One for each operation, in their order.
    results: Vec<BatchItemResult>,
    /// Barrier to await with flush, if puts were deferred.
    #[serde(skip_serializing_if = "Option::is_none")]
    barrier: Option<String>,
}

/// Word for the result of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = AppCacheOperationState)]
pub(crate) enum OperationState {
    /// A fresh entry was found.
    Hit,
    /// A stale entry was found.
    Stale,
    /// No entry was found.
    Miss,
    /// Stored.
    Stored,
    /// Will be stored.
    Deferred,
    /// Not read, because the values before it fill the response: ask again.
    Later,
    /// Removed.
    Deleted,
    /// There was a fresh entry.
    Present,
    /// Out of date.
    Fenced,
    /// The cache is full.
    Full,
    /// The value is too long.
    TooLong,
    /// The operation is not valid; nothing was done for it.
    Invalid,
}

/// Result of one operation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheOperationResult)]
pub(crate) struct BatchItemResult {
    state: OperationState,
    /// The value in base 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Media type of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// Time since it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    /// Time until it expires, negative if it is stale; absent if it never does.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_ms: Option<i64>,
    /// Time until its stale time ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_left_ms: Option<i64>,
    /// Tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    /// Version of the value's form.
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
}

/// Gets, stores and removes entries in one transaction. Each operation has a result of its own; one that is not valid
/// does not stop the others.
#[utoipa::path(
    post,
    path = "/api/v1/caches/{cache}/batch",
    params(("cache" = String, Path, description = "Such as worker")),
    request_body = BatchRequest,
    responses(
        (status = 200, body = BatchResponse),
        (status = 404, description = "No cache can have this name"),
        (status = 503, description = "The store fails"),
        (status = 507, description = "The disk is full, or there are too many caches"),
    ),
)]
pub(crate) async fn run(
    Extension(caches): Extension<AppCaches>,
    Path(cache): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BatchResponse>, AppCacheProblem> {
    let cache = cache_name(&cache)?;
    let request: BatchRequest = read_call(&headers, body, MAX_BATCH_BYTES).await?;
    if request.operations.len() > MAX_BATCH_OPERATIONS {
        return Err(BATCH_TOO_LONG.into());
    }
    let items: Vec<_> = request.operations.into_iter().map(|item| item.operation(&caches, &cache)).collect();
    if request.defer {
        return defer(&caches, &cache, items).await.map(Json);
    }
    in_one_transaction(&caches, &cache, &items).await.map(Json)
}

/// Looks several entries up at one moment. A token that only reads may do so.
#[utoipa::path(
    post,
    path = "/api/v1/caches/{cache}/batch/get",
    params(("cache" = String, Path, description = "Such as worker")),
    request_body = BatchLookup,
    responses(
        (status = 200, body = BatchResponse),
        (status = 404, description = "No cache can have this name"),
        (status = 503, description = "The store fails"),
    ),
)]
pub(crate) async fn look_up(
    Extension(caches): Extension<AppCaches>,
    Path(cache): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BatchResponse>, AppCacheProblem> {
    let cache = cache_name(&cache)?;
    let request: BatchLookup = read_call(&headers, body, MAX_BATCH_BYTES).await?;
    if request.keys.len() > MAX_BATCH_OPERATIONS {
        return Err(BATCH_TOO_LONG.into());
    }
    let items: Vec<_> = request.keys.iter().map(|key| EntryKey::parse(key).map(BatchOperation::Get)).collect();
    in_one_transaction(&caches, &cache, &items).await.map(Json)
}

/// Runs the operations of which there is one; the others are not valid.
async fn in_one_transaction(
    caches: &AppCaches,
    cache: &CacheName,
    items: &[Option<BatchOperation>],
) -> Result<BatchResponse, AppCacheProblem> {
    let operations: Vec<BatchOperation> = items.iter().flatten().cloned().collect();
    let mut results =
        if operations.is_empty() { Vec::new() } else { caches.batch(cache, operations).await? }.into_iter();
    let now_ms = caches.now_ms();
    let result_of = |item: &Option<BatchOperation>| match item.as_ref().and_then(|_| results.next()) {
        Some(result) => BatchItemResult::of(result, now_ms),
        None => BatchItemResult::plain(OperationState::Invalid),
    };
    Ok(BatchResponse { results: items.iter().map(result_of).collect(), barrier: None })
}

async fn defer(
    caches: &AppCaches,
    cache: &CacheName,
    items: Vec<Option<BatchOperation>>,
) -> Result<BatchResponse, AppCacheProblem> {
    let (mut results, mut last) = (Vec::with_capacity(items.len()), None);
    for item in items {
        let state = match item {
            Some(BatchOperation::Put(Put {
                key,
                entry,
                condition: PutCondition::Always,
                begun: None,
                lease: None,
            })) => {
                if entry.value.len() as u64 > caches.max_value_bytes(cache) {
                    OperationState::TooLong
                } else {
                    match caches.put_later(cache, key, entry).await {
                        Ok(Some(barrier)) => {
                            last = Some(barrier);
                            OperationState::Deferred
                        }
                        Ok(None) => OperationState::Stored,
                        Err(AppCacheError::Full) => OperationState::Full,
                        Err(AppCacheError::ValueTooLong) => OperationState::TooLong,
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            _ => OperationState::Invalid,
        };
        results.push(BatchItemResult::plain(state));
    }
    Ok(BatchResponse { results, barrier: last })
}

impl BatchItem {
    fn operation(self, caches: &AppCaches, cache: &CacheName) -> Option<BatchOperation> {
        let key = EntryKey::parse(&self.key)?;
        let condition = match self.op {
            OperationKind::Get => return Some(BatchOperation::Get(key)),
            OperationKind::Delete => return Some(BatchOperation::Delete(key)),
            OperationKind::Put => PutCondition::Always,
            OperationKind::Add => PutCondition::Absent,
        };
        let ttl = match self.ttl_ms {
            None => FreshTime::Usual,
            Some(-1) => FreshTime::Unlimited,
            Some(millis) => FreshTime::Limited(Duration::from_millis(u64::try_from(millis).ok()?).min(MAX_TIME)),
        };
        let stale = self.stale_ms.map(|millis| Duration::from_millis(millis).min(MAX_TIME));
        let (expires_ms, dies_ms) = caches.deadlines(cache, ttl, stale);
        let media_type = self.media_type.unwrap_or_else(|| USUAL_MEDIA_TYPE.to_owned());
        let is_header = media_type.len() <= MAX_MEDIA_TYPE_BYTES
            && HeaderValue::from_str(&media_type).is_ok_and(|value| value.to_str().is_ok());
        if !is_header {
            return None;
        }
        let value = BASE64.decode(self.value?.as_bytes()).ok()?;
        let (tags, version) = (tags(self.tags).ok()?, version(&self.version).ok()?);
        let entry = NewEntry { value, media_type, expires_ms, dies_ms, tags, version };
        Some(BatchOperation::Put(Put { key, entry, condition, begun: self.begun, lease: self.lease }))
    }
}

impl BatchItemResult {
    fn plain(state: OperationState) -> Self {
        Self {
            state,
            value: None,
            media_type: None,
            age_ms: None,
            left_ms: None,
            stale_left_ms: None,
            tags: Vec::new(),
            version: String::new(),
        }
    }

    fn of(result: BatchResult, now_ms: Timestamp) -> Self {
        Self::plain(match result {
            BatchResult::Got(Some(found)) => return Self::found(*found, now_ms),
            BatchResult::Got(None) | BatchResult::Deleted(false) => OperationState::Miss,
            BatchResult::NotRead => OperationState::Later,
            BatchResult::Deleted(true) => OperationState::Deleted,
            BatchResult::Put(PutResult::Stored(_)) => OperationState::Stored,
            BatchResult::Put(PutResult::ConditionFailed) => OperationState::Present,
            BatchResult::Put(PutResult::Fenced) => OperationState::Fenced,
            BatchResult::Put(PutResult::Full) => OperationState::Full,
            BatchResult::Put(PutResult::TooLarge) | BatchResult::ValueTooLong => OperationState::TooLong,
        })
    }

    fn found(found: StoredEntry, now_ms: Timestamp) -> Self {
        let is_fresh = found.entry.state(now_ms) == EntryState::Fresh;
        let left = |at: Timestamp| {
            i64::try_from(i128::from(at.as_millis()) - i128::from(now_ms.as_millis())).unwrap_or(i64::MAX)
        };
        Self {
            state: if is_fresh { OperationState::Hit } else { OperationState::Stale },
            value: Some(BASE64.encode(&found.entry.value)),
            media_type: Some(found.entry.media_type),
            age_ms: Some(now_ms.millis_since(found.stored_ms)),
            left_ms: found.entry.expires_ms.map(left),
            stale_left_ms: found.entry.dies_ms.map(left),
            tags: found.entry.tags.as_slice().to_vec(),
            version: found.entry.version,
        }
    }
}
