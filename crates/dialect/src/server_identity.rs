//! Identifies the server at an address by its responses without a token. `serve`, `doctor`, `login`, the
//! prober and the page all use this module, so that they cannot disagree.
//!
//! - [`identify_server`] reads one response.
//! - [`next_probe`] gives the next path to request, or the conclusion from all responses: a server of the
//!   other kind, or an Emby server, does not answer at the path of the expected kind.

use std::fmt;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use crate::request::ServerKind;

/// The first major version of Jellyfin. An older server of that family without a product name is Emby.
const FIRST_JELLYFIN: u32 = 10;
/// Identity path of an Emby server that is reachable only below its own prefix.
const EMBY_PATH: &str = "/emby/System/Info/Public";
/// Longest name of a foreign product that is shown, in characters.
const MAX_PRODUCT_CHARS: usize = 40;

/// Response to an identity probe.
#[derive(Debug, Clone, Copy)]
pub struct IdentityProbeResponse<'a> {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its whole body.
    pub body: &'a [u8],
}

/// Identity of the server at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerIdentity {
    /// A server of the expected kind.
    Expected(MediaServer),
    /// A server of the other kind.
    OtherKind(MediaServer),
    /// An Emby server: its API resembles Jellyfin's, but it is not supported.
    Emby {
        /// Its version.
        version: String,
    },
    /// A media server that is starting up.
    Starting {
        /// The status of the response.
        status: u16,
    },
    /// The server, or a proxy in front of it, reports a failure of its own: any 5xx but 503.
    Failing {
        /// The status of the response.
        status: u16,
    },
    /// It accepts only encrypted requests.
    EncryptionRequired,
    /// Not a media server.
    Unrecognized(UnrecognizedResponse),
}

/// A supported media server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaServer {
    /// Its kind.
    pub kind: ServerKind,
    /// Its name, if readable without a token.
    pub name: Option<String>,
    /// Its version.
    pub version: String,
    /// Its identifier; old versions of Jellyfin may leave it out.
    pub id: Option<String>,
    /// Whether it belongs to an account, if stated (Plex).
    pub claimed: Option<bool>,
}

/// Kind of response that comes from no media server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnrecognizedResponse {
    /// Nothing exists at this path (404 or 410).
    NotFound(u16),
    /// It demands credentials first (401, 403 or 407).
    LoginRequired(u16),
    /// A redirect to another address.
    Redirect(u16),
    /// A web page: of a proxy, a router, a login.
    WebPage,
    /// An empty body.
    Empty,
    /// A body that begins like a server's and is truncated.
    Truncated,
    /// A program of the same family with another name.
    OtherProduct(String),
    /// Any other response; its status.
    Unknown(u16),
}

/// Next step of the identification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityProbe {
    /// Request this path as JSON, without a token.
    Request(&'static str),
    /// The server is identified.
    Done(ServerIdentity),
}

impl ServerKind {
    /// Path of the server's identity, readable without a token.
    pub fn identity_path(self) -> &'static str {
        match self {
            Self::Plex => "/identity",
            Self::Jellyfin => "/System/Info/Public",
        }
    }

    /// The other kind of server.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Plex => Self::Jellyfin,
            Self::Jellyfin => Self::Plex,
        }
    }
}

impl ServerIdentity {
    /// The server, if it is of the expected kind.
    pub fn expected(&self) -> Option<&MediaServer> {
        match self {
            Self::Expected(server) => Some(server),
            _ => None,
        }
    }
}

/// The next step after the results of `identities`, one for each path this function returned before.
pub fn next_probe(expected: ServerKind, identities: &[ServerIdentity]) -> IdentityProbe {
    let next = match expected {
        ServerKind::Plex => [ServerKind::Jellyfin.identity_path(), EMBY_PATH],
        ServerKind::Jellyfin => [EMBY_PATH, ServerKind::Plex.identity_path()],
    };
    let Some((first, others)) = identities.split_first() else {
        return IdentityProbe::Request(expected.identity_path());
    };
    if !matches!(first, ServerIdentity::Unrecognized(_)) {
        return IdentityProbe::Done(first.clone());
    }
    // At the path of another kind, a server of the expected kind, a failure or a page prove nothing.
    let other = others.iter().find(|other| matches!(other, ServerIdentity::OtherKind(_) | ServerIdentity::Emby { .. }));
    match (other, next.get(others.len()).copied()) {
        (Some(other), _) => IdentityProbe::Done(other.clone()),
        (None, Some(path)) => IdentityProbe::Request(path),
        (None, None) => IdentityProbe::Done(first.clone()),
    }
}

