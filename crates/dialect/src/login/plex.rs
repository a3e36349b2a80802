//! Login at plex.tv: a code approved through a link or by typing, then a token, then the servers of the
//! account.

use bytes::Bytes;
use http::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{LoginDevice, LoginStatus, PRODUCT};
use crate::credential::Secret;
use crate::request::ServerKind;

/// Page on which a short code is typed.
const CODE_ENTRY_URL: &str = "https://plex.tv/link";
/// Page to which a link with a long code leads.
const APPROVAL_URL: &str = "https://app.plex.tv/auth#?";
/// Lifetime of a code in seconds if the response does not state it.
const DEFAULT_LIFETIME_S: u64 = 900;
/// Max lifetime of a code in seconds, whatever the response states.
const MAX_LIFETIME_S: u64 = 3_600;

/// The user's way to approve the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinFormat {
    /// By opening a link with a long code.
    Link,
    /// By typing a short code.
    ShortCode,
}

/// A code waiting for approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginPin {
    id: u64,
    /// The code to be typed, or contained in the link.
    pub code: String,
    /// Lifetime in seconds.
    pub lifetime_s: u64,
}

/// A server of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountServer {
    /// Machine identifier; the same as in the server's own identity.
    pub identifier: String,
    /// Name of the server.
    pub name: String,
    /// Version, if known.
    pub version: String,
    /// Whether the account owns the server; a shared server comes without the owner's rights.
    pub owned: bool,
    /// The token for this server only.
    pub token: Option<Secret>,
    /// Whether the server requires encrypted requests.
    pub https_required: bool,
    /// Addresses, best first: local, public, relay.
    pub addresses: Vec<ServerAddress>,
}

/// One address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// IP address or host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The HTTPS URL, with a name its certificate is valid for.
    pub url: String,
    /// The network it can be reached from.
    pub scope: AddressScope,
}

/// Network an address can be reached from, nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressScope {
    /// In the server's own network.
    Home,
    /// From anywhere.
    Public,
    /// Through the vendor's relay, slowly.
    Relay,
}

#[derive(Deserialize)]
struct PinResponse {
    id: u64,
    code: String,
    #[serde(rename = "expiresIn")]
    expires_in: Option<u64>,
    #[serde(rename = "authToken")]
    token: Option<String>,
}

#[derive(Deserialize)]
struct ResourceResponse {
    name: String,
    #[serde(rename = "clientIdentifier", default)]
    identifier: String,
    #[serde(default)]
    provides: String,
    #[serde(rename = "productVersion")]
    version: Option<String>,
    #[serde(default)]
    owned: bool,
    #[serde(rename = "accessToken")]
    token: Option<String>,
    #[serde(rename = "httpsRequired", default)]
    https_required: bool,
    #[serde(default)]
    connections: Vec<ConnectionResponse>,
}

#[derive(Deserialize)]
struct ConnectionResponse {
    address: String,
    port: u16,
    uri: String,
    #[serde(default)]
    local: bool,
    #[serde(default)]
    relay: bool,
}

/// Request for a code.
pub fn pin_request(device: &LoginDevice, format: PinFormat) -> Request<Bytes> {
    let target = match format {
        PinFormat::Link => "/api/v2/pins?strong=true",
        PinFormat::ShortCode => "/api/v2/pins",
    };
    device.request(ServerKind::Plex, Method::POST, target, None, None)
}

/// Parses the response to [`pin_request`].
pub fn parse_pin(status: u16, body: &[u8]) -> Option<LoginPin> {
    let response: PinResponse = (200..300).contains(&status).then(|| serde_json::from_slice(body).ok())??;
    let lifetime_s =
        response.expires_in.filter(|seconds| *seconds > 0).unwrap_or(DEFAULT_LIFETIME_S).min(MAX_LIFETIME_S);
    Some(LoginPin { id: response.id, code: response.code, lifetime_s })
}

/// Request for the status of a code.
pub fn status_request(device: &LoginDevice, pin: &LoginPin) -> Request<Bytes> {
    device.request(ServerKind::Plex, Method::GET, &format!("/api/v2/pins/{}", pin.id), None, None)
}

/// Parses the response to [`status_request`].
pub fn parse_status(status: u16, body: &[u8]) -> LoginStatus<Secret> {
    if status == 404 {
        return LoginStatus::Expired;
    }
    let response: Option<PinResponse> = serde_json::from_slice(body).ok().filter(|_| status == 200);
    match response.map(|response| response.token) {
        Some(Some(token)) if !token.is_empty() => LoginStatus::Approved(Secret::new(token)),
        Some(_) => LoginStatus::Pending,
        None => LoginStatus::Unexpected(status),
    }
}

/// URL at which the user approves a code.
pub fn approval_url(device: &LoginDevice, pin: &LoginPin, format: PinFormat) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    match format {
        PinFormat::ShortCode => CODE_ENTRY_URL.to_owned(),
        PinFormat::Link => format!(
            "{APPROVAL_URL}clientID={}&code={}&context%5Bdevice%5D%5Bproduct%5D={}",
            encoded(&device.identifier),
            encoded(&pin.code),
            encoded(PRODUCT)
        ),
    }
}

