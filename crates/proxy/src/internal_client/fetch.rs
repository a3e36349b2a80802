//! Own requests to a server, past the cache: at their own priority, counted as own requests, never during an outage.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use greenroom_dialect::class::Class;

use crate::server::Server;
use greenroom_config::CacheMode;
use greenroom_origin::own_read::OwnReadError;
use greenroom_origin::scheduler::QueueRequest;

/// Timeout for the response.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Longest response that is read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Reason why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InternalFetchError {
    /// No token is configured.
    NoToken,
    /// The server is observed or bypassed: no own requests are made.
    Observed,
    /// The server is down, or its queue is full.
    Unavailable,
    /// The server timed out or broke off.
    TimedOut,
    /// The server denies this to the configured token.
    Refused,
    /// Not found.
    Missing,
    /// Any other status.
    UnexpectedResponse,
}

impl InternalFetchError {
    /// Message for a person.
    pub fn message(self) -> &'static str {
        match self {
            Self::NoToken => "no token is configured for the server",
            Self::Observed => "the server is observed or bypassed, so no own requests are sent",
            Self::Unavailable => "the server is down or too busy",
            Self::TimedOut => "the server did not respond in time",
            Self::Refused => "the server rejects the configured token: an owner token is required",
            Self::Missing => "the server does not offer this",
            Self::UnexpectedResponse => "the server sent an unexpected response",
        }
    }
}

impl From<OwnReadError> for InternalFetchError {
    fn from(error: OwnReadError) -> Self {
        match error {
            OwnReadError::Unavailable => Self::Unavailable,
            OwnReadError::NoResponse => Self::TimedOut,
            OwnReadError::Forbidden => Self::Refused,
            OwnReadError::NotFound => Self::Missing,
            OwnReadError::UnusableResponse => Self::UnexpectedResponse,
        }
    }
}

/// Sends one request with the configured token.
///
/// # Errors
/// The reason why there is no response.
pub async fn run(server: &Arc<Server>, target: &str, class: Class) -> Result<Bytes, InternalFetchError> {
    if server.mode() != CacheMode::Cache {
        return Err(InternalFetchError::Observed);
    }
    if !server.origin.breaker.allows_requests() {
        return Err(InternalFetchError::Unavailable);
    }
    let permit = server
        .origin
        .queue
        .acquire(QueueRequest::background(None, class))
        .await
        .map_err(|_| InternalFetchError::Unavailable)?;
    server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
    let result = server.origin.clock.timeout(TIMEOUT, exchange(server, target)).await;
    drop(permit);
    result.map_err(|_| InternalFetchError::TimedOut)?
}

async fn exchange(server: &Server, target: &str) -> Result<Bytes, InternalFetchError> {
    let credential = server.origin.own_credential().ok_or(InternalFetchError::NoToken)?;
    let (_, body) = server.origin.read_own(target, &credential, MAX_BYTES).await?;
    server.origin.record_success();
    Ok(body)
}