/// Identifies the server by its response to the [path](ServerKind::identity_path) of any kind.
pub fn identify_server(expected: ServerKind, response: &IdentityProbeResponse<'_>) -> ServerIdentity {
    let IdentityProbeResponse { status, body, .. } = *response;
    let fields = IdentityFields::read(body);
    if status == 503 || fields.plex.as_ref().is_some_and(|plex| plex.is_starting) {
        return ServerIdentity::Starting { status };
    }
    match status {
        200 => fields.server(expected).unwrap_or_else(|| ServerIdentity::Unrecognized(unrecognized_body(response))),
        400 if requires_encryption(body) => ServerIdentity::EncryptionRequired,
        500.. => ServerIdentity::Failing { status },
        300..=399 => ServerIdentity::Unrecognized(UnrecognizedResponse::Redirect(status)),
        401 | 403 | 407 => ServerIdentity::Unrecognized(UnrecognizedResponse::LoginRequired(status)),
        404 | 410 => ServerIdentity::Unrecognized(UnrecognizedResponse::NotFound(status)),
        _ => ServerIdentity::Unrecognized(UnrecognizedResponse::Unknown(status)),
    }
}

/// The identity fields of a body.
#[derive(Default)]
struct IdentityFields {
    plex: Option<PlexIdentity>,
    family: Option<JellyfinFamilyIdentity>,
}

/// The identity of a Plex server.
#[derive(Default)]
struct PlexIdentity {
    name: Option<String>,
    version: Option<String>,
    id: Option<String>,
    claimed: Option<bool>,
    is_starting: bool,
}

/// The identity of Jellyfin and its relatives.
struct JellyfinFamilyIdentity {
    name: Option<String>,
    version: Option<String>,
    id: Option<String>,
    product: Option<String>,
}

impl IdentityFields {
    fn read(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => match fields.get("MediaContainer") {
                Some(Value::Object(container)) => Self { plex: Some(PlexIdentity::from_json(container)), family: None },
                _ => Self { plex: None, family: Some(JellyfinFamilyIdentity::read(&fields)) },
            },
            Ok(_) => Self::default(),
            Err(_) => Self { plex: std::str::from_utf8(body).ok().and_then(PlexIdentity::from_xml), family: None },
        }
    }

    fn server(self, expected: ServerKind) -> Option<ServerIdentity> {
        let server = match (self.plex, self.family) {
            (Some(plex), _) => plex.server()?,
            (None, Some(family)) => match family.server()? {
                Ok(server) => server,
                Err(other) => return Some(other),
            },
            (None, None) => return None,
        };
        Some(if server.kind == expected { ServerIdentity::Expected(server) } else { ServerIdentity::OtherKind(server) })
    }
}

impl PlexIdentity {
    fn from_json(container: &Map<String, Value>) -> Self {
        let claimed = match container.get("claimed") {
            Some(Value::Bool(flag)) => Some(*flag),
            Some(Value::Number(flag)) => Some(flag.as_u64() != Some(0)),
            Some(Value::String(flag)) => Some(is_true(flag)),
            _ => None,
        };
        Self {
            name: text(container, "friendlyName"),
            version: text(container, "version"),
            id: text(container, "machineIdentifier"),
            claimed,
            is_starting: container.contains_key("startState"),
        }
    }

    /// Parses the root element; its content is ignored.
    fn from_xml(text: &str) -> Option<Self> {
        let mut reader = Reader::from_str(text);
        let (identity, is_empty) = loop {
            match reader.read_event().ok()? {
                Event::Decl(_) | Event::Comment(_) => {}
                Event::Text(text) if text.trim().is_empty() => {}
                Event::Empty(root) => break (Self::from_root(&root)?, true),
                Event::Start(root) => break (Self::from_root(&root)?, false),
                _ => return None,
            }
        };
        (is_empty || text.trim_end().ends_with("</MediaContainer>")).then_some(identity)
    }

