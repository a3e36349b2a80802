//! Problems of the caches for apps.

use axum::response::{IntoResponse, Response};
use greenroom_app_cache::AppCacheError;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::Serialize;

/// Reason to refuse a call.
#[derive(Debug)]
pub(crate) enum AppCacheProblem {
    /// A problem with a fixed text.
    Known(ProblemText),
    /// The body is no such object; the sentence names the key.
    BadBody(String),
}

/// A problem whose text does not depend on the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProblemText {
    pub(crate) status: StatusCode,
    /// Stable code.
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    /// Remedy.
    pub(crate) detail: &'static str,
}

/// A problem in the format of RFC 9457, as all of the control plane's are.
#[derive(Serialize)]
struct ProblemDocument<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

/// The body is no such JSON object.
pub(crate) const BAD_BODY: ProblemText = ProblemText {
    status: StatusCode::BAD_REQUEST,
    code: "bad-body",
    title: "Invalid body",
    detail: "Send a JSON object with the keys that /api/v1/openapi.json describes.",
};
/// The body is not JSON.
pub(crate) const NOT_JSON: ProblemText = ProblemText {
    status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
    code: "not-json",
    title: "JSON required",
    detail: "Send the body with \"Content-Type: application/json\".",
};
/// The body is too long.
pub(crate) const TOO_LONG: ProblemText = ProblemText {
    status: StatusCode::PAYLOAD_TOO_LARGE,
    code: "too-long",
    title: "The body is too long",
    detail: "A call has at most 1 MiB, a batch 16 MiB. Send it in parts.",
};
/// The body did not arrive in time.
pub(crate) const TOO_SLOW: ProblemText = ProblemText {
    status: StatusCode::REQUEST_TIMEOUT,
    code: "too-slow",
    title: "The body did not arrive in time",
    detail: "A body must arrive within a minute.",
};
/// No cache has this name.
pub(crate) const UNKNOWN_CACHE: ProblemText = ProblemText {
    status: StatusCode::NOT_FOUND,
    code: "unknown-cache",
    title: "No such cache",
    detail: "No cache has this name. Names are 1 to 40 lower-case letters, digits and dashes; /api/v1/caches lists them.",
};
/// No entry can have this key.
pub(crate) const UNKNOWN_KEY: ProblemText = ProblemText {
    status: StatusCode::BAD_REQUEST,
    code: "bad-key",
    title: "The key is too long",
    detail: "A key is text of 1 to 8192 bytes.",
};
/// There is no such entry.
pub(crate) const NO_ENTRY: ProblemText = ProblemText {
    status: StatusCode::NOT_FOUND,
    code: "no-entry",
    title: "No such entry",
    detail: "There is no entry with this key and version that is fresh or stale.",
};
/// The condition of a put does not hold.
pub(crate) const CONDITION_FAILED: ProblemText = ProblemText {
    status: StatusCode::PRECONDITION_FAILED,
    code: "condition-failed",
    title: "The condition does not hold",
    detail: "If-None-Match: * wants no fresh entry, If-Match the fresh entry with this ETag. Nothing was stored.",
};
/// A put whose work was overtaken.
pub(crate) const FENCED: ProblemText = ProblemText {
    status: StatusCode::CONFLICT,
    code: "fenced",
    title: "The value is out of date",
    detail: "The key or a tag was written or invalidated since the load began, or the lease has ended. Nothing was stored.",
};
/// The cache is full and evicts nothing.
pub(crate) const CACHE_FULL: ProblemText = ProblemText {
    status: StatusCode::INSUFFICIENT_STORAGE,
    code: "cache-full",
    title: "The cache is full",
    detail: "Its eviction is \"none\". Remove entries, or raise max_bytes or max_entries of this [[app_cache]].",
};
/// A value or an entry over the limit.
pub(crate) const VALUE_TOO_LONG: ProblemText = ProblemText {
    status: StatusCode::PAYLOAD_TOO_LARGE,
    code: "value-too-long",
    title: "The value is too long",
    detail: "A value may have max_value_bytes of its [[app_cache]], and fit into max_bytes. Nothing was stored.",
};
/// A parameter of a URL is unknown or invalid.
pub(crate) const BAD_PARAMETER: ProblemText = ProblemText {
    status: StatusCode::BAD_REQUEST,
    code: "bad-parameter",
    title: "Invalid parameter or header",
    detail: "Times are whole milliseconds or \"never\"; at most 64 tags, none empty, of 8192 bytes together; a key, prefix or tag has at most 8192; docs/caches.md lists the parameters.",
};
/// A barrier of another process.
pub(crate) const UNKNOWN_BARRIER: ProblemText = ProblemText {
    status: StatusCode::CONFLICT,
    code: "unknown-barrier",
    title: "Unknown barrier",
    detail: "The barrier is not of this cache, or Greenroom has restarted since: what it had deferred may be lost.",
};
/// An invalidation names nothing, or more than one thing.
pub(crate) const SCOPE_REQUIRED: ProblemText = ProblemText {
    status: StatusCode::BAD_REQUEST,
    code: "scope-required",
    title: "Invalidation target required",
    detail: "Send exactly one of \"key\", \"prefix\", \"tag\" and \"all\": true.",
};
/// Too many operations.
pub(crate) const BATCH_TOO_LONG: ProblemText = ProblemText {
    status: StatusCode::BAD_REQUEST,
    code: "batch-too-long",
    title: "Too many operations",
    detail: "A batch has at most 1000 operations.",
};

