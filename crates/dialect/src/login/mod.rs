//! Getting a token: the requests a device makes to be let in, and what the answers to them say.
//!
//! Rooms: [`plex`] (a code at plex.tv, then the servers of the account), [`jellyfin`] (Quick Connect, or name and
//! password). A request here has a path for a target: whoever sends it knows where to.

pub mod jellyfin;
pub mod plex;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request};

use crate::ask::Kind;
use crate::credential::{Credential, Form, Secret};

/// What we call ourselves when we ask for ourselves.
const PRODUCT: &str = "Greenroom";

/// What is said of the device that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// What tells it from all others; letters and digits. A device that logs in again must say the same.
    pub identifier: String,
    /// What people read in the list of devices.
    pub name: String,
    /// The version of this program.
    pub version: String,
}

impl Device {
    /// The credential of this device with a token, or without one.
    pub fn credential(&self, kind: Kind, token: Option<Secret>) -> Credential {
        let form = match (kind, &token) {
            (_, None) => Form::None,
            (Kind::Plex, _) => Form::PlexHeader,
            (Kind::Jellyfin, _) => Form::Authorization,
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

    /// What a device says of itself to Plex, where no single header holds it. What is no header value is left out.
    fn plex_words(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let words = [
            ("x-plex-client-identifier", self.identifier.as_str()),
            ("x-plex-product", PRODUCT),
            ("x-plex-version", self.version.as_str()),
            ("x-plex-device-name", self.name.as_str()),
        ];
        words.into_iter().filter_map(|(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
        })
    }

    /// A request of this device that wants JSON.
    pub fn request(
        &self,
        kind: Kind,
        method: Method,
        target: &str,
        token: Option<Secret>,
        json: Option<&serde_json::Value>,
    ) -> Request<Bytes> {
        let body = json.map(|value| Bytes::from(value.to_string()));
        let mut request = Request::new(body.clone().unwrap_or_default());
        *request.method_mut() = method;
        // Targets are ours, and what is put into them is encoded first.
        *request.uri_mut() = target.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if kind == Kind::Plex {
            headers.extend(self.plex_words());
        }
        headers.extend(kind.credential_headers(&self.credential(kind, token), true));
        request
    }
}

/// A question that says nothing of who asks but the token: media servers note what else is said of a device.
pub fn question(kind: Kind, target: &str, token: Option<Secret>) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = target.parse().unwrap_or_default();
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let form = if kind == Kind::Plex { Form::PlexHeader } else { Form::Authorization };
    let credential = Credential { token, form, ..Credential::default() };
    request.headers_mut().extend(kind.credential_headers(&credential, true));
    request
}

/// How it stands with a code somebody is to agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look<T> {
    /// Nobody agreed yet.
    Waiting,
    /// Somebody did.
    Agreed(T),
    /// The code is not known any more: its time is over.
    Gone,
    /// The answer is not one that is understood; its status.
    Odd(u16),
}
