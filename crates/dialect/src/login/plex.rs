//! Logging in at plex.tv: a code that a person follows or types, then a token, then the servers of the account.

use bytes::Bytes;
use http::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{Device, Look, PRODUCT};
use crate::ask::Kind;
use crate::credential::Secret;

/// Where a person types a short code.
const TYPED_AT: &str = "https://plex.tv/link";
/// Where a person is led to with a long one.
const FOLLOWED_TO: &str = "https://app.plex.tv/auth#?";
/// What a code lasts if the answer does not say.
const USUAL_LIFETIME_S: u64 = 900;
/// No code is waited for longer, whatever the answer says.
const MAX_LIFETIME_S: u64 = 3_600;

/// How a person is to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// By opening an address that holds a long code.
    Followed,
    /// By typing a short code.
    Typed,
}

/// A code that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    id: u64,
    /// What is typed, or stands in the address.
    pub code: String,
    /// How long it is good for.
    pub lifetime_s: u64,
}

/// A server of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountServer {
    /// What tells it from all others; it says the same of itself.
    pub identifier: String,
    /// What people call it.
    pub name: String,
    /// Its version, if it says so.
    pub version: String,
    /// Whether the account owns it; what is only shared with it comes without the owner's rights.
    pub owned: bool,
    /// The token for this server alone.
    pub token: Option<Secret>,
    /// It takes no requests that are not encrypted.
    pub https_required: bool,
    /// Where it can be reached, best first: at home, from outside, by relay.
    pub addresses: Vec<Address>,
}

/// One way to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Address or name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The encrypted form, with a name its certificate is good for.
    pub url: String,
    /// How near it is.
    pub reach: Reach,
}

/// How near an address is; the nearest come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// In the server's own network.
    Home,
    /// From everywhere.
    Public,
    /// Through machines of the vendor, slowly.
    Relay,
}

#[derive(Deserialize)]
struct SaidPin {
    id: u64,
    code: String,
    #[serde(rename = "expiresIn")]
    expires_in: Option<u64>,
    #[serde(rename = "authToken")]
    token: Option<String>,
}

#[derive(Deserialize)]
struct SaidResource {
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
    connections: Vec<SaidConnection>,
}

#[derive(Deserialize)]
struct SaidConnection {
    address: String,
    port: u16,
    uri: String,
    #[serde(default)]
    local: bool,
    #[serde(default)]
    relay: bool,
}

/// Asks for a code.
pub fn begin(device: &Device, form: Form) -> Request<Bytes> {
    let target = match form {
        Form::Followed => "/api/v2/pins?strong=true",
        Form::Typed => "/api/v2/pins",
    };
    device.request(Kind::Plex, Method::POST, target, None, None)
}

/// The code, out of the answer to [`begin`].
pub fn begun(status: u16, body: &[u8]) -> Option<Pin> {
    let said: SaidPin = (200..300).contains(&status).then(|| serde_json::from_slice(body).ok())??;
    let lifetime_s = said.expires_in.filter(|left| *left > 0).unwrap_or(USUAL_LIFETIME_S).min(MAX_LIFETIME_S);
    Some(Pin { id: said.id, code: said.code, lifetime_s })
}

/// Asks how it stands with a code.
pub fn look(device: &Device, pin: &Pin) -> Request<Bytes> {
    device.request(Kind::Plex, Method::GET, &format!("/api/v2/pins/{}", pin.id), None, None)
}

/// What the answer to [`look`] says.
pub fn looked(status: u16, body: &[u8]) -> Look<Secret> {
    if status == 404 {
        return Look::Gone;
    }
    let said: Option<SaidPin> = serde_json::from_slice(body).ok().filter(|_| status == 200);
    match said.map(|said| said.token) {
        Some(Some(token)) if !token.is_empty() => Look::Agreed(Secret::new(token)),
        Some(_) => Look::Waiting,
        None => Look::Odd(status),
    }
}

/// Where a person agrees to a code.
pub fn address(device: &Device, pin: &Pin, form: Form) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    match form {
        Form::Typed => TYPED_AT.to_owned(),
        Form::Followed => format!(
            "{FOLLOWED_TO}clientID={}&code={}&context%5Bdevice%5D%5Bproduct%5D={}",
            encoded(&device.identifier),
            encoded(&pin.code),
            encoded(PRODUCT)
        ),
    }
}

