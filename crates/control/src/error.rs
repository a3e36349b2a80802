//! API errors as problem details (RFC 9457). They never echo client input.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use utoipa::ToSchema;

/// Prefix of all problem type URIs.
const KIND_PREFIX: &str = "urn:greenroom:problem:";

/// A problem returned to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable machine-readable code.
    pub code: &'static str,
    /// Short summary.
    pub title: &'static str,
    /// One sentence on how to fix it.
    pub detail: &'static str,
}

impl Problem {
    /// No resource at this path.
    pub const NOT_FOUND: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "nothing-here",
        title: "Not found",
        detail: "No resource at this path. The page is at /, the API is described at /api/v1/openapi.json.",
    };
    /// The path exists, the method is not allowed.
    pub const METHOD_NOT_ALLOWED: Self = Self {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: "wrong-method",
        title: "Method not allowed",
        detail: "The Allow header lists the methods of this path. Reads use GET; changes use POST, PUT or DELETE.",
    };
    /// The body is malformed.
    pub const BAD_BODY: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "bad-body",
        title: "Invalid body",
        detail: "Send a small JSON object with the keys of this path and no others: /api/v1/openapi.json lists them.",
    };
    /// The path or the query is malformed.
    pub const BAD_QUERY: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "bad-query",
        title: "Invalid path or query",
        detail: "The decoded path must be UTF-8. The query may hold the keys of this path, each once and with a value of \
                 its type, and no others: /api/v1/openapi.json lists them.",
    };
    /// The body exceeds the size limit.
    pub const TOO_LONG: Self = Self {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: "too-long",
        title: "Body too long",
        detail: "The body of a request to this path has at most a few kilobytes.",
    };
    /// The body did not arrive in time.
    pub const TOO_SLOW: Self = Self {
        status: StatusCode::REQUEST_TIMEOUT,
        code: "too-slow",
        title: "Body timeout",
        detail: "The body did not arrive in time. Send the request again, with the whole body at once.",
    };
    /// The body's content type is not JSON.
    pub const NOT_JSON: Self = Self {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        code: "not-json",
        title: "The body must be JSON",
        detail: "Send it with \"Content-Type: application/json\".",
    };
    /// A page session requests data that needs the control token, because it holds secrets.
    pub const NEEDS_TOKEN: Self = Self {
        status: StatusCode::FORBIDDEN,
        code: "needs-token",
        title: "Control token required",
        detail: "The response holds secrets, so a session is not enough: send the control token, as `greenroom backup` does.",
    };
    /// The disk tier is empty or unreadable.
    pub const NOT_STORED: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "not-stored",
        title: "Disk tier unavailable",
        detail: "The disk tier is empty, disabled, or cannot be read; the log says why.",
    };
    /// No server with this name is configured.
    pub const UNKNOWN_SERVER: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "unknown-server",
        title: "No such server",
        detail: "No server with this name is configured. /api/v1/servers lists the configured ones.",
    };
    /// Unknown request type.
    pub const UNKNOWN_CLASS: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "unknown-class",
        title: "No such request type",
        detail: "No request type has this name. The page and /api/v1/cache/stats list them.",
    };
    /// A change could not be persisted.
    pub const BYPASS_NOT_SAVED: Self = Self {
        status: StatusCode::INSUFFICIENT_STORAGE,
        code: "not-kept",
        title: "The change cannot be saved",
        detail: "The bypasses stay as they were: the data directory cannot be written. The log says why.",
    };
    /// The limit of individual bypasses is reached.
    pub const TOO_MANY_BYPASSES: Self = Self {
        status: StatusCode::CONFLICT,
        code: "too-many-bypasses",
        title: "Too many bypasses",
        detail: "At most 64 bypasses can be active. Remove some, or bypass a whole server or request type.",
    };
    /// Several servers are configured and the request names none.
    pub const SERVER_REQUIRED: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "which-server",
        title: "Server required",
        detail: "Several servers are configured, and the URL belongs to none of them. Name one in \"server\".",
    };
    /// A value is neither a URL nor a path.
    pub const NOT_A_URL: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "no-address",
        title: "Not a URL or path",
        detail: "Send a URL or a path as an app requests it, such as /library/sections.",
    };
    /// No notification target with this name is configured.
    pub const UNKNOWN_TARGET: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "unknown-target",
        title: "No such target",
        detail: "No [[notice]] with this name is configured, or none at all. docs/notices.md explains how.",
    };
    /// Warming is already running.
    pub const ALREADY_WARMING: Self = Self {
        status: StatusCode::CONFLICT,
        code: "already-warming",
        title: "Already warming",
        detail: "A warming run is in progress. Retry when it has ended.",
    };
    /// A check or clean-up of the disk tier is already running.
    pub const ALREADY_RUNNING: Self = Self {
        status: StatusCode::CONFLICT,
        code: "already-at-work",
        title: "Already running",
        detail: "A check or clean-up of the disk tier is in progress; they run one at a time. Retry when it has ended.",
    };
    /// Unknown library.
    pub const UNKNOWN_LIBRARY: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "unknown-library",
        title: "No such library",
        detail: "No library has this id. /api/v1/libraries lists them; ids look like home:3.",
    };
    /// A TTL window exceeds its maximum.
    pub const OUT_OF_BOUNDS: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "out-of-bounds",
        title: "TTL out of range",
        detail: "A TTL is a whole number of seconds from 0 to 31536000, which is a year.",
    };
    /// A TTL override could not be persisted.
    pub const TTL_NOT_SAVED: Self = Self {
        status: StatusCode::INSUFFICIENT_STORAGE,
        code: "not-kept",
        title: "The change cannot be saved",
        detail: "The TTL policies stay as they were: state.db in the data directory cannot be written. The log says why.",
    };
    /// The request names no invalidation target, or more than one.
    pub const INVALIDATION_TARGET_REQUIRED: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "what-is-stale",
        title: "Invalidation target required",
        detail: "Send exactly one of \"tag\", \"class\", \"path\" and \"all\": true.",
    };
    /// A reset names nothing, or more than one thing.
    pub const RESET_TARGET_REQUIRED: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "what-goes-back",
        title: "Reset target required",
        detail: "Send exactly one of \"class\" and \"all\": true.",
    };
    /// Responses of this path are never cached.
    pub const NEVER_CACHED: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "never-kept",
        title: "Never cached",
        detail: "Responses of this path are never cached, so there is nothing to invalidate.",
    };
    /// Unknown job.
    pub const UNKNOWN_JOB: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "unknown-job",
        title: "No such job",
        detail: "No job has this name. /api/v1/jobs lists them.",
    };
    /// The library is turned off.
    pub const LIBRARY_DISABLED: Self = Self {
        status: StatusCode::CONFLICT,
        code: "library-off",
        title: "The library index is disabled",
        detail: "Enable it first: PUT {\"enabled\": true} to its path.",
    };
    /// A match override could not be persisted.
    pub const CHANGE_NOT_SAVED: Self = Self {
        status: StatusCode::INSUFFICIENT_STORAGE,
        code: "not-kept",
        title: "The change cannot be saved",
        detail: "Nothing changed: state.db in the data directory cannot be written. The log says why.",
    };
    /// The stored statistics cannot be read.
    pub const STATISTICS_UNREADABLE: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "statistics-unreadable",
        title: "The statistics cannot be read",
        detail: "state.db in the data directory cannot be read. The log says why.",
    };
    /// Spot checks are disabled by the configuration.
    pub const SPOT_CHECKS_DISABLED: Self = Self {
        status: StatusCode::CONFLICT,
        code: "no-spot-checks",
        title: "Spot checks are disabled",
        detail: "statistics.spot_check_one_in is 0 in the configuration. Set it, for example to 200, and restart.",
    };
    /// Too many live pages are open.
    pub const TOO_MANY_CLIENTS: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "too-many-viewers",
        title: "Too many open pages",
        detail: "The limit of pages with live updates is reached. Close one, or read /api/v1/cache/stats.",
    };
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.response_with_detail(self.detail)
    }
}

