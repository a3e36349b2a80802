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
const PATIENCE: Duration = Duration::from_secs(5);
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
    let first = match server.clock.timeout(PATIENCE, ask(server, kind.identity_path())).await {
        Ok(Ok(first)) => first,
        Ok(Err(none)) => {
            server.record_failure();
            return if none.is_certificate_rejected {
                IdentifyResult::CertificateRejected(none.message)
            } else {
                IdentifyResult::NoResponse(none.message)
            };
        }
        Err(_) => {
            server.record_failure();
            return IdentifyResult::NoResponse(format!("no answer within {} s", PATIENCE.as_secs()));
        }
    };
    let mut heard = vec![first.recognised(server)];
    // If only some requests are answered, those decide.
    drop(server.clock.timeout(PATIENCE, ask_further(server, &mut heard)).await);
    let identity = match next_probe(kind, &heard) {
        IdentityProbe::Done(identity) => identity,
        IdentityProbe::Request(_) => heard.swap_remove(0),
    };
    if let Some(found) = identity.expected() {
        server.record_success();
        server.record_identity(&first.body);
        server.record_version(&found.version);
    }
    server.set_emby(matches!(identity, ServerIdentity::Emby { .. }));
    IdentifyResult::Answered(identity)
}

/// Sends the further requests as long as they are answered.
async fn ask_further(server: &Origin, heard: &mut Vec<ServerIdentity>) {
    while let IdentityProbe::Request(path) = next_probe(server.settings.kind, heard) {
        let Ok(answer) = ask(server, path).await else { return };
        heard.push(answer.recognised(server));
    }
}

impl CollectedResponse {
    fn recognised(&self, server: &Origin) -> ServerIdentity {
        let answer = IdentityProbeResponse { status: self.status, headers: &self.headers, body: &self.body };
        identify_server(server.settings.kind, &answer)
    }
}

async fn ask(server: &Origin, path: &str) -> Result<CollectedResponse, UpstreamError> {
    let uri = server.client.uri(path).map_err(|error| UpstreamError::from_reason(&error))?;
    let mut request =
        Request::builder().uri(uri).body(Body::empty()).map_err(|error| UpstreamError::from_reason(&error))?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let (head, incoming) = server.client.send(request, UpstreamRequestKind::Read).await?.into_parts();
    let body = match collect(incoming, MAX_BYTES).await {
        CollectedBody::Whole(body) => body,
        // No identity is that long: its beginning is enough.
        CollectedBody::TooLong(read, _) => read.into_iter().next().unwrap_or_default(),
        CollectedBody::Broken(error) => return Err(UpstreamError::from_reason(&error)),
    };
    Ok(CollectedResponse { status: head.status.as_u16(), headers: head.headers, body })
}