/// Asks for the servers of the account.
pub fn servers(device: &Device, token: &Secret) -> Request<Bytes> {
    let target = "/api/v2/resources?includeHttps=1&includeRelay=1";
    device.request(Kind::Plex, Method::GET, target, Some(token.clone()), None)
}

/// The servers, out of the answer to [`servers`]: one's own first.
pub fn servers_of(status: u16, body: &[u8]) -> Option<Vec<AccountServer>> {
    let said: Vec<SaidResource> = (status == 200).then(|| serde_json::from_slice(body).ok())??;
    let is_server = |resource: &SaidResource| resource.provides.split(',').any(|role| role == "server");
    let mut servers: Vec<AccountServer> =
        said.into_iter().filter(is_server).map(SaidResource::read).collect();
    servers.sort_by_key(|server| !server.owned);
    Some(servers)
}

impl SaidResource {
    fn read(self) -> AccountServer {
        let mut addresses: Vec<Address> = self.connections.into_iter().map(SaidConnection::read).collect();
        addresses.sort_by_key(|address| address.reach);
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

impl SaidConnection {
    fn read(self) -> Address {
        let reach = match (self.relay, self.local) {
            (true, _) => Reach::Relay,
            (false, true) => Reach::Home,
            (false, false) => Reach::Public,
        };
        Address { host: self.address, port: self.port, url: self.uri, reach }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        Device { identifier: "id 1".into(), name: "attic".into(), version: "0.1".into() }
    }

    #[test]
    fn a_code_is_asked_for_by_a_device_that_says_who_it_is() {
        let request = begin(&device(), Form::Followed);
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "/api/v2/pins?strong=true");
        assert_eq!(request.headers()["x-plex-client-identifier"], "id 1");
        assert_eq!(request.headers()["x-plex-product"], "Greenroom");
        assert_eq!(request.headers()["accept"], "application/json");
        assert!(!request.headers().contains_key("x-plex-token"));
    }

    #[test]
    fn a_code_is_followed_or_typed() {
        let pin = begun(201, br#"{"id":5,"code":"a b","expiresIn":1800,"authToken":null}"#).unwrap();
        assert_eq!((pin.id, pin.lifetime_s), (5, 1800));
        let followed = address(&device(), &pin, Form::Followed);
        assert_eq!(
            followed,
            "https://app.plex.tv/auth#?clientID=id%201&code=a%20b&context%5Bdevice%5D%5Bproduct%5D=Greenroom"
        );
        assert_eq!(address(&device(), &pin, Form::Typed), "https://plex.tv/link");
        assert_eq!(begun(429, b"{}"), None);
        let endless = br#"{"id":5,"code":"a","expiresIn":18446744073709551615}"#;
        assert_eq!(begun(201, endless).unwrap().lifetime_s, MAX_LIFETIME_S);
    }

    #[test]
    fn a_code_waits_then_gives_a_token_or_ends() {
        let waiting = br#"{"id":5,"code":"a","authToken":null}"#;
        assert_eq!(looked(200, waiting), Look::Waiting);
        let linked = br#"{"id":5,"code":"a","authToken":"t"}"#;
        assert_eq!(looked(200, linked), Look::Agreed(Secret::new("t")));
        assert_eq!(looked(404, b"{}"), Look::Gone);
        assert_eq!(looked(200, b"<html>"), Look::Odd(200));
        assert_eq!(looked(500, linked), Look::Odd(500));
    }

    #[test]
    fn servers_come_with_ones_own_and_the_nearest_first() {
        let body = br#"[{"name":"tv","provides":"player","connections":[]},
            {"name":"theirs","provides":"server","owned":false,"connections":[]},
            {"name":"mine","clientIdentifier":"m1","provides":"server,x","owned":true,"accessToken":"s","productVersion":"1.43","connections":[
              {"address":"1.1.1.1","port":443,"uri":"https://r","local":false,"relay":true},
              {"address":"9.9.9.9","port":32400,"uri":"https://p","local":false,"relay":false},
              {"address":"10.0.0.2","port":32400,"uri":"https://h","local":true,"relay":false}]}]"#;
        let servers = servers_of(200, body).unwrap();
        assert_eq!(servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>(), ["mine", "theirs"]);
        let reaches: Vec<Reach> = servers[0].addresses.iter().map(|address| address.reach).collect();
        assert_eq!(reaches, [Reach::Home, Reach::Public, Reach::Relay]);
        assert_eq!(servers[0].identifier, "m1");
        assert_eq!(servers_of(401, body), None);
        assert!(!format!("{servers:?}").contains("\"s\""));
    }
}
