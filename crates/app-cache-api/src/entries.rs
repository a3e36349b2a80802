//! One entry: looked up, stored, removed.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Response};
use greenroom_app_cache::AppCaches;
use greenroom_app_cache::entry::{MAX_MEDIA_TYPE_BYTES, NewEntry, USUAL_MEDIA_TYPE};
use greenroom_app_cache::put::{Put, PutCondition, PutResult};
use http::StatusCode;
use http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue};

use crate::entry_response;
use crate::parameters::{GetParams, PutParams, condition, entity_tag};
use crate::problem::{
    AppCacheProblem, BAD_PARAMETER, CACHE_FULL, CONDITION_FAILED, FENCED, NO_ENTRY, ProblemText, TOO_LONG,
    VALUE_TOO_LONG,
};
use crate::request::{address, read_body};

/// The barrier of a deferred put.
const BARRIER: HeaderName = HeaderName::from_static("greenroom-barrier");

/// Looks an entry up. `Cache-Status` says whether it is fresh or stale, and where it was.
#[utoipa::path(
    get,
    path = "/api/v1/caches/{cache}/entries/{key}",
    params(
        ("cache" = String, Path, description = "Such as worker"),
        ("key" = String, Path, description = "Percent-encoded text of 1 to 8192 bytes"),
        GetParams,
    ),
    responses(
        (status = 200, description = "The value, with the media type it was stored with", headers(
            ("cache-status" = String, description = "RFC 9211: hit, or hit and fwd=stale; ttl in seconds; detail is memory or disk"),
            ("etag" = String, description = "Number of the write; absent while it is deferred"),
            ("greenroom-age-ms" = String, description = "Time since it was stored"),
            ("greenroom-left-ms" = String, description = "Time until it expires, negative if it is stale; absent if it never does"),
        )),
        (status = 304, description = "If-None-Match has its ETag"),
        (status = 404, description = "No such entry, or no such cache"),
        (status = 503, description = "The store fails"),
    ),
)]
pub(crate) async fn get(
    Extension(caches): Extension<AppCaches>,
    Path((cache, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, AppCacheProblem> {
    let (cache, key) = address(&cache, &key)?;
    let params = GetParams::parse(query.as_deref())?;
    let found = caches.get(&cache, &key, params.version.as_deref()).await?;
    Ok(entry_response::of_lookup(found, &headers, caches.now_ms()))
}

/// Stores an entry. It outlives the process once this responds with 204; with `defer=1` it responds before, with 202.
#[utoipa::path(
    put,
    path = "/api/v1/caches/{cache}/entries/{key}",
    params(
        ("cache" = String, Path, description = "Such as worker; a cache that is not there is made"),
        ("key" = String, Path, description = "Percent-encoded text of 1 to 8192 bytes"),
        PutParams,
    ),
    request_body(content = String, content_type = "application/octet-stream", description = "The value, of any media type"),
    responses(
        (status = 202, description = "Deferred", headers(("greenroom-barrier" = String, description = "To be waited for with flush"))),
        (status = 204, description = "Stored", headers(("etag" = String, description = "Number of the write"))),
        (status = 404, description = "No cache can have this name"),
        (status = 409, description = "Fenced: the key or a tag was written or invalidated since"),
        (status = 412, description = "The condition of If-Match or If-None-Match does not hold"),
        (status = 503, description = "The store fails"),
        (status = 507, description = "The disk or the cache is full, or there are too many caches"),
    ),
)]
pub(crate) async fn put(
    Extension(caches): Extension<AppCaches>,
    Path((cache, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, AppCacheProblem> {
    let (cache, key) = address(&cache, &key)?;
    let max_bytes = usize::try_from(caches.max_value_bytes(&cache)).unwrap_or(usize::MAX);
    let value = read_body(body, max_bytes).await;
    let value = value.map_err(|problem| if problem == TOO_LONG { VALUE_TOO_LONG } else { problem })?;
    let params = PutParams::parse(query.as_deref())?;
    let condition = condition(&headers)?;
    let (expires_ms, dies_ms) = caches.deadlines(&cache, params.ttl_ms, params.stale_ms);
    let entry = NewEntry {
        value: value.into(),
        media_type: media_type(headers.get(CONTENT_TYPE))?,
        expires_ms,
        dies_ms,
        tags: params.tag,
        version: params.version,
    };
    if params.defer {
        // What is deferred is stored without a look at what is there.
        if condition != PutCondition::Always || params.begun.is_some() || params.lease.is_some() {
            return Err(BAD_PARAMETER.into());
        }
        let barrier = caches.put_later(&cache, key, entry).await?;
        return Ok(deferred(barrier));
    }
    let put = Put { key, entry, condition, begun: params.begun, lease: params.lease };
    match caches.put(&cache, put).await? {
        PutResult::Stored(sequence) => Ok(with_header(StatusCode::NO_CONTENT, ETAG, &entity_tag(sequence))),
        PutResult::ConditionFailed => Err(CONDITION_FAILED.into()),
        PutResult::Fenced => Err(FENCED.into()),
        PutResult::Full => Err(CACHE_FULL.into()),
        PutResult::TooLarge => Err(VALUE_TOO_LONG.into()),
    }
}

/// Removes an entry. A load of it that is under way is not stored.
#[utoipa::path(
    delete,
    path = "/api/v1/caches/{cache}/entries/{key}",
    params(("cache" = String, Path, description = "Such as worker"), ("key" = String, Path, description = "The key")),
    responses(
        (status = 204, description = "Removed"),
        (status = 404, description = "There was no fresh entry, or no such cache"),
        (status = 503, description = "The store fails"),
        (status = 507, description = "The disk is full"),
    ),
)]
pub(crate) async fn delete(
    Extension(caches): Extension<AppCaches>,
    Path((cache, key)): Path<(String, String)>,
) -> Result<StatusCode, AppCacheProblem> {
    let (cache, key) = address(&cache, &key)?;
    let found = caches.pop(&cache, &key).await?;
    found.map(|_| StatusCode::NO_CONTENT).ok_or(NO_ENTRY.into())
}

fn deferred(barrier: Option<String>) -> Response {
    match barrier {
        Some(barrier) => with_header(StatusCode::ACCEPTED, BARRIER, &barrier),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

fn with_header(status: StatusCode, name: HeaderName, value: &str) -> Response {
    let mut response = status.into_response();
    // A tag or a barrier is plain text.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

fn media_type(value: Option<&HeaderValue>) -> Result<String, ProblemText> {
    let Some(value) = value else { return Ok(USUAL_MEDIA_TYPE.to_owned()) };
    let text = value.to_str().map_err(|_| BAD_PARAMETER)?;
    if text.len() <= MAX_MEDIA_TYPE_BYTES { Ok(text.to_owned()) } else { Err(BAD_PARAMETER) }
}
