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
pub(super) struct Problem {
    /// HTTP status.
    pub(super) status: StatusCode,
    /// Stable machine-readable code.
    pub(super) code: &'static str,
    /// Short summary.
    pub(super) title: &'static str,
    /// One sentence on how to fix it.
    pub(super) detail: &'static str,
}

impl Problem {
    /// No resource at this path.
    pub(super) const NOTHING_HERE: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "nothing-here",
        title: "Nothing is here",
        detail: "The control plane knows no such path. The page is at /, the figures at /api/v1/cache/stats.",
    };
    /// The path exists, the method is not allowed.
    pub(super) const WRONG_METHOD: Self = Self {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: "wrong-method",
        title: "Not with this method",
        detail: "\"Allow\" says with which it is. Figures are read with GET; what changes something is asked for with POST, \
                 PUT or DELETE.",
    };
    /// The body is malformed.
    pub(super) const BAD_BODY: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "bad-body",
        title: "The body cannot be understood",
        detail: "It must be a small JSON object with the keys this path knows, and no others.",
    };
    /// The path or the query is malformed.
    pub(super) const BAD_QUERY: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "bad-query",
        title: "The path or the query cannot be understood",
        detail: "The path must be UTF-8 behind its percent signs. The query may hold the keys this path knows, each once \
                 and with a value of its kind, and no others: /api/v1/openapi.json lists them.",
    };
    /// The body exceeds the size limit.
    pub(super) const TOO_LONG: Self = Self {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: "too-long",
        title: "The body is too long",
        detail: "What this path is told fits into a few kilobytes.",
    };
    /// The body did not arrive in time.
    pub(super) const TOO_SLOW: Self = Self {
        status: StatusCode::REQUEST_TIMEOUT,
        code: "too-slow",
        title: "The body did not come in time",
        detail: "It was waited for as long as it is for anybody. Send it again, and all of it at once.",
    };
    /// The body's content type is not JSON.
    pub(super) const NOT_JSON: Self = Self {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        code: "not-json",
        title: "The body must be JSON",
        detail: "Send it with \"Content-Type: application/json\".",
    };
    /// A page session requests data that needs the control token, because it holds secrets.
    pub(super) const NEEDS_TOKEN: Self = Self {
        status: StatusCode::FORBIDDEN,
        code: "needs-token",
        title: "A session is not enough",
        detail: "This holds secrets: send the control token itself, as `greenroom backup` does.",
    };
    /// The disk tier is empty or unreadable.
    pub(super) const NOT_STORED: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "not-stored",
        title: "The disk cannot be asked",
        detail: "Nothing is stored there yet, the disk tier is off, or it cannot be read now: the log says why.",
    };
    /// No server with this name is configured.
    pub(super) const UNKNOWN_SERVER: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "unknown-server",
        title: "No such server",
        detail: "No server of this name is configured. /api/v1/servers lists those that are.",
    };
    /// Unknown request type.
    pub(super) const UNKNOWN_CLASS: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "unknown-class",
        title: "No such class",
        detail: "There is no class of reads with this name. The page and /api/v1/cache/stats list them.",
    };
    /// A change could not be persisted.
    pub(super) const NOT_KEPT: Self = Self {
        status: StatusCode::INSUFFICIENT_STORAGE,
        code: "not-kept",
        title: "The change cannot be kept",
        detail: "What is bypassed stays as it was. The log says why: the data directory cannot be written.",
    };
    /// The limit of individual bypasses is reached.
    pub(super) const TOO_MANY_BYPASSES: Self = Self {
        status: StatusCode::CONFLICT,
        code: "too-many-bypasses",
        title: "Too much is bypassed",
        detail: "64 things can be bypassed one by one. Take some back, or bypass a whole server or class.",
    };
    /// Several servers are configured and the request names none.
    pub(super) const WHICH_SERVER: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "which-server",
        title: "Which server?",
        detail: "Several are configured, and the address is none of theirs. Name one: \"server\".",
    };
    /// A value is neither a URL nor a path.
    pub(super) const NO_ADDRESS: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "no-address",
        title: "This is no address",
        detail: "Give an address or a path as an app asks for it, such as /library/sections.",
    };
    /// No notification target with this name is configured.
    pub(super) const UNKNOWN_TARGET: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "unknown-target",
        title: "No such target",
        detail: "No [[notice]] of this name is configured, or none at all. docs/notices.md says how it is done.",
    };
    /// Warming is already running.
    pub(super) const ALREADY_WARMING: Self = Self {
        status: StatusCode::CONFLICT,
        code: "already-warming",
        title: "Already warming",
        detail: "Somebody asked for it a moment ago. It ends by itself; ask again then.",
    };
    /// A check or clean-up of the disk tier is already running.
    pub(super) const ALREADY_AT_WORK: Self = Self {
        status: StatusCode::CONFLICT,
        code: "already-at-work",
        title: "One is already under way",
        detail: "What is stored is being checked or cleaned up now, one at a time. It ends by itself; ask again then.",
    };
    /// Unknown library.
    pub(super) const UNKNOWN_LIBRARY: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "unknown-library",
        title: "No such library",
        detail: "No library with this id is known. /api/v1/libraries lists those that are; ids look like home:3.",
    };
    /// A TTL window exceeds its maximum.
    pub(super) const OUT_OF_BOUNDS: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "out-of-bounds",
        title: "A window is too long",
        detail: "Windows are whole seconds between 0 and 31536000, which is a year.",
    };
    /// A TTL override could not be persisted.
    pub(super) const LIFETIME_NOT_KEPT: Self = Self {
        status: StatusCode::INSUFFICIENT_STORAGE,
        code: "not-kept",
        title: "The change cannot be kept",
        detail: "Lifetimes stay as they were. The log says why: state.db in the data directory cannot be written.",
    };
    /// The request names no invalidation target, or more than one.
    pub(super) const WHAT_IS_STALE: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "what-is-stale",
        title: "What is to be stale?",
        detail: "Say exactly one of \"tag\", \"class\", \"path\" and \"all\": true.",
    };
    /// A reset names nothing, or more than one thing.
    pub(super) const WHAT_GOES_BACK: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: "what-goes-back",
        title: "What is to go back?",
        detail: "Say exactly one of \"class\" and \"all\": true.",
    };
    /// Responses of this path are never cached.
    pub(super) const NOT_KEPT_AT_ALL: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "never-kept",
        title: "This is never kept",
        detail: "A request for this path is no read that could be answered from the cache: nothing is there to be stale.",
    };
    /// Unknown job.
    pub(super) const UNKNOWN_JOB: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "unknown-job",
        title: "No such job",
        detail: "There is no job of this name. /api/v1/jobs lists those there are.",
    };
    /// The library is turned off.
    pub(super) const LIBRARY_OFF: Self = Self {
        status: StatusCode::CONFLICT,
        code: "library-off",
        title: "The library is turned off",
        detail: "It is not kept, because somebody said so. Turn it on first: PUT {\"enabled\": true} to its path.",
    };
    /// A match override could not be persisted.
    pub(super) const CHOICE_NOT_KEPT: Self = Self {
        status: StatusCode::INSUFFICIENT_STORAGE,
        code: "not-kept",
        title: "The change cannot be kept",
        detail: "All stays as it was. The log says why: state.db in the data directory cannot be written.",
    };
    /// The stored statistics cannot be read.
    pub(super) const STATISTICS_UNREADABLE: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "statistics-unreadable",
        title: "The statistics cannot be read",
        detail: "state.db in the data directory cannot be read at the moment. The log says why.",
    };
    /// Spot checks are disabled by the configuration.
    pub(super) const NO_SPOT_CHECKS: Self = Self {
        status: StatusCode::CONFLICT,
        code: "no-spot-checks",
        title: "Spot checks are off",
        detail: "The configuration turns them off: statistics.spot_check_one_in is 0. Set it to 200, say, and start again.",
    };
    /// Too many live pages are open.
    pub(super) const TOO_MANY_VIEWERS: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "too-many-viewers",
        title: "Too many open pages",
        detail: "The live figures are being watched by as many pages as may. Close one, or read /api/v1/cache/stats.",
    };
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.response_with_detail(self.detail)
    }
}

impl Problem {
    /// The response for this problem with another `detail`.
    pub(super) fn response_with_detail(self, detail: &str) -> Response {
        ProblemBody::new(self.status, self.code, self.title, detail).into_response()
    }
}

/// A problem in the format of RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody<'a> {
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
    pub(super) run: Option<&'a str>,
}

impl<'a> ProblemBody<'a> {
    pub(super) fn new(status: StatusCode, code: &'a str, title: &'a str, detail: &'a str) -> Self {
        Self { kind: format!("{KIND_PREFIX}{code}"), title, status: status.as_u16(), detail, code, run: None }
    }
}

impl IntoResponse for ProblemBody<'_> {
    fn into_response(self) -> Response {
        let body = serde_json::to_string(&self).expect("a problem is always JSON");
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
        let body = axum::body::to_bytes(response.into_body(), 4096).await.expect("it is short");
        let value: serde_json::Value = serde_json::from_slice(&body).expect("it is JSON");
        assert_eq!((value["status"].as_u64(), value["code"].as_str()), (Some(400), Some("bad-body")));
        assert!(value["title"].is_string() && value["detail"].is_string());
        assert_eq!(value["type"], "urn:greenroom:problem:bad-body");
    }
}
