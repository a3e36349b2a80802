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

impl Kind {
    /// Name and version out of the JSON body of `/identity` (Plex) or `/System/Info/Public` (Jellyfin); `None` if
    /// it is somebody else's body.
    pub fn greeting(self, body: &[u8]) -> Option<(Option<String>, String)> {
        match self {
            Self::Plex => {
                let said: PlexEnvelope<PlexIdentity> = serde_json::from_slice(body).ok()?;
                Some((said.container.name, said.container.version))
            }
            Self::Jellyfin => {
                let said: JellyfinInfo = serde_json::from_slice(body).ok()?;
                let is_other = said.product.is_some_and(|product| !product.contains("Jellyfin"));
                if is_other { None } else { Some((said.name, said.version)) }
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
        assert_eq!(Kind::Plex.greeting(plex), Some((None, "1.43.2".into())));
        assert_eq!(Kind::Jellyfin.greeting(jellyfin), Some((Some("Den".into()), "10.11.3".into())));
        assert_eq!(Kind::Jellyfin.greeting(emby), None);
        assert_eq!(Kind::Plex.greeting(jellyfin), None);
        assert_eq!(Kind::Jellyfin.greeting(b"<html>"), None);
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