/// Request for the servers of the account.
pub fn servers_request(device: &LoginDevice, token: &Secret) -> Request<Bytes> {
    let target = "/api/v2/resources?includeHttps=1&includeRelay=1";
    device.request(ServerKind::Plex, Method::GET, target, Some(token.clone()), None)
}

/// Parses the response to [`servers_request`]; owned servers come first.
pub fn parse_servers(status: u16, body: &[u8]) -> Option<Vec<AccountServer>> {
    let response: Vec<ResourceResponse> = (status == 200).then(|| serde_json::from_slice(body).ok())??;
    let is_server = |resource: &ResourceResponse| resource.provides.split(',').any(|role| role == "server");
    let mut servers: Vec<AccountServer> =
        response.into_iter().filter(is_server).map(ResourceResponse::into_server).collect();
    servers.sort_by_key(|server| !server.owned);
    Some(servers)
}

impl ResourceResponse {
    fn into_server(self) -> AccountServer {
        let mut addresses: Vec<ServerAddress> =
            self.connections.into_iter().map(ConnectionResponse::into_address).collect();
        addresses.sort_by_key(|address| address.scope);
        AccountServer {
            identifier: self.identifier,
            name: self.name,
            version: self.version.unwrap_or_default(),
            owned: self.owned,
            token: self.token.filter(|token| !token.is_empty()).map(Secret::new),
            https_required: self.https_required,
            addresses,
        }
    }
}

impl ConnectionResponse {
    fn into_address(self) -> ServerAddress {
        let scope = match (self.relay, self.local) {
            (true, _) => AddressScope::Relay,
            (false, true) => AddressScope::Home,
            (false, false) => AddressScope::Public,
        };
        ServerAddress { host: self.address, port: self.port, url: self.uri, scope }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> LoginDevice {
        LoginDevice { identifier: "id 1".into(), name: "attic".into(), version: "0.1".into() }
    }

    #[test]
    fn a_code_request_identifies_its_device() {
        let request = pin_request(&device(), PinFormat::Link);
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "/api/v2/pins?strong=true");
        assert_eq!(request.headers()["x-plex-client-identifier"], "id 1");
        assert_eq!(request.headers()["x-plex-product"], "Greenroom");
        assert_eq!(request.headers()["accept"], "application/json");
        assert!(!request.headers().contains_key("x-plex-token"));
    }

    #[test]
    fn a_code_is_followed_or_typed() {
        let pin = parse_pin(201, br#"{"id":5,"code":"a b","expiresIn":1800,"authToken":null}"#).unwrap();
        assert_eq!((pin.id, pin.lifetime_s), (5, 1800));
        let approval = approval_url(&device(), &pin, PinFormat::Link);
        assert_eq!(
            approval,
            "https://app.plex.tv/auth#?clientID=id%201&code=a%20b&context%5Bdevice%5D%5Bproduct%5D=Greenroom"
        );
        assert_eq!(approval_url(&device(), &pin, PinFormat::ShortCode), "https://plex.tv/link");
        assert_eq!(parse_pin(429, b"{}"), None);
        let endless = br#"{"id":5,"code":"a","expiresIn":18446744073709551615}"#;
        assert_eq!(parse_pin(201, endless).unwrap().lifetime_s, MAX_LIFETIME_S);
    }

    #[test]
    fn a_code_is_pending_then_yields_a_token_or_expires() {
        let waiting = br#"{"id":5,"code":"a","authToken":null}"#;
        assert_eq!(parse_status(200, waiting), LoginStatus::Pending);
        let approved = br#"{"id":5,"code":"a","authToken":"t"}"#;
        assert_eq!(parse_status(200, approved), LoginStatus::Approved(Secret::new("t")));
        assert_eq!(parse_status(404, b"{}"), LoginStatus::Expired);
        assert_eq!(parse_status(200, b"<html>"), LoginStatus::Unexpected(200));
        assert_eq!(parse_status(500, approved), LoginStatus::Unexpected(500));
    }

    #[test]
    fn servers_come_with_ones_own_and_the_nearest_first() {
        let body = br#"[{"name":"tv","provides":"player","connections":[]},
            {"name":"theirs","provides":"server","owned":false,"connections":[]},
            {"name":"mine","clientIdentifier":"m1","provides":"server,x","owned":true,"accessToken":"s","productVersion":"1.43","connections":[
              {"address":"1.1.1.1","port":443,"uri":"https://r","local":false,"relay":true},
              {"address":"9.9.9.9","port":32400,"uri":"https://p","local":false,"relay":false},
              {"address":"10.0.0.2","port":32400,"uri":"https://h","local":true,"relay":false}]}]"#;
        let servers = parse_servers(200, body).unwrap();
        assert_eq!(servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>(), ["mine", "theirs"]);
        let scopes: Vec<AddressScope> = servers[0].addresses.iter().map(|address| address.scope).collect();
        assert_eq!(scopes, [AddressScope::Home, AddressScope::Public, AddressScope::Relay]);
        assert_eq!(servers[0].identifier, "m1");
        assert_eq!(parse_servers(401, body), None);
        assert!(!format!("{servers:?}").contains("\"s\""));
    }
}
