//! A request that came to a server, with everything that is known of it before it is answered.

pub mod classify;

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use http::header::HeaderValue;

use crate::request::meaning::Meaning;
use crate::server::Server;

/// Everything known about a request before it is decided what to do with it.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The server it is for.
    pub server: Arc<Server>,
    /// Who asks, with which app, and what for.
    pub meaning: Arc<Meaning>,
    /// Where the client is: see [`crate::request::client_ip`].
    pub client: IpAddr,
    /// Whether the client's own connection is encrypted: with us, or with the proxy before us.
    pub is_encrypted: bool,
    /// The page the request comes from, if a browser says so.
    pub origin: Option<HeaderValue>,
}

/// A visit is what its head means, and its circumstances.
impl Deref for Visit {
    type Target = Meaning;

    fn deref(&self) -> &Meaning {
        &self.meaning
    }
}

impl Visit {
    /// The server's address for what the client asks, as the server gets it.
    pub fn uri(&self, target: &str) -> Result<http::Uri, http::Error> {
        self.server.origin.client.uri(&self.target_for_server(target))
    }

    /// What the client asks for, as the server gets it.
    pub fn target_for_server<'a>(&self, target: &'a str) -> Cow<'a, str> {
        let settings = &self.server.origin.settings;
        settings.kind.target_for_server(target, settings.translate_legacy_auth)
    }
}