impl Problem {
    /// The response for this problem with another `detail`.
    pub fn response_with_detail(self, detail: &str) -> Response {
        ProblemBody::new(self.status, self.code, self.title, detail).into_response()
    }
}

/// A problem in the format of RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Its stable type: `urn:greenroom:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// Short summary.
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// One sentence on how to fix it.
    detail: &'a str,
    /// Stable machine-readable code.
    code: &'a str,
    /// The playlist run concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<&'a str>,
}

impl<'a> ProblemBody<'a> {
    /// A problem with these parts (RFC 9457).
    pub fn new(status: StatusCode, code: &'a str, title: &'a str, detail: &'a str) -> Self {
        Self { kind: format!("{KIND_PREFIX}{code}"), title, status: status.as_u16(), detail, code, run: None }
    }
}

impl IntoResponse for ProblemBody<'_> {
    fn into_response(self) -> Response {
        let body = serde_json::to_string(&self).expect("a problem serializes to JSON");
        let mut response = Response::new(Body::from(body));
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"greenroom\""));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("60"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_is_json_with_all_its_parts() {
        let response = Problem::BAD_BODY.into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 4096).await.expect("a short body");
        let value: serde_json::Value = serde_json::from_slice(&body).expect("valid JSON");
        assert_eq!((value["status"].as_u64(), value["code"].as_str()), (Some(400), Some("bad-body")));
        assert!(value["title"].is_string() && value["detail"].is_string());
        assert_eq!(value["type"], "urn:greenroom:problem:bad-body");
    }
}