    fn from_root(root: &BytesStart<'_>) -> Option<Self> {
        if root.name().as_ref() != "MediaContainer" {
            return None;
        }
        let mut identity = Self::default();
        for attribute in root.attributes().with_checks(false) {
            let attribute = attribute.ok()?;
            let value = || {
                let plain = quick_xml::escape::unescape(&attribute.value).ok()?;
                Some(plain.into_owned()).filter(|value| !value.is_empty())
            };
            match attribute.key.as_ref() {
                "friendlyName" => identity.name = value(),
                "version" => identity.version = value(),
                "machineIdentifier" => identity.id = value(),
                "claimed" => identity.claimed = value().map(|flag| is_true(&flag)),
                "startState" => identity.is_starting = true,
                _ => {}
            }
        }
        Some(identity)
    }

    fn server(self) -> Option<MediaServer> {
        let (version, id) = (self.version?, Some(self.id?));
        Some(MediaServer { kind: ServerKind::Plex, name: self.name, version, id, claimed: self.claimed })
    }
}

impl JellyfinFamilyIdentity {
    fn read(fields: &Map<String, Value>) -> Self {
        Self {
            name: text(fields, "ServerName"),
            version: text(fields, "Version"),
            id: text(fields, "Id"),
            product: text(fields, "ProductName"),
        }
    }

    /// The product name decides; without one, Emby has versions 3 and 4, Jellyfin 10 and later.
    fn server(self) -> Option<Result<MediaServer, ServerIdentity>> {
        let Self { name, version, id, product } = self;
        let version = version?;
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        let is_emby = match product {
            Some(product) if product.contains("Jellyfin") => false,
            Some(product) if product.contains("Emby") => true,
            Some(product) => {
                let other = UnrecognizedResponse::OtherProduct(printable(&product));
                return Some(Err(ServerIdentity::Unrecognized(other)));
            }
            None => major.is_some_and(|major| major < FIRST_JELLYFIN),
        };
        Some(if is_emby {
            Err(ServerIdentity::Emby { version })
        } else {
            Ok(MediaServer { kind: ServerKind::Jellyfin, name, version, id, claimed: None })
        })
    }
}

/// Kind of a 200 response that comes from no media server.
fn unrecognized_body(response: &IdentityProbeResponse<'_>) -> UnrecognizedResponse {
    let text = String::from_utf8_lossy(response.body);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let content_type = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if text.is_empty() {
        UnrecognizedResponse::Empty
    } else if text.starts_with('<') && text.contains("<MediaContainer") {
        let is_whole = ["</MediaContainer>", "/>"].iter().any(|end| text.trim_end().ends_with(end));
        if is_whole { UnrecognizedResponse::Unknown(response.status) } else { UnrecognizedResponse::Truncated }
    } else if text.starts_with('<') || content_type.is_some_and(|content| content.starts_with("text/html")) {
        UnrecognizedResponse::WebPage
    } else if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|error| error.is_eof()) {
        UnrecognizedResponse::Truncated
    } else {
        UnrecognizedResponse::Unknown(response.status)
    }
}

/// A non-empty text member of a JSON object.
fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn is_true(flag: &str) -> bool {
    matches!(flag, "1" | "true")
}

fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MAX_PRODUCT_CHARS).collect()
}

fn requires_encryption(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(2048)]).to_ascii_lowercase();
    text.contains("http request to an https server") || text.contains("plain http request was sent to https port")
}

impl fmt::Display for ServerIdentity {
    /// A sentence with "it" as the subject: the server at the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected(server) | Self::OtherKind(server) => {
                write!(f, "it is a {} server ({})", server.kind.name(), server.version)
            }
            Self::Emby { version } => {
                write!(f, "it is an Emby server ({version}), which is not supported yet")
            }
            Self::Starting { status } => write!(f, "it is starting (status {status})"),
            Self::Failing { status } => {
                write!(f, "it, or a proxy in front of it, is in trouble (status {status})")
            }
            Self::EncryptionRequired => f.write_str("it takes only encrypted requests"),
            Self::Unrecognized(what) => write!(f, "it answered with {what}"),
        }
    }
}

impl fmt::Display for UnrecognizedResponse {
    /// Completes the sentence "it answered with".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(status) => write!(f, "status {status}: the path does not exist"),
            Self::LoginRequired(status) => write!(f, "status {status}: it demands a login first"),
            Self::Redirect(status) => write!(f, "status {status}: it redirects to another address"),
            Self::WebPage => f.write_str("a web page"),
            Self::Empty => f.write_str("an empty response"),
            Self::Truncated => f.write_str("a truncated response"),
            Self::OtherProduct(name) => write!(f, "the name of another product, \"{name}\""),
            Self::Unknown(status) => write!(f, "status {status} and no response of a media server"),
        }
    }
}
