//! Which server answers at an address, told from what it says without a token: the one place where a server is
//! recognised. `serve`, `doctor`, `login`, the probe and the page all ask here, so that they cannot disagree.
//!
//! - [`recognise`] reads one answer.
//! - [`inquire`] says which path to ask next, and what all answers together say: a server of the other kind, or an
//!   Emby, does not answer at the path of the server that is expected.

use std::fmt;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use crate::ask::Kind;

/// The first major version of Jellyfin. A server of that family that names no product and is older is an Emby.
const FIRST_JELLYFIN: u32 = 10;
/// Where an Emby answers that is reached below its own prefix only.
const EMBY_PATH: &str = "/emby/System/Info/Public";
/// Longest name of a foreign product that is repeated, in characters.
const MAX_PRODUCT_CHARS: usize = 40;

/// An answer to the question which server this is.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, whole.
    pub body: &'a [u8],
}

/// Which server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerIdentity {
    /// A server of the expected kind.
    Expected(MediaServer),
    /// A server of the other kind.
    OtherKind(MediaServer),
    /// An Emby: it speaks almost like a Jellyfin, and is not supported.
    Emby {
        /// Its version.
        version: String,
    },
    /// A media server that is starting up.
    Starting {
        /// The status of the answer.
        status: u16,
    },
    /// The server, or a proxy in front of it, reports a failure of its own: any 5xx but 503.
    Failing {
        /// The status of the answer.
        status: u16,
    },
    /// It accepts only encrypted requests.
    WantsEncryption,
    /// Not a media server.
    SomethingElse(SomethingElse),
}

/// A media server that is supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaServer {
    /// Its kind.
    pub kind: Kind,
    /// Its name, where it says so without a token.
    pub name: Option<String>,
    /// Its version.
    pub version: String,
    /// Its identifier; old versions of Jellyfin may leave it out.
    pub id: Option<String>,
    /// Whether it belongs to an account, where it says so (Plex).
    pub claimed: Option<bool>,
}

/// What answered instead of a media server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SomethingElse {
    /// There is nothing at this path (404 or 410).
    NotFound(u16),
    /// It demands credentials first (401, 403 or 407).
    WantsLogin(u16),
    /// It sends the client to another address.
    Redirect(u16),
    /// A web page: of a proxy, a router, a login.
    WebPage,
    /// An answer without a body.
    Empty,
    /// An answer that begins like a server's and breaks off.
    Truncated,
    /// A program of the same family with another name.
    OtherProduct(String),
    /// Any other answer; its status.
    Unknown(u16),
}

/// What to do next to learn which server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inquiry {
    /// Ask for this path, without a token, and for JSON.
    Ask(&'static str),
    /// Nothing: this is the server.
    Known(ServerIdentity),
}

impl Kind {
    /// Where a server says which one it is, without a token.
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

/// The next step after the answers of `heard`, each to the path this function asked for before.
pub fn inquire(expected: Kind, heard: &[ServerIdentity]) -> Inquiry {
    let further = match expected {
        Kind::Plex => [Kind::Jellyfin.identity_path(), EMBY_PATH],
        Kind::Jellyfin => [EMBY_PATH, Kind::Plex.identity_path()],
    };
    let Some((first, others)) = heard.split_first() else { return Inquiry::Ask(expected.identity_path()) };
    if !matches!(first, ServerIdentity::SomethingElse(_)) {
        return Inquiry::Known(first.clone());
    }
    // At a path that is not its own, a server of the expected kind, a failure or a page prove nothing.
    let found = others
        .iter()
        .find(|other| matches!(other, ServerIdentity::OtherKind(_) | ServerIdentity::Emby { .. }));
    match (found, further.get(others.len()).copied()) {
        (Some(found), _) => Inquiry::Known(found.clone()),
        (None, Some(path)) => Inquiry::Ask(path),
        (None, None) => Inquiry::Known(first.clone()),
    }
}

/// Which server gave this answer to the [path](Kind::identity_path) of any kind.
pub fn recognise(expected: Kind, answer: &Answer<'_>) -> ServerIdentity {
    let Answer { status, body, .. } = *answer;
    let said = Said::read(body);
    if status == 503 || said.plex.as_ref().is_some_and(|plex| plex.is_starting) {
        return ServerIdentity::Starting { status };
    }
    match status {
        200 => said.server(expected).unwrap_or_else(|| ServerIdentity::SomethingElse(of_body(answer))),
        400 if says_it_is_encrypted(body) => ServerIdentity::WantsEncryption,
        500.. => ServerIdentity::Failing { status },
        300..=399 => ServerIdentity::SomethingElse(SomethingElse::Redirect(status)),
        401 | 403 | 407 => ServerIdentity::SomethingElse(SomethingElse::WantsLogin(status)),
        404 | 410 => ServerIdentity::SomethingElse(SomethingElse::NotFound(status)),
        _ => ServerIdentity::SomethingElse(SomethingElse::Unknown(status)),
    }
}

/// What a body says, as far as it says anything of a server.
#[derive(Default)]
struct Said {
    plex: Option<PlexWords>,
    family: Option<FamilyWords>,
}

/// What a Plex says of itself.
#[derive(Default)]
struct PlexWords {
    name: Option<String>,
    version: Option<String>,
    id: Option<String>,
    claimed: Option<bool>,
    is_starting: bool,
}

/// What Jellyfin and its relatives say of themselves.
struct FamilyWords {
    name: Option<String>,
    version: Option<String>,
    id: Option<String>,
    product: Option<String>,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(Value::Object(said)) => match said.get("MediaContainer") {
                Some(Value::Object(container)) => {
                    Self { plex: Some(PlexWords::of_json(container)), family: None }
                }
                _ => Self { plex: None, family: Some(FamilyWords::read(&said)) },
            },
            Ok(_) => Self::default(),
            Err(_) => Self { plex: std::str::from_utf8(body).ok().and_then(PlexWords::of_xml), family: None },
        }
    }

    fn server(self, expected: Kind) -> Option<ServerIdentity> {
        let server = match (self.plex, self.family) {
            (Some(plex), _) => plex.server()?,
            (None, Some(family)) => match family.server()? {
                Ok(server) => server,
                Err(other) => return Some(other),
            },
            (None, None) => return None,
        };
        Some(if server.kind == expected {
            ServerIdentity::Expected(server)
        } else {
            ServerIdentity::OtherKind(server)
        })
    }
}

