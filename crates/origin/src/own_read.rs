//! Own reads that bypass the cache.

use bytes::Bytes;
use greenroom_dialect::credential::Credential;
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, Request, StatusCode};

use crate::body::{Body, CollectedBody, collect};
use crate::breaker;
use crate::client::UpstreamRequestKind;
use crate::origin::Origin;

/// Reason why an own read failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnReadError {
    /// The server is down, or its request queue is full.
    Unavailable,
    /// It timed out or broke off.
    NoResponse,
    /// The token lacks the permission.
    Forbidden,
    /// The resource does not exist.
    NotFound,
    /// The response is not usable.
    UnusableResponse,
}

impl Origin {
    /// The request for this target with a JSON response; `None` if the target is invalid.
    pub fn own_request(&self, target: &str, credential: &Credential) -> Option<Request<Body>> {
        let uri = self.client.uri(target).ok()?;
        let mut request = Request::builder().uri(uri).body(Body::empty()).ok()?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in self.settings.kind.credential_headers(credential, true) {
            request.headers_mut().insert(name, value);
        }
        Some(request)
    }

    /// Sends a read once, and reads at most this many bytes. The caller holds a permit and counts the request.
    ///
    /// # Errors
    /// There is no usable response.
    pub async fn read_own(
        &self,
        target: &str,
        credential: &Credential,
        max_bytes: u64,
    ) -> Result<(HeaderMap, Bytes), OwnReadError> {
        let request = self.own_request(target, credential).ok_or(OwnReadError::UnusableResponse)?;
        // Pages differ in their query; for the breaker they are one resource.
        let key = breaker::key_of(target.split('?').next().unwrap_or_default());
        let response =
            self.send(request, UpstreamRequestKind::Read, key).await.map_err(|_| OwnReadError::NoResponse)?;
        check_status(response.status())?;
        let (head, body) = response.into_parts();
        match collect(body, max_bytes).await {
            CollectedBody::Whole(body) => Ok((head.headers, body)),
            CollectedBody::TooLong(..) => Err(OwnReadError::UnusableResponse),
            CollectedBody::Broken(_) => Err(OwnReadError::NoResponse),
        }
    }
}

fn check_status(status: StatusCode) -> Result<(), OwnReadError> {
    match status.as_u16() {
        200 => Ok(()),
        401 | 403 | 498 => Err(OwnReadError::Forbidden),
        404 => Err(OwnReadError::NotFound),
        500..=599 => Err(OwnReadError::NoResponse),
        _ => Err(OwnReadError::UnusableResponse),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_status_200_is_usable_and_others_are_errors() {
        for (status, expected) in [
            (200, Ok(())),
            (204, Err(OwnReadError::UnusableResponse)),
            (302, Err(OwnReadError::UnusableResponse)),
            (400, Err(OwnReadError::UnusableResponse)),
            (401, Err(OwnReadError::Forbidden)),
            (403, Err(OwnReadError::Forbidden)),
            (404, Err(OwnReadError::NotFound)),
            (498, Err(OwnReadError::Forbidden)),
            (503, Err(OwnReadError::NoResponse)),
            (599, Err(OwnReadError::NoResponse)),
            (600, Err(OwnReadError::UnusableResponse)),
        ] {
            assert_eq!(check_status(StatusCode::from_u16(status).expect("a status")), expected, "{status}");
        }
    }
}
