//! What a server says of itself without a token, and the change counters it keeps per section.

use serde::Deserialize;

use crate::ask::Kind;

#[derive(Deserialize)]
struct PlexEnvelope<T> {
    #[serde(rename = "MediaContainer")]
    container: T,
}

#[derive(Deserialize)]
struct PlexIdentity {
    version: String,
    #[serde(rename = "machineIdentifier")]
    _machine: String,
    #[serde(rename = "friendlyName")]
    name: Option<String>,
}

#[derive(Deserialize)]
struct JellyfinInfo {
    #[serde(rename = "ServerName")]
    name: Option<String>,
    #[serde(rename = "Version")]
    version: String,
    #[serde(rename = "ProductName")]
    product: Option<String>,
}

#[derive(Deserialize)]
struct PlexSections {
    #[serde(rename = "Directory", default)]
    sections: Vec<PlexSection>,
}

#[derive(Deserialize)]
struct PlexSection {
    key: String,
    #[serde(rename = "contentChangedAt", default)]
    content_changed_at: u64,
    #[serde(rename = "scannedAt", default)]
    scanned_at: u64,
}

/// Who a server says to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Introduced {
    /// The server that is expected.
    AsExpected {
        /// What it calls itself, where it says so.
        name: Option<String>,
        /// Its version.
        version: String,
    },
    /// The relative that speaks almost the same, and is not spoken here.
    Emby {
        /// Its version.
        version: String,
    },
    /// Something else.
    Foreign,
}

/// The first version of Jellyfin; what has no product's name and is older is Emby.
const FIRST_JELLYFIN: u32 = 10;
/// Where else an Emby that answers below its own prefix only says who it is.
pub const EMBY_INFO: &str = "/emby/System/Info/Public";

impl Kind {
    /// What the JSON body of `/identity` (Plex) or `/System/Info/Public` (Jellyfin) says.
    pub fn greeting(self, body: &[u8]) -> Introduced {
        match self {
            Self::Plex => serde_json::from_slice::<PlexEnvelope<PlexIdentity>>(body).map_or(
                Introduced::Foreign,
                |said| Introduced::AsExpected { name: said.container.name, version: said.container.version },
            ),
            Self::Jellyfin => {
                serde_json::from_slice(body).map_or(Introduced::Foreign, JellyfinInfo::introduced)
            }
        }
    }
}

impl Kind {
    /// Whether the JSON body of the probe says that the server is still starting. Jellyfin says that by its status.
    pub fn is_starting(self, body: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Starting {
            #[serde(rename = "startState")]
            _state: serde::de::IgnoredAny,
        }
        self == Self::Plex && serde_json::from_slice::<PlexEnvelope<Starting>>(body).is_ok()
    }
}

impl JellyfinInfo {
    fn introduced(self) -> Introduced {
        let Self { name, version, product } = self;
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        match product {
            Some(product) if product.contains("Jellyfin") => Introduced::AsExpected { name, version },
            Some(product) if product.contains("Emby") => Introduced::Emby { version },
            Some(_) => Introduced::Foreign,
            None if major.is_some_and(|major| major < FIRST_JELLYFIN) => Introduced::Emby { version },
            None => Introduced::AsExpected { name, version },
        }
    }
}

/// The user's id out of the JSON body of Jellyfin's `/Users/Me`, without dashes.
pub fn own_user(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Me {
        #[serde(rename = "Id")]
        id: String,
    }
    let me: Me = serde_json::from_slice(body).ok()?;
    Some(me.id.replace('-', "").to_ascii_lowercase())
}

/// Section ids with a text that differs whenever the section's content does, out of the JSON body of Plex's
/// `/library/sections`.
pub fn change_counters(body: &[u8]) -> Option<Vec<(String, String)>> {
    let said: PlexEnvelope<PlexSections> = serde_json::from_slice(body).ok()?;
    let counter = |section: &PlexSection| format!("{}/{}", section.content_changed_at, section.scanned_at);
    Some(said.container.sections.iter().map(|section| (section.key.clone(), counter(section))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_known_by_its_own_words() {
        let plex = br#"{"MediaContainer":{"size":0,"machineIdentifier":"m","version":"1.43.2"}}"#;
        let jellyfin =
            br#"{"ServerName":"Den","Version":"10.11.3","ProductName":"Jellyfin Server","Id":"x"}"#;
        let emby = br#"{"ServerName":"Den","Version":"4.8","ProductName":"Emby Server"}"#;
        let expected = |name: Option<&str>, version: &str| Introduced::AsExpected {
            name: name.map(str::to_owned),
            version: version.into(),
        };
        assert_eq!(Kind::Plex.greeting(plex), expected(None, "1.43.2"));
        assert_eq!(Kind::Jellyfin.greeting(jellyfin), expected(Some("Den"), "10.11.3"));
        assert_eq!(Kind::Jellyfin.greeting(br#"{"Version":"12.0.0"}"#), expected(None, "12.0.0"));
        assert_eq!(Kind::Jellyfin.greeting(emby), Introduced::Emby { version: "4.8".into() });
        let nameless = br#"{"ServerName":"Den","Version":"4.9.1.2","LocalAddresses":[],"Id":"x"}"#;
        assert_eq!(Kind::Jellyfin.greeting(nameless), Introduced::Emby { version: "4.9.1.2".into() });
        assert_eq!(
            Kind::Jellyfin.greeting(br#"{"Version":"1","ProductName":"Router"}"#),
            Introduced::Foreign
        );
        assert_eq!(Kind::Plex.greeting(jellyfin), Introduced::Foreign);
        assert_eq!(Kind::Jellyfin.greeting(b"<html>"), Introduced::Foreign);
    }

    #[test]
    fn a_starting_server_says_so() {
        let starting = br#"{"MediaContainer":{"size":0,"startState":"startingPlugins"}}"#;
        let well = br#"{"MediaContainer":{"size":0,"machineIdentifier":"m","version":"1.43.2"}}"#;
        assert!(Kind::Plex.is_starting(starting));
        assert!(!Kind::Plex.is_starting(well));
        assert!(!Kind::Plex.is_starting(b"<MediaContainer/>"));
        assert!(!Kind::Jellyfin.is_starting(starting));
    }

    #[test]
    fn a_moved_counter_is_another_text() {
        let body = |at: u64| {
            format!(
                r#"{{"MediaContainer":{{"Directory":[{{"key":"1","contentChangedAt":{at},"scannedAt":5}}]}}}}"#
            )
        };
        assert_ne!(change_counters(body(1).as_bytes()), change_counters(body(2).as_bytes()));
        assert_eq!(change_counters(b"[]"), None);
    }
}
