//! Client of the running process: the control plane's figures on apps and servers.

use std::net::SocketAddr;

use bytes::Bytes;
use greenroom_dialect::credential::Secret;
use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use greenroom_config::Endpoint;
use greenroom_config::certificate_files::CertificateFiles;
use greenroom_config::local_address::local_address;
use greenroom_origin::probe_client::{ProbeClient, ProbeError, ProbeTrust};

/// Start of the type of every problem that a control plane reports.
const PROBLEM_TYPE: &[u8] = b"urn:greenroom:problem:";

/// Figures of the control plane, as far as they matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct GatewayStats {
    /// Apps that sent requests.
    pub apps: Vec<GatewayAppStats>,
    /// Servers.
    pub servers: Vec<GatewayServerStats>,
}

/// One app at one server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct GatewayAppStats {
    /// The server's name.
    pub server: String,
    /// The app's name.
    pub name: String,
    /// Requests it made.
    pub asked: u64,
    /// Requests answered without asking the server.
    pub saved: u64,
    /// Requests refused for want of a valid token.
    #[serde(default)]
    pub unauthorised: u64,
    /// Requests whose response shows that their token is valid.
    #[serde(default)]
    pub let_in: u64,
    /// Those among them that were answered without asking the server.
    #[serde(default)]
    pub let_in_saved: u64,
    /// Request type of its first request, or another word of the classifier.
    #[serde(default)]
    pub first_asked: Option<String>,
}

/// One server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct GatewayServerStats {
    /// Its configured name.
    pub name: String,
    /// Address that apps connect to.
    pub listen: String,
}

/// Reason for which the control plane's figures are not available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlPlaneError {
    /// It does not answer.
    NoResponse(ProbeError),
    /// It requires another control token.
    Unauthorized,
    /// Something else answers there, with this status.
    UnexpectedStatus(u16),
}

/// The control plane's address on this machine.
pub fn endpoint(listen: SocketAddr, is_encrypted: bool) -> Option<Endpoint> {
    let scheme = if is_encrypted { "https" } else { "http" };
    Endpoint::parse(&format!("{scheme}://{}/", local_address(listen)))
}

/// Trust for a listener of ours: its own certificate, if it presents one.
pub fn trust_own_certificate(shown: Option<&CertificateFiles>) -> ProbeTrust {
    shown.map_or_else(ProbeTrust::system, ProbeTrust::for_listener)
}

/// Fetches the figures.
///
/// # Errors
/// Reason for which they are not available.
pub async fn fetch_stats(
    enquirer: &ProbeClient,
    endpoint: &Endpoint,
    token: Option<&Secret>,
) -> Result<GatewayStats, ControlPlaneError> {
    fetch(enquirer, endpoint, token, "/api/v1/cache/stats").await
}

/// Fetches a JSON document of the control plane.
///
/// # Errors
/// Reason for which it is not available.
pub async fn fetch<T: DeserializeOwned>(
    enquirer: &ProbeClient,
    endpoint: &Endpoint,
    token: Option<&Secret>,
    path: &'static str,
) -> Result<T, ControlPlaneError> {
    // Requests from the gateway's own machine usually need no token; then an old one must not stand in the way.
    if token.is_some() && endpoint.is_loopback() {
        let told = request_document(enquirer, endpoint, None, path).await;
        if !matches!(told, Err(ControlPlaneError::Unauthorized)) {
            return told;
        }
    }
    request_document(enquirer, endpoint, token, path).await
}

async fn request_document<T: DeserializeOwned>(
    enquirer: &ProbeClient,
    endpoint: &Endpoint,
    token: Option<&Secret>,
    path: &'static str,
) -> Result<T, ControlPlaneError> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = http::Uri::from_static(path);
    if let Some(token) = token
        && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
    {
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    let heard = enquirer.send(endpoint, request).await.map_err(ControlPlaneError::NoResponse)?;
    match heard.status {
        200 => serde_json::from_slice(&heard.body).map_err(|_| ControlPlaneError::UnexpectedStatus(200)),
        // Another program may ask for a login as well.
        401 | 403 if heard.body.windows(PROBLEM_TYPE.len()).any(|part| part == PROBLEM_TYPE) => {
            Err(ControlPlaneError::Unauthorized)
        }
        other => Err(ControlPlaneError::UnexpectedStatus(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_everywhere_is_asked_here() {
        let at = |text: &str| endpoint(text.parse().expect("an address"), false).expect("a place").url();
        assert_eq!(at("0.0.0.0:8710"), "http://127.0.0.1:8710");
        assert_eq!(at("[::]:8710"), "http://[::1]:8710");
        assert_eq!(at("192.168.1.5:1"), "http://192.168.1.5:1");
        let encrypted = endpoint("0.0.0.0:8710".parse().expect("an address"), true).expect("a place");
        assert_eq!(encrypted.url(), "https://127.0.0.1:8710");
    }
}
