//! A server's report of itself: identity, version, clock.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use greenroom_dialect::classification::Representation;
use greenroom_dialect::server_identity::{IdentityProbeResponse, MediaServer, ServerIdentity, identify_server};
use http::HeaderMap;
use http::header::DATE;

use crate::origin::{Origin, UNKNOWN_CLOCK};

impl Origin {
    /// Blocks requests while the server is an Emby, because it would misunderstand them.
    pub fn set_emby(&self, is_emby: bool) {
        self.is_emby.store(is_emby, Ordering::Relaxed);
    }

    /// Whether the server is an Emby.
    pub fn is_emby(&self) -> bool {
        self.is_emby.load(Ordering::Relaxed)
    }

    /// Stores the server's identity response, if it is one.
    pub fn record_identity(&self, body: &Bytes) {
        let kind = self.settings.kind;
        if kind.identity_in_format(body, Representation::Json).is_some() && self.parse_identity(body).is_some() {
            *self.identity_response.lock() = Some(body.clone());
        }
    }

    /// The last identity response, verbatim.
    pub fn identity_response(&self) -> Option<Vec<u8>> {
        self.identity_response.lock().as_ref().map(|body| body.to_vec())
    }

    /// Last reported name and version.
    pub fn title_and_version(&self) -> (Option<String>, Option<String>) {
        let body = self.identity_response.lock().clone();
        match body.and_then(|body| self.parse_identity(&body)) {
            Some(body) => (body.name, self.version().or(Some(body.version))),
            None => (None, self.version()),
        }
    }

    /// The configured server in a complete 200 response to its identity path.
    fn parse_identity(&self, body: &[u8]) -> Option<MediaServer> {
        let response = IdentityProbeResponse { status: 200, headers: &HeaderMap::new(), body };
        match identify_server(self.settings.kind, &response) {
            ServerIdentity::Expected(server) => Some(server),
            _ => None,
        }
    }

    /// The identity response in the requested representation.
    pub fn identity_response_as(&self, format: Representation) -> Option<(&'static str, Bytes)> {
        self.settings.kind.identity_in_format(self.identity_response.lock().as_ref()?, format)
    }

    /// Records the server's time, if the response has one.
    pub fn record_clock(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else { return };
        let since_epoch = date.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let server_s = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
        self.clock_ahead_s
            .store(server_s.saturating_sub_unsigned(self.clock.now().as_millis() / 1000), Ordering::Relaxed);
    }

    /// Seconds by which its clock was ahead of ours at its last response; `None` if unknown.
    pub fn clock_ahead_s(&self) -> Option<i64> {
        Some(self.clock_ahead_s.load(Ordering::Relaxed)).filter(|ahead_s| *ahead_s != UNKNOWN_CLOCK)
    }

    /// Last reported version; `None` before the first.
    pub fn version(&self) -> Option<String> {
        self.version.lock().clone()
    }

    /// Records the reported version.
    pub fn record_version(&self, version: &str) {
        *self.version.lock() = Some(version.to_owned());
    }
}
