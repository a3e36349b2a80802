//! A request to a server, with everything known before it is answered.

pub mod classify;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::HeaderValue;

use crate::request::classified_request::ClassifiedRequest;
use crate::server::Server;

/// A request, with everything known before it is dispatched.
#[derive(Debug, Clone)]
pub struct ProxyRequest {
    /// The media server.
    pub server: Arc<Server>,
    /// The classified head: identity, app and kind.
    pub classified: Arc<ClassifiedRequest>,
    /// Client address: see [`crate::request::client_ip`].
    pub client: IpAddr,
    /// Whether the client's own connection is encrypted, here or at the proxy in front.
    pub is_encrypted: bool,
    /// `Origin` of the request, if a browser sent it.
    pub origin: Option<HeaderValue>,
}

impl ProxyRequest {
    /// Upstream URI of a client's target.
    pub fn uri(&self, target: &str) -> Result<http::Uri, http::Error> {
        self.server.origin.client.uri(&self.target_for_server(target))
    }

    /// The client's target as sent to the server.
    pub fn target_for_server<'a>(&self, target: &'a str) -> Cow<'a, str> {
        let settings = &self.server.origin.settings;
        settings.kind.target_for_server(target, settings.translate_legacy_auth)
    }
}
