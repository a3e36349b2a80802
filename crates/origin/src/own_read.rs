//! A read of our own, past the cache: how it is asked, and what its answer's status means.

use bytes::Bytes;
use greenroom_dialect::credential::Credential;
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, Request, StatusCode};

use super::Origin;
use super::client::Lane;
use crate::body::{Body, Collected, collect};
use crate::breaker;

/// Why nothing came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The server is down, or there is no place in its queue.
    Away,
    /// It does not answer in time, or breaks off.
    Silent,
    /// It does not let the token do this.
    Refused,
    /// It has no such thing.
    Missing,
    /// It answers with something else.
    Unfit,
}

impl Origin {
    /// The request for this target, for an answer in JSON; `None` if it is none.
    pub fn own_request(&self, target: &str, credential: &Credential) -> Option<Request<Body>> {
        let uri = self.client.uri(target).ok()?;
        let mut request = Request::builder().uri(uri).body(Body::empty()).ok()?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in self.settings.kind.credential_headers(credential, true) {
            request.headers_mut().insert(name, value);
        }
        Some(request)
    }

    /// Asks once, and reads an answer of so many bytes at most. Whoever asks has a place in the queue and counts it.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn read_own(
        &self,
        target: &str,
        credential: &Credential,
        max_bytes: u64,
    ) -> Result<(HeaderMap, Bytes), NoAnswer> {
        let request = self.own_request(target, credential).ok_or(NoAnswer::Unfit)?;
        // What is asked for differs from page to page; for the breaker they are one.
        let key = breaker::key_of(target.split('?').next().unwrap_or_default());
        let response = self.send(request, Lane::Read, key).await.map_err(|_| NoAnswer::Silent)?;
        judge(response.status())?;
        let (head, body) = response.into_parts();
        match collect(body, max_bytes).await {
            Collected::Whole(body) => Ok((head.headers, body)),
            Collected::TooLong(..) => Err(NoAnswer::Unfit),
            Collected::Broken(_) => Err(NoAnswer::Silent),
        }
    }
}

fn judge(status: StatusCode) -> Result<(), NoAnswer> {
    match status.as_u16() {
        200 => Ok(()),
        401 | 403 | 498 => Err(NoAnswer::Refused),
        404 => Err(NoAnswer::Missing),
        500..=599 => Err(NoAnswer::Silent),
        _ => Err(NoAnswer::Unfit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_200_is_an_answer_and_the_rest_say_why_not() {
        for (status, expected) in [
            (200, Ok(())),
            (204, Err(NoAnswer::Unfit)),
            (302, Err(NoAnswer::Unfit)),
            (400, Err(NoAnswer::Unfit)),
            (401, Err(NoAnswer::Refused)),
            (403, Err(NoAnswer::Refused)),
            (404, Err(NoAnswer::Missing)),
            (498, Err(NoAnswer::Refused)),
            (503, Err(NoAnswer::Silent)),
            (599, Err(NoAnswer::Silent)),
            (600, Err(NoAnswer::Unfit)),
        ] {
            assert_eq!(judge(StatusCode::from_u16(status).expect("a status")), expected, "{status}");
        }
    }
}
