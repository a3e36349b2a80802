//! Who answers at an address: told from what any server says of itself without a token. Unlike the greeting it also
//! knows whom it does not serve, so that a person can be told what to change.

use serde::Deserialize;

use crate::ask::Kind;

/// Versions this project was built against; older ones lack paths that are asked for.
const OLDEST: [(Kind, [u32; 2]); 2] = [(Kind::Plex, [1, 40]), (Kind::Jellyfin, [10, 9])];

/// The newest versions whose answers it was tried with.
const NEWEST: [(Kind, [u32; 2]); 2] = [(Kind::Plex, [1, 43]), (Kind::Jellyfin, [12, 0])];

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Introduction {
    /// A server of a kind that is served.
    Served {
        /// Its kind.
        kind: Kind,
        /// What it calls itself, where it says so.
        name: Option<String>,
        /// Its version.
        version: String,
        /// Whether it belongs to an account, where it says so (Plex).
        claimed: Option<bool>,
    },
    /// An Emby; its version.
    Emby(String),
    /// A media server that is starting.
    Starting,
    /// It takes only requests that are encrypted.
    WantsEncryption,
    /// Nothing is at this path; the status.
    Nothing(u16),
    /// Something else: a router's page, another program; the status.
    Foreign(u16),
}

#[derive(Deserialize)]
struct Plex {
    #[serde(rename = "MediaContainer")]
    container: PlexIdentity,
}

#[derive(Deserialize)]
struct PlexIdentity {
    version: String,
    #[serde(rename = "machineIdentifier")]
    _machine: String,
    #[serde(rename = "friendlyName")]
    name: Option<String>,
    claimed: Option<bool>,
}

#[derive(Deserialize)]
struct Family {
    #[serde(rename = "ServerName")]
    name: Option<String>,
    #[serde(rename = "Version")]
    version: String,
    #[serde(rename = "Id")]
    _id: String,
    #[serde(rename = "ProductName")]
    product: Option<String>,
}

impl Kind {
    /// Where a server says who it is, without a token.
    pub fn introduction_path(self) -> &'static str {
        match self {
            Self::Plex => "/identity",
            Self::Jellyfin => "/System/Info/Public",
        }
    }

    /// Who gave this answer to the [introduction path](Kind::introduction_path) of any kind.
    pub fn introduction(status: u16, body: &[u8]) -> Introduction {
        if status == 400 && says_it_is_encrypted(body) {
            return Introduction::WantsEncryption;
        }
        if status == 503 {
            return Introduction::Starting;
        }
        if let Ok(Plex { container }) = serde_json::from_slice::<Plex>(body) {
            let PlexIdentity { version, name, claimed, .. } = container;
            return Introduction::Served { kind: Self::Plex, name, version, claimed };
        }
        match serde_json::from_slice::<Family>(body) {
            Ok(family) if is_jellyfin(&family) => Introduction::Served {
                kind: Self::Jellyfin,
                name: family.name,
                version: family.version,
                claimed: None,
            },
            Ok(family) => Introduction::Emby(family.version),
            Err(_) if status == 404 => Introduction::Nothing(status),
            Err(_) => Introduction::Foreign(status),
        }
    }

    /// The oldest version that is served, and whether this one is older. A version that is not understood is not.
    pub fn is_too_old(self, version: &str) -> Option<String> {
        let mut numbers = version.split('.').map(str::parse::<u32>);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let (_, oldest) = OLDEST.into_iter().find(|(kind, _)| *kind == self)?;
        ([major, minor] < oldest).then(|| format!("{}.{}", oldest[0], oldest[1]))
    }

    /// The newest version that this project was tried with, if this one is newer. A version that is not understood is
    /// not.
    pub fn is_untested(self, version: &str) -> Option<String> {
        let mut numbers = version.split('.').map(str::parse::<u32>);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let (_, newest) = NEWEST.into_iter().find(|(kind, _)| *kind == self)?;
        ([major, minor] > newest).then(|| format!("{}.{}", newest[0], newest[1]))
    }
}

/// Emby calls its product so, or nothing at all, and counts its versions from 4.
fn is_jellyfin(family: &Family) -> bool {
    match &family.product {
        Some(product) => product.contains("Jellyfin"),
        None => !family.version.starts_with("4."),
    }
}

fn says_it_is_encrypted(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(2048)]).to_ascii_lowercase();
    text.contains("http request to an https server")
        || text.contains("plain http request was sent to https port")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_from_each_other() {
        let plex =
            br#"{"MediaContainer":{"size":0,"machineIdentifier":"m","version":"1.43","claimed":false}}"#;
        let jellyfin =
            br#"{"ServerName":"Den","Version":"10.11.3","ProductName":"Jellyfin Server","Id":"x"}"#;
        let emby = br#"{"ServerName":"Den","Version":"4.8.1.0","Id":"x","LocalAddresses":[]}"#;
        let named = br#"{"ServerName":"Den","Version":"4.9","Id":"x","ProductName":"Emby Server"}"#;
        let served = |status, body: &[u8]| match Kind::introduction(status, body) {
            Introduction::Served { kind, claimed, .. } => Some((kind, claimed)),
            _ => None,
        };
        assert_eq!(served(200, plex), Some((Kind::Plex, Some(false))));
        assert_eq!(served(200, jellyfin), Some((Kind::Jellyfin, None)));
        assert_eq!(Kind::introduction(200, emby), Introduction::Emby("4.8.1.0".into()));
        assert_eq!(Kind::introduction(200, named), Introduction::Emby("4.9".into()));
        assert_eq!(Kind::introduction(200, b"<html>"), Introduction::Foreign(200));
        assert_eq!(Kind::introduction(404, b"<html>"), Introduction::Nothing(404));
        assert_eq!(Kind::introduction(503, b"<html>"), Introduction::Starting);
    }

    #[test]
    fn a_server_that_wants_encryption_says_so_in_several_words() {
        for body in [
            "Client sent an HTTP request to an HTTPS server.\n",
            "<h1>The plain HTTP request was sent to HTTPS port</h1>",
        ] {
            assert_eq!(Kind::introduction(400, body.as_bytes()), Introduction::WantsEncryption, "{body}");
        }
        assert_eq!(Kind::introduction(400, b"no"), Introduction::Foreign(400));
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(Kind::Jellyfin.is_too_old("10.8.13"), Some("10.9".into()));
        assert_eq!(Kind::Jellyfin.is_too_old("10.11.0"), None);
        assert_eq!(Kind::Jellyfin.is_too_old("12.0.0"), None);
        assert_eq!(Kind::Plex.is_too_old("1.9.7.4460"), Some("1.40".into()));
        assert_eq!(Kind::Plex.is_too_old("1.43.2.1"), None);
        assert_eq!(Kind::Plex.is_too_old("unknown"), None);
    }

    #[test]
    fn a_version_nobody_has_tried_is_told() {
        assert_eq!(Kind::Plex.is_untested("1.43.2.1"), None);
        assert_eq!(Kind::Plex.is_untested("1.44.0"), Some("1.43".into()));
        assert_eq!(Kind::Jellyfin.is_untested("12.0.1"), None);
        assert_eq!(Kind::Jellyfin.is_untested("12.1.0"), Some("12.0".into()));
        assert_eq!(Kind::Jellyfin.is_untested("unknown"), None);
    }
}
