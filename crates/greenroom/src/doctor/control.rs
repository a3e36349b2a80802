//! Asking the running process: what its control plane tells of apps and servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use greenroom_dialect::credential::Secret;
use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;

use greenroom_config::Place;
use greenroom_config::certificate_files::Files;
use greenroom_origin::probe_client::{Enquirer, Silence, Trust};

/// What the control plane tells, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Figures {
    /// The apps that asked anything.
    #[serde(default)]
    pub apps: Vec<AppFigures>,
    /// The servers.
    #[serde(default)]
    pub servers: Vec<ServerFigures>,
}

/// One app of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct AppFigures {
    /// The server.
    pub server: String,
    /// What the app calls itself.
    pub name: String,
    /// Requests it made.
    pub asked: u64,
    /// Requests answered without asking the server.
    pub saved: u64,
    /// Requests that were refused for want of a valid token.
    #[serde(default)]
    pub unauthorised: u64,
    /// Requests whose answer shows that their token is valid.
    #[serde(default)]
    pub let_in: u64,
    /// Those among them that were answered without asking the server.
    #[serde(default)]
    pub let_in_saved: u64,
    /// What its first request asked for: a class, or another word of the classifier.
    #[serde(default)]
    pub first_asked: Option<String>,
}

/// One server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ServerFigures {
    /// What it is called here.
    pub name: String,
    /// Where apps find it.
    pub listen: String,
}

/// Why the control plane does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// It does not answer.
    Silent(Silence),
    /// It wants the control token, and the one we have is not it.
    Refused,
    /// Something else answers there; the status.
    Foreign(u16),
}

/// Where the control plane is asked from this machine.
pub fn place(listen: SocketAddr, is_encrypted: bool) -> Option<Place> {
    let scheme = if is_encrypted { "https" } else { "http" };
    Place::parse(&format!("{scheme}://{}/", nearby(listen)))
}

/// Whose certificate is believed at a listener of ours: its own, if it shows one.
pub fn trust(shown: Option<&Files>) -> Trust {
    shown.map_or_else(Trust::system, Trust::of_shown)
}

/// An address to ask at, for one to listen on: "everywhere" is also here.
pub fn nearby(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Asks for the figures.
///
/// # Errors
/// Why they are not told.
pub async fn figures(enquirer: &Enquirer, place: &Place, token: Option<&Secret>) -> Result<Figures, Untold> {
    // Who asks from the gateway's own machine usually needs no token; then an old one must not stand in the way.
    if token.is_some() && place.is_loopback() {
        let told = told(enquirer, place, None).await;
        if told != Err(Untold::Refused) {
            return told;
        }
    }
    told(enquirer, place, token).await
}

async fn told(enquirer: &Enquirer, place: &Place, token: Option<&Secret>) -> Result<Figures, Untold> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = http::Uri::from_static("/api/v1/cache/stats");
    if let Some(token) = token
        && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
    {
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    let heard = enquirer.ask(place, request).await.map_err(Untold::Silent)?;
    match heard.status {
        200 => serde_json::from_slice(&heard.body).map_err(|_| Untold::Foreign(200)),
        401 | 403 => Err(Untold::Refused),
        other => Err(Untold::Foreign(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_everywhere_is_asked_here() {
        let at = |text: &str| place(text.parse().expect("an address"), false).expect("a place").url();
        assert_eq!(at("0.0.0.0:8710"), "http://127.0.0.1:8710");
        assert_eq!(at("[::]:8710"), "http://[::1]:8710");
        assert_eq!(at("192.168.1.5:1"), "http://192.168.1.5:1");
        let encrypted = place("0.0.0.0:8710".parse().expect("an address"), true).expect("a place");
        assert_eq!(encrypted.url(), "https://127.0.0.1:8710");
    }
}
