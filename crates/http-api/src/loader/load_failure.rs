//! Failed loads: what callers get in place of a response.

use bytes::Bytes;
use greenroom_cache::{LoadError, LoadErrorKind, Value};
use greenroom_http_caching::stored_head::{StaleOnErrorRule, StoredHead};
use greenroom_origin::body::{CollectedBody, collect};
use http::header::{HeaderMap, SET_COOKIE};
use http::{Response, StatusCode};
use hyper::body::Incoming;

use crate::response;
use crate::upstream::SendError;

/// Max bytes of an error's body that is kept beside a good response.
const MAX_ERROR_BYTES: u64 = 64 * 1024;

/// Whether a status says that the server cannot answer now.
pub(super) fn is_outage(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// A failure that carries the server's own response, for the case that the stored one may not be used.
pub(super) async fn outage_error(answer: Response<Incoming>) -> LoadError {
    let (parts, body) = answer.into_parts();
    let message = format!("the server answered with {}", parts.status);
    let mut error = LoadError::new(LoadErrorKind::ServerError, message);
    if let CollectedBody::Whole(body) = collect(body, MAX_ERROR_BYTES).await {
        let mut headers = parts.headers;
        greenroom_http_caching::hop_by_hop::strip(&mut headers);
        // It may answer other requests that wait for this load.
        headers.remove(SET_COOKIE);
        error.response = Some(Value { body, meta: error_head(parts.status, headers).encode() });
    }
    error
}

/// A head that carries an error to its client and is never stored.
pub(super) fn error_head(status: StatusCode, headers: HeaderMap) -> StoredHead {
    StoredHead {
        status,
        headers,
        response_ms: 0,
        initial_age_ms: 0,
        lifetime_ms: 0,
        stale_while_revalidate_ms: 0,
        stale_on_error: StaleOnErrorRule::Forbidden,
        needs_validation: true,
        selected_by: Vec::new(),
        part: None,
        trailers: HeaderMap::new(),
    }
}

/// The failure of a request without a response.
pub(super) fn load_error(error: &SendError) -> LoadError {
    match error {
        SendError::Down => LoadError::new(LoadErrorKind::Offline, "the server is down"),
        SendError::QueueFull => LoadError::new(LoadErrorKind::Overloaded, "too many requests wait for the server"),
        SendError::OverBudget(wait) => {
            let seconds = wait.as_millis().div_ceil(1000);
            let head = response::problem(
                StatusCode::TOO_MANY_REQUESTS,
                "the budget of requests to the server is used up",
                u64::try_from(seconds).ok(),
            );
            let (parts, _) = head.into_parts();
            let mut error = LoadError::new(LoadErrorKind::Overloaded, "the budget of requests is used up");
            let body = Bytes::from_static(b"the budget of requests to the server is used up\n");
            error.response = Some(Value { body, meta: error_head(parts.status, parts.headers).encode() });
            error
        }
        SendError::TimedOut => LoadError::new(LoadErrorKind::TimedOut, "the server is slow"),
        SendError::Failed(error) => LoadError::new(LoadErrorKind::Unreachable, error.message.as_str()),
    }
}