impl PlexWords {
    fn of_json(container: &Map<String, Value>) -> Self {
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

    /// The root element and its end; what lies between is not looked at.
    fn of_xml(text: &str) -> Option<Self> {
        let mut reader = Reader::from_str(text);
        let (words, is_empty) = loop {
            match reader.read_event().ok()? {
                Event::Decl(_) | Event::Comment(_) => {}
                Event::Text(text) if text.trim().is_empty() => {}
                Event::Empty(root) => break (Self::of_root(&root)?, true),
                Event::Start(root) => break (Self::of_root(&root)?, false),
                _ => return None,
            }
        };
        (is_empty || text.trim_end().ends_with("</MediaContainer>")).then_some(words)
    }

    fn of_root(root: &BytesStart<'_>) -> Option<Self> {
        if root.name().as_ref() != "MediaContainer" {
            return None;
        }
        let mut words = Self::default();
        for attribute in root.attributes().with_checks(false) {
            let attribute = attribute.ok()?;
            let value = || {
                let plain = quick_xml::escape::unescape(&attribute.value).ok()?;
                Some(plain.into_owned()).filter(|value| !value.is_empty())
            };
            match attribute.key.as_ref() {
                "friendlyName" => words.name = value(),
                "version" => words.version = value(),
                "machineIdentifier" => words.id = value(),
                "claimed" => words.claimed = value().map(|flag| is_true(&flag)),
                "startState" => words.is_starting = true,
                _ => {}
            }
        }
        Some(words)
    }

    fn server(self) -> Option<MediaServer> {
        let (version, id) = (self.version?, Some(self.id?));
        Some(MediaServer { kind: Kind::Plex, name: self.name, version, id, claimed: self.claimed })
    }
}

impl FamilyWords {
    fn read(said: &Map<String, Value>) -> Self {
        Self {
            name: text(said, "ServerName"),
            version: text(said, "Version"),
            id: text(said, "Id"),
            product: text(said, "ProductName"),
        }
    }

    /// The product decides; where none is named, Emby counts its versions from 3 and 4, Jellyfin from 10.
    fn server(self) -> Option<Result<MediaServer, ServerIdentity>> {
        let Self { name, version, id, product } = self;
        let version = version?;
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        let is_emby = match product {
            Some(product) if product.contains("Jellyfin") => false,
            Some(product) if product.contains("Emby") => true,
            Some(product) => {
                let other = SomethingElse::OtherProduct(printable(&product));
                return Some(Err(ServerIdentity::SomethingElse(other)));
            }
            None => major.is_some_and(|major| major < FIRST_JELLYFIN),
        };
        Some(if is_emby {
            Err(ServerIdentity::Emby { version })
        } else {
            Ok(MediaServer { kind: Kind::Jellyfin, name, version, id, claimed: None })
        })
    }
}

/// What an answer with status 200 is that is no media server's.
fn of_body(answer: &Answer<'_>) -> SomethingElse {
    let text = String::from_utf8_lossy(answer.body);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let content_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if text.is_empty() {
        SomethingElse::Empty
    } else if text.starts_with('<') && text.contains("<MediaContainer") {
        let is_whole = ["</MediaContainer>", "/>"].iter().any(|end| text.trim_end().ends_with(end));
        if is_whole { SomethingElse::Unknown(answer.status) } else { SomethingElse::Truncated }
    } else if text.starts_with('<') || content_type.is_some_and(|content| content.starts_with("text/html")) {
        SomethingElse::WebPage
    } else if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|error| error.is_eof()) {
        SomethingElse::Truncated
    } else {
        SomethingElse::Unknown(answer.status)
    }
}

/// A text of a JSON object that says something.
fn text(said: &Map<String, Value>, name: &str) -> Option<String> {
    said.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn is_true(flag: &str) -> bool {
    matches!(flag, "1" | "true")
}

fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MAX_PRODUCT_CHARS).collect()
}

fn says_it_is_encrypted(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(2048)]).to_ascii_lowercase();
    text.contains("http request to an https server")
        || text.contains("plain http request was sent to https port")
}

impl fmt::Display for ServerIdentity {
    /// A sentence about "it", what answers at the address.
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
            Self::WantsEncryption => f.write_str("it takes only encrypted requests"),
            Self::SomethingElse(what) => write!(f, "it answered with {what}"),
        }
    }
}

impl fmt::Display for SomethingElse {
    /// Completes "it answered with".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(status) => write!(f, "status {status}: it has no such path"),
            Self::WantsLogin(status) => write!(f, "status {status}: it demands a login first"),
            Self::Redirect(status) => write!(f, "status {status}: it redirects to another address"),
            Self::WebPage => f.write_str("a web page"),
            Self::Empty => f.write_str("nothing: the answer is empty"),
            Self::Truncated => f.write_str("half an answer: it breaks off"),
            Self::OtherProduct(name) => write!(f, "the name of another product, \"{name}\""),
            Self::Unknown(status) => write!(f, "status {status} and nothing that a media server says"),
        }
    }
}