fn problem_of(error: AppCacheError) -> ProblemText {
    let (status, title, detail) = match error {
        AppCacheError::Unavailable => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The store cannot be used",
            "apps.db in the data directory cannot be opened, read or written. The log says why.",
        ),
        AppCacheError::DiskFull => (
            StatusCode::INSUFFICIENT_STORAGE,
            "The disk is full",
            "Nothing was stored. Free space on the disk of the data directory.",
        ),
        AppCacheError::Damaged => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The store is damaged",
            "Stop Greenroom and move apps.db in the data directory away; a new one is started.",
        ),
        AppCacheError::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many writes wait",
            "The disk is slower than the writes of the apps. Retry later, or write in batches.",
        ),
        AppCacheError::TooManyCaches => (
            StatusCode::INSUFFICIENT_STORAGE,
            "Too many caches",
            "There are apps.max_caches caches already. Remove some with greenroom cache remove, or raise the limit.",
        ),
        AppCacheError::TooManyLeases => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many leases",
            "A cache has at most 4096 leases at a time. Give leases back, or load without one.",
        ),
        AppCacheError::Full => return CACHE_FULL,
        AppCacheError::ValueTooLong => return VALUE_TOO_LONG,
        AppCacheError::NotAnInteger => (
            StatusCode::CONFLICT,
            "The entry is no integer",
            "Only a whole number of 64 bits, written in digits, can be added to. Nothing changed.",
        ),
        AppCacheError::Overflow => {
            (StatusCode::CONFLICT, "The sum is too large", "The sum has more than 64 bits. Nothing changed.")
        }
        AppCacheError::ShuttingDown => {
            (StatusCode::SERVICE_UNAVAILABLE, "Greenroom is ending", "Retry once it has started again.")
        }
    };
    ProblemText { status, code: error.name(), title, detail }
}

impl From<AppCacheError> for AppCacheProblem {
    fn from(error: AppCacheError) -> Self {
        Self::Known(problem_of(error))
    }
}

impl From<ProblemText> for AppCacheProblem {
    fn from(problem: ProblemText) -> Self {
        Self::Known(problem)
    }
}

impl IntoResponse for AppCacheProblem {
    fn into_response(self) -> Response {
        match self {
            Self::Known(problem) => problem.into_response(),
            Self::BadBody(detail) => BAD_BODY.response(&detail),
        }
    }
}

impl ProblemText {
    fn response(self, detail: &str) -> Response {
        let Self { status, code, title, .. } = self;
        let kind = format!("urn:greenroom:problem:{code}");
        let document = ProblemDocument { r#type: kind, title, status: status.as_u16(), detail, code };
        // Texts and a number serialize.
        let body = serde_json::to_string(&document).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
        }
        response
    }
}

impl IntoResponse for ProblemText {
    fn into_response(self) -> Response {
        self.response(self.detail)
    }
}
