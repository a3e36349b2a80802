//! Identifies the server at the configured address: once at start, so that a wrong address shows at once, and for the
//! page. [`server_identity`](greenroom_dialect::server_identity) judges the responses.

use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::server_identity::{
    IdentityProbe, IdentityProbeResponse, ServerIdentity, identify_server, next_probe,
};
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, Request};

use crate::body::{Body, CollectedBody, collect};
use crate::client::{UpstreamError, UpstreamRequestKind};
use crate::origin::Origin;

/// Timeout of the first request, and again of all further ones together.
const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: u64 = 256 * 1024;

/// Result of identifying the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentifyResult {
    /// A server with this identity answers.
    Answered(ServerIdentity),
    /// Its certificate is rejected; reason and remedy.
    CertificateRejected(String),
    /// There is no response; the reason.
    NoResponse(String),
}

/// A complete response.
struct CollectedResponse {
    status: u16,
    headers: HeaderMap,
    body: bytes::Bytes,
}

/// Identifies the server.
pub async fn identify(server: &Origin) -> IdentifyResult {
    server.counters.own.fetch_add(1, Ordering::Relaxed);
    let kind = server.settings.kind;
    let first_response = match server.clock.timeout(TIMEOUT, send_probe(server, kind.identity_path())).await {
        Ok(Ok(first_response)) => first_response,
        Ok(Err(error)) => {
            server.record_failure();
            return if error.is_certificate_rejected {
                IdentifyResult::CertificateRejected(error.message)
            } else {
                IdentifyResult::NoResponse(error.message)
            };
        }
        Err(_) => {
            server.record_failure();
            return IdentifyResult::NoResponse(format!("no response within {} s", TIMEOUT.as_secs()));
        }
    };
    let mut identities = vec![first_response.identity(server)];
    // If only some requests are answered, those decide.
    let _ = server.clock.timeout(TIMEOUT, send_further_probes(server, &mut identities)).await;
    let identity = match next_probe(kind, &identities) {
        IdentityProbe::Done(identity) => identity,
        IdentityProbe::Request(_) => identities.swap_remove(0),
    };
    if let Some(media_server) = identity.expected() {
        server.record_success();
        server.record_identity(&first_response.body);
        server.record_version(&media_server.version);
    }
    server.set_emby(matches!(identity, ServerIdentity::Emby { .. }));
    IdentifyResult::Answered(identity)
}

/// Sends the further requests as long as they are answered.
async fn send_further_probes(server: &Origin, identities: &mut Vec<ServerIdentity>) {
    while let IdentityProbe::Request(path) = next_probe(server.settings.kind, identities) {
        let Ok(response) = send_probe(server, path).await else { return };
        identities.push(response.identity(server));
    }
}

impl CollectedResponse {
    fn identity(&self, server: &Origin) -> ServerIdentity {
        let response = IdentityProbeResponse { status: self.status, headers: &self.headers, body: &self.body };
        identify_server(server.settings.kind, &response)
    }
}

async fn send_probe(server: &Origin, path: &str) -> Result<CollectedResponse, UpstreamError> {
    let uri = server.client.uri(path).map_err(|error| UpstreamError::from_reason(&error))?;
    let mut request =
        Request::builder().uri(uri).body(Body::empty()).map_err(|error| UpstreamError::from_reason(&error))?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    // A server that closes a pooled connection must not seem to be another server.
    let (head, body) = server.client.send(request, UpstreamRequestKind::Write).await?.into_parts();
    let body = match collect(body, MAX_BYTES).await {
        CollectedBody::Whole(body) => body,
        // No identity is that long: its beginning is enough.
        CollectedBody::TooLong(read, _) => read.into_iter().next().unwrap_or_default(),
        CollectedBody::Broken(error) => return Err(UpstreamError::from_reason(&error)),
    };
    Ok(CollectedResponse { status: head.status.as_u16(), headers: head.headers, body })
}
