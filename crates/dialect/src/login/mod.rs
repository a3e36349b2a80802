//! Login requests of a device, and parsers for their responses.
//!
//! Modules: [`plex`] (a code at plex.tv, then the servers of the account), [`jellyfin`] (Quick Connect, or
//! name and password). Requests have only a path as target: the sender knows the host.

pub mod jellyfin;
pub mod plex;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request};

use crate::credential::{Credential, Secret, TokenForm};
use crate::request::ServerKind;

/// Greenroom's product name in its own requests.
const PRODUCT: &str = "Greenroom";

/// Device description sent with a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginDevice {
    /// Unique device id of letters and digits. Another log-in with the same makes the token of this one invalid.
    pub identifier: String,
    /// Name shown in the list of devices.
    pub name: String,
    /// Version of this program.
    pub version: String,
}

impl LoginDevice {
    /// The credential of this device with or without a token.
    pub fn credential(&self, kind: ServerKind, token: Option<Secret>) -> Credential {
        let form = match (kind, &token) {
            (_, None) => TokenForm::None,
            (ServerKind::Plex, _) => TokenForm::PlexHeader,
            (ServerKind::Jellyfin, _) => TokenForm::Authorization,
        };
        Credential {
            token,
            form,
            ambiguous: false,
            product: Some(PRODUCT.into()),
            version: Some(self.version.clone()),
            device: Some(self.name.clone()),
            device_id: Some(self.identifier.clone()),
        }
    }

    /// Headers that describe the device to Plex. Values that are no valid header value are left out.
    fn plex_headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let parameters = [
            ("x-plex-client-identifier", self.identifier.as_str()),
            ("x-plex-product", PRODUCT),
            ("x-plex-version", self.version.as_str()),
            ("x-plex-device-name", self.name.as_str()),
        ];
        parameters
            .into_iter()
            .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?)))
    }

    /// A request of this device for JSON.
    pub fn request(
        &self,
        kind: ServerKind,
        method: Method,
        target: &str,
        token: Option<Secret>,
        json: Option<&serde_json::Value>,
    ) -> Request<Bytes> {
        let body = json.map(|value| Bytes::from(value.to_string()));
        let mut request = Request::new(body.clone().unwrap_or_default());
        *request.method_mut() = method;
        // Targets are fixed texts with percent-encoded values.
        *request.uri_mut() = target.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if kind == ServerKind::Plex {
            headers.extend(self.plex_headers());
        }
        headers.extend(kind.credential_headers(&self.credential(kind, token), true));
        request
    }
}

/// A GET with nothing but the token, because media servers record any device description they see.
pub fn authenticated_get(kind: ServerKind, target: &str, token: Option<Secret>) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = target.parse().unwrap_or_default();
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let form = if kind == ServerKind::Plex { TokenForm::PlexHeader } else { TokenForm::Authorization };
    let credential = Credential { token, form, ..Credential::default() };
    request.headers_mut().extend(kind.credential_headers(&credential, true));
    request
}

/// Status of a code that waits for approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginStatus<T> {
    /// Not approved yet.
    Pending,
    /// Approved.
    Approved(T),
    /// The server no longer knows the code.
    Expired,
    /// Any other response; its status.
    Unexpected(u16),
}
